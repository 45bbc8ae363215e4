"""SIGKILL, SIGTERM and SIGSTOP at every named point: whatever dies where, the history comes out right."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from gateway.embedded import Engines
from gateway.telemetry.failpoints import PUSH_POINTS
from tests.eventually import eventually
from tests.history import judge
from tests.program import fault, running
from tests.reader import read_books, read_topics
from tests.vendor import Vendor, declared, prices

pytestmark = [pytest.mark.crash, pytest.mark.timeout(180)]

RECORDS = 1_500
"""Two chunks and more, with a bad record in each."""

BAD = {7: b'{"sku":"bad-7","price":"1e3"}', 1_200: b"{oops"}


@pytest.mark.parametrize("point", PUSH_POINTS)
async def test_a_program_killed_here_leaves_no_trace_in_the_history(
    point: str, engines: Engines, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    first = prices(RECORDS, price="10.00", bad=BAD)
    second = prices(RECORDS, price="11.00")
    async with running(engines.kafka_bootstrap, database, topic_prefix) as program:
        await program.started()
        keys = await declared(program.admin_url, "acme")
        vendor = Vendor(program.url, keys)
        pushes = [await vendor.push(first, key="first", wait=30)]
    async with running(
        engines.kafka_bootstrap, database, topic_prefix, environment=fault(point, "kill", mark)
    ) as program:
        await program.started()
        pushes.append(await Vendor(program.url, keys).push(second, key="second", wait=0))
        assert await program.ended() == -signal.SIGKILL
    assert mark.read_text() == f"{point}\n"
    async with running(engines.kafka_bootstrap, database, topic_prefix) as program:
        await program.started()
        vendor = Vendor(program.url, keys)
        pushes[1] = await vendor.push_until_taken(second, key="second")
        await vendor.all_finished()
    assert judge(pushes, await read_topics(engines.kafka_bootstrap, topic_prefix), await read_books(database)) == []


@pytest.mark.parametrize("point", ["publish.before", "publish.after", "state.before_commit"])
async def test_a_frozen_worker_that_wakes_after_its_successor_overwrites_nothing(
    point: str, engines: Engines, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    old, new = prices(RECORDS, price="10.00"), prices(RECORDS, price="12.00")
    async with running(
        engines.kafka_bootstrap, database, topic_prefix, environment=fault(point, "stop", mark)
    ) as zombie:
        await zombie.started()
        keys = await declared(zombie.admin_url, "acme")
        pushes = [await Vendor(zombie.url, keys, patience=10).push(old, key="old", wait=0)]
        await eventually(lambda: asyncio.to_thread(mark.exists), within=60)
        async with running(engines.kafka_bootstrap, database, topic_prefix) as successor:
            await successor.started()
            vendor = Vendor(successor.url, keys)
            pushes[0] = await vendor.push_until_taken(old, key="old")
            pushes.append(await vendor.push_until_taken(new, key="new"))
            await vendor.all_finished()
            zombie.signal(signal.SIGCONT)
            zombie.signal(signal.SIGTERM)
            await zombie.ended()
            await vendor.settled(engines.kafka_bootstrap, database, topic_prefix)
    assert judge(pushes, await read_topics(engines.kafka_bootstrap, topic_prefix), await read_books(database)) == []


async def test_sigterm_under_load_loses_nothing_and_ends_with_status_0(
    engines: Engines, database: str, topic_prefix: str
) -> None:
    lines = prices(20_000, price="10.00")
    async with running(engines.kafka_bootstrap, database, topic_prefix) as program:
        await program.started()
        keys = await declared(program.admin_url, "acme")
        push = await Vendor(program.url, keys).push(lines, key="big", wait=0)
        program.signal(signal.SIGTERM)
        assert await program.ended() == 0
    async with running(engines.kafka_bootstrap, database, topic_prefix) as program:
        await program.started()
        await Vendor(program.url, keys).all_finished()
    assert push.acked
    assert judge([push], await read_topics(engines.kafka_bootstrap, topic_prefix), await read_books(database)) == []
