"""What the cases stand on: other programs that are heard and killed, Curator among them, and questions over HTTP."""

import base64
import json
import os
import subprocess
import threading
import urllib.error
import urllib.request

from harness import until

HERE = os.path.dirname(os.path.abspath(__file__))
HTTP_ABOVE_CLIENT = 20


class Running:
    """A program that runs until the block ends; what it says is kept, line by line."""

    def __init__(self, *command, **options):
        self.lines = []
        self.process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *command],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)
        threading.Thread(target=self.hear, daemon=True).start()

    def hear(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.kill()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def is_told(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def says(self, what, good, seconds=20):
        """Waits until the last line of its answers is as wanted."""
        def said():
            assert self.process.poll() is None, f"it ended: {self.lines[-8:]}"
            return self.lines and good(self.lines[-1])
        try:
            until(said, what, seconds)
        except AssertionError as error:
            raise AssertionError(f"{error}; it said {self.lines[-4:]}") from None


def curator(t, *order):
    """A JVM that registers or stands for election through Curator."""
    jars = os.path.join(os.environ["E2E_JARS"], "*")
    quiet = "-Dorg.slf4j.simpleLogger.defaultLogLevel=off"
    registrar = os.path.join(HERE, "Registrar.java")
    return Running("java", "-Xmx64m", quiet, "-cp", jars, registrar, t.hosts, *map(str, order), stdin=subprocess.PIPE)


def http_hosts(t):
    ports = [int(host.rsplit(":", 1)[1]) for host in t.hosts.split(",")]
    return [f"127.0.0.1:{port + HTTP_ABOVE_CLIENT}" for port in ports]


def ask(t, path, member=0, user=None):
    """What `path` answers, as JSON."""
    request = urllib.request.Request(f"http://{http_hosts(t)[member]}{path}")
    if user:
        request.add_header("Authorization", "Basic " + base64.b64encode(user.encode()).decode())
    with urllib.request.urlopen(request, timeout=10) as answer:
        return json.load(answer)


def status(t, path, member=0):
    """The status that `path` is answered with."""
    try:
        with urllib.request.urlopen(f"http://{http_hosts(t)[member]}{path}", timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as refused:
        return refused.code


def curator_json(name, instance, address, port, secure=None):
    """A registration as Curator's ServiceDiscovery writes it."""
    return json.dumps({
        "name": name, "id": instance, "address": address, "port": port, "sslPort": secure, "payload": None,
        "registrationTimeUTC": 1, "serviceType": "DYNAMIC", "uriSpec": None, "enabled": True,
    }).encode()
