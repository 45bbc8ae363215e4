"""Several programs and several suppliers: one owner for each, a fair share for all."""

from __future__ import annotations

import signal
from collections import Counter
from contextlib import AsyncExitStack

import pytest

from contrib.simulators.jd_vop.faults import Rule
from contrib.simulators.jd_vop.simulator import Simulator
from tests.crash.pulled import (
    LEASE,
    pull_again,
    repeated,
    runs,
    slow_row,
    tokens,
    unsound,
    until_calls,
    until_shared,
)
from tests.integration.pulled.conftest import Ground
from tests.pulling import FACETS, Operator

pytestmark = [pytest.mark.crash, pytest.mark.timeout(180)]


async def test_programs_share_suppliers_and_no_supplier_has_two_owners(ground: Ground) -> None:
    async with AsyncExitStack() as stack:
        simulators = {
            f"jd-{number}": await stack.enter_async_context(ground.simulator(skus=60, seed=number))
            for number in range(5)
        }
        first = await stack.enter_async_context(ground.program(**LEASE))
        await stack.enter_async_context(ground.program(**LEASE))
        operator = Operator(first.admin_url)
        await operator.declare(**{name: slow_row(each) for name, each in simulators.items()})
        await until_shared(ground, 3, 2)
        for supplier in simulators:
            await operator.until_swept(supplier)
        await operator.until_finished()
        await _pulled_once(ground, simulators)
        async with ground.program(**LEASE) as third:
            await until_shared(ground, 2, 2, 1)
            for supplier in simulators:
                await operator.ask("POST", f"suppliers/{supplier}/pull", {"facets": ["price"]})
            third.signal(signal.SIGTERM)
            assert await third.ended() == 0
        await until_shared(ground, 3, 2)
        for supplier, simulator in simulators.items():
            await pull_again(ground, operator, supplier)
            assert unsound(await runs(ground, supplier)) == []
            assert await ground.wrong(simulator, supplier) == []
            assert tokens(simulator) == 1
            assert simulator.stats.gone == 0


async def test_a_supplier_that_is_handed_over_in_mid_sweep_has_no_call_cut_off_and_is_asked_nothing_twice(
    ground: Ground,
) -> None:
    patient = {**LEASE, "MALLGATE_DRAIN_TIMEOUT": "90"}
    async with AsyncExitStack() as stack:
        simulators = {
            f"jd-{number}": await stack.enter_async_context(ground.simulator(skus=230, seed=number))
            for number in range(2)
        }
        for simulator in simulators.values():
            simulator.faults.add(Rule("latency", "product/getDetail", {"ms": 60}))
        first = await stack.enter_async_context(ground.program(**patient))
        operator = Operator(first.admin_url)
        await operator.declare(**{name: slow_row(each) for name, each in simulators.items()})
        for simulator in simulators.values():
            await until_calls(simulator, 20)
        await stack.enter_async_context(ground.program(**patient))
        await until_shared(ground, 1, 1)
        assert len(first.events("session.handed_over")) == 1
        for supplier, simulator in simulators.items():
            simulator.faults.clear()
            await operator.until_swept(supplier)
        await operator.until_finished()
        await _pulled_once(ground, simulators)
        assert [simulator.stats.gone for simulator in simulators.values()] == [0, 0]


async def test_a_supplier_that_pushes_from_now_on_takes_no_place_of_one_that_is_pulled(ground: Ground) -> None:
    async with ground.simulator(skus=30) as simulator, ground.program(**LEASE) as program:
        operator = Operator(program.admin_url)
        await operator.declare(before=slow_row(simulator))
        await operator.until_swept("before")
        pushed = {"name": "Pushed", "adapter": "native", "facets": ["price"]}
        await operator.declare(before=pushed, jd=slow_row(simulator))
        await operator.until_swept("jd")
        await until_shared(ground, 1)
        assert simulator.stats.gone == 0


async def _pulled_once(ground: Ground, simulators: dict[str, Simulator]) -> None:
    for supplier, simulator in simulators.items():
        assert Counter(facet for facet, found in (await runs(ground, supplier)).items() for _ in found) == Counter(
            FACETS
        )
        assert repeated(simulator) == Counter()
        assert tokens(simulator) == 1
