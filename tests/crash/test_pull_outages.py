"""Kafka, PostgreSQL or a supplier away, or asking for patience, while suppliers are pulled."""

from __future__ import annotations

import pytest

from contrib.simulators.jd_vop.faults import Rule
from gateway.pulls.rereads import AT_ONCE
from tests.crash.pulled import (
    LEASE,
    drop_some,
    judged,
    messages_taken,
    pull_again,
    runs,
    slow_row,
    until_calls,
    withdrawn,
    wrong_for_buyers,
)
from tests.crash.site import until_ready
from tests.integration.pulled.conftest import Ground
from tests.program import running
from tests.pulling import FACETS, Operator, calls, control, row_of
from tests.store_way import store_way

pytestmark = [pytest.mark.crash, pytest.mark.engines, pytest.mark.timeout(180)]


@pytest.mark.parametrize("name", ["kafka", "postgres"])
async def test_an_engine_that_goes_and_comes_back_delays_a_sweep_and_costs_nothing(
    frail_ground: Ground, name: str
) -> None:
    ground, engine = frail_ground, getattr(frail_ground.engines, name)
    async with ground.simulator(skus=230) as simulator, ground.program(**LEASE) as program:
        operator = Operator(program.admin_url)
        slow = simulator.faults.add(Rule("latency", "product/getDetail", {"ms": 30}))
        await operator.declare(jd=slow_row(simulator))
        await until_calls(simulator, 60)
        simulator.changes.several(20, ["price", "shelf", "detail"])
        await engine.stop()
        await until_ready(program, ready=False)
        await engine.start()
        await until_ready(program)
        simulator.faults.clear(slow)
        await operator.until_swept("jd")
        await messages_taken(simulator, operator)
        assert program.process.returncode is None
        assert {facet: len(found) for facet, found in (await runs(ground)).items()} == dict.fromkeys(FACETS, 1)
        assert await judged(ground, simulator) == []
        assert not any((await withdrawn(ground)).values())
        gone = drop_some(simulator)
        await pull_again(ground, operator)
        assert await withdrawn(ground) == dict.fromkeys(FACETS, gone)


async def test_what_messages_name_is_read_anew_after_more_outages_than_questions_are_asked_at_once(
    ground: Ground,
) -> None:
    async with (
        ground.simulator(skus=60) as simulator,
        store_way(ground.database) as way,
        running(ground.engines.kafka_bootstrap, way.url, ground.prefix) as program,
    ):
        await program.started()
        operator = Operator(program.admin_url)
        await operator.declare(jd=slow_row(simulator))
        await operator.until_swept("jd")
        for _ in range(AT_ONCE + 2):
            await way.cut()
            await until_ready(program, ready=False)
            simulator.changes.several(3, ["price", "shelf"])
            await way.mend()
            await until_ready(program)
        await messages_taken(simulator, operator)
        assert await wrong_for_buyers(ground, simulator) == []
        assert [event["lease"] for event in program.events("lease.taken")].count("session jd") == 1


@pytest.mark.parametrize("answer", ["429", "3021", "3041"])
async def test_a_supplier_that_stands_half_the_rate_is_hardly_ever_called_in_vain(ground: Ground, answer: str) -> None:
    async with ground.simulator(skus=900, rate=50.0, rate_answer=answer) as simulator, ground.program() as program:
        operator = Operator(program.admin_url)
        row = row_of(simulator, facets=["product"], pulls={"product": "1d"})
        await operator.declare(jd={**row, "http": {**row["http"], "rate_per_second": 100}})
        await operator.until_swept("jd", "product", within=120)
        stats = await control(simulator, "GET", "stats")
    assert stats["limited"] <= 0.05 * stats["total"], stats


async def test_a_supplier_that_hangs_keeps_no_other_waiting(ground: Ground) -> None:
    async with (
        ground.simulator(skus=230) as simulator,
        ground.simulator(skus=230) as hanging,
        ground.program() as program,
    ):
        hanging.faults.add(Rule("hang"))
        operator = Operator(program.admin_url)
        await operator.declare(a_hanging=row_of(hanging), jd=row_of(simulator))
        await operator.until_swept("jd")
        simulator.changes.several(50, ["price", "shelf", "detail"])
        await messages_taken(simulator, operator)
        assert await wrong_for_buyers(ground, simulator) == []
        asked = calls(hanging)
        assert asked
        assert {call["status"] for call in asked} == {0}
