"""SIGKILL while a service is applied for and followed: one service, one end, each step of it told once."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest

from contrib.simulators.jd_vop import Simulator
from contrib.simulators.jd_vop.ledger import read, summary
from tests.crash.pulled import LEASE
from tests.crash.test_relay import DOOMED, core_of, plan, row
from tests.eventually import eventually
from tests.integration.pulled.conftest import Ground
from tests.ordering import goods
from tests.program import fault
from tests.pulling import Operator, control
from tests.relaying import after_sale

pytestmark = [pytest.mark.crash, pytest.mark.timeout(240)]

CALLS = ("relay.calling", "relay.answered", "relay.after_commit")
READING = ("pool.remembered", "order.read", "order.told")


async def delivered(ground: Ground, simulator: Simulator) -> dict[str, Any]:
    """An order whose goods have arrived, and the request to take them back."""
    [submit], [confirm] = plan(simulator, 1)
    async with ground.program(**LEASE) as program:
        await Operator(program.admin_url).declare(jd=row(simulator))
        await core_of(ground).send(submit, confirm)
        await core_of(ground).ended(submit, confirm)
        await control(simulator, "POST", "order", {"third": submit["order_no"], "act": "deliver"})
        await core_of(ground).told(submit["order_no"], "shipment.delivered")
    return after_sale(submit["order_no"], str(goods(simulator)[0].sku), 1)


async def told(ground: Ground) -> list[tuple[str, str | None]]:
    """What the core was told of the service: event and where it stands then, each event once."""
    events = [event for event in await core_of(ground).events() if event["event"].startswith("aftersale.")]
    return [(event["event"], event["payload"].get("state")) for event in events]


@pytest.mark.parametrize("point", CALLS)
async def test_a_service_whose_program_is_killed_is_applied_for_once(
    ground: Ground, tmp_path: Path, point: str
) -> None:
    mark, ledger = tmp_path / "mark", tmp_path / "ledger.jsonl"
    async with ground.simulator(ledger=ledger) as simulator:
        asked = await delivered(ground, simulator)
        async with ground.program(**DOOMED, **fault(point, "kill", mark)) as program:
            await core_of(ground).send(asked)
            assert await program.ended() == -signal.SIGKILL
        async with ground.program(**LEASE):
            [accepted] = await core_of(ground).ended(asked)
        assert (accepted["event"], accepted["payload"]["service_no"]) == ("aftersale.accepted", "AS-1")
        assert summary(read(ledger))["effects"]["after_sale"] == 1
    assert mark.read_text() == f"{point}\n"


@pytest.mark.parametrize("point", READING)
async def test_a_step_of_a_service_whose_reading_is_killed_is_told_once(
    ground: Ground, tmp_path: Path, point: str
) -> None:
    mark = tmp_path / "mark"
    async with ground.simulator(ledger=tmp_path / "ledger.jsonl") as simulator:
        asked = await delivered(ground, simulator)
        async with ground.program(**LEASE):
            await core_of(ground).send(asked)
            await core_of(ground).ended(asked)
        await control(simulator, "POST", "service", {"third": asked["order_no"], "act": "approve"})
        async with ground.program(**DOOMED, **fault(point, "kill", mark)) as program:
            assert await program.ended() == -signal.SIGKILL

        async def approved() -> bool:
            return ("aftersale.progress", "approved") in await told(ground)

        async with ground.program(**LEASE):
            await eventually(approved, within=60)
        found = await told(ground)
        assert len(found) == len(set(found))
        assert found[0] == ("aftersale.accepted", None)
    assert mark.read_text() == f"{point}\n"
