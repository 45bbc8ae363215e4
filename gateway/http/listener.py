"""Listening: connections are taken a few at a time, so that a crowd of new ones does not fill a turn of the loop."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable, Sequence

import structlog

PER_TURN = 2
"""Connections taken in one turn of the loop; those that wait are the kernel's."""

BACKLOG = 1024
"""Connections that wait in the kernel, as far as it allows so many."""

REST_SECONDS = 1.0
"""Before another one is taken where the system has no more files or memory for it."""

SCARCE = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Listener:
    """Takes connections from bound sockets and has a protocol made for each. Closes the sockets in the end."""

    def __init__(self, sockets: Sequence[socket.socket], protocol: Callable[[], asyncio.Protocol]) -> None:
        self._sockets = sockets
        self._protocol = protocol
        self._opening: set[asyncio.Task[None]] = set()
        self._resting: set[asyncio.TimerHandle] = set()

    @property
    def port(self) -> int:
        """Where it listens."""
        port: int = self._sockets[0].getsockname()[1]
        return port

    def start(self) -> None:
        """Take connections from now on."""
        for each in self._sockets:
            each.setblocking(False)
            each.listen(BACKLOG)
            self._watch(each)

    async def stop(self) -> None:
        """Take none any more; those taken are with their protocols when it returns."""
        for timer in self._resting:
            timer.cancel()
        for each in self._sockets:
            asyncio.get_running_loop().remove_reader(each)
            each.close()
        await asyncio.gather(*self._opening)

    def _watch(self, listening: socket.socket) -> None:
        asyncio.get_running_loop().add_reader(listening, self._take, listening)

    def _take(self, listening: socket.socket) -> None:
        for _ in range(PER_TURN):
            try:
                taken, _address = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in SCARCE:
                    raise
                self._rest(listening, error)
                return
            taken.setblocking(False)
            opening = asyncio.create_task(self._open(taken))
            self._opening.add(opening)
            opening.add_done_callback(self._opening.discard)

    async def _open(self, taken: socket.socket) -> None:
        await asyncio.get_running_loop().connect_accepted_socket(self._protocol, taken)

    def _rest(self, listening: socket.socket, error: OSError) -> None:
        log.error("server.no_room", reason=str(error))
        loop = asyncio.get_running_loop()
        loop.remove_reader(listening)

        def again() -> None:
            self._resting.discard(timer)
            self._watch(listening)

        timer = loop.call_later(REST_SECONDS, again)
        self._resting.add(timer)
