"""Consistent hashing: who has which user, so that a server that goes takes only its own users from their place.

    Each server stands at many points of a circle; a user belongs to the first point at or after its own.
"""

import bisect
import hashlib

POINTS = 64


def place(text):
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")


class Ring:
    def __init__(self, servers):
        self.points = sorted((place(f"{server} {n}"), server) for server in servers for n in range(POINTS))

    def owner(self, user):
        """The server of that user; None where there is no server."""
        if not self.points:
            return None
        at = bisect.bisect(self.points, (place(user),))
        return self.points[at % len(self.points)][1]
