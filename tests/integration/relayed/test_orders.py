"""Orders through the real program: from the core's topic to the supplier's ledger, and back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from contrib.simulators.jd_vop import Simulator
from contrib.simulators.jd_vop.ledger import read, summary
from tests.integration.pulled.conftest import Ground
from tests.ordering import goods
from tests.pulling import Operator, control, row_of
from tests.relaying import Core, cancel, confirm, submit, town


@dataclass
class Market:
    """A core, a supplier, and the gateway between them."""

    core: Core
    simulator: Simulator
    operator: Operator
    ledger: Path

    def order(self, number: str, pieces: int = 2, **more: Any) -> dict[str, Any]:
        """A submit of the first goods that may be ordered."""
        return submit(number, [(goods(self.simulator)[0], pieces)], area=town(self.simulator), **more)

    async def fault(self, kind: str, operation: str, **more: Any) -> None:
        """Have the supplier fail."""
        await control(self.simulator, "POST", "faults", {"kind": kind, "operation": operation, **more})

    def done(self) -> dict[str, Any]:
        """What the supplier has really done."""
        return summary(read(self.ledger))


@pytest.fixture
async def market(ground: Ground) -> AsyncIterator[Market]:
    async with opened(ground) as market:
        yield market


@asynccontextmanager
async def opened(ground: Ground, **changes: Any) -> AsyncIterator[Market]:
    """A market whose supplier is declared."""
    ledger = ground.directory / "ledger.jsonl"
    async with ground.simulator(ledger=ledger) as simulator, ground.program(MALLGATE_LEASE_SECONDS="3") as program:
        operator = Operator(program.admin_url)
        await operator.declare(jd=row_of(simulator, **changes))
        yield Market(Core(ground.engines.kafka_bootstrap, ground.prefix), simulator, operator, ledger)


async def test_an_order_is_reserved_confirmed_and_cancelled(market: Market) -> None:
    placed, confirmed, cancelled = market.order("ZZ-1"), confirm("ZZ-1"), cancel("ZZ-1")
    await market.core.send(placed)
    [accepted] = await market.core.ended(placed)
    assert accepted["event"] == "order.accepted"
    assert len(accepted["supplier_order_nos"]) == 1
    assert [line["quantity"] for line in accepted["payload"]["lines"]] == ["2"]
    await market.core.send(confirmed)
    assert (await market.core.ended(confirmed))[0]["event"] == "order.confirmed"
    await market.core.send(cancelled)
    assert (await market.core.ended(cancelled))[0]["event"] == "order.cancelled"
    assert market.done() == {"effects": {"submit": 1, "confirm": 1, "cancel": 1}, "orders": 1, "duplicates": {}}


@pytest.mark.parametrize("kind", ["reset", "cut_reset", "status_after", "duplicate_answer", "cut_off"])
async def test_a_lost_answer_leaves_one_order(market: Market, kind: str) -> None:
    parameters = {"status": 503} if kind == "status_after" else {}
    await market.fault(kind, "order/submitOrder", times=1, parameters=parameters)
    placed = market.order("ZZ-1")
    await market.core.send(placed)
    [accepted] = await market.core.ended(placed)
    assert accepted["event"] == "order.accepted"
    assert market.done()["effects"] == {"submit": 1}


async def test_commands_of_an_order_run_in_their_order_and_others_beside_them(market: Market) -> None:
    numbers = [f"ZZ-{number}" for number in range(12)]
    submits = [market.order(number) for number in numbers]
    confirms = [confirm(number) for number in numbers]
    await market.core.send(*submits, *confirms)
    await market.core.ended(*submits, *confirms)
    for number in numbers:
        assert [event["event"] for event in await market.core.events(number)] == ["order.accepted", "order.confirmed"]
    assert market.done() == {"effects": {"submit": 12, "confirm": 12}, "orders": 12, "duplicates": {}}


async def test_a_refused_order_says_why(market: Market) -> None:
    await market.fault("out_of_stock", "order/submitOrder", parameters={})
    placed = market.order("ZZ-1")
    await market.core.send(placed)
    [refused] = await market.core.ended(placed)
    assert refused["event"] == "order.refused"
    assert refused["payload"]["code_class"] == "out_of_stock"
    assert market.done()["effects"] == {}


async def test_repeated_commands_are_carried_out_once(market: Market) -> None:
    placed = market.order("ZZ-1")
    await market.core.send(placed, placed)
    await market.core.ended(placed)
    await market.core.send(placed)
    other = market.order("ZZ-2")
    await market.core.send(other)
    await market.core.ended(other)
    assert market.done() == {"effects": {"submit": 2}, "orders": 2, "duplicates": {}}


async def test_what_is_past_its_deadline_expires_without_a_call(market: Market) -> None:
    placed = market.order("ZZ-1", deadline="2026-01-01T10:00:00+08:00")
    await market.core.send(placed)
    assert (await market.core.ended(placed))[0]["event"] == "order.expired"
    assert market.done()["effects"] == {}


async def test_while_a_supplier_is_paused_nothing_is_sent_and_a_cancel_ends_what_was_never_sent(market: Market) -> None:
    await market.operator.ask("POST", "suppliers/jd/pause", {"reason": "stock-taking"})
    waits, withdrawn, taken_back = market.order("ZZ-1"), market.order("ZZ-2"), cancel("ZZ-2")
    late = market.order("ZZ-3", deadline="2026-01-01T10:00:00+08:00")
    await market.core.send(waits, withdrawn, taken_back, late)
    ends = await market.core.ended(withdrawn, taken_back, late)
    assert [end["event"] for end in ends] == ["order.cancelled", "order.cancelled", "order.expired"]
    assert market.done()["effects"] == {}
    await market.operator.ask("POST", "suppliers/jd/resume", {"reason": "done"})
    assert (await market.core.ended(waits))[0]["event"] == "order.accepted"
    assert market.done()["effects"] == {"submit": 1}


async def test_an_order_that_the_supplier_has_otherwise_is_held_until_the_buyer_cancels(market: Market) -> None:
    line = {"skuId": 1, "num": 9}
    await market.fault("duplicate_answer", "order/submitOrder", times=1, parameters={"line": line})
    placed, after = market.order("ZZ-1"), market.order("ZZ-2")
    await market.core.send(placed, after)
    await market.core.ended(after)
    ends = await market.core.ended(placed)
    assert ends[0]["event"] in ("order.accepted", "order.price_mismatch")
    await market.core.send(taken_back := cancel("ZZ-1"))
    assert (await market.core.ended(taken_back))[0]["event"] == "order.cancelled"
    assert market.done()["duplicates"] == {}


async def test_a_part_that_is_confirmed_is_told_line_by_line(market: Market) -> None:
    placed, confirmed = market.order("ZZ-1", 4), confirm("ZZ-1")
    await market.core.send(placed)
    await market.core.ended(placed)
    await market.fault("partial_confirmation", "order/confirmOrder", times=1)
    await market.core.send(confirmed)
    [end] = await market.core.ended(confirmed)
    assert end["event"] in ("order.confirmed", "order.partially_confirmed")


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [("expired_token", {}), ("rate_limited", {}), ("status", {"status": 503}), ("hang", {}), ("drip", {})],
)
async def test_what_passes_delays_an_order_and_doubles_none(
    market: Market, kind: str, parameters: dict[str, Any]
) -> None:
    row = row_of(market.simulator)
    await market.operator.declare(jd={**row, "http": {**row["http"], "timeout_seconds": 1}})
    await market.fault(kind, "order/submitOrder", times=2, parameters=parameters)
    placed = market.order("ZZ-1")
    await market.core.send(placed)
    assert (await market.core.ended(placed))[0]["event"] == "order.accepted"
    assert market.done() == {"effects": {"submit": 1}, "orders": 1, "duplicates": {}}


async def test_a_cancel_of_an_order_that_is_nowhere_is_refused(market: Market) -> None:
    await market.core.send(taken_back := cancel("ZZ-404"), confirmed := confirm("ZZ-405"))
    refused, other = await market.core.ended(taken_back, confirmed)
    assert (refused["event"], refused["payload"]["code_class"]) == ("order.cancel_refused", "no_such_order")
    assert (other["event"], other["payload"]["code_class"]) == ("order.refused", "no_such_order")
