"""Following an answer of the discovery API, with nothing but the standard library."""

import http.client
import itertools
import json
import random
import threading
import time
import urllib.request


def ask(members, path):
    """The answer of the first member that has one."""
    for member in members[:-1]:
        try:
            return fetch(f"http://{member}{path}")
        except (OSError, http.client.HTTPException):
            continue
    return fetch(f"http://{members[-1]}{path}")


def fetch(url, body=None, seconds=5):
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data), timeout=seconds) as answer:
        return json.load(answer)


def follow(members, path):
    """The answer now, and again whenever it changes; None while there is no such znode."""
    last = {}
    for member in itertools.cycle(random.sample(members, len(members))):
        request = urllib.request.Request(f"http://{member}{path}", headers={"Accept": "text/event-stream"} | last)
        try:
            with urllib.request.urlopen(request, timeout=45) as lines:
                event = {}
                for name, _, value in (line.decode().strip().partition(": ") for line in lines):
                    event[name] = value
                    if name == "data":
                        last = {"Last-Event-ID": event["id"]}
                        yield json.loads(value) if event["event"] != "gone" else None
        except (OSError, http.client.HTTPException):
            pass  # The next member continues where this one ended.
        time.sleep(random.random())


def in_background(members, path, told):
    """Calls `told` with each answer, from a thread of its own."""
    def run():
        for answer in follow(members, path):
            told(answer)
    threading.Thread(target=run, daemon=True).start()
