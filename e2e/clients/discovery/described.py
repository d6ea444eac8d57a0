"""The API against its own description: schemathesis asks what `/openapi.json` allows, and what it does not."""

import os
import subprocess

from harness import case
from world import curator_json, http_hosts

#: What an answer must be, whatever was asked.
CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"


@case
def every_answer_is_as_described(t):
    zk = t.rooted()
    zk.create(t.root + "/a", curator_json("orders", "a", "10.0.0.1", 8001), ephemeral=True)
    zk.create(t.root + "/b", b"not a registration")
    zk.create(t.root + "/x__lock__0000000000", b"ann", ephemeral=True)
    command = [
        os.environ["E2E_SCHEMATHESIS"], "run", f"http://{http_hosts(t)[0]}/openapi.json",
        "--checks", CHECKS, "--include-path-regex", "^/v1/", "--phases", "examples,coverage,fuzzing",
        "--seed", "5", "--max-examples", "25", "--request-timeout", "15", "--workers", "1", "--no-color",
    ]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=os.environ["E2E_RUNS"])
    assert ran.returncode == 0, "\n".join(ran.stdout.splitlines()[-60:])
