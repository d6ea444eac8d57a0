"""The life of a chat: users find their servers, a server dies or hangs, the janitor dies, the configuration changes."""

import contextlib
import json
import os
import socket
import sys
import urllib.parse
import urllib.request

from harness import case, control, equal, until
from world import Running, http_hosts

CHAT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples/chat")
USERS = [f"user-{n}" for n in range(30)]


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Chat(contextlib.ExitStack):
    """Three servers and a gateway."""

    def __init__(self, t):
        super().__init__()
        self.zk = t.rooted()
        self.zk.create(t.root + "/config/greeting", b"Hello", makepath=True)
        self.zk.create(t.root + "/config/sweep_seconds", b"0.2")
        everywhere = ["--http", ",".join(http_hosts(t)), "--root", t.root]
        self.servers = {}
        for name in ("s1", "s2", "s3"):
            options = ["--name", name, "--port", str(free_port()), "--zookeeper", t.hosts, *everywhere]
            self.servers[name] = self.run("server.py", *options)
        self.port = free_port()
        self.run("gateway.py", "--port", str(self.port), *everywhere)
        until(self.is_up, "three servers are live, and one is the janitor")

    def run(self, program, *options):
        return self.enter_context(Running(sys.executable, "-u", os.path.join(CHAT, program), *options))

    def get(self, path, **parameters):
        url = f"http://127.0.0.1:{self.port}{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=20) as answer:
            return json.load(answer)

    def told(self, what):
        for server in self.servers.values():
            until(lambda: any(what in line for line in server.lines), f"the server was told {what}")

    def is_up(self):
        try:
            who = self.get("/who")
            return len(who["loads"]) == 3 and who["janitor"]
        except OSError:
            return False


@case
def users_are_spread_and_those_of_a_dead_server_move_and_no_others(t):
    with Chat(t) as chat:
        for user in USERS:
            chat.get("/say", sender="ann", user=user, text="hi")
        for user in USERS:
            equal(chat.get("/inbox", user=user), [f"Hello, {user}", "ann: hi"])
        before = chat.get("/who")["users"]
        equal(set(before.values()), {"s1", "s2", "s3"})
        until(lambda: sum(chat.get("/who")["loads"].values()) == len(USERS), "the loads are registered")
        chat.servers["s2"].kill()
        orphan = next(user for user, home in before.items() if home == "s2")
        chat.get("/say", sender="bob", user=orphan, text="are you there?")
        equal(chat.get("/inbox", user=orphan), [f"Hello, {orphan}", "bob: are you there?"])
        until(lambda: "s2" not in chat.get("/who")["users"].values(), "all have moved")
        after = chat.get("/who")["users"]
        equal({user for user in USERS if after[user] != before[user]}, {u for u in USERS if before[u] == "s2"})


@case
def one_janitor_sweeps_and_another_when_it_dies(t):
    with Chat(t) as chat:
        chat.get("/say", sender="ann", user="zoe", text="old")
        chat.zk.create(t.root + "/config/keep_seconds", b"0")
        until(lambda: chat.get("/inbox", user="zoe") == [], "the janitor has swept by the new configuration")
        first = chat.get("/who")["janitor"]
        chat.servers[first].kill()
        until(lambda: chat.get("/who")["janitor"] not in (first, None), "another is the janitor")
        chat.get("/say", sender="ann", user="zoe", text="new")
        until(lambda: chat.get("/inbox", user="zoe") == [], "the new janitor sweeps")


@case
def a_server_that_is_told_to_end_is_gone_when_it_has_ended(t):
    with Chat(t) as chat:
        chat.servers["s1"].process.terminate()
        equal(chat.servers["s1"].process.wait(10), 0)
        chat.zk.sync(t.root)
        equal(chat.zk.exists(t.root + "/servers/s1"), None)
        until(lambda: len(chat.get("/who")["loads"]) == 2, "the gateway knows it")


@case
def servers_that_hang_do_not_keep_the_gateway_from_hearing_who_lives(t):
    with Chat(t) as chat, socket.socket() as hangs:
        hangs.bind(("127.0.0.1", 0))
        hangs.listen(100)
        for user in USERS:
            chat.get("/say", sender="ann", user=user, text="hi")
        place = {"address": "127.0.0.1", "port": hangs.getsockname()[1], "load": 0}
        chat.zk.create(t.root + "/servers/hangs", json.dumps(place).encode(), ephemeral=True)
        until(lambda: list(chat.get("/who")["users"].values()).count("hangs") > 2, "users are to move there")
        chat.zk.delete(t.root + "/servers/hangs")
        until(lambda: "hangs" not in chat.get("/who")["users"].values(), "they are elsewhere", seconds=4)


@case
def a_wrong_setting_or_registration_ends_no_janitor(t):
    def swept(what):
        chat.get("/say", sender="ann", user="zoe", text="dust")
        until(lambda: chat.get("/inbox", user="zoe") == [], what)

    with Chat(t) as chat:
        sweep, keep = t.root + "/config/sweep_seconds", t.root + "/config/keep_seconds"
        chat.zk.create(keep, b"0")
        chat.zk.create(t.root + "/servers/of-no-port", b'{"address": "127.0.0.1"}')
        swept("who has no port is passed over")
        for wrong in ("5s", "", "-1", "nan"):
            chat.zk.set(sweep, wrong.encode())
            chat.told(f"sweep_seconds={wrong!r}")
            swept(f"the time before {wrong!r} holds")
        chat.zk.set(sweep, b"3000")
        chat.told("3000")
        chat.zk.set(sweep, b"0.2")
        swept("the short time is used though the long one is not over")


@case
def configuration_is_used_from_the_moment_it_changes(t):
    with Chat(t) as chat:
        equal(chat.get("/inbox", user="ann"), ["Hello, ann"])
        chat.zk.set(t.root + "/config/greeting", b"Good morning")
        chat.told("Good morning")
        equal(chat.get("/inbox", user="bob"), ["Good morning, bob"])


@case
def a_member_that_dies_is_not_noticed(t):
    with Chat(t) as chat:
        chat.get("/say", sender="ann", user="bob", text="one")
        leader = control("leader")
        control(f"kill {leader}")
        chat.get("/say", sender="ann", user="bob", text="two")
        equal(chat.get("/inbox", user="bob"), ["Hello, bob", "ann: one", "ann: two"])
        control(f"start {leader}")
