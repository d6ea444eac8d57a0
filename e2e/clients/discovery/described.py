"""The API against its own description: schemathesis asks what `/openapi.json` allows, and what it does not."""

import os
import subprocess

from harness import case
from world import curator_json, http_hosts

#: What an answer must be, whatever was asked.
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
#: What is waited for is given, for a member that is asked for a zxid of the future takes five seconds to say 503. Half of
#: the paths are those of znodes that are there.
SETTINGS = """
[checks.not_a_server_error]
expected-statuses = ["2xx", "3xx", "4xx", 503]

[dictionaries.registered]
values = {paths}

[parameters]
"query.after" = 1
"query.wait" = "10ms"
"path.path" = {{ dictionary = "registered", probability = 0.5 }}
"""


@case
def every_answer_is_as_described(t):
    zk = t.rooted()
    zk.create(t.root + "/orders/a", curator_json("orders", "a", "10.0.0.1", 8001), ephemeral=True, makepath=True)
    zk.create(t.root + "/orders/b", b"not a registration")
    zk.create(t.root + "/x__lock__0000000000", b"ann", ephemeral=True)
    settings = os.path.join(os.environ["E2E_RUNS"], "schemathesis.toml")
    with open(settings, "w") as file:
        file.write(SETTINGS.format(paths=[t.root[1:], t.root[1:] + "/orders", t.root[1:] + "/orders/a"]))
    command = [
        os.environ["E2E_SCHEMATHESIS"], "--config-file", settings, "--no-color",
        "run", f"http://{http_hosts(t)[0]}/openapi.json", "--checks", CHECKS, "--include-path-regex", "^/v1/",
        "--phases", "coverage,fuzzing", "--seed", "5", "--max-examples", "20", "--request-timeout", "15",
    ]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=os.environ["E2E_RUNS"])
    assert ran.returncode == 0, "\n".join((ran.stdout + ran.stderr).splitlines()[-60:])
    assert "✅ Fuzzing" in ran.stdout and "Failures" not in ran.stdout, ran.stdout


every_answer_is_as_described.seconds = 120
