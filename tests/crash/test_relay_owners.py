"""Two programs relay the orders of the same suppliers, and suppliers move between them: one effect each, in order."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from contrib.mall.verdict import Effect, effects_of_jd
from contrib.simulators.jd_vop import Simulator
from contrib.simulators.jd_vop.faults import Rule
from contrib.simulators.ledger import read
from tests.crash.pulled import LEASE, until_shared
from tests.eventually import eventually
from tests.integration.pulled.conftest import Ground
from tests.ordering import goods
from tests.pulling import Operator, row_of
from tests.relaying import Core, confirm, submit, town

pytestmark = [pytest.mark.crash, pytest.mark.timeout(180)]

SUPPLIERS = [f"jd-{number}" for number in range(6)]
ORDERS = 8
"""Of each supplier in each half of the plan."""


def planned(simulators: Mapping[str, Simulator], half: str) -> list[dict[str, Any]]:
    """Half of all commands, suppliers in turn: submits, then the confirms of these orders."""
    numbers = [(supplier, f"{supplier}-{half}{number}") for number in range(ORDERS) for supplier in simulators]
    submits = [
        submit(number, [(goods(simulators[supplier])[0], 1)], area=town(simulators[supplier]), supplier=supplier)
        for supplier, number in numbers
    ]
    return [*submits, *(confirm(number, supplier=supplier) for supplier, number in numbers)]


def effects(ledgers: Mapping[str, Path]) -> Sequence[Effect]:
    """What all suppliers have done so far."""
    return [each for supplier, path in ledgers.items() if path.exists() for each in effects_of_jd(read(path), supplier)]


async def until_done(ledgers: Mapping[str, Path], count: int) -> None:
    """Wait until the suppliers have done so much."""

    async def holds() -> bool:
        return len(await asyncio.to_thread(effects, ledgers)) >= count

    await eventually(holds, within=60)


async def test_suppliers_that_move_between_programs_in_mid_work_take_each_order_once(
    ground: Ground, tmp_path: Path
) -> None:
    core = Core(ground.engines.kafka_bootstrap, ground.prefix)
    ledgers = {supplier: tmp_path / f"{supplier}.jsonl" for supplier in SUPPLIERS}
    async with AsyncExitStack() as stack:
        simulators = {
            supplier: await stack.enter_async_context(ground.simulator(skus=60, seed=number, ledger=ledgers[supplier]))
            for number, supplier in enumerate(SUPPLIERS)
        }
        for simulator in simulators.values():
            simulator.faults.add(Rule("latency", "order/*", {"ms": 150}))
        first = await stack.enter_async_context(ground.program(**LEASE))
        await Operator(first.admin_url).declare(**{name: row(each) for name, each in simulators.items()})
        second = await stack.enter_async_context(ground.program(**LEASE))
        await until_shared(ground, 3, 3)
        first_half, second_half = planned(simulators, "A"), planned(simulators, "B")
        await core.send(*first_half)
        await until_done(ledgers, len(first_half) // 4)
        await second.kill()
        third = await stack.enter_async_context(ground.program(**LEASE))
        await core.send(*second_half)
        await until_shared(ground, 3, 3)
        await until_done(ledgers, len(first_half))
        first.signal(signal.SIGTERM)
        assert await first.ended() == 0
        await until_shared(ground, 6)
        await core.ended(*first_half, *second_half)
        done = effects(ledgers)
        assert len(done) == len(first_half) + len(second_half)
        assert await core.violations([*first_half, *second_half], done) == []
        assert len({event["lease"] for event in third.events("lease.taken")} & {f"session {s}" for s in SUPPLIERS}) == 6


def row(simulator: Simulator) -> dict[str, Any]:
    """A supplier that is asked for nothing but orders, two calls at once."""
    asked = row_of(simulator, facets=["price"], pulls={"price": "30d"})
    return {**asked, "http": {**asked["http"], "concurrency": 2}}
