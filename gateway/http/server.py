"""The HTTP server of every role: deadlines, caps on connections, problem+json everywhere, an orderly end."""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import structlog
from aiohttp import web

from gateway.http.answers import answer_problems, measure, stamp
from gateway.http.clients import TrustedProxies, note_client, site_of
from gateway.http.connection import Connection, Deadlines
from gateway.http.problems import ProblemError
from gateway.sdk.errors import ConfigError
from gateway.telemetry import metrics

RETRY_AFTER = 1.0
"""Seconds after which who found no room may try again."""


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """Connections to one process: of one client, of all clients, and those that wait to be told that there is no room.

    proxies: whose connections are many clients' and have no bound of their own.
    """

    per_client: int = 512
    in_all: int = 4096
    refused: int = 512
    proxies: TrustedProxies = field(default_factory=TrustedProxies)


LOOKS_PER_DEADLINE = 8
"""How often within the deadline of a write it is seen whether the client takes anything."""

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class AddressError(ConfigError):
    """The address cannot be listened on; stop the program that holds it or choose another port."""

    def __init__(self, host: str, port: int, error: OSError, setting: str) -> None:
        reason = os.strerror(error.errno) if error.errno else str(error)
        super().__init__([f"{host}:{port} cannot be listened on ({reason}); choose another with {setting}"])


class Server(web.Server):
    """Makes connections, and knows how many each client has: behind a proxy of ours that is for requests to tell."""

    def __init__(self, app: web.Application, deadlines: Deadlines, limits: ConnectionLimits) -> None:
        # The whole application is inside: what its router or its middlewares raise is answered alike.
        answering = partial(measure, handler=partial(answer_problems, handler=app._handle))  # noqa: SLF001 - as AppRunner does
        handler = partial(note_client, proxies=limits.proxies, handler=answering)
        super().__init__(handler, request_factory=app._make_request)  # noqa: SLF001
        self._deadlines = deadlines
        self._limits = limits
        # By age: dicts, because the oldest has to make room.
        self._open: dict[Connection, None] = {}
        self._by_client: defaultdict[str, dict[Connection, None]] = defaultdict(dict)
        self._refused: dict[Connection, None] = {}
        self._emptied = asyncio.Event()

    def __call__(self) -> Connection:
        """A connection for the transport that asyncio has accepted."""
        return Connection(self, loop=self._loop, deadlines=self._deadlines)

    def admit(self, connection: Connection) -> ProblemError | None:
        """Count the connection; what its first request is to be answered with when there is no room for it.

        A client that has all of its own loses its oldest idle one first, so that idle ones never keep a request out.
        """
        self._open[connection] = None
        refusal = self._refusal(connection)
        if refusal is None:
            self._by_client[site_of(connection.address)][connection] = None
            return None
        metrics.http_connections_cut_total.labels("refused").inc()
        log.warning("connection.refused", peer=connection.address, code=refusal.code, open=len(self._open))
        if len(self._refused) >= self._limits.refused:
            oldest = next(iter(self._refused))
            del self._refused[oldest]
            oldest.force_close()
        self._refused[connection] = None
        return refusal

    def _refusal(self, connection: Connection) -> ProblemError | None:
        limits, proxied = self._limits, connection.address in self._limits.proxies
        siblings = self._by_client.get(site_of(connection.address), {})
        if not proxied and len(siblings) >= limits.per_client:
            idle = next((each for each in siblings if each.idle), None)
            if idle is None:
                expected = f"at most {limits.per_client}"
                return ProblemError("connections_limit", expected=expected, retry_after=RETRY_AFTER)
            del siblings[idle]
            idle.force_close()
        if len(self._open) - len(self._refused) > limits.in_all:
            return ProblemError("server_full", retry_after=RETRY_AFTER)
        return None

    def release(self, connection: Connection) -> None:
        """The connection is gone."""
        self._open.pop(connection, None)
        self._refused.pop(connection, None)
        site = site_of(connection.address)
        siblings = self._by_client.get(site, {})
        siblings.pop(connection, None)
        if not siblings:
            self._by_client.pop(site, None)
        if not self._open:
            self._emptied.set()

    async def watch(self) -> None:
        """Cut off, for ever, who takes nothing of what it is sent; one pass over all, so that none needs a timer."""
        while True:
            await asyncio.sleep(self._deadlines.write / LOOKS_PER_DEADLINE)
            now = self._loop.time()
            for connection in list(self._open):
                connection.cut_if_stalled(now)

    async def drain(self, seconds: float) -> None:
        """Let every request under way end, uploads included; close what is idle at once."""
        connections = list(self._open)
        self._emptied.clear()
        for connection in connections:
            connection.retire()
        if connections:
            try:
                async with asyncio.timeout(seconds):
                    await self._emptied.wait()
            except TimeoutError:
                log.warning("server.drain_timeout", seconds=seconds, connections=len(self.connections))


class Runner(web.AppRunner):
    """aiohttp's runner, with our server in it."""

    def __init__(self, app: web.Application, *, deadlines: Deadlines, limits: ConnectionLimits, drain: float) -> None:
        # What is left after draining has had its time: it is cancelled at once.
        super().__init__(app, shutdown_timeout=0.1)
        app.on_response_prepare.append(stamp)
        self._deadlines = deadlines
        self._limits = limits
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
        return Server(self.app, self._deadlines, self._limits)


@asynccontextmanager
async def serve(
    app: web.Application,
    host: str,
    port: int,
    *,
    setting: str = "--port or MALLGATE_PORT",
    reuse_port: bool = False,
    deadlines: Deadlines | None = None,
    connections: ConnectionLimits | None = None,
    drain_timeout: float = 30.0,
) -> AsyncIterator[int]:
    """Serve `app` while the block runs; the port it listens on (a free one for port 0).

    setting: what chooses the port; reuse_port: several processes listen on one port and the kernel spreads connections
    over them; connections: how many there may be; drain_timeout: seconds for requests under way at the end. Raises
    AddressError when the address cannot be had.
    """
    runner = Runner(
        app, deadlines=deadlines or Deadlines(), limits=connections or ConnectionLimits(), drain=drain_timeout
    )
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
