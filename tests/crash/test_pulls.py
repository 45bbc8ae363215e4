"""SIGKILL and SIGSTOP while suppliers are pulled: runs are resumed, nothing is lost, no fault withdraws anything."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from gateway.telemetry.failpoints import MESSAGE_POINTS, SWEEP_POINTS
from tests.crash.pulled import (
    AT_ONCE,
    LEASE,
    drop_some,
    judged,
    messages_taken,
    pull_again,
    repeated,
    runs,
    slow_row,
    tokens,
    until_owner,
    withdrawn,
    wrong_for_buyers,
)
from tests.eventually import eventually
from tests.integration.pulled.conftest import Ground
from tests.program import fault
from tests.pulling import FACETS, Operator, calls

pytestmark = [pytest.mark.crash, pytest.mark.timeout(180)]

SKUS = 230
"""Three questions of each facet."""

DOOMED = {**LEASE, "MALLGATE_ROLES": "sessions,console"}
"""Of programs to be killed or frozen: as members of consumer groups they would only be waited for."""

LATER = {"sweep.listed": 5, "sweep.sent": 6}
"""Where it may matter how far the run is."""


@pytest.mark.parametrize(("point", "nth"), [*((point, 1) for point in SWEEP_POINTS), *LATER.items()])
async def test_a_sweep_whose_program_is_killed_is_brought_to_its_end_by_the_next(
    ground: Ground, tmp_path: Path, point: str, nth: int
) -> None:
    mark = tmp_path / "mark"
    async with ground.simulator(skus=SKUS) as simulator:
        async with ground.program(**DOOMED, **fault(point, "kill", mark, nth=nth)) as program:
            await Operator(program.admin_url).declare(jd=slow_row(simulator))
            assert await program.ended() == -signal.SIGKILL
        begun = await runs(ground)
        had_token = any(call["token"] for call in calls(simulator))
        async with ground.program(**LEASE) as program:
            operator = Operator(program.admin_url)
            await operator.until_swept("jd")
            await operator.until_finished()
            ended = await runs(ground)
            assert {facet: len(found) for facet, found in ended.items()} == dict.fromkeys(FACETS, 1)
            assert all(ended[facet][0]["feed_no"] == found[0]["feed_no"] for facet, found in begun.items())
            assert await judged(ground, simulator) == []
            assert not any((await withdrawn(ground)).values())
            again = repeated(simulator)
            assert again.pop("product/getDetail", 0) <= AT_ONCE * 100
            assert all(count <= AT_ONCE for count in again.values())
            assert tokens(simulator) == 1 or not had_token
            gone = drop_some(simulator)
            await pull_again(ground, operator)
            assert await withdrawn(ground) == dict.fromkeys(FACETS, gone)
            assert await judged(ground, simulator) == []
    assert mark.read_text() == f"{point}\n"


@pytest.mark.parametrize("point", MESSAGE_POINTS)
async def test_what_messages_said_is_on_the_topics_although_the_program_was_killed(
    ground: Ground, tmp_path: Path, point: str
) -> None:
    mark = tmp_path / "mark"
    async with ground.simulator(skus=SKUS) as simulator:
        async with ground.program(**DOOMED, **fault(point, "kill", mark, nth=2)) as program:
            operator = Operator(program.admin_url)
            await operator.declare(jd=slow_row(simulator))
            await operator.until_swept("jd")
            ended = asyncio.ensure_future(program.ended())
            while not ended.done():
                simulator.changes.several(30, None)
                await asyncio.wait([ended], timeout=1)
            assert await ended == -signal.SIGKILL
        simulator.changes.several(30, None)
        async with ground.program(**LEASE) as program:
            operator = Operator(program.admin_url)
            await messages_taken(simulator, operator)
            assert simulator.messages.deleted == simulator.messages.written
            assert await wrong_for_buyers(ground, simulator) == []
            await pull_again(ground, operator)
            assert await judged(ground, simulator) == []
    assert mark.read_text() == f"{point}\n"


@pytest.mark.parametrize("point", ["sweep.answered", "sweep.sent", "sweep.closing"])
async def test_a_frozen_owner_is_replaced_and_does_nothing_more_when_it_wakes(
    ground: Ground, tmp_path: Path, point: str
) -> None:
    mark = tmp_path / "mark"
    async with (
        ground.simulator(skus=SKUS) as simulator,
        ground.program(**DOOMED, **fault(point, "stop", mark, nth=2)) as zombie,
    ):
        await Operator(zombie.admin_url).declare(jd=slow_row(simulator, messages="1h"))
        await eventually(lambda: asyncio.to_thread(mark.exists), within=60)
        begun = await runs(ground)
        async with ground.program(**LEASE) as successor:
            operator = Operator(successor.admin_url)
            # Far sooner than the server ends transactions that others are frozen in.
            await until_owner(successor, within=20)
            await operator.until_swept("jd")
            await operator.until_finished()
            assert tokens(simulator) == 1
            served = len(calls(simulator))
            zombie.signal(signal.SIGCONT)
            await until_owner(zombie, owner=False)
            zombie.signal(signal.SIGTERM)
            assert await zombie.ended() == 0
            assert len(calls(simulator)) <= served + AT_ONCE
            await operator.until_finished()
            ended = await runs(ground)
            assert {facet: len(found) for facet, found in ended.items()} == dict.fromkeys(FACETS, 1)
            assert all(ended[facet][0]["feed_no"] == found[0]["feed_no"] for facet, found in begun.items())
            assert await judged(ground, simulator) == []
            gone = drop_some(simulator)
            await pull_again(ground, operator)
            assert await withdrawn(ground) == dict.fromkeys(FACETS, gone)
