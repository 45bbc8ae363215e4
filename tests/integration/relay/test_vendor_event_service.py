"""What vendors say of orders on PostgreSQL: it answers a command once, fits where the order stands, or is refused."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.relay.inbox import Inbox
from gateway.relay.sealed import sealed_as
from gateway.relay.vendor_event_service import (
    LateVendorEvent,
    OutOfStateError,
    UnknownOrderError,
    VendorEventReceipt,
)
from gateway.relay.vendor_keys import KeyReusedError
from gateway.store import Pool
from schemas.orders import Kind, Operation, State
from schemas.orders.examples import ORDER_NO, SUPPLIER
from tests.integration.relay.desk import DAY, Desk
from tests.integration.relay.test_inbox import BOX, inbox

__all__ = ["inbox"]

CONFIRM, CANCEL = Operation.CONFIRM, Operation.CANCEL
WHOLE = {"scope": "order", "by": "supplier"}
LINE = {"line_no": 1, "sku": "SKU-1", "quantity": "3", "price": {"gross": "113.00"}}


def stated(gross: str = "339.00", **line: Any) -> dict[str, Any]:
    return {"lines": [{**LINE, **line}], "totals": {"gross": gross}}


@pytest.fixture
def desk(inbox: Inbox, pool: Pool) -> Desk:
    return Desk(pool, inbox)


@pytest.fixture
async def submit(desk: Desk) -> str:
    """The order was fetched and acknowledged."""
    command = await desk.comes(1)
    await desk.fetch()
    await desk.ack(command)
    return command


async def unanswered(desk: Desk) -> int:
    return len(await desk.rows("SELECT FROM commands_unanswered"))


async def test_an_order_is_followed_from_its_submit_to_its_delivery(desk: Desk, submit: str) -> None:
    taken = await desk.says(Kind.ACCEPTED, supplier_order_nos=["V-1"], payload=stated())
    assert taken == VendorEventReceipt(Kind.ACCEPTED, State.RESERVED, (submit,), held=False)
    confirm = await desk.comes(2, CONFIRM)
    await desk.ack(*(await desk.fetched()))
    assert await desk.order() == "confirming"
    await desk.says(Kind.CONFIRMED, supplier_order_nos=["V-1"])
    await desk.says(Kind.SHIPPED, payload={"delivery_no": "D-1"})
    step = {"at": "2026-11-24T10:00:00+08:00", "text": "在途"}
    await desk.says(Kind.TRACKED, payload={"delivery_no": "D-1", "steps": [step]})
    part = {"sku": "SKU-1", "quantity": "2"}
    await desk.says(Kind.DELIVERED, payload={"delivery_no": "D-1", "lines": [part]})
    assert await desk.order() == "partially_delivered"
    taken = await desk.says(Kind.DELIVERED, payload={"delivery_no": "D-2"})
    assert taken == VendorEventReceipt(Kind.DELIVERED, State.DELIVERED, (), held=False)
    assert await desk.told() == [
        ("order.accepted", submit),
        ("order.confirmed", confirm),
        ("shipment.created", None),
        ("shipment.tracked", None),
        ("shipment.delivered", None),
        ("shipment.delivered", None),
    ]
    [row] = await desk.rows("SELECT supplier_order_no, tenant, state FROM orders")
    assert tuple(row) == ("V-1", "410000", "delivered")
    assert (await unanswered(desk), await desk.rows("SELECT FROM order_rereads")) == (0, [])


async def test_the_same_under_the_same_key_is_taken_once(desk: Desk, submit: str) -> None:
    first = await desk.says(Kind.ACCEPTED, "k")
    assert isinstance(first, VendorEventReceipt)
    again = await desk.says(Kind.ACCEPTED, "k")
    assert again == VendorEventReceipt(first.event, first.state, first.answers, first.held, repeated=True)
    with pytest.raises(KeyReusedError):
        await desk.says(Kind.CONFIRMED, "k")
    with pytest.raises(KeyReusedError):
        await desk.says(Kind.ACCEPTED, "k", order_no="OTHER")
    assert await desk.told() == [("order.accepted", submit)]


async def test_the_same_under_another_key_tells_nothing_new(desk: Desk, submit: str) -> None:
    await desk.says(Kind.ACCEPTED)
    assert await desk.says(Kind.ACCEPTED) == VendorEventReceipt(None, State.RESERVED, (), held=False)
    assert await desk.told() == [("order.accepted", submit)]


async def test_many_that_say_the_same_at_once_are_told_once(desk: Desk, submit: str) -> None:
    same = await asyncio.gather(*(desk.says(Kind.ACCEPTED, "k") for _ in range(4)))
    others = await asyncio.gather(*(desk.says(Kind.ACCEPTED) for _ in range(3)))
    assert sorted(each.repeated for each in same if isinstance(each, VendorEventReceipt)) == [False, True, True, True]
    assert {each.event for each in others if isinstance(each, VendorEventReceipt)} == {None}
    assert await desk.told() == [("order.accepted", submit)]


async def test_an_order_of_another_or_never_fetched_is_unknown(desk: Desk, submit: str) -> None:
    await desk.comes(2, order_no="NEVER-FETCHED")
    for order_no, supplier in ((ORDER_NO, "somebody-else"), ("NEVER-FETCHED", SUPPLIER), ("NONE", SUPPLIER)):
        with pytest.raises(UnknownOrderError):
            await desk.says(Kind.ACCEPTED, order_no=order_no, supplier=supplier)
    assert [row["order_no"] for row in await desk.rows("SELECT order_no FROM orders")] == [ORDER_NO]
    assert await desk.rows("SELECT FROM order_event_keys") == []


async def test_what_the_state_does_not_allow_is_refused_with_what_it_does(desk: Desk, submit: str) -> None:
    await desk.says(Kind.CONFIRMED)
    with pytest.raises(OutOfStateError) as raised:
        await desk.says(Kind.REFUSED, "k", payload={"operation": "order.submit", "code_class": "other"})
    assert raised.value.state is State.CONFIRMED
    assert raised.value.allowed == [Kind.SPLIT, Kind.CANCELLED, Kind.SHIPPED]
    assert await desk.told() == [("order.confirmed", submit)]
    await desk.says(Kind.SHIPPED, "k", payload={"delivery_no": "D-1"})
    assert await desk.order() == "in_fulfilment"


async def test_a_late_success_is_kept_for_people_and_told_nobody(desk: Desk, submit: str) -> None:
    await desk.says(Kind.REFUSED, payload={"operation": "order.submit", "code_class": "out_of_stock"})
    assert await desk.order() == "refused"
    assert await desk.says(Kind.CONFIRMED, "k") == LateVendorEvent(State.REFUSED)
    assert await desk.says(Kind.CONFIRMED, "k") == LateVendorEvent(None)
    assert await desk.told() == [("order.refused", submit)]
    assert await desk.letters() == [("order_events", "late_event")]
    assert (await desk.steps())[-1] == "late"


@pytest.mark.parametrize(
    "payload",
    [stated("340.00"), stated(quantity="2"), stated(price={"gross": "110.00"}), {"totals": {"gross": "1.00"}}],
    ids=["sum", "quantity", "price", "total"],
)
async def test_sums_that_do_not_match_hold_the_order(desk: Desk, submit: str, payload: dict[str, Any]) -> None:
    taken = await desk.says(Kind.ACCEPTED, payload=payload)
    assert taken == VendorEventReceipt(Kind.PRICE_MISMATCH, State.HELD, (submit,), held=True)
    event = await desk.last()
    assert (event["event"], event["cause"]["command_id"]) == ("order.price_mismatch", submit)
    assert event["payload"]["expected"]["gross"] == "339.00"
    assert event["payload"]["differences"]
    assert (await desk.order(), await unanswered(desk)) == ("held", 0)


async def test_the_number_of_what_is_there_instead_is_kept_for_operators(desk: Desk, submit: str) -> None:
    await desk.says(Kind.ACCEPTED, supplier_order_nos=["A-5"], payload=stated("340.00"))
    [step] = await desk.rows("SELECT facts FROM order_steps WHERE kind = 'event' AND command_id = $1", submit)
    assert (step["facts"]["event"], step["facts"]["supplier_order_nos"]) == ("order.price_mismatch", ["A-5"])
    assert (await desk.rows("SELECT supplier_order_no FROM orders"))[0]["supplier_order_no"] is None


async def test_sums_that_do_not_match_of_an_order_that_is_placed_are_told(desk: Desk, submit: str) -> None:
    await desk.says(Kind.CONFIRMED)
    child = {"supplier_order_no": "V-1-1", **stated(quantity="2", gross="226.00")}
    taken = await desk.says(Kind.SPLIT, payload={"children": [child]})
    assert taken == VendorEventReceipt(Kind.PRICE_MISMATCH, State.CONFIRMED, (), held=True)


async def test_a_split_names_the_children_that_are_gone(desk: Desk, submit: str) -> None:
    await desk.says(Kind.CONFIRMED, supplier_order_nos=["V-1"])
    one, two, three = ({"supplier_order_no": f"V-1-{number}"} for number in (1, 2, 3))
    await desk.says(Kind.SPLIT, payload={"children": [one, two]})
    await desk.says(Kind.SPLIT, payload={"children": [two, three]})
    assert (await desk.last())["payload"]["superseded"] == ["V-1-1"]
    rows = await desk.rows("SELECT * FROM order_numbers ORDER BY supplier_order_no")
    found = [(row["supplier_order_no"], row["superseded"]) for row in rows]
    assert found == [("V-1", False), ("V-1-1", True), ("V-1-2", False), ("V-1-3", False)]


async def test_an_answer_counts_as_an_acknowledgement(desk: Desk) -> None:
    submit = await desk.comes(1)
    await desk.fetch()
    await desk.says(Kind.ACCEPTED)
    assert await desk.states() == [(submit, "confirmed")]
    confirm = await desk.comes(2, CONFIRM)
    await desk.fetch()
    await desk.says(Kind.REFUSED, payload={"operation": "order.confirm", "code_class": "out_of_stock"})
    assert await desk.states() == [(submit, "confirmed"), (confirm, "refused")]
    assert await desk.order() == "reserved"


async def test_an_answer_decides_what_waited_for_a_person(desk: Desk) -> None:
    submit = await desk.comes(1)
    await desk.fetch()
    desk.clock.now += DAY
    await desk.mailbox.end_due(SUPPLIER)
    await desk.says(Kind.CONFIRMED)
    assert await desk.states() == [(submit, "confirmed")]
    assert await desk.told() == [("order.parked", submit), ("order.confirmed", submit)]
    assert await desk.order() == "confirmed"


async def test_an_order_that_is_cancelled_ends_every_command_that_waits_for_an_answer(desk: Desk, submit: str) -> None:
    cancel = await desk.comes(2, CANCEL)
    await desk.fetch()
    taken = await desk.says(Kind.CANCELLED, payload=WHOLE)
    assert taken == VendorEventReceipt(Kind.CANCELLED, State.CANCELLED, (submit, cancel), held=False)
    assert await desk.told() == [("order.cancelled", submit), ("order.cancelled", cancel)]
    assert (await unanswered(desk), await desk.fetch()) == (0, [])


async def test_a_cancel_that_is_refused_leaves_the_order_as_it_was(desk: Desk, submit: str) -> None:
    await desk.says(Kind.CONFIRMED)
    cancel = await desk.comes(2, CANCEL)
    await desk.fetch()
    assert await desk.order() == "cancel_pending"
    await desk.says(Kind.CANCEL_REFUSED, payload={**WHOLE, "code_class": "too_late"})
    assert (await desk.told())[-1] == ("order.cancel_refused", cancel)
    assert await desk.order() == "confirmed"


async def test_a_refusal_of_what_was_asked_is_told_wherever_the_order_stands(desk: Desk, submit: str) -> None:
    await desk.says(Kind.CONFIRMED)
    confirm = await desk.comes(2, CONFIRM)
    await desk.fetch()
    taken = await desk.says(Kind.REFUSED, payload={"operation": "order.confirm", "code_class": "conflict"})
    assert taken == VendorEventReceipt(Kind.REFUSED, State.CONFIRMED, (confirm,), held=False)


async def test_the_words_of_a_vendor_are_sealed(desk: Desk, submit: str) -> None:
    await desk.says(Kind.ACCEPTED, raw_code="OK", raw_message="王芳 13800000000")
    [row] = await desk.rows("SELECT facts, words FROM order_steps WHERE kind = 'event'")
    assert row["facts"]["raw_code"] == "OK"
    assert "王芳".encode() not in row["words"]


@pytest.mark.parametrize("said", [b"{}", b'{"payload": {"receiver": {"name": "\xe7\x8e\x8b\xe8\x8a\xb3"}}}', None])
async def test_a_submit_that_cannot_be_read_is_answered_and_left_for_a_person_to_compare(
    desk: Desk, submit: str, said: bytes | None
) -> None:
    sealed = b"\0" if said is None else BOX.seal(SUPPLIER, sealed_as(submit), said)
    await desk.rows("UPDATE commands SET sealed = $1", sealed)
    taken = await desk.says(Kind.ACCEPTED, payload=stated("340.00"))
    assert taken == VendorEventReceipt(Kind.PRICE_MISMATCH, State.HELD, (submit,), held=True)
    taken = await desk.says(Kind.CANCELLED, payload=WHOLE)
    assert isinstance(taken, VendorEventReceipt)
    assert taken.state is State.CANCELLED
    assert await desk.told() == [("order.price_mismatch", submit), ("order.cancelled", None)]
    assert await desk.letters() == [("relay", "processing_failed")]
    [letter] = await desk.rows("SELECT original, issues::text AS issues FROM dead_letters")
    assert submit.encode() in letter["original"]
    assert "王芳" not in repr(letter["issues"])
