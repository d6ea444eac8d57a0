"""Discovery as applications use it: the README's examples, real registrars, and the API's own description.

    Curator (a JVM), kazoo ──register, lead, die──► three members ◄──HTTP── README.md's examples, this program, schemathesis

Rule: an example is taken out of README.md as it stands there; only addresses and the path are put in their place.
`main.py HOSTS [CASE]`, exit code 1 when a case failed.
"""

import os
import sys

here = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [here, os.path.join(os.path.dirname(here), "kazoo")]

import examples  # noqa: E402,F401
import described  # noqa: E402,F401
import elections  # noqa: E402,F401
import harness  # noqa: E402

harness.main(*sys.argv[1:])
