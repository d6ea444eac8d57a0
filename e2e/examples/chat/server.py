"""A chat server: keeps the messages of the users that the gateway sends to it.

    registers   /chat/servers/NAME   ephemeral: {"address", "port", "load"}   gone when this process is
    stands in   /chat/janitor        kazoo's Election; the janitor lets all servers forget old messages
    follows     /chat/config         greeting, keep_seconds, sweep_seconds: used from the moment they change

What is set to no time leaves the time before it. Told to end (SIGTERM) a server closes its session, and is gone at once.

The janitor's sweeps carry the fencing token of its election. A server refuses a lower one than it has seen: a janitor
that was paused, and does not know that another leads, does no harm. Tokens count within one ensemble. One that was made
anew begins anew, so its id goes with them, and one that was left is not gone back to.
"""

import argparse
import json
import threading
import time

from kazoo.client import KazooClient, KazooState
from kazoo.exceptions import KazooException, NodeExistsError

from follow import LOST, ask, fetch, in_background
from web import serve

DEFAULTS = {"greeting": "Welcome", "keep_seconds": 3600.0, "sweep_seconds": 5.0}


def seconds(text):
    """A time that one can wait; ValueError for what is none."""
    value = float(text)
    if not 0 <= value <= 1e6:
        raise ValueError("no time to wait")
    return value


class Messages:
    """What the users of this server were told; each message as (when, text)."""

    def __init__(self):
        self.lock = threading.Lock()
        self.of = {}
        self.ensemble, self.token, self.left = None, 0, set()
        self.config = DEFAULTS
        self.configured = threading.Event()

    def configure(self, answer):
        """Other settings; of one that is wrong, or may not be read now, the value before holds."""
        values, left_out = (answer["values"], answer["left_out"]) if answer else ({}, [])
        hidden = {out["key"] for out in left_out}
        new = DEFAULTS | {key: self.config[key] for key in DEFAULTS if key in hidden}
        for key in DEFAULTS.keys() & values.keys():
            try:
                new[key] = seconds(values[key]) if key.endswith("_seconds") else values[key]
            except ValueError as wrong:
                new[key] = self.config[key]
                print(f"{key}={values[key]!r}: {wrong}", flush=True)
        self.config = new
        self.configured.set()

    def join(self, user):
        with self.lock:
            greeting = (time.time(), f"{self.config['greeting']}, {user}")
            self.of.setdefault(user, [greeting])
        return {}

    def leave(self, user):
        with self.lock:
            self.of.pop(user, None)
        return {}

    def tell(self, user, text):
        self.join(user)
        with self.lock:
            self.of[user].append((time.time(), text))
        return {}

    def inbox(self, user):
        self.join(user)
        with self.lock:
            return [text for _, text in self.of[user]]

    def sweep(self, ensemble, token, before):
        with self.lock:
            if ensemble != self.ensemble and ensemble not in self.left:
                self.left.add(self.ensemble)
                self.ensemble, self.token = ensemble, 0
            if ensemble != self.ensemble or token < self.token:
                raise ValueError(f"a janitor with the token {self.token} leads in the ensemble {self.ensemble}")
            self.token = token
            for user, messages in self.of.items():
                self.of[user] = [message for message in messages if message[0] >= before]
        return {}


class Registration:
    """This server's ephemeral znode: made anew with each new session, and told a load that has changed."""

    def __init__(self, zk, path, address, port, messages):
        self.zk, self.path, self.address, self.port, self.messages = zk, path, address, port, messages
        self.changed = threading.Event()
        zk.add_listener(self.connection)
        threading.Thread(target=self.run, daemon=True).start()

    def connection(self, state):
        if state == KazooState.CONNECTED:
            self.changed.set()

    def run(self):
        told = None
        while True:
            load = len(self.messages.of)
            if self.changed.is_set() or load != told:
                self.changed.clear()
                try:
                    self.write(load)
                    told = load
                except KazooException:
                    self.changed.set()
            self.changed.wait(0.5)

    def write(self, load):
        data = json.dumps({"address": self.address, "port": self.port, "load": load}).encode()
        found = self.zk.exists(self.path)
        if found and found.owner_session_id == self.zk.client_id[0]:
            self.zk.set(self.path, data)
            return
        if found:
            self.zk.delete(self.path)  # Of this server's session before.
        try:
            self.zk.create(self.path, data, ephemeral=True, makepath=True)
        except NodeExistsError:
            self.changed.set()


def stand_for_janitor(zk, http, root, name, messages):
    """Leads when it is this server's turn, for as long as the session is well."""
    path = f"{root}/janitor"

    def lead():
        while zk.state == KazooState.CONNECTED:
            messages.configured.clear()
            # Asked first: an old id with a new token is refused, and a new one with an old token would lock out.
            ensemble = ask(http, "/v1/ensemble")["ensemble_id"]
            election, config = ask(http, f"/v1/leader{path}"), messages.config
            token = election["fencing_token"]
            if (election["leader"] or {}).get("id") != name or token is None:
                return  # Who has none, since the ensemble was recovered, gets one by standing anew.
            order = {"ensemble": ensemble, "token": token, "before": time.time() - config["keep_seconds"]}
            for server in ask(http, f"/v1/services{root}/servers?format=json")["instances"]:
                try:
                    fetch(f"http://{server['address']}:{server['ports']['default']}/sweep", order)
                except (KeyError, *LOST):
                    pass  # No server, or dead, or swept for another janitor; the next sweep is soon.
            messages.configured.wait(max(config["sweep_seconds"], 0.1))

    while True:
        try:
            zk.Election(path, name).run(lead)
        except Exception as wrong:  # Whatever it was: without this thread nobody would stand here any more.
            print(f"{name} is no janitor: {wrong}", flush=True)
        time.sleep(0.5)


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--name", required=True)
    options.add_argument("--port", type=int, required=True)
    options.add_argument("--address", default="127.0.0.1", help="where the gateway reaches it")
    options.add_argument("--zookeeper", default="127.0.0.1:2181,127.0.0.1:2182,127.0.0.1:2183")
    options.add_argument("--http", default="127.0.0.1:8080,127.0.0.1:8081,127.0.0.1:8082")
    options.add_argument("--root", default="/chat")
    given = options.parse_args()
    http = given.http.split(",")
    messages = Messages()

    def configured(answer):
        messages.configure(answer)
        print(f"{given.name} uses {messages.config}", flush=True)

    in_background(http, f"/v1/config{given.root}/config?recurse", configured)
    zk = KazooClient(given.zookeeper, timeout=4)
    registration = f"{given.root}/servers/{given.name}"
    Registration(zk, registration, given.address, given.port, messages)
    zk.start()
    threading.Thread(
        target=stand_for_janitor, args=(zk, http, given.root, given.name, messages), daemon=True).start()
    print(f"{given.name} serves at {given.address}:{given.port}", flush=True)
    try:
        serve(given.port, {"/join": messages.join, "/leave": messages.leave, "/tell": messages.tell,
                           "/inbox": messages.inbox, "/sweep": messages.sweep})
    finally:
        zk.stop()


if __name__ == "__main__":
    main()
