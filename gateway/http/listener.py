"""Listening: who connects is known by address before anything is done for it, so that a crowd waits behind itself."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable, Sequence
from functools import partial

import structlog

from gateway.http.clients import site_of
from gateway.http.turns import Turns
from gateway.telemetry import metrics

PER_TURN = 32
"""Connections taken from the kernel in one turn of the loop; opening them is what costs."""

BACKLOG = 1024
"""Connections that wait in the kernel, as far as it allows so many, and those of one client that wait here."""

REST_SECONDS = 1.0
"""Before another one is taken where the system has no more files or memory for it."""

SCARCE = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Listener:
    """Takes connections from bound sockets and has a protocol made for each, those of one client in its turns.

    Closes the sockets in the end.
    """

    def __init__(
        self, sockets: Sequence[socket.socket], protocol: Callable[[], asyncio.Protocol], turns: Turns
    ) -> None:
        self._sockets = list(sockets)
        self._protocol = protocol
        self._turns = turns
        self._waiting: set[socket.socket] = set()
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
        while self._sockets:
            each = self._sockets.pop()
            asyncio.get_running_loop().remove_reader(each)
            each.close()
        while self._waiting:
            self._waiting.pop().close()
        await asyncio.gather(*self._opening)

    def _watch(self, listening: socket.socket) -> None:
        asyncio.get_running_loop().add_reader(listening, self._take, listening)

    def _take(self, listening: socket.socket) -> None:
        for _ in range(PER_TURN):
            try:
                taken, address = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in SCARCE:
                    raise
                self._rest(listening, error)
                return
            client = site_of(address[0])
            if self._turns.waiting(client) >= BACKLOG:
                metrics.http_connections_cut_total.labels("refused").inc()
                taken.close()
                continue
            self._waiting.add(taken)
            self._turns.call(client, partial(self._open, taken))

    def _open(self, taken: socket.socket) -> None:
        if taken not in self._waiting:  # the server has ended
            return
        self._waiting.remove(taken)
        taken.setblocking(False)
        opening = asyncio.create_task(self._connect(taken))
        self._opening.add(opening)
        opening.add_done_callback(self._opening.discard)

    async def _connect(self, taken: socket.socket) -> None:
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
