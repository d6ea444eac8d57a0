"""How the chat follows (e2e/examples/chat/follow.py): members played here, which say what real ones say seldom.

And whose sweeps a server takes (server.py), for ensembles that are made anew as seldom.
"""

import http.server
import json
import os
import sys
import threading

from harness import case, equal

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples/chat"))

from follow import follow, in_background  # noqa: E402
from server import Messages  # noqa: E402


class Played(http.server.BaseHTTPRequestHandler):
    """A member. Each question for a stream takes one of `scripts`: (ensemble, least id that it lacks, events)."""

    scripts = []

    def do_GET(self):
        ensemble, limit, events = self.scripts[0]
        if self.path == "/v1/ensemble":
            return self.say(200, json.dumps({"ensemble_id": ensemble}))
        if len(self.scripts) > 1:
            self.scripts.pop(0)
        if int(self.headers.get("Last-Event-ID", 0)) >= limit:
            return self.say(503, '{"type":"urn:coordd:problem:behind"}')
        text = [f"id: {zxid}\nevent: {kind}\ndata: {json.dumps(data)}\n\n" for zxid, kind, data in events]
        return self.say(200, "".join(text))

    def say(self, status, text):
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *_):
        pass


class Member:
    def __init__(self, *scripts):
        handler = type("Handler", (Played,), {"scripts": list(scripts)})
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __enter__(self):
        return [f"127.0.0.1:{self.server.server_port}"]

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


@case
def an_ensemble_that_was_made_anew_is_followed_from_its_beginning(t):
    old, new = ("one", 60_000, [(50_000, "snapshot", {"n": 1})]), ("two", 41, [(40, "snapshot", {"n": 2})])
    with Member(old, new) as members:
        answers = follow(members, "/v1/services/chat")
        equal([next(answers), next(answers)], [{"n": 1}, {"n": 2}])


@case
def what_may_not_be_shown_is_not_taken_for_gone(t):
    gone = [(7, "gone", {"status": 401, "detail": "not now"}), (8, "gone", {"status": 404, "detail": "none"})]
    with Member(("one", 99, [(6, "snapshot", {"n": 1}), *gone, (9, "change", {"n": 2})])) as members:
        answers = follow(members, "/v1/services/chat")
        equal([next(answers), next(answers), next(answers)], [{"n": 1}, None, {"n": 2}])


@case
def an_answer_that_cannot_be_used_does_not_end_the_following(t):
    heard, done = [], threading.Event()

    def told(answer):
        heard.append(answer["n"])
        if answer["n"] == 1:
            raise ValueError("of no use")
        done.set()

    with Member(("one", 99, [(6, "snapshot", {"n": 1}), (7, "change", {"n": 2})])) as members:
        in_background(members, "/v1/services/chat", told)
        assert done.wait(10), heard


@case
def a_janitor_of_an_ensemble_that_was_made_anew_sweeps_and_one_that_was_paused_does_not(t):
    messages = Messages()

    def takes(ensemble, token):
        try:
            return messages.sweep(ensemble, token, 0) == {}
        except ValueError:
            return False

    for ensemble, token, is_taken in (
        ("old", 60_000, True),
        ("old", 59_000, False),
        ("new", 40, True),
        ("old", 60_001, False),
        ("new", 39, False),
        ("new", 41, True),
    ):
        equal((ensemble, token, takes(ensemble, token)), (ensemble, token, is_taken))
