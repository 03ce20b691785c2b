"""Ports that a server can be told to listen at."""

import secrets
import socket
from pathlib import Path

_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST, _ENOUGH = 10_240, 8192


def free_port() -> int:
    """One that is free, and that the system gives nobody who does not ask for it.

    Not of those that it hands out: some connection of a test beside this one could have it
    before the server listens there, or while it is down. A client that tries again and again
    would even meet itself.
    """
    end = max(int(_RANGE.read_text().split()[0]), _LOWEST + _ENOUGH)  # some hand out all
    while True:
        port = _LOWEST + secrets.randbelow(end - _LOWEST)  # no seed: others choose meanwhile
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
