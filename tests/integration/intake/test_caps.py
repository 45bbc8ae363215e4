"""How much of a process one client, one credential and all clients together may have: told so, never cut off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from ipaddress import ip_network

from aiohttp import web

from gateway.http.answers import answer_problems
from gateway.http.clients import TrustedProxies, client_of
from gateway.http.connection import Deadlines
from gateway.http.server import ConnectionLimits, serve
from gateway.http.under_way import RequestLimits, UnderWay, count_credential
from gateway.intake.body import BodyLimits
from tests.integration.intake.conftest import LONG_PIECES, PIECE, Desk, Gate, Serving
from tests.wire import Answer, Wire

PATIENT = Deadlines(header=600, idle=600)
BEHIND = TrustedProxies([ip_network("127.0.0.1")])


def get(path: str, client: str = "", key: str = "") -> str:
    """A request as a proxy passes it on."""
    lines = [f"X-Forwarded-For: {client}"] * bool(client) + [f"X-Key: {key}"] * bool(key)
    return f"GET {path} HTTP/1.1\r\nHost: x\r\n" + "".join(f"{line}\r\n" for line in lines) + "\r\n"


class Counting:
    """An application whose requests are counted; `/held` ends when it is told to."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.under_way = 0

    def app(self, limits: RequestLimits) -> web.Application:
        app = web.Application(middlewares=[answer_problems, UnderWay(limits).count])
        app.router.add_get("/held", self.held)
        app.router.add_get("/client", self.client)
        app.router.add_get("/broken", self.broken)
        return app

    async def held(self, request: web.Request) -> web.StreamResponse:
        if key := request.headers.get("X-Key"):
            count_credential(request, key)
        self.under_way += 1
        try:
            response = web.StreamResponse()
            await response.prepare(request)
            await self.go_on.wait()
        finally:
            self.under_way -= 1
        return response

    async def broken(self, request: web.Request) -> web.Response:
        count_credential(request, "key")
        raise RuntimeError

    async def client(self, request: web.Request) -> web.Response:
        return web.Response(text=client_of(request))


@asynccontextmanager
async def counting(limits: RequestLimits, connections: ConnectionLimits) -> AsyncIterator[tuple[Gate, Counting]]:
    found = Counting()
    async with AsyncExitStack() as stack:
        site = serve(found.app(limits), "127.0.0.1", 0, deadlines=PATIENT, connections=connections, drain_timeout=1.0)
        gate = Gate(await stack.enter_async_context(site), Desk(BodyLimits()), stack)
        try:
            yield gate, found
        finally:
            found.go_on.set()
            for wire in gate.wires:
                await wire.close()


async def held(gate: Gate, client: str, key: str = "") -> Wire:
    """A request that goes on once its head has been answered."""
    wire = await gate.connect()
    await wire.send(get("/held", client, key))
    assert (await wire.answer()).status == 200
    return wire


async def asked(gate: Gate, client: str, key: str = "", path: str = "/held") -> Answer:
    return await gate.send(get(path, client, key))


async def test_behind_a_proxy_each_client_has_a_bound_of_its_own() -> None:
    async with counting(RequestLimits(per_client=2), ConnectionLimits(per_client=3, proxies=BEHIND)) as (gate, app):
        for client in ("198.51.100.1", "1.1.1.1, 198.51.100.2") * 2:
            await held(gate, client)
        for made_up in ("", "198.51.100.3, ", "8.8.8.8, 10.1.1.1, "):
            answer = await asked(gate, f"{made_up}198.51.100.1")
            assert answer.problem == (429, "requests_limit")
            assert answer.headers["retry-after"] == "1"
        assert (await asked(gate, "198.51.100.3", path="/client")).body == b"198.51.100.3"
        assert app.under_way == 4


async def test_who_is_no_proxy_is_counted_by_his_own_address_whatever_he_says() -> None:
    async with counting(RequestLimits(per_client=2), ConnectionLimits()) as (gate, _):
        for number in range(2):
            await held(gate, f"198.51.100.{number}")
        assert (await asked(gate, "198.51.100.9")).problem == (429, "requests_limit")
        elsewhere = await gate.connect("127.0.0.2")
        await elsewhere.send(get("/client", "198.51.100.9"))
        assert (await elsewhere.answer()).body == b"127.0.0.2"


async def test_a_credential_has_a_bound_wherever_it_is_used_from() -> None:
    limits = RequestLimits(per_client=9, per_credential=2)
    async with counting(limits, ConnectionLimits(proxies=BEHIND)) as (gate, app):
        for number in range(2):
            await held(gate, f"198.51.100.{number}", "greedy")
        answer = await asked(gate, "198.51.100.7", "greedy")
        assert answer.problem == (429, "requests_limit")
        assert answer.json["expected"] == "at most 2 of one credential"
        await held(gate, "198.51.100.1", "modest")
        assert app.under_way == 3


async def test_what_has_ended_counts_no_more() -> None:
    async with counting(RequestLimits(1, 1), ConnectionLimits(proxies=BEHIND)) as (gate, app):
        first = await held(gate, "198.51.100.1", "key")
        assert (await asked(gate, "198.51.100.1", "key")).problem == (429, "requests_limit")
        app.go_on.set()
        assert await first.read(100)  # the end of its answer
        for path in ("/broken", "/nowhere") * 2:
            assert (await asked(gate, "198.51.100.1", path=path)).status in (404, 500)
        for _ in range(3):
            wire = await held(gate, "198.51.100.1", "key")
            await wire.close()


async def test_all_clients_together_have_a_bound_and_are_told_so(serving: Serving) -> None:
    limits = ConnectionLimits(per_client=4, in_all=4)
    async with serving(connections=limits, deadlines=PATIENT) as gate:
        busy = [await gate.connect(f"127.0.0.{number}") for number in range(1, 5)]
        for wire in busy:
            await wire.send(get("/held"))
            await gate.desk.began.wait()
            gate.desk.began.clear()
        answer = await gate.send(get("/ping"))
        assert answer.problem == (503, "server_full")
        assert answer.headers["retry-after"] == "1"
        gate.desk.go_on.set()
        assert [(await wire.answer()).status for wire in busy] == [200] * 4
        await busy[0].close()
        assert (await gate.send(get("/ping"))).status == 200


async def test_who_is_being_answered_does_not_make_room_for_the_next(serving: Serving) -> None:
    async with serving(connections=ConnectionLimits(per_client=1), deadlines=PATIENT) as gate:
        wire = await gate.connect()
        await wire.send(get("/large").replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"))
        received = len(await wire.read(PIECE))
        assert (await gate.send(get("/ping"))).problem == (429, "connections_limit")
        while piece := await wire.read(PIECE):
            received += len(piece)
        assert received > LONG_PIECES * PIECE


async def test_a_crowd_beyond_the_bound_is_answered_one_by_one(serving: Serving) -> None:
    limits = ConnectionLimits(per_client=20, refused=5)
    async with serving(connections=limits, deadlines=PATIENT) as gate:
        busy = [await gate.connect() for _ in range(20)]
        for wire in busy:
            await wire.send(get("/held"))
            await gate.desk.began.wait()
            gate.desk.began.clear()
        silent = [await gate.connect() for _ in range(30)]
        for _ in range(100):
            assert (await gate.send(get("/ping"))).problem == (429, "connections_limit")
        assert await silent[0].closed() == b""
        gate.desk.go_on.set()
        assert [(await wire.answer()).status for wire in busy] == [200] * 20
