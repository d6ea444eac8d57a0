"""kazoo's own test suite, as its package ships it, against servers that are already running: `suite.py HOSTS [CASE]`.

    kazoo.tests (installed) ──asks──► Cluster below ──control──► the runner's members, by their client port

Rule: nothing of the suite is changed; what is left out stands in LEFT_OUT with its reason. Reason: its authors wrote
down what they rely on, and it was not written with coordd in mind.
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
os.environ.setdefault("ZOOER_VERSION", "3.9.5")

import kazoo.testing.harness  # noqa: E402
import pytest  # noqa: E402

from harness import control  # noqa: E402

MODULES = ["barrier", "cache", "client", "connection", "counter", "election", "lease", "lock", "partitioner", "party",
           "queue", "watchers"]
LEFT_OUT = {
    "ssl": "TLS on the client port comes later",
    "reconfig": "needs reconfigEnabled; the default is to refuse it",
    "read_only": "needs servers in read-only mode",
}


NOT_ALONE = {"update_host_list": "goes on to the other members"}

# Each sleeps for most of ten seconds whatever the servers do; they run when a CASE is named.
SLOW = ["remove_session_watcher", "update_host_list", "partitioner_during_the_lock", "partitioner_steals_the_lock"]


class Member:
    def __init__(self, address):
        self.address = address
        self.client_port = int(address.rsplit(":", 1)[1])
        self.running = True

    def run(self):
        if not self.running:
            control(f"start {self.client_port}")
            self.running = True

    def stop(self):
        self.running = False
        control(f"kill {self.client_port}")


class Cluster(list):
    """What the suite believes that it started."""

    def start(self):
        for member in self:
            member.run()

    def terminate(self):
        self.start()

    stop = reset = terminate

    def get_logs(self):
        return []


class Lines:
    """Says the outcome of each test in the form that the runner counts."""

    def __init__(self):
        self.failed = set()

    @pytest.hookimpl
    def pytest_runtest_logreport(self, report):
        name = report.nodeid.rsplit("/", 1)[-1].replace("::", ".")
        if report.failed and name not in self.failed:
            self.failed.add(name)
            why = str(report.longrepr.reprcrash.message if hasattr(report.longrepr, "reprcrash") else report.longrepr)
            say(f"FAIL {name}: {why[:300]}".replace("\n", " "))
        elif report.when == "call" and report.passed:
            say(f"ok {name} {round(report.duration * 1000)} ms")


def say(line):
    os.write(OUT, line.encode() + b"\n")


OUT = os.dup(1)


def main(hosts, only=None):
    cluster = Cluster(Member(address) for address in hosts.split(","))
    kazoo.testing.harness.get_global_cluster = lambda: cluster
    tests = os.path.join(os.path.dirname(kazoo.__file__), "tests")
    files = [os.path.join(tests, f"test_{name}.py") for name in MODULES]
    left_out = [*LEFT_OUT, *([] if only else SLOW), *([] if len(cluster) > 1 else NOT_ALONE)]
    expression = " and ".join(f"not {word}" for word in left_out)
    expression += f" and {only}" if only else ""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    code = pytest.main(["-q", "-p", "no:cacheprovider", "-k", expression, *files], plugins=[Lines()])
    os._exit(int(code))


main(*sys.argv[1:])
