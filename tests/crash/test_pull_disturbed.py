"""Outages of the store and revisions of the row, one after the other, under a supplier that is pulled all the while."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

import pytest

from contrib.simulators.jd_vop.faults import Rule
from contrib.simulators.jd_vop.simulator import Simulator
from tests.crash.pulled import judged, repeated, runs, slow_row, tokens, until_calls
from tests.crash.site import until_ready
from tests.eventually import eventually
from tests.integration.pulled.conftest import Ground
from tests.program import Program, running
from tests.pulling import FACETS, Operator, calls
from tests.store_way import store_way

pytestmark = [pytest.mark.crash, pytest.mark.engines, pytest.mark.timeout(180)]

TIMES = 10
"""Outages, and revisions: two by two, since a program looks for revisions some seconds after an outage."""

OPENS = 5
"""Failures in a row that open a breaker."""

LEAST_SECONDS = 1.0
"""An open breaker lets no call through for so long."""


def revision(row: dict[str, Any], number: int) -> dict[str, Any]:
    """A row that names, limits and schedules otherwise, and asks the same."""
    http = {**row["http"], "rate_per_second": 400 + number, "timeout_seconds": 5 + number / 10}
    return {**row, "name": f"京东 {number}", "http": http, "pulls": dict.fromkeys(FACETS, f"{30 + number}h")}


async def until_adopted(program: Program, count: int) -> None:
    """Wait until the program works by so many other rows than the first."""

    async def holds() -> bool:
        return len(program.events("session.changed")) >= count

    await eventually(holds, within=30)


def operation_times(simulator: Simulator, operation: str) -> list[float]:
    """When an operation was called, by the supplier's own clock."""
    return [call["at"] for call in calls(simulator) if call["operation"] == operation]


async def test_ten_outages_and_ten_revisions_cut_no_call_off_and_have_nothing_asked_twice_or_forgotten(
    ground: Ground,
) -> None:
    async with (
        ground.simulator(skus=400) as simulator,
        store_way(ground.database) as way,
        running(ground.engines.kafka_bootstrap, way.url, ground.prefix) as program,
    ):
        await program.started()
        operator, row = Operator(program.admin_url), slow_row(simulator)
        slow = simulator.faults.add(Rule("latency", "product/getDetail", {"ms": 250}))
        simulator.faults.add(Rule("status", "message/get"))
        await operator.declare(jd=row)
        await until_calls(simulator, 10)
        for number in range(0, TIMES, 2):
            for _ in range(2):
                await way.cut()
                await until_ready(program, ready=False)
                await way.mend()
                await until_ready(program)
            for adopted in (number, number + 1):
                await operator.declare(jd=revision(row, adopted))
                await until_adopted(program, adopted + 1)
        simulator.faults.clear(slow)
        await operator.until_swept("jd")
        await operator.until_finished("jd")
        assert simulator.stats.gone == 0
        assert repeated(simulator) == Counter()
        assert tokens(simulator) == 1
        assert [event["lease"] for event in program.events("lease.taken")].count("session jd") == 1
        found = await runs(ground)
        assert {facet: len(each) for facet, each in found.items()} == dict.fromkeys(FACETS, 1)
        polls = operation_times(simulator, "message/get")
        assert len(polls) > OPENS
        assert all(later - sooner >= LEAST_SECONDS for sooner, later in pairwise(polls[OPENS - 1 :]))
        assert await judged(ground, simulator) == []
