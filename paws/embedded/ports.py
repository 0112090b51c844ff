"""Free TCP ports on the loopback address."""

from __future__ import annotations

import secrets
import socket

from paws.embedded.errors import ServiceError

LOOPBACK = "127.0.0.1"
#: Below the range from which Linux takes the ports of outgoing connections (32768 and up), so that a port
#: found free is not taken a moment later by somebody's connection.
FIRST, LAST = 20000, 32000
ATTEMPTS = 200


def is_free(port: int, host: str = LOOPBACK) -> bool:
    """Whether nothing listens on a port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: connections that are still being closed do not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def free_port(host: str = LOOPBACK) -> int:
    """Choose a free port at random, so that two systems that start at once do not choose the same."""
    for _ in range(ATTEMPTS):
        port = FIRST + secrets.randbelow(LAST - FIRST)
        if is_free(port, host):
            return port
    raise ServiceError(f"No free TCP port between {FIRST} and {LAST} on {host}. Is something using them all?")
