"""Orders through the real program: from the core's topic to the supplier's ledger, and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import aiohttp
import pytest

from tests import ordering
from tests.buyer import Buyer
from tests.integration.relayed.conftest import Market
from tests.ordering import goods
from tests.pulling import calls, control, row_of


async def test_an_order_is_reserved_confirmed_and_cancelled(market: Market) -> None:
    placed, confirmed, cancelled = market.order(1), market.confirm(), market.cancel()
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
    placed = market.order(1)
    await market.core.send(placed)
    [accepted] = await market.core.ended(placed)
    assert accepted["event"] == "order.accepted"
    assert market.done()["effects"] == {"submit": 1}


async def test_commands_of_an_order_run_in_their_order_and_others_beside_them(market: Market) -> None:
    submits = [market.order(number) for number in range(12)]
    confirms = [market.confirm(number) for number in range(12)]
    await market.core.send(*submits, *confirms)
    await market.core.ended(*submits, *confirms)
    for number in map(market.number, range(12)):
        assert [event["event"] for event in await market.core.events(number)] == ["order.accepted", "order.confirmed"]
    assert market.done() == {"effects": {"submit": 12, "confirm": 12}, "orders": 12, "duplicates": {}}


async def test_a_refused_order_says_why(market: Market) -> None:
    await market.fault("out_of_stock", "order/submitOrder", parameters={})
    placed = market.order(1)
    await market.core.send(placed)
    [refused] = await market.core.ended(placed)
    assert refused["event"] == "order.refused"
    assert refused["payload"]["code_class"] == "out_of_stock"
    assert market.done()["effects"] == {}


async def test_repeated_commands_are_carried_out_once(market: Market) -> None:
    placed = market.order(1)
    await market.core.send(placed, placed)
    await market.core.ended(placed)
    await market.core.send(placed)
    other = market.order(2)
    await market.core.send(other)
    await market.core.ended(other)
    assert market.done() == {"effects": {"submit": 2}, "orders": 2, "duplicates": {}}


async def test_what_is_past_its_deadline_expires_without_a_call(market: Market) -> None:
    placed = market.order(1, deadline="2026-01-01T10:00:00+08:00")
    await market.core.send(placed)
    assert (await market.core.ended(placed))[0]["event"] == "order.expired"
    assert market.done()["effects"] == {}


async def test_while_a_supplier_is_paused_nothing_is_sent_and_a_cancel_ends_what_was_never_sent(market: Market) -> None:
    await market.operator.ask("POST", f"suppliers/{market.supplier}/pause", {"reason": "stock-taking"})
    waits, withdrawn, taken_back = market.order(1), market.order(2), market.cancel(2)
    late = market.order(3, deadline="2026-01-01T10:00:00+08:00")
    await market.core.send(waits, withdrawn, taken_back, late)
    ends = await market.core.ended(withdrawn, taken_back, late)
    assert [end["event"] for end in ends] == ["order.cancelled", "order.cancelled", "order.expired"]
    assert market.done()["effects"] == {}
    await market.operator.ask("POST", f"suppliers/{market.supplier}/resume", {"reason": "done"})
    assert (await market.core.ended(waits))[0]["event"] == "order.accepted"
    assert market.done()["effects"] == {"submit": 1}


async def test_an_order_that_the_supplier_has_otherwise_is_held_until_the_buyer_cancels(market: Market) -> None:
    async with aiohttp.ClientSession() as session:
        buyer = Buyer(market.simulator, session)
        await buyer.sign_in()
        await ordering.submit(buyer, market.number(), (goods(market.simulator)[0], 9))
    placed = market.order()
    await market.core.send(placed)
    [end] = await market.core.ended(placed)
    assert end["event"] == "order.price_mismatch"
    [line] = end["payload"]["lines"]
    assert (line["expected_quantity"], line["offered_quantity"]) == ("2", "9")
    await market.core.send(taken_back := market.cancel())
    assert (await market.core.ended(taken_back))[0]["event"] == "order.cancelled"
    assert market.done() == {"effects": {"submit": 1, "cancel": 1}, "orders": 1, "duplicates": {}}


@pytest.mark.parametrize(
    ("kind", "parameters"),
    [("expired_token", {}), ("rate_limited", {}), ("status", {"status": 503}), ("hang", {}), ("drip", {})],
)
async def test_what_passes_delays_an_order_and_doubles_none(
    market: Market, kind: str, parameters: dict[str, Any]
) -> None:
    row = row_of(market.simulator, facets=["price"], pulls={"price": "30d"})
    hasty = {**row, "http": {**row["http"], "timeout_seconds": 1}}
    await market.operator.ask("POST", "suppliers/apply", {"suppliers": {market.supplier: hasty}})
    await market.fault(kind, "order/submitOrder", times=2, parameters=parameters)
    placed = market.order(1)
    await market.core.send(placed)
    assert (await market.core.ended(placed))[0]["event"] == "order.accepted"
    assert market.done() == {"effects": {"submit": 1}, "orders": 1, "duplicates": {}}


async def test_a_cancel_of_an_order_that_is_nowhere_is_refused(market: Market) -> None:
    await market.core.send(taken_back := market.cancel(404), confirmed := market.confirm(405))
    refused, other = await market.core.ended(taken_back, confirmed)
    assert (refused["event"], refused["payload"]["code_class"]) == ("order.cancel_refused", "no_such_order")
    assert (other["event"], other["payload"]["code_class"]) == ("order.refused", "no_such_order")


async def test_children_are_cancelled_one_by_one_and_told_once(market: Market) -> None:
    await market.fault("split", "order/confirmOrder", times=1, parameters={"into": 2})
    placed, confirmed = market.order(pieces=4), market.confirm()
    await market.core.send(placed, confirmed)
    await market.core.ended(placed, confirmed)
    split = await market.core.told(market.number(), "order.split")
    [first, _] = [child["supplier_order_no"] for child in split["payload"]["children"]]
    taken_back = market.cancel(payload={"scope": "children", "children": [first]})
    await market.core.send(taken_back)
    [end] = await market.core.ended(taken_back)
    assert (end["event"], end["payload"]["children"]) == ("order.cancelled", [first])
    await control(market.simulator, "POST", "order", {"third": market.number(), "act": "deliver"})
    await market.core.told(market.number(), "shipment.delivered")
    told = [event for event in await market.core.events(market.number()) if event["event"] == "order.cancelled"]
    assert len(told) == 1


async def split_in(market: Market, into: int) -> list[str]:
    """An order that is confirmed and split into so many children; their numbers."""
    await market.fault("split", "order/confirmOrder", times=1, parameters={"into": into})
    await market.core.send(placed := market.order(pieces=2 * into), confirmed := market.confirm())
    await market.core.ended(placed, confirmed)
    split = await market.core.told(market.number(), "order.split")
    return [child["supplier_order_no"] for child in split["payload"]["children"]]


@pytest.mark.parametrize("kind", ["reset", "cut_reset", "status_after"])
async def test_children_are_cancelled_once_each_although_an_answer_between_two_of_them_is_lost(
    market: Market, kind: str
) -> None:
    children = await split_in(market, 3)
    parameters = {"status": 502} if kind == "status_after" else {}
    await market.fault(kind, "order/cancel", times=1, after=1, parameters=parameters)
    await market.core.send(taken_back := market.cancel(payload={"scope": "children", "children": children}))
    [end] = await market.core.ended(taken_back)
    assert (end["event"], end["payload"]["children"]) == ("order.cancelled", children)
    done = {"submit": 1, "confirm": 1, "split": 1, "cancel": 3}
    assert market.done() == {"effects": done, "orders": 1, "duplicates": {}}
    assert [kind in call["fault"] for call in calls(market.simulator) if call["operation"] == "order/cancel"] == [
        False,
        True,
        False,
        False,
        False,
    ]


async def test_an_order_that_was_split_is_not_cancelled_as_a_whole_but_by_its_children(market: Market) -> None:
    children = await split_in(market, 2)
    await market.core.send(whole := market.cancel())
    [refused] = await market.core.ended(whole)
    assert (refused["event"], refused["payload"]["code_class"]) == ("order.cancel_refused", "conflict")
    assert market.done()["effects"] == {"submit": 1, "confirm": 1, "split": 1}
    await market.core.send(each := market.cancel(payload={"scope": "children", "children": children}))
    [end] = await market.core.ended(each)
    assert (end["event"], end["payload"]["children"]) == ("order.cancelled", children)
    assert market.done()["effects"] == {"submit": 1, "confirm": 1, "split": 1, "cancel": 2}


NO_ANSWERS: Sequence[tuple[str, dict[str, Any]]] = (
    ("redirect", {}),
    ("html", {}),
    ("garbage", {}),
    ("cut_json", {}),
    ("unbalanced_json", {}),
    ("huge_body", {}),
    ("gzip_bomb", {}),
    ("gbk", {}),
    ("set_cookie", {}),
    ("rate_limited", {"retry_after": "soon"}),
    ("rate_limited", {"retry_after": "date", "seconds": -3600}),
    ("rate_limited", {"retry_after": "-1"}),
    ("rate_limited", {"retry_after": None}),
)
"""What a supplier may say instead of an answer: another place, other bytes, too many of them, waits that are none."""


async def test_whatever_a_supplier_says_instead_of_an_answer_each_order_is_made_once(market: Market) -> None:
    for number, (kind, parameters) in enumerate(NO_ANSWERS):
        await market.fault(kind, "order/submitOrder", times=1, third=market.number(number), parameters=parameters)
    placed = [market.order(number, pieces=1) for number in range(len(NO_ANSWERS))]
    await market.core.send(*placed)
    ends = await market.core.ended(*placed)
    assert [end["event"] for end in ends] == ["order.accepted"] * len(placed)
    assert market.done() == {"effects": {"submit": len(placed)}, "orders": len(placed), "duplicates": {}}
    struck = [kind for call in calls(market.simulator) for kind in call["fault"]]
    assert sorted(struck) == sorted(kind for kind, _ in NO_ANSWERS)
