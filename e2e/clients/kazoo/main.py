"""kazoo, the Python client, against running servers: `main.py HOSTS [CASE]`, exit code 1 when any case failed."""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import harness  # noqa: E402
import members  # noqa: E402,F401
import operations  # noqa: E402,F401
import recipes  # noqa: E402,F401
import watches  # noqa: E402,F401

harness.main(*sys.argv[1:])
