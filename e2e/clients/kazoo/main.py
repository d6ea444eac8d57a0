"""kazoo, the Python client, against running servers: `main.py HOSTS [CASE]`, exit code 1 when any case failed."""

import logging
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import harness  # noqa: E402
import members  # noqa: E402,F401
import operations  # noqa: E402,F401
import recipes  # noqa: E402,F401
import watches  # noqa: E402,F401


def main(hosts, only=None):
    logging.disable(logging.CRITICAL)
    chosen = [c for c in harness.CASES if only is None or only in c.__name__]
    failed = [c.__name__ for c in chosen if not harness.run(c, hosts)]
    sys.stdout.flush()
    os._exit(1 if failed or not chosen else 0)


main(*sys.argv[1:])
