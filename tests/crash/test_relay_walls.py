"""An order that cannot be taken up again after a crash keeps no other from it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from contrib.simulators.jd_vop.faults import Rule
from contrib.simulators.jd_vop.ledger import read, summary
from gateway.store import connect
from tests.crash.pulled import LEASE
from tests.crash.test_relay import core_of, plan, row
from tests.eventually import eventually
from tests.integration.pulled.conftest import Ground
from tests.pulling import Operator

pytestmark = [pytest.mark.crash, pytest.mark.timeout(180)]

UNDER_WAY = "SELECT count(*) FROM commands WHERE state = 'sending'"

POISON = "UPDATE orders SET state = 'of_a_newer_release' WHERE order_no = $1"


async def test_an_order_of_another_release_keeps_no_other_from_being_taken_up_after_a_crash(
    ground: Ground, tmp_path: Path
) -> None:
    ledger = tmp_path / "ledger.jsonl"
    async with ground.simulator(ledger=ledger) as simulator:
        submits, _ = plan(simulator, 4)
        hang = simulator.faults.add(Rule("hang", "order/submitOrder", {}))
        async with ground.program(**LEASE) as program, connect(ground.database, name="tests") as connection:
            await Operator(program.admin_url).declare(jd=row(simulator))
            await core_of(ground).send(*submits)

            async def under_way() -> bool:
                return bool(await connection.fetchval(UNDER_WAY) == len(submits))

            await eventually(under_way, within=60)
            await program.kill()
            await connection.execute(POISON, submits[0]["order_no"])
        simulator.faults.clear(hang)
        async with ground.program(**LEASE) as program:
            later, _ = plan(simulator, 5)
            await core_of(ground).send(later[4])
            ends = await core_of(ground).ended(*submits[1:], later[4])
            assert [end["event"] for end in ends] == ["order.accepted"] * 4
            assert summary(await asyncio.to_thread(read, ledger))["duplicates"] == {}
            assert program.process.returncode is None
