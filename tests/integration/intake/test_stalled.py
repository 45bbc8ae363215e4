"""Clients that do not take what they are sent: who has stopped reading is cut off, who reads slowly is not."""

from __future__ import annotations

import asyncio

import pytest

from gateway.http.connection import Deadlines
from gateway.telemetry.metrics import REGISTRY
from tests.eventually import eventually
from tests.integration.intake.conftest import LONG_PIECES, PIECE, Serving

GET = "GET {} HTTP/1.1\r\nHost: x\r\n{}\r\n".format
WHOLE = LONG_PIECES * PIECE


def cut() -> float:
    return REGISTRY.get_sample_value("mallgate_http_connections_cut_total", {"reason": "stalled"}) or 0.0


@pytest.mark.parametrize("path", ["/long", "/large"])
@pytest.mark.parametrize("last", ["", "Connection: close\r\n"])
async def test_who_stops_reading_is_cut_off_and_counted(serving: Serving, path: str, last: str) -> None:
    before = cut()

    async def is_cut() -> bool:
        return cut() == before + 1

    async with serving(deadlines=Deadlines(write=0.4)) as gate:
        wire = await gate.connect()
        await wire.send(GET(path, last))
        await eventually(is_cut)
        if path == "/long":
            await gate.desk.ended.wait()
        assert 0 < len(await wire.closed()) < WHOLE


async def test_who_reads_slowly_gets_all_of_it(serving: Serving) -> None:
    async with serving(deadlines=Deadlines(write=2.0)) as gate:
        wire = await gate.connect()
        await wire.send(GET("/large", "Connection: close\r\n"))
        received = 0
        while piece := await wire.read(4 * PIECE):
            received += len(piece)
            await asyncio.sleep(0.02)  # how the client reads
        assert received > WHOLE


async def test_what_was_answered_and_lies_with_the_kernel_bothers_nobody(serving: Serving) -> None:
    before = cut()
    async with serving(deadlines=Deadlines(write=0.1)) as gate:
        silent, other = await gate.connect(), await gate.connect()
        await silent.send(GET("/ping", ""))
        for _ in range(20):
            await other.send(GET("/ping", ""))
            assert (await other.answer()).status == 200
            await asyncio.sleep(0.02)
        assert (await silent.answer()).status == 200
    assert cut() == before
