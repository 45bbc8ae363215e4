"""After-sale services of vendors that fetch, on PostgreSQL: handed out where they may be, answered, followed."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.relay.inbox import Inbox
from gateway.relay.vendor_event_service import (
    LateVendorEvent,
    OutOfStateError,
    UnknownServiceError,
    VendorEventReceipt,
)
from gateway.relay.vendor_events import ValueRefusedError
from gateway.store import Pool
from schemas.orders import Kind, Operation
from schemas.orders.examples import SERVICE_NO
from tests.integration.relay.desk import Desk
from tests.integration.relay.test_inbox import inbox

__all__ = ["inbox"]

REQUEST, CANCEL = Operation.REQUEST_AFTER_SALE, Operation.CANCEL_AFTER_SALE
LATER: dict[str, Any] = {"deadline": "2027-12-23T09:30:00+08:00"}
OURS = {"service_no": SERVICE_NO, "supplier_service_no": "S-1"}


@pytest.fixture
def desk(inbox: Inbox, pool: Pool) -> Desk:
    return Desk(pool, inbox)


async def delivered(desk: Desk, **lines: Any) -> None:
    """An order of three pieces is placed, and its goods have arrived."""
    await desk.comes(1, **LATER)
    await desk.ack(*(await desk.fetched()))
    await desk.says(Kind.CONFIRMED, supplier_order_nos=["V-1"])
    await desk.says(Kind.DELIVERED, payload={"delivery_no": "D-1", **lines})


async def asks(desk: Desk, number: int, pieces: int = 1, **payload: Any) -> str:
    """The mall asks for a service of the whole order."""
    wanted = {
        "service_no": SERVICE_NO,
        "kind": "return",
        "lines": [{"line_no": 1, "sku": "SKU-1", "quantity": str(pieces)}],
        "reason": "打印有底灰",
        "contact": {"name": "王芳", "mobile": "13800000000"},
        "pickup": {"mode": "sent"},
        **payload,
    }
    return await desk.comes(number, REQUEST, payload=wanted, **LATER)


async def takes_back(desk: Desk, number: int) -> str:
    return await desk.comes(number, CANCEL, payload={"service_no": SERVICE_NO, "reason": "已自行解决"}, **LATER)


async def moves(desk: Desk, state: str, **more: Any) -> Any:
    return await desk.says(Kind.SERVICE_PROGRESS, payload={**OURS, "state": state, **more})


async def service(desk: Desk) -> str:
    [row] = await desk.rows("SELECT state FROM after_sales")
    return str(row["state"])


async def test_goods_go_back_and_the_order_stays_where_it_stood(desk: Desk) -> None:
    await delivered(desk)
    request = await asks(desk, 2, 3)
    [message] = await desk.fetch()
    assert (message.id, message.operation) == (request, REQUEST)
    taken = await desk.says(Kind.SERVICE_ACCEPTED, payload=OURS)
    assert isinstance(taken, VendorEventReceipt)
    assert taken.answers == (request,)
    for state in ("auditing", "approved", "goods_returning", "received", "refunding"):
        await moves(desk, state)
    await desk.says(Kind.REFUNDED, payload={**OURS, "amount": "339.00", "credit_note": "CN-1"})
    await moves(desk, "done")
    assert (await service(desk), await desk.order()) == ("done", "delivered")
    told = [each for each in await desk.told() if each[0].startswith(("aftersale", "refund"))]
    assert told == [
        ("aftersale.accepted", request),
        *[("aftersale.progress", None)] * 5,
        ("refund.made", None),
        ("aftersale.progress", None),
    ]
    assert await desk.rows("SELECT FROM commands_unanswered") == []


async def test_a_refund_is_told_once_however_often_the_vendor_says_so(desk: Desk) -> None:
    await delivered(desk)
    await asks(desk, 2)
    await desk.fetch()
    await desk.says(Kind.SERVICE_ACCEPTED, payload=OURS)
    await moves(desk, "done")
    for _ in range(2):
        await desk.says(Kind.REFUNDED, payload={**OURS, "amount": "113.00", "credit_note": "CN-1"})
    assert [each for each, _ in await desk.told()].count("refund.made") == 1


async def test_progress_alone_answers_a_request_and_its_end_a_cancel(desk: Desk) -> None:
    await delivered(desk)
    request = await asks(desk, 2)
    await desk.ack(*(await desk.fetched()))
    cancel = await takes_back(desk, 3)
    await desk.fetch()
    assert (await moves(desk, "auditing")).answers == (request,)
    assert (await moves(desk, "cancelled")).answers == (cancel,)
    assert (await desk.told())[-2:] == [("aftersale.progress", request), ("aftersale.progress", cancel)]


async def test_what_does_not_fit_is_refused_with_what_does_and_what_is_late_is_kept(desk: Desk) -> None:
    await delivered(desk)
    await asks(desk, 2)
    await desk.fetch()
    await desk.says(Kind.SERVICE_ACCEPTED, payload=OURS)
    await moves(desk, "received")
    with pytest.raises(OutOfStateError) as raised:
        await moves(desk, "refused")
    assert "aftersale.progress refunding" in raised.value.allowed
    behind = await moves(desk, "auditing")
    assert behind.event is None
    await moves(desk, "cancelled")
    assert isinstance(await moves(desk, "refunding"), LateVendorEvent)
    assert await desk.letters() == [("order_events", "late_event")]
    with pytest.raises(UnknownServiceError):
        await desk.says(Kind.SERVICE_PROGRESS, payload={"service_no": "AS-404", "state": "done"})


async def test_no_more_money_goes_back_than_the_order_came_to(desk: Desk) -> None:
    await delivered(desk)
    await asks(desk, 2)
    await desk.fetch()
    await desk.says(Kind.SERVICE_ACCEPTED, payload=OURS)
    with pytest.raises(ValueRefusedError, match=r"at most 345\.00"):  # three pieces, and freight
        await desk.says(Kind.REFUNDED, payload={**OURS, "amount": "345.01"})
    await desk.says(Kind.REFUNDED, payload={**OURS, "amount": "345.00"})
    assert [each for each, _ in await desk.told()].count("refund.made") == 1


async def test_a_request_is_not_refused_once_its_money_went_back(desk: Desk) -> None:
    await delivered(desk)
    request = await asks(desk, 2)
    await desk.ack(*(await desk.fetched()))
    await desk.says(Kind.REFUNDED, payload={**OURS, "amount": "113.00", "credit_note": "CN-1"})
    refusal = {"service_no": SERVICE_NO, "operation": REQUEST, "code_class": "other"}
    with pytest.raises(OutOfStateError):
        await desk.says(Kind.SERVICE_REFUSED, payload=refusal)
    await desk.says(Kind.SERVICE_ACCEPTED, payload=OURS)
    assert (await desk.told())[-2:] == [("refund.made", None), ("aftersale.accepted", request)]
    assert await service(desk) == "refunding"


@pytest.mark.parametrize(
    ("pieces", "payload", "code_class"),
    [
        (4, {}, "quantity"),
        (1, {"lines": [{"sku": "SKU-9", "quantity": "1"}]}, "quantity"),
        (1, {"supplier_order_no": "V-9"}, "not_of_order"),
    ],
)
async def test_what_the_gateway_knows_to_be_wrong_is_not_handed_out(
    desk: Desk, pieces: int, payload: dict[str, Any], code_class: str
) -> None:
    await delivered(desk)
    request = await asks(desk, 2, pieces, **payload)
    assert await desk.fetched() == []
    assert (await desk.told())[-1] == ("aftersale.refused", request)
    assert (await desk.last())["payload"] == {
        "operation": "aftersale.request",
        "service_no": SERVICE_NO,
        "code_class": code_class,
        "by": "mall",
    }
    assert (await desk.states())[-1] == (request, "refused")


async def test_before_the_goods_arrive_nothing_goes_back(desk: Desk) -> None:
    await desk.comes(1, **LATER)
    await desk.ack(*(await desk.fetched()))
    await desk.says(Kind.CONFIRMED, supplier_order_nos=["V-1"])
    await asks(desk, 2)
    assert await desk.fetched() == []
    assert (await desk.last())["payload"]["code_class"] == "not_delivered"


async def test_no_more_goes_back_than_arrived_less_what_goes_back_already(desk: Desk) -> None:
    await delivered(desk, lines=[{"sku": "SKU-1", "quantity": "2"}])
    await asks(desk, 2, 1)
    await desk.ack(*(await desk.fetched()))
    await asks(desk, 3, 2, service_no="AS-2")
    assert await desk.fetched() == []
    assert (await desk.last())["payload"]["code_class"] == "quantity"
    await desk.says(
        Kind.SERVICE_REFUSED, payload={"service_no": SERVICE_NO, "operation": REQUEST, "code_class": "other"}
    )
    fits = await asks(desk, 4, 2, service_no="AS-3")
    assert await desk.fetched() == [fits]


async def cut_to_two(desk: Desk, confirmed: str = "2") -> None:
    """An order of three pieces was placed, of which two come."""
    await desk.comes(1, **LATER)
    await desk.ack(*(await desk.fetched()))
    parts = [{"line_no": 1, "sku": "SKU-1", "confirmed": confirmed, "refused": "1"}]
    await desk.says(Kind.PARTIALLY_CONFIRMED, supplier_order_nos=["V-1"], payload={"parts": parts})


async def test_no_more_goes_back_than_was_ordered_though_the_vendor_accepts_more(desk: Desk) -> None:
    await cut_to_two(desk, confirmed="999")
    await desk.comes(2, Operation.CONFIRM, **LATER)
    await desk.ack(*(await desk.fetched()))
    await desk.says(Kind.CONFIRMED, supplier_order_nos=["V-1"])
    await desk.says(Kind.DELIVERED, payload={"delivery_no": "D-1"})
    await asks(desk, 3, 4)
    assert await desk.fetched() == []
    assert (await desk.last())["payload"]["code_class"] == "quantity"


async def test_no_more_goes_back_than_the_vendor_accepted(desk: Desk) -> None:
    await cut_to_two(desk)
    await desk.comes(2, Operation.CONFIRM, **LATER)
    await desk.ack(*(await desk.fetched()))
    await desk.says(Kind.CONFIRMED, supplier_order_nos=["V-1"])
    await desk.says(Kind.DELIVERED, payload={"delivery_no": "D-1"})
    await asks(desk, 3, 3)
    assert await desk.fetched() == []
    assert (await desk.last())["payload"]["code_class"] == "quantity"
    fits = await asks(desk, 4, 2, service_no="AS-2")
    assert await desk.fetched() == [fits]


async def test_an_order_that_begins_anew_was_never_cut(desk: Desk) -> None:
    await cut_to_two(desk)
    await desk.comes(2, Operation.CANCEL, **LATER)
    await desk.ack(*(await desk.fetched()))
    await desk.says(Kind.CANCELLED, payload={"scope": "order", "by": "mall"})
    assert await desk.rows("SELECT lines FROM order_goods") != []
    await desk.comes(3, revision=2, **LATER)
    await desk.ack(*(await desk.fetched()))
    assert await desk.rows("SELECT lines FROM order_goods") == []


async def test_a_request_whose_time_is_over_is_refused_by_time_out(desk: Desk) -> None:
    await delivered(desk)
    await desk.comes(2, REQUEST, deadline="2026-11-23T09:31:00+08:00")
    await desk.mailbox.end_due("acme")
    assert (await desk.last())["event"] == "aftersale.refused"
    payload = (await desk.last())["payload"]
    assert (payload["code_class"], payload["by"], payload["service_no"]) == ("too_late", "time_out", SERVICE_NO)


@pytest.mark.parametrize(("is_cancelled", "code_class"), [(False, "not_confirmed"), (True, "order_over")])
async def test_a_service_of_an_order_that_is_not_there_is_refused_though_nobody_fetches(
    desk: Desk, is_cancelled: bool, code_class: str
) -> None:
    if is_cancelled:
        await desk.comes(1, **LATER)
        await desk.ack(*(await desk.fetched()))
        await desk.says(Kind.CONFIRMED, supplier_order_nos=["V-1"])
        await desk.says(Kind.CANCELLED, payload={"scope": "order", "by": "supplier"})
    request, cancel = await asks(desk, 2), await takes_back(desk, 3)
    await desk.mailbox.end_due("acme")
    assert (await desk.told())[-2:] == [("aftersale.refused", request), ("aftersale.refused", cancel)]
    payload = (await desk.last())["payload"]
    assert (payload["operation"], payload["code_class"], payload["by"]) == (CANCEL, code_class, "mall")
    assert [state for name, state in await desk.states() if name in (request, cancel)] == ["refused", "refused"]
