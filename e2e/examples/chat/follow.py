"""Following an answer of the discovery API, with nothing but the standard library."""

import http.client
import itertools
import json
import random
import threading
import time
import urllib.request

#: What a request raises that has got no answer.
LOST = (OSError, http.client.HTTPException, ValueError)


def ask(members, path):
    """The answer of the first member that has one."""
    for member in members[:-1]:
        try:
            return fetch(f"http://{member}{path}")
        except LOST:
            continue
    return fetch(f"http://{members[-1]}{path}")


def fetch(url, body=None, seconds=5):
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(url, data), timeout=seconds) as answer:
        return json.load(answer)


def events(member, path, last):
    """(id, kind, data) of each event, until the line breaks or is silent."""
    request = urllib.request.Request(f"http://{member}{path}", headers={"Accept": "text/event-stream"} | last)
    with urllib.request.urlopen(request, timeout=45) as lines:
        event = {}
        for name, _, value in (line.decode().strip().partition(": ") for line in lines):
            event[name] = value
            if name == "data":
                yield event["id"], event["event"], json.loads(value)


def follow(members, path):
    """The answer now, and again whenever it changes; None while there is no such znode."""
    ensemble, last = None, {}
    for member in itertools.cycle(random.sample(members, len(members))):
        try:
            named = fetch(f"http://{member}/v1/ensemble")["ensemble_id"]
            if named and named != ensemble:
                ensemble, last = named, {}  # One that was made anew counts its zxids anew.
            for zxid, kind, answer in events(member, path, last):
                last = {"Last-Event-ID": zxid}
                if kind != "gone":
                    yield answer
                elif answer["status"] == 404:
                    yield None
                else:  # It may not be shown now: what was told before is not known to be gone.
                    print(f"{path}: {answer['detail']}", flush=True)
        except LOST:
            pass  # The next member continues where this one ended.
        time.sleep(random.random())


def in_background(members, path, told):
    """Calls `told` with each answer, from a thread of its own."""
    def run():
        for answer in follow(members, path):
            try:
                told(answer)
            except Exception as wrong:  # The next answer may be one that can be used.
                print(f"{path}: {wrong!r}", flush=True)
    threading.Thread(target=run, daemon=True).start()
