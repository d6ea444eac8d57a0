"""JSON over HTTP for both programs: a route is a function from what was asked to an answer."""

import json
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit


def serve(port, routes, address="0.0.0.0"):
    """Answers `{path: function(**parameters)}` until the program is told to end, which it does by SystemExit.

    A function that raises KeyError says 503.
    """

    class Handler(BaseHTTPRequestHandler):
        def answer(self, parameters):
            url = urlsplit(self.path)
            status, body = 404, {"error": f"there are {sorted(routes)}"}
            if url.path in routes:
                try:
                    status, body = 200, routes[url.path](**dict(parse_qsl(url.query)), **parameters)
                except (TypeError, ValueError) as error:
                    status, body = 400, {"error": str(error)}
                except LookupError as error:
                    status, body = 503, {"error": str(error)}
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def do_GET(self):
            self.answer({})

        def do_POST(self):
            self.answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

        def log_message(self, *_):
            pass

    # The first process of a container has no default for it: without this it would be killed, half a minute later.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    ThreadingHTTPServer((address, port), Handler).serve_forever()
