"""Free ports on loopback.

They lie below the kernel's range for outgoing connections: while an engine is stopped, a client that keeps trying its
port could otherwise be given that very port as its own, connect to itself, and keep the engine from coming back.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from gateway.sockets import why_taken

LOOPBACK = "127.0.0.1"
_LOWEST = 10_240
_OUTGOING_RANGE = Path("/proc/sys/net/ipv4/ip_local_port_range")


def is_free(port: int) -> bool:
    """Whether a server could listen on the port of the loopback address now."""
    return why_taken(LOOPBACK, port) is None


def choose_port() -> int:
    """A free port, drawn at random so that two programs that start together seldom draw the same."""
    highest = int(_OUTGOING_RANGE.read_text().split()[0])
    candidates = range(_LOWEST, highest) if highest > 2 * _LOWEST else range(_LOWEST, 65_536)
    return next(port for port in iter(lambda: secrets.choice(candidates), None) if is_free(port))
