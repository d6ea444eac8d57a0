"""The worked example e2e/examples/chat, run as its README says: `main.py HOSTS [CASE]`.

Rule: what is seen is what a user of the gateway sees.
"""

import os
import sys

here = os.path.dirname(os.path.abspath(__file__))
clients = os.path.dirname(here)
sys.path[:0] = [here, os.path.join(clients, "kazoo"), os.path.join(clients, "discovery")]

import harness  # noqa: E402
import follows  # noqa: E402,F401
import lives  # noqa: E402,F401

harness.main(*sys.argv[1:])
