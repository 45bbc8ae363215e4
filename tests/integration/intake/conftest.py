"""The wire level alone: a server on a real socket, and a client that can send what no HTTP library would."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from gateway.feeds.chunk import decode
from gateway.http.server import serve
from gateway.intake.auth import Claim
from gateway.intake.body import BodyLimits, receive
from gateway.intake.expect import note_expectation
from gateway.intake.signature import signed_head
from gateway.intake.unverified import UnverifiedBytes, UnverifiedLimits
from gateway.kafka import KafkaUnavailableError
from gateway.sdk.errors import OverloadedError
from gateway.suppliers import Caller, WebhookKey
from tests.wire import Answer, Wire

CALLER = Caller("acme", "k1", frozenset({"feeds:price"}))
SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
SIGNED_AT = 1_760_000_000

PIECE, LONG_PIECES = 64 * 1024, 512
"""Of a long answer: more of them than the buffers of both kernels hold."""

Serving = Callable[..., AbstractAsyncContextManager["Gate"]]


@dataclass(slots=True)
class Desk:
    """The smallest application around `receive`: it tells what it received, and keeps every body that it took."""

    limits: BodyLimits
    unverified: UnverifiedBytes = field(default_factory=lambda: UnverifiedBytes(UnverifiedLimits()))
    taken: list[list[bytes]] = field(default_factory=list)
    began: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    used: list[Caller] = field(default_factory=list)

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/records", self.records, expect_handler=note_expectation)
        app.router.add_post("/signed", self.signed, expect_handler=note_expectation)
        app.router.add_post("/late", self.late)
        app.router.add_get("/ping", self.ping)
        app.router.add_get("/held", self.held)
        app.router.add_get("/stream", self.stream)
        app.router.add_get("/long", self.long)
        app.router.add_get("/large", self.large)
        app.router.add_get("/broken", self.broken)
        app.router.add_get("/moved", self.moved)
        app.router.add_get("/boom", self.boom)
        app.router.add_post("/read", self.read)
        app.router.add_get("/away", self.away)
        app.router.add_get("/full", self.full)
        return app

    async def records(self, request: web.Request) -> web.Response:
        self.began.set()
        return await self._take(request, CALLER)

    async def late(self, request: web.Request) -> web.Response:
        self.began.set()
        await self.go_on.wait()
        return await self._take(request, CALLER)

    async def signed(self, request: web.Request) -> web.Response:
        head = signed_head(request.headers, now=SIGNED_AT)
        return await self._take(request, Claim(head, [WebhookKey(CALLER, SECRET)], self.used.append))

    async def _take(self, request: web.Request, who: Caller | Claim) -> web.Response:
        async with receive(request, who, self.limits, self.unverified) as body:
            found = [record for span in body.chunks for record in decode(body.payload(span))]
            self.taken.append([record.raw for record in found])
            told = {
                "supplier": body.caller.supplier,
                "webhook_id": body.webhook_id,
                "records": body.records,
                "chunks": [[span.chunk_no, span.first_record, span.records, span.size] for span in body.chunks],
                "size": body.size,
                "sha256": body.sha256.hex(),
                "lines": [record.line for record in found[:10]],
            }
        return web.Response(status=202, body=orjson.dumps(told), content_type="application/json")

    async def ping(self, request: web.Request) -> web.Response:
        return web.Response(text="pong")

    async def held(self, request: web.Request) -> web.Response:
        self.began.set()
        await self.go_on.wait()
        return web.Response(text="done")

    async def stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        await response.write(b"pong")
        return response

    async def long(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            for _ in range(LONG_PIECES):
                await response.write(bytes(PIECE))
        finally:
            self.ended.set()
        return response

    async def large(self, request: web.Request) -> web.Response:
        return web.Response(body=bytes(LONG_PIECES * PIECE))

    async def broken(self, request: web.Request) -> web.StreamResponse:
        await (await self.stream(request)).drain()
        raise RuntimeError("a secret detail")

    async def moved(self, request: web.Request) -> web.Response:
        raise web.HTTPFound("/ping")

    async def read(self, request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    async def boom(self, request: web.Request) -> web.Response:
        raise RuntimeError("a secret detail")

    async def away(self, request: web.Request) -> web.Response:
        raise KafkaUnavailableError("broker-7.internal:9092 is away")

    async def full(self, request: web.Request) -> web.Response:
        raise OverloadedError(retry_after=2.2)


@dataclass(slots=True)
class Gate:
    """A running server."""

    port: int
    desk: Desk
    close: AsyncExitStack
    wires: list[Wire] = field(default_factory=list)

    async def connect(self, source: str = "127.0.0.1") -> Wire:
        wire = Wire(*await asyncio.open_connection("127.0.0.1", self.port, local_addr=(source, 0)))
        self.wires.append(wire)
        return wire

    async def stop(self) -> None:
        """Stop the server, as at the end of its block."""
        await self.close.aclose()

    async def send(self, *parts: str | bytes) -> Answer:
        """Send on a connection of its own; the answer."""
        wire = await self.connect()
        await wire.send(*parts)
        return await wire.answer()

    async def push(
        self, body: bytes, content_type: str = "application/x-ndjson", path: str = "/records", **headers: str
    ) -> Answer:
        """POST a whole body; underscores in header names become dashes."""
        extra = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: {content_type}\r\nContent-Length: {len(body)}\r\n"
        return await self.send(head + extra + "\r\n", body)


@pytest.fixture
def serving(tmp_path: Path) -> Serving:
    """Start a server: limits of BodyLimits, unverified of UnverifiedLimits, the others are those of `serve`."""

    @asynccontextmanager
    async def start(
        *,
        limits: Mapping[str, int] | None = None,
        unverified: UnverifiedLimits | None = None,
        port: int = 0,
        **settings: Any,
    ) -> AsyncIterator[Gate]:
        budget = UnverifiedBytes(unverified or UnverifiedLimits())
        desk = Desk(BodyLimits(**(limits or {}), spool_dir=tmp_path), budget)
        async with AsyncExitStack() as stack:
            port = await stack.enter_async_context(serve(desk.app(), "127.0.0.1", port, **settings))
            gate = Gate(port, desk, stack)
            try:
                yield gate
            finally:
                desk.go_on.set()
                for wire in gate.wires:
                    await wire.close()
        left_behind = list(tmp_path.iterdir())  # noqa: ASYNC240 - an empty directory
        assert left_behind == []

    return start


@pytest.fixture
async def gate(serving: Serving) -> AsyncIterator[Gate]:
    """A server with the deadlines of production."""
    async with serving() as gate:
        yield gate


head = partial("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-ndjson\r\n{rest}\r\n".format)
"""Head of a request whose body the test sends itself. path, rest: further header lines, each with its CR LF."""
