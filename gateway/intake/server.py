"""The HTTP server of every role: deadlines, caps per client address, problem+json everywhere, an orderly end."""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import structlog
from aiohttp import web

from gateway.intake.answers import answer_problems, measure, stamp
from gateway.intake.connection import Connection, Deadlines
from gateway.sdk.errors import ConfigError

MAX_PER_ADDRESS = 512
"""Connections of one client address to one process."""

LOOKS_PER_DEADLINE = 8
"""How often within the deadline of a write it is seen whether the client takes anything."""

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class AddressError(ConfigError):
    """The address cannot be listened on; stop the program that holds it or choose another port."""

    def __init__(self, host: str, port: int, error: OSError, setting: str) -> None:
        reason = os.strerror(error.errno) if error.errno else str(error)
        super().__init__([f"{host}:{port} cannot be listened on ({reason}); choose another with {setting}"])


class Server(web.Server):
    """Makes connections, and knows how many each client address has."""

    def __init__(self, app: web.Application, deadlines: Deadlines, max_per_address: int) -> None:
        # The whole application is inside: what its router or its middlewares raise is answered alike.
        handler = partial(measure, handler=partial(answer_problems, handler=app._handle))  # noqa: SLF001 - as AppRunner does
        super().__init__(handler, request_factory=app._make_request)  # noqa: SLF001
        self._deadlines = deadlines
        self._max_per_address = max_per_address
        # By age: a dict, because the oldest idle one has to make room.
        self._by_address: defaultdict[str, dict[Connection, None]] = defaultdict(dict)
        self._emptied = asyncio.Event()

    def __call__(self) -> Connection:
        """A connection for the transport that asyncio has accepted."""
        return Connection(self, loop=self._loop, deadlines=self._deadlines)

    def admit(self, connection: Connection) -> bool:
        """Count the connection; False when its address has no room.

        A full address loses its oldest idle connection first, so that idle ones never keep a request out.
        """
        siblings = self._by_address[connection.address]
        if len(siblings) >= self._max_per_address:
            idle = next((each for each in siblings if each.idle), None)
            if idle is None:
                log.warning("connection.refused", address=connection.address, open=len(siblings))
                return False
            del siblings[idle]
            idle.force_close()
        siblings[connection] = None
        return True

    def release(self, connection: Connection) -> None:
        """The connection is gone."""
        siblings = self._by_address[connection.address]
        siblings.pop(connection, None)
        if not siblings:
            del self._by_address[connection.address]
        if not self._by_address:
            self._emptied.set()

    async def watch(self) -> None:
        """Cut off, for ever, who takes nothing of what it is sent; one pass over all, so that none needs a timer."""
        while True:
            await asyncio.sleep(self._deadlines.write / LOOKS_PER_DEADLINE)
            now = self._loop.time()
            for siblings in list(self._by_address.values()):
                for connection in list(siblings):
                    connection.cut_if_stalled(now)

    async def drain(self, seconds: float) -> None:
        """Let every request under way end, uploads included; close what is idle at once."""
        open_connections = [each for siblings in self._by_address.values() for each in siblings]
        self._emptied.clear()
        for connection in open_connections:
            connection.retire()
        if open_connections:
            try:
                await asyncio.wait_for(self._emptied.wait(), seconds)
            except TimeoutError:
                log.warning("server.drain_timeout", seconds=seconds, connections=len(self.connections))


class Runner(web.AppRunner):
    """aiohttp's runner, with our server in it."""

    def __init__(self, app: web.Application, *, deadlines: Deadlines, max_per_address: int, drain: float) -> None:
        # What is left after draining has had its time: it is cancelled at once.
        super().__init__(app, shutdown_timeout=0.1)
        app.on_response_prepare.append(stamp)
        self._deadlines = deadlines
        self._max_per_address = max_per_address
        self._drain = drain

    async def watch(self) -> None:
        """Cut off clients that have stopped reading, for ever."""
        if isinstance(self.server, Server):
            await self.server.watch()

    async def stop(self) -> None:
        """Accept nothing more, let requests end for as long as is allowed, then end them."""
        for site in list(self.sites):
            await site.stop()
        if isinstance(self.server, Server):
            await self.server.drain(self._drain)
        await self.cleanup()

    async def _make_server(self) -> Server:
        await super()._make_server()
        return Server(self.app, self._deadlines, self._max_per_address)


@asynccontextmanager
async def serve(
    app: web.Application,
    host: str,
    port: int,
    *,
    setting: str = "--port or MALLGATE_PORT",
    reuse_port: bool = False,
    deadlines: Deadlines | None = None,
    max_per_address: int = MAX_PER_ADDRESS,
    drain_timeout: float = 30.0,
) -> AsyncIterator[int]:
    """Serve `app` while the block runs; the port it listens on (a free one for port 0).

    setting: what chooses the port; reuse_port: several processes listen on one port and the kernel spreads connections
    over them. drain_timeout: seconds for requests under way at the end. Raises AddressError when the address cannot be
    had.
    """
    runner = Runner(app, deadlines=deadlines or Deadlines(), max_per_address=max_per_address, drain=drain_timeout)
    await runner.setup()
    try:
        site = web.TCPSite(runner, host, port, reuse_port=reuse_port, backlog=1024)
        try:
            await site.start()
        except OSError as error:
            raise AddressError(host, port, error, setting) from error
        log.info("server.listening", host=host, port=site.port)
        watching = asyncio.create_task(runner.watch(), name="server.watch")
        try:
            yield site.port
        finally:
            watching.cancel()
    finally:
        await runner.stop()
