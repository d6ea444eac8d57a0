"""README.md's examples of following a service, each in its language, run as they stand."""

import contextlib
import os
import re
import sys
import tempfile

from harness import case, control, until
from kazoo.security import make_acl
from world import Running, ask, curator, curator_json, http_hosts, status

README = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../../README.md")
PATH = "/v1/services/services/orders"
#: Language, as README.md's fence names it: the file it is kept in, and what runs that.
LANGUAGES = {
    "bash": ("follow.sh", ["bash"]),
    "python": ("follow.py", [sys.executable, "-u"]),
    "go": ("follow.go", ["go", "run"]),
    "java": ("Follow.java", ["java", "-Xmx64m"]),
    "javascript": ("follow.mjs", ["node"]),
}
LINES_MAX = 25


def example(language):
    """The one example in that language which follows the orders."""
    with open(README) as file:
        blocks = re.findall(r"^```(\w+)\n(.*?)^```$", file.read(), re.MULTILINE | re.DOTALL)
    found = [text for name, text in blocks if name == language and PATH in text]
    assert len(found) == 1, f"README.md has {len(found)} examples in {language}"
    lines = found[0].count("\n")
    assert lines <= LINES_MAX, f"{lines} lines of {language}"
    return found[0]


def in_place(text, t, base):
    """The same for these members and that service."""
    for demo, ours in zip(("127.0.0.1:8080", "127.0.0.1:8081", "127.0.0.1:8082"), http_hosts(t), strict=True):
        assert demo in text, f"{demo} is not in the example"
        text = text.replace(demo, ours)
    return text.replace(PATH, f"/v1/services{base}/orders")


@contextlib.contextmanager
def run(text, language):
    """That program, running."""
    name, command = LANGUAGES[language]
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, name)
        with open(file, "w") as out:
            out.write(text)
        with Running(*command, file, cwd=folder) as program:
            yield program


def follows(t, language):
    """Sees what is registered, one killed, and through the death of the member that it follows, one more.

    No name of a port is one that all have: whoever may register would else end every program that counts on it.
    """
    zk = t.rooted()
    with curator(t, "register", t.root, "orders", "a", "10.0.0.1", 8001) as a:
        a.says("Curator has registered", lambda line: line == "registered")
        with run(in_place(example(language), t, t.root), language) as example_runs:
            example_runs.says("the first", lambda line: "10.0.0.1" in line, seconds=30)
            secure = curator_json("orders", "b", "10.0.0.2", None, secure=8002)
            zk.create(t.root + "/orders/b", secure, ephemeral=True)
            example_runs.says("both", lambda line: "10.0.0.1" in line and "10.0.0.2" in line)
            a.kill()
            example_runs.says("one is gone", lambda line: "10.0.0.1" not in line and "10.0.0.2" in line)
            first = t.hosts.split(",")[0].rsplit(":", 1)[1]
            control(f"kill {first}")
            zk.retry(zk.create, t.root + "/orders/c", curator_json("orders", "c", "10.0.0.3", 8003), ephemeral=True)
            example_runs.says("the new one, from another member", lambda line: "10.0.0.2" in line and "10.0.0.3" in line)
            control(f"start {first}")


@case
def the_example_in_bash(t):
    follows(t, "bash")


@case
def the_example_in_python(t):
    follows(t, "python")


@case
def the_example_in_go(t):
    follows(t, "go")


@case
def the_example_in_java(t):
    follows(t, "java")


@case
def the_example_in_javascript(t):
    follows(t, "javascript")


@case
def each_example_passes_on_from_a_member_that_says_nothing(t):
    zk = t.rooted()
    zk.create(t.root + "/orders/b", curator_json("orders", "b", "10.0.0.2", 8002), makepath=True)
    first = t.hosts.split(",")[0].rsplit(":", 1)[1]
    control(f"stop {first}")
    try:
        with contextlib.ExitStack() as all_of_them:
            for language in LANGUAGES:
                text = in_place(example(language), t, t.root)
                assert "45" in text, f"{language} has another silence"
                program = all_of_them.enter_context(run(text.replace("45", "3"), language))
                all_of_them.callback(program.says, f"{language}: what is there", lambda line: "10.0.0.2" in line, 60)
    finally:
        control(f"cont {first}")


each_example_passes_on_from_a_member_that_says_nothing.seconds = 150


def of_whom_may_not_read(t, language):
    """What may not be shown for a while is no empty list."""
    zk = t.rooted()
    base = t.root + "/orders"
    zk.create(base + "/b", curator_json("orders", "b", "10.0.0.2", 8002), makepath=True)
    with run(in_place(example(language), t, t.root), language) as program:
        program.says("the first", lambda line: "10.0.0.2" in line)
        zk.set_acls(base, [make_acl("world", "anyone", create=True, delete=True, admin=True)])
        until(lambda: all(status(t, f"/v1/services{base}", member) == 401 for member in range(3)), "it may not be read")
        zk.set_acls(base, [make_acl("world", "anyone", all=True)])
        zk.create(base + "/c", curator_json("orders", "c", "10.0.0.3", 8003))
        program.says("both", lambda line: "10.0.0.2" in line and "10.0.0.3" in line)
        assert "[]" not in program.lines, program.lines


@case
def the_example_in_python_takes_what_may_not_be_read_for_no_absence(t):
    of_whom_may_not_read(t, "python")


@case
def the_example_in_javascript_takes_what_may_not_be_read_for_no_absence(t):
    of_whom_may_not_read(t, "javascript")


@case
def all_that_registrars_wrote_is_found_at_every_member(t):
    zk = t.rooted()
    base = t.root + "/orders"
    with curator(t, "register", t.root, "orders", "a", "10.0.0.1", 8001) as a:
        a.says("Curator has registered", lambda line: line == "registered")
        zk.create(base + "/b", curator_json("orders", "b", "10.0.0.2", 8002), ephemeral=True)
        zk.create(base + "/wrong", b"{}")
        zk.sync(base)
        newest = zk.get(base)[1].pzxid
        for member in range(len(http_hosts(t))):
            view = ask(t, f"/v1/services{base}?after={newest}", member)
            found = {(i["id"], i["address"], i["ports"]["default"]) for i in view["instances"]}
            assert found == {("a", "10.0.0.1", 8001), ("b", "10.0.0.2", 8002)}, view
            assert view["format"] == "curator" and [r["znode"] for r in view["rejected"]] == [base + "/wrong"], view
            names = [s["name"] for s in ask(t, f"/v1/services{t.root}?list", member)["services"]]
            assert names == ["orders"], names
