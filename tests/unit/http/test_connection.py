"""What a connection does with pieces as the kernel hands them over: moments that a client on a socket cannot choose.

Between the arrival of a request and the call of its handler the loop turns; whatever happens there must not lose it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import web
from structlog.testing import capture_logs

from gateway.http.connection import AHEAD_BYTES, Deadlines
from gateway.http.parsed import heads_parsed
from gateway.http.protocol import Protocol
from gateway.http.server import ConnectionLimits, Server
from tests.eventually import eventually

GET = b"GET /ping HTTP/1.1\r\nHost: x\r\n\r\n"
HELD = b"GET /held HTTP/1.1\r\nHost: x\r\n\r\n"
LENGTH = b"POST /read HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n"
CHUNKED = b"POST /read HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"


class Transport(asyncio.Transport):
    """Keeps what is written, and calls nobody by itself but to say that it is closed."""

    def __init__(self) -> None:
        super().__init__({"peername": ("192.0.2.1", 50_000)})
        self.protocol: asyncio.BaseProtocol | None = None
        self.written = b""
        self._closing = False

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def close(self) -> None:
        if not self._closing and self.protocol is not None:
            self._closing = True
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)

    def is_closing(self) -> bool:
        return self._closing

    def get_write_buffer_size(self) -> int:
        return 0

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    async def closed(self) -> list[bytes]:
        """The statuses of all answers, once the connection is closed."""

        async def is_closed() -> bool:
            return self._closing

        await eventually(is_closed)
        return re.findall(rb"HTTP/1\.\d (\d{3}) ", self.written)

    async def answered(self) -> None:
        async def has_answer() -> bool:
            return bool(self.written)

        await eventually(has_answer)


Connect = Callable[[], tuple[Protocol, Transport]]


@asynccontextmanager
async def clients(go_on: asyncio.Event, deadlines: Deadlines | None = None) -> AsyncIterator[Connect]:
    async def ping(request: web.Request) -> web.Response:
        return web.Response(text="pong")

    async def held(request: web.Request) -> web.Response:
        await go_on.wait()
        return web.Response(text="done")

    async def read(request: web.Request) -> web.Response:
        return web.Response(body=await request.read())

    app = web.Application()
    app.add_routes([web.get("/ping", ping), web.get("/held", held), web.post("/read", read)])
    runner = web.AppRunner(app)
    await runner.setup()
    assert runner.server is not None
    server = Server(runner.server, deadlines or Deadlines(header=600, idle=600, linger=0.1), ConnectionLimits())

    def connect() -> tuple[Protocol, Transport]:
        protocol, transport = server(), Transport()
        transport.protocol = protocol
        protocol.connection_made(transport)
        return protocol, transport

    try:
        yield connect
    finally:
        go_on.set()
        await server.shutdown(1.0)
        await runner.cleanup()


@pytest.fixture
def go_on() -> asyncio.Event:
    return asyncio.Event()


@pytest.fixture
async def connect(go_on: asyncio.Event) -> AsyncIterator[Connect]:
    async with clients(go_on) as found:
        yield found


async def test_the_count_of_heads_is_what_it_is_taken_for(connect: Connect) -> None:
    """Should this fail after an upgrade of aiohttp: deadlines, drains and damaged bodies rest on it."""
    protocol, _ = connect()
    counts = []
    for piece in (GET[:20], GET[20:], GET + GET[:5], GET[5:], CHUNKED, b"3\r\nabc\r\n", b"zz\r\n"):
        protocol.data_received(piece)
        counts.append(heads_parsed(protocol))
    assert counts == [0, 1, 2, 3, 4, 4, 5]


@pytest.mark.parametrize("before", [b"", GET[:10]])
async def test_who_sent_no_whole_request_is_idle_and_goes_at_once(connect: Connect, before: bytes) -> None:
    protocol, transport = connect()
    protocol.data_received(before)
    assert protocol.connection.idle
    protocol.connection.retire()
    assert await transport.closed() == []


@pytest.mark.parametrize("after_another", [False, True])
@pytest.mark.parametrize("rest", [[], [b"ab", b"cd"]], ids=["whole", "body to come"])
async def test_a_request_that_has_just_come_is_answered_though_the_server_stops(
    connect: Connect, rest: list[bytes], after_another: bool
) -> None:
    protocol, transport = connect()
    if after_another:
        protocol.data_received(GET)
        await transport.answered()
    protocol.data_received(LENGTH if rest else GET)
    assert not protocol.connection.idle
    protocol.connection.retire()
    for piece in rest:
        await asyncio.sleep(0)
        protocol.data_received(piece)
    assert await transport.closed() == [b"200"] * (1 + after_another)


@pytest.mark.parametrize(("sent", "status"), [(GET, b"200"), (LENGTH + b"abcd", b"200"), (LENGTH + b"ab", b"400")])
async def test_an_end_right_behind_the_last_piece_loses_no_answer(connect: Connect, sent: bytes, status: bytes) -> None:
    protocol, transport = connect()
    protocol.data_received(sent)
    assert protocol.eof_received()
    assert await transport.closed() == [status]


async def test_damage_that_comes_before_the_body_is_read_is_told_at_once(connect: Connect) -> None:
    protocol, transport = connect()
    protocol.data_received(CHUNKED)
    protocol.data_received(b"zz\r\n")
    assert await transport.closed() == [b"400"]


async def test_damage_in_a_body_behind_a_busy_request_is_told_after_it(connect: Connect, go_on: asyncio.Event) -> None:
    protocol, transport = connect()
    protocol.data_received(HELD + CHUNKED)
    protocol.data_received(b"3\r\nabc\r\nzz\r\n")
    go_on.set()
    assert await transport.closed() == [b"200", b"400"]


async def test_nobody_waits_for_the_body_of_a_client_that_went_before_it_was_read(connect: Connect) -> None:
    async def nobody_waits() -> bool:
        return asyncio.all_tasks() == {asyncio.current_task()}

    protocol, transport = connect()
    await asyncio.sleep(0)
    protocol.data_received(LENGTH + b"ab")
    await asyncio.sleep(0)  # the handler's task is made, and has not run yet
    with capture_logs() as lines:
        protocol.connection_lost(ConnectionResetError())
        await eventually(nobody_waits)
    assert [line["event"] for line in lines] == ["request.truncated"]
    assert transport.written == b""


async def test_what_is_poured_in_behind_a_busy_request_ends_with_it(connect: Connect, go_on: asyncio.Event) -> None:
    protocol, transport = connect()
    protocol.data_received(HELD)
    await asyncio.sleep(0)
    protocol.data_received(CHUNKED + b"1;x=")
    padding = bytes(b"x" * 1024 * 1024)
    for _ in range(AHEAD_BYTES // len(padding) + 1):
        await asyncio.sleep(0)
        protocol.data_received(padding)
    go_on.set()
    assert await transport.closed() == [b"200"]


async def test_half_a_head_is_answered_over_the_wire_and_names_itself(go_on: asyncio.Event) -> None:
    async with clients(go_on, Deadlines(header=0.05)) as connect:
        protocol, transport = connect()
        protocol.data_received(GET[:10])
        assert await transport.closed() == [b"408"]
        assert transport.written.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        assert b"\r\nConnection: close\r\n" in transport.written
