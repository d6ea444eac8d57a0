"""The worked example e2e/examples/chat, run as its README says: `main.py HOSTS [CASE]`.

Rule: what is seen is what a user of the gateway sees.
"""

import logging
import os
import sys

here = os.path.dirname(os.path.abspath(__file__))
clients = os.path.dirname(here)
sys.path[:0] = [here, os.path.join(clients, "kazoo"), os.path.join(clients, "discovery")]

import harness  # noqa: E402
import lives  # noqa: E402,F401


def main(hosts, only=None):
    logging.disable(logging.CRITICAL)
    chosen = [c for c in harness.CASES if only is None or only in c.__name__]
    failed = [c.__name__ for c in chosen if not harness.run(c, hosts)]
    sys.stdout.flush()
    os._exit(1 if failed or not chosen else 0)


main(*sys.argv[1:])
