"""An application on kazoo: `registrar.py register|lead SERVERS PATH NAME ADDRESS`. It answers with its name at port 7000.

    register    PATH/member_…   ephemeral, as Finagle's serversets are; /disable, /drain, /enable, /leave change it
    lead        PATH            kazoo's Election, under ADDRESS:7000
"""

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from kazoo.client import KazooClient
from kazoo.exceptions import KazooException

PORT = 7000
SESSION_SECONDS = 4


def member(address, status):
    endpoint = {"host": address, "port": PORT}
    return json.dumps({"serviceEndpoint": endpoint, "additionalEndpoints": {}, "status": status}).encode()


def register(zk, path, address, words):
    """What is said of it is answered by a function that does it."""
    zk.ensure_path(path)
    made = []

    def write(status):
        if not made:
            made.append(zk.create(f"{path}/member_", member(address, status), ephemeral=True, sequence=True))
        zk.set(made[0], member(address, status))

    words["disable"] = lambda: write("DEAD")
    words["drain"] = lambda: write("STOPPING")
    words["enable"] = lambda: write("ALIVE")
    words["leave"] = lambda: zk.delete(made.pop())
    write("ALIVE")


def lead(zk, path, address):
    while True:
        try:
            zk.Election(path, f"{address}:{PORT}").run(lambda: time.sleep(10 ** 6))
        except KazooException:
            time.sleep(0.2)


def main(role, servers, path, name, address):
    zk = KazooClient(servers, timeout=SESSION_SECONDS)
    zk.start()
    words = {"": lambda: None}
    if role == "lead":
        threading.Thread(target=lead, args=(zk, path, address), daemon=True).start()
    else:
        register(zk, path, address, words)

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            word = words.get(self.path.partition("?")[0].strip("/"))
            if word:
                word()
            body = name.encode()
            self.send_response(200 if word else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *words):
            pass

    ThreadingHTTPServer(("", PORT), Answer).serve_forever()


main(*sys.argv[1:])
