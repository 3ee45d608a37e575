"""Free ports on loopback, below the range from which the system itself takes ports for outgoing connections."""

from __future__ import annotations

import os
import random
import socket

LOWEST, HIGHEST = 10_000, 30_000
ADMIN_OFFSET = 1000
TRIES = 2000

_taken: set[int] = set()
_random = random.Random(os.urandom(8))


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port() -> int:
    """A port that is free, as is the one `ADMIN_OFFSET` above it; no later call gives either again."""
    for _ in range(TRIES):
        port = _random.randrange(LOWEST, HIGHEST)
        both = {port, port + ADMIN_OFFSET}
        if not both & _taken and all(map(_is_free, both)):
            _taken.update(both)
            return port
    raise AssertionError(f"no free pair of ports between {LOWEST} and {HIGHEST}")
