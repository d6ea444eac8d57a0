"""What every case stands on: clients that are closed, a limit on time, a hand on the servers.

    @case                 main.py runs it in a thread: `ok NAME`, or `FAIL NAME: why`
    def name(t): ...      t.client() gives a started client, t.root an empty path of its own

Rule: a case waits for what it expects (`until`) and never sleeps a fixed time for it, and a client syncs before it
reads what another wrote. Reason: the servers run on busy machines, a member may lag, and a check that needs luck is
worth nothing. (`COORDD_PLANTED_DIR`, in coordd's src/planted.rs, makes members lag on purpose.)
"""

import contextlib
import logging
import os
import socket
import sys
import threading
import time
import traceback

from kazoo.client import KazooClient

CASES = []
CASE_SECONDS = 40


def case(function):
    CASES.append(function)
    return function


def case_of_three(function):
    """A case that no lone member can show."""
    function.members = 3
    return case(function)


class Case:
    """The surroundings of one case."""

    def __init__(self, hosts, name):
        self.hosts = hosts
        self.root = "/kazoo-" + name
        self.clients = []

    def client(self, timeout=6.0, chroot="", hosts=None, **options):
        client = KazooClient((hosts or self.hosts) + chroot, timeout=timeout, **options)
        self.clients.append(client)
        client.start(timeout=20)
        return client

    def rooted(self):
        """A client, with the root of this case made empty."""
        client = self.client()
        client.delete(self.root, recursive=True)
        client.create(self.root)
        return client

    def close(self):
        for client in self.clients:
            client.stop()
            client.close()


def until(condition, what, seconds=15):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(0.01)


def raises(error, function, *args, **kwargs):
    try:
        result = function(*args, **kwargs)
    except error as raised:
        return raised
    raise AssertionError(f"expected {error.__name__}, got {result!r}")


def equal(got, wanted):
    assert got == wanted, f"got {got!r}, wanted {wanted!r}"


def control(line):
    """Asks the runner to kill or start a member, named by its client port."""
    host, port = os.environ["E2E_CONTROL"].split(":")
    with socket.create_connection((host, int(port))) as link:
        link.sendall(line.encode() + b"\n")
        answer = link.makefile().readline().strip()
    assert answer.startswith("ok"), f"{line}: {answer}"
    return answer[2:].strip()


class Doors:
    """The members, reached through doors of the runner: while they are shut, what is said is lost and nobody told."""

    def __init__(self, hosts):
        self.ports = [control(f"door {host.rsplit(':', 1)[1]}") for host in hosts.split(",")]
        self.hosts = ",".join(f"127.0.0.1:{port}" for port in self.ports)

    def set(self, verb):
        for port in self.ports:
            control(f"{verb} {port}")


def server_port(client):
    """The port of the server that this client is connected to."""
    return client._connection._socket.getpeername()[1]


def in_threads(*functions):
    """Runs all at once; the first error of any is raised."""
    errors = []

    def guarded(function):
        try:
            function()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(f,), daemon=True) for f in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(CASE_SECONDS)
        assert not thread.is_alive(), "a thread did not end"
    if errors:
        raise errors[0]


def run(function, hosts):
    """Whether the case passed; says so on standard output."""
    outcome = []
    surroundings = Case(hosts, function.__name__)

    def body():
        try:
            function(surroundings)
            outcome.append(None)
        except BaseException as error:
            frame = traceback.extract_tb(error.__traceback__)
            own = [f for f in frame if "/clients/" in f.filename]
            where = f"{os.path.basename(own[-1].filename)}:{own[-1].lineno} " if own else ""
            outcome.append(f"{where}{type(error).__name__} {error}".replace("\n", " "))

    began = time.monotonic()
    thread = threading.Thread(target=body, daemon=True)
    thread.start()
    seconds = getattr(function, "seconds", CASE_SECONDS)
    thread.join(seconds)
    why = outcome[0] if outcome else f"no end within {seconds} s"
    if outcome:
        surroundings.close()
    took = round((time.monotonic() - began) * 1000)
    print(f"FAIL {function.__name__}: {why}" if why else f"ok {function.__name__} {took} ms")
    return why is None


def main(hosts, only=None, within=contextlib.nullcontext):
    """The cases that were imported, or those whose name has `only` in it; ends the process, with 1 when one failed."""
    logging.disable(logging.CRITICAL)
    members = len(hosts.split(","))
    chosen = [c for c in CASES if getattr(c, "members", 1) <= members and (only is None or only in c.__name__)]
    with within():
        failed = [c.__name__ for c in chosen if not run(c, hosts)]
    sys.stdout.flush()
    os._exit(1 if failed or not chosen else 0)
