"""The gateway: where users are; it sends each to its server, and moves those of a server that has died.

    GET  /say?sender=ann&user=bob&text=hello        GET  /inbox?user=bob        GET  /who (servers, loads, users, janitor)

It has no ZooKeeper client. It follows `/v1/services/chat/servers`; each answer is the whole live set, from which it
makes a new ring. Whose server has changed is greeted by the new one at once, before anyone writes to him.
"""

import argparse
import threading
import time

from follow import LOST, ask, fetch, in_background
from ring import Ring
from web import serve

#: A server that has died stays in the live set until its session ends.
PATIENCE = 15


class Gateway:
    def __init__(self, http, root):
        self.http, self.root = http, root
        self.news = threading.Condition()
        self.servers, self.ring, self.users = {}, Ring([]), {}
        in_background(http, f"/v1/services{root}/servers?format=json", self.live)

    def live(self, answer):
        """Another live set; those are moved whose server is another one by it."""
        instances = answer["instances"] if answer else []
        found = {i["id"]: i for i in instances if "default" in i["ports"]}
        with self.news:
            if found.keys() != self.servers.keys():
                self.ring = Ring(found)
                print(f"live: {sorted(found)}", flush=True)
            self.servers = found
            moved = [(user, old, self.ring.owner(user)) for user, old in self.users.items()]
            moved = [(user, old, new) for user, old, new in moved if new and new != old]
            self.users |= {user: new for user, _, new in moved}
            self.news.notify_all()
        # A server may hang; meanwhile the next live set is heard of.
        threading.Thread(target=self.greet, args=(moved, found), daemon=True).start()

    def greet(self, moved, servers):
        for user, old, new in moved:
            print(f"moved {user}: {old} to {new}", flush=True)
            for server, order in ((old, "leave"), (new, "join")):
                if order == "join" and self.users[user] != new:
                    continue  # He has moved on.
                try:
                    self.call(servers[server], order, user=user)
                except (KeyError, *LOST):
                    pass  # The old one is dead; the new one greets when it is asked first.

    def call(self, server, order, **parameters):
        return fetch(f"http://{server['address']}:{server['ports']['default']}/{order}", parameters)

    def at_home(self, user, order, **parameters):
        """Asks the server of that user; when it does not answer, whoever has the user next."""
        end = time.monotonic() + PATIENCE
        while True:
            with self.news:
                home = self.ring.owner(user)
                server = self.servers.get(home)
                if server:
                    self.users[user] = home
            try:
                if server:
                    return self.call(server, order, user=user, **parameters)
            except LOST:
                pass
            if time.monotonic() > end:
                raise LookupError(f"no server answers for {user}")
            with self.news:
                self.news.wait(0.5)

    def say(self, sender, user, text):
        return self.at_home(user, "tell", text=f"{sender}: {text}")

    def inbox(self, user):
        return self.at_home(user, "inbox")

    def who(self):
        try:
            janitor = ask(self.http, f"/v1/leader{self.root}/janitor")["leader"]
        except LOST:
            janitor = None  # Nobody has stood yet, or no member answers.
        with self.news:
            loads = {name: int(i["metadata"].get("load", 0)) for name, i in self.servers.items()}
            return {"loads": loads, "users": dict(self.users), "janitor": janitor and janitor["id"]}


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--port", type=int, default=9000)
    options.add_argument("--http", default="127.0.0.1:8080,127.0.0.1:8081,127.0.0.1:8082")
    options.add_argument("--root", default="/chat")
    given = options.parse_args()
    gateway = Gateway(given.http.split(","), given.root)
    serve(given.port, {"/say": gateway.say, "/inbox": gateway.inbox, "/who": gateway.who})


if __name__ == "__main__":
    main()
