"""The HTTP server of every role: deadlines, caps on connections, problem+json everywhere, an orderly end."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import cast

import structlog
from aiohttp import web

from gateway.events import set_within
from gateway.http.addresses import AddressError, ListenAddress
from gateway.http.answers import Handler, answer_problems, measure, respond, stamp
from gateway.http.clients import TrustedProxies, note_client, site_of
from gateway.http.connection import Connection, Deadlines
from gateway.http.limits import refusal_of
from gateway.http.listener import Listener
from gateway.http.problems import ProblemError
from gateway.http.protocol import Protocol
from gateway.http.turns import Turns
from gateway.sockets import bound
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


class OpenConnections:
    """Knows how many connections each client has: behind a proxy of ours that is for requests to tell."""

    def __init__(self, deadlines: Deadlines, limits: ConnectionLimits) -> None:
        self.turns = Turns()
        self._deadlines = deadlines
        self._limits = limits
        # By age: dicts, because the oldest has to make room.
        self._open: dict[Connection, None] = {}
        self._by_client: defaultdict[str, dict[Connection, None]] = defaultdict(dict)
        self._refused: dict[Connection, None] = {}
        self._emptied = asyncio.Event()

    def admit(self, connection: Connection) -> ProblemError | None:
        """Count the connection; what its first request is to be answered with when there is no room for it.

        A client that has all of its own loses its oldest idle one first, so that idle ones never keep a request out.
        """
        self._open[connection] = None
        refusal = self._refusal(connection)
        if refusal is None:
            self._by_client[connection.site][connection] = None
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
        siblings = self._by_client.get(connection.site, {})
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
        siblings = self._by_client.get(connection.site, {})
        siblings.pop(connection, None)
        if not siblings:
            self._by_client.pop(connection.site, None)
        if not self._open:
            self._emptied.set()

    async def watch(self) -> None:
        """Cut off, for ever, who takes nothing of what it is sent; one pass over all, so that none needs a timer."""
        while True:
            await asyncio.sleep(self._deadlines.write / LOOKS_PER_DEADLINE)
            now = asyncio.get_running_loop().time()
            for connection in list(self._open):
                connection.cut_if_stalled(now)

    async def drain(self, seconds: float) -> None:
        """Let every request under way end, uploads included; close what is idle at once."""
        connections = list(self._open)
        self._emptied.clear()
        for connection in connections:
            connection.retire()
        if connections and not await set_within(self._emptied, seconds):
            log.warning("server.drain_timeout", seconds=seconds, connections=len(self._open))


class Server(web.Server):
    """Makes a protocol of ours for each transport that asyncio has accepted. `application`: aiohttp's server of it."""

    def __init__(self, application: web.Server, deadlines: Deadlines, limits: ConnectionLimits) -> None:
        # The whole application is inside: what its router or its middlewares raise is answered alike.
        answering = partial(measure, handler=partial(answer_problems, handler=application.request_handler))
        self.deadlines = deadlines
        self.open_connections = OpenConnections(deadlines, limits)
        super().__init__(
            partial(attend, handler=answering, proxies=limits.proxies, turns=self.open_connections.turns),
            request_factory=application.request_factory,
        )

    def __call__(self) -> Protocol:
        """The protocol for one transport."""
        return Protocol(self, self.open_connections, self.deadlines)


async def attend(
    request: web.Request, *, handler: Handler, proxies: TrustedProxies, turns: Turns
) -> web.StreamResponse:
    """Answer one request, or refuse it before the application sees it, and send the answer.

    Of the requests of one client one is begun in each turn of the loop: a crowd of them keeps no other waiting.

    aiohttp would send it after us and tell nobody when it is done: until then the connection must not look idle.
    """
    connection = cast("Protocol", request.protocol).connection
    with connection.answering(request.content):
        await turns.wait(site_of(note_client(request, proxies)))
        refusal = refusal_of(request) or connection.refusal
        if refusal is None:
            response = await handler(request)
        else:
            response = respond(request, refusal)
            response.force_close()
        await response.prepare(request)
        await response.write_eof()
    return response


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
    app.on_response_prepare.append(stamp)
    application = web.AppRunner(app)
    await application.setup()
    try:
        served = cast("web.Server", application.server)  # there is one after setup
        server = Server(served, deadlines or Deadlines(), connections or ConnectionLimits())
        # What is left after draining has had its time: it is cancelled at once.
        runner = web.ServerRunner(server, shutdown_timeout=0.1)
        await runner.setup()
        try:
            try:
                sockets = await asyncio.to_thread(bound, host, port, reuse_port=reuse_port)
            except OSError as error:
                raise AddressError((ListenAddress(host, port, setting), error)) from error
            listener = Listener(sockets, server, server.open_connections.turns)
            listener.start()
            log.info("server.listening", host=host, port=listener.port)
            watching = asyncio.create_task(server.open_connections.watch(), name="server.watch")
            try:
                yield listener.port
            finally:
                watching.cancel()
                await listener.stop()
                await server.open_connections.drain(drain_timeout)
        finally:
            await runner.cleanup()
    finally:
        await application.cleanup()
