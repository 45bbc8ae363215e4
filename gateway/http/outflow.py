"""Whether a client takes what it is sent: a slow reader is waited for, one that has stopped reading is not.

Bytes count as taken once they have left this machine's buffers, the kernel's included: a client that reads a little of
a megabyte which the kernel has accepted would otherwise look as if it took nothing.
"""

from __future__ import annotations

import asyncio
import fcntl
import socket
import sys
import termios
from contextlib import suppress

UNSENT_BYTES = 128 * 1024
"""Of one connection that the kernel may hold and cannot send: a reader that stops has no more of this machine."""


class Outflow:
    """What of its bytes one client has taken. Times are seconds of any one monotonic clock."""

    __slots__ = ("_since", "_untaken")

    def __init__(self) -> None:
        self._untaken = 0
        self._since = 0.0

    def stalled(self, untaken: int, now: float) -> float:
        """Seconds for which nothing was taken of what waits. untaken: bytes that wait now.

        To be asked again and again: bytes that were taken are seen by there being fewer than the last time.
        """
        if untaken < self._untaken or not self._untaken:
            self._since = now
        self._untaken = untaken
        return now - self._since if untaken else 0.0


def untaken_bytes(transport: asyncio.WriteTransport) -> int:
    """Bytes that wait for the client to take them; 0 where the kernel has the rest, which costs us nothing."""
    waiting = transport.get_write_buffer_size()
    return waiting + _in_kernel(transport) if waiting else 0


def limit_unsent(transport: asyncio.BaseTransport) -> None:
    """Have the kernel take no more of a connection than it can send soon, where it knows how."""
    connection = transport.get_extra_info("socket")
    option = getattr(socket, "TCP_NOTSENT_LOWAT", None)
    if connection is not None and option is not None:
        with suppress(OSError):
            connection.setsockopt(socket.IPPROTO_TCP, option, UNSENT_BYTES)


def _in_kernel(transport: asyncio.BaseTransport) -> int:
    connection = transport.get_extra_info("socket")
    try:
        answer = fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(4))
    except (AttributeError, OSError):  # closed, or a kernel that does not tell
        return 0
    return int.from_bytes(answer, sys.byteorder)
