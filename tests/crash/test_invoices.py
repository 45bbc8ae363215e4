"""SIGKILL while invoices are applied for and read: one application, one end, each invoice told once."""

from __future__ import annotations

import signal
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from contrib.simulators.jd_vop import Simulator
from contrib.simulators.jd_vop.ledger import read, summary
from tests.crash.pulled import LEASE
from tests.crash.test_relay import DOOMED, core_of, plan, row
from tests.integration.pulled.conftest import Ground
from tests.ordering import goods
from tests.program import fault
from tests.pulling import Operator, control
from tests.relaying import invoice, town

pytestmark = [pytest.mark.crash, pytest.mark.timeout(180)]

READING = ("pool.remembered", "invoice.read", "invoice.told")


async def declared(ground: Ground, simulator: Simulator) -> dict[str, Any]:
    """A confirmed order of one piece, and the application for its invoices."""
    [submit], [confirm] = plan(simulator, 1)
    options = {**row(simulator)["options"], "invoice_org": "544"}
    async with ground.program(**LEASE) as program:
        await Operator(program.admin_url).declare(jd={**row(simulator), "options": options})
        await core_of(ground).send(submit, confirm)
        await core_of(ground).ended(submit, confirm)
    item = goods(simulator)[0]
    gross, net = (Decimal(each) / 100 for each in (item.price, item.naked))
    return invoice(submit["order_no"], "FP-1", gross, net, area=town(simulator))


async def told(ground: Ground) -> list[str]:
    """What the core was told of the application, each event once."""
    return [event["event"] for event in await core_of(ground).events() if event["event"].startswith("invoice.")]


@pytest.mark.parametrize("point", ["relay.calling", "relay.answered", "relay.after_commit"])
async def test_an_application_whose_program_is_killed_is_made_once(ground: Ground, tmp_path: Path, point: str) -> None:
    mark, ledger = tmp_path / "mark", tmp_path / "ledger.jsonl"
    async with ground.simulator(ledger=ledger) as simulator:
        asked = await declared(ground, simulator)
        async with ground.program(**DOOMED, **fault(point, "kill", mark)) as program:
            await core_of(ground).send(asked)
            assert await program.ended() == -signal.SIGKILL
        async with ground.program(**LEASE):
            assert (await core_of(ground).ended(asked))[0]["event"] == "invoice.requested"
        assert await told(ground) == ["invoice.requested"]
        assert summary(read(ledger))["effects"]["invoice"] == 1
    assert mark.read_text() == f"{point}\n"


@pytest.mark.parametrize("point", READING)
async def test_invoices_whose_reading_is_killed_are_told_once(ground: Ground, tmp_path: Path, point: str) -> None:
    mark = tmp_path / "mark"
    async with ground.simulator(ledger=tmp_path / "ledger.jsonl") as simulator:
        asked = await declared(ground, simulator)
        async with ground.program(**LEASE):
            await core_of(ground).send(asked)
            await core_of(ground).ended(asked)
        await control(simulator, "POST", "invoice", {"act": "issue", "mark": "FP-1"})
        async with ground.program(**DOOMED, **fault(point, "kill", mark)) as program:
            assert await program.ended() == -signal.SIGKILL
        async with ground.program(**LEASE):
            await core_of(ground).told(asked["order_no"], "invoice.issued")
        assert await told(ground) == ["invoice.requested", "invoice.issued"]
    assert mark.read_text() == f"{point}\n"
