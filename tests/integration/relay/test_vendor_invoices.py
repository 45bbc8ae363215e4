"""What vendors say of applications for invoices on PostgreSQL: each command answered once, sums held, nothing late."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from gateway.kafka import Record
from gateway.relay.inbox import Inbox
from gateway.relay.vendor_event_service import LateVendorEvent, VendorEventReceipt
from gateway.relay.vendor_events import ValueRefusedError
from gateway.relay.vendor_invoices import InvoiceOutOfStateError, UnknownInvoiceError
from gateway.store import Pool
from schemas.orders import Kind, Operation, State
from schemas.orders.examples import COMMAND_EXAMPLES, ORDER_NO, command_headers
from schemas.orders.invoices import MAX_INVOICES
from tests.integration.relay.desk import DAY, Desk
from tests.integration.relay.test_inbox import PARTITION, identity, inbox

__all__ = ["inbox"]

MARK = "FP20261127000003"
ASK = Operation.REQUEST_INVOICE


def invoice(number: str = "1", **more: Any) -> dict[str, Any]:
    amounts = {"net": "200.00", "rate": "13", "tax": "26.00", "gross": "226.00"}
    return {"number": number, "issued_on": "2026-12-01", **amounts, **more}


def stated(*invoices: dict[str, Any], mark_id: str = MARK) -> dict[str, Any]:
    return {"mark_id": mark_id, "invoices": list(invoices)}


@pytest.fixture
async def desk(inbox: Inbox, pool: Pool) -> Desk:
    """The order is placed."""
    desk = Desk(pool, inbox)
    command = await desk.comes(1)
    await desk.fetch()
    await desk.ack(command)
    await desk.says(Kind.CONFIRMED, supplier_order_nos=["V-1"])
    return desk


@pytest.fixture
async def asked(desk: Desk) -> str:
    """The application was fetched and acknowledged."""
    command = await desk.comes(2, ASK)
    assert await desk.fetched() == [command]
    await desk.ack(command)
    return command


async def application(desk: Desk) -> str:
    [row] = await desk.rows("SELECT state FROM invoices")
    return str(row["state"])


async def test_an_application_is_followed_until_it_is_mailed(desk: Desk, asked: str) -> None:
    taken = await desk.says(Kind.INVOICE_REQUESTED, payload={"mark_id": MARK})
    assert taken == VendorEventReceipt(Kind.INVOICE_REQUESTED, State.CONFIRMED, (asked,), held=False)
    assert await application(desk) == "requested"
    await desk.says(Kind.INVOICE_ISSUED, payload=stated(invoice()))
    await desk.says(Kind.INVOICE_MAILED, payload={"mark_id": MARK, "waybill": "SF-1"})
    assert (await desk.told())[1:] == [
        ("invoice.requested", asked),
        ("invoice.issued", None),
        ("invoice.mailed", None),
    ]
    assert (await desk.last())["payload"]["invoices"][0]["number"] == "1"
    assert (await application(desk), await desk.order()) == ("mailed", "confirmed")


async def test_what_is_issued_at_once_answers_the_command_first(desk: Desk, asked: str) -> None:
    taken = await desk.says(Kind.INVOICE_ISSUED, payload=stated(invoice()))
    assert taken == VendorEventReceipt(Kind.INVOICE_ISSUED, State.CONFIRMED, (asked,), held=False)
    assert (await desk.told())[1:] == [("invoice.requested", asked), ("invoice.issued", None)]


async def test_the_same_said_twice_is_told_once(desk: Desk, asked: str) -> None:
    await desk.says(Kind.INVOICE_ISSUED, payload=stated(invoice()))
    taken = await desk.says(Kind.INVOICE_ISSUED, payload=stated(invoice()))
    assert taken == VendorEventReceipt(None, State.CONFIRMED, (), held=False)


async def test_an_application_is_refused(desk: Desk, asked: str) -> None:
    refused = {"mark_id": MARK, "code_class": "not_permitted"}
    await desk.says(Kind.INVOICE_REFUSED, raw_code="NO", payload=refused)
    assert (await desk.told())[1:] == [("invoice.refused", asked)]
    assert await application(desk) == "refused"
    late = await desk.says(Kind.INVOICE_ISSUED, payload=stated(invoice()))
    assert late == LateVendorEvent(State.CONFIRMED)
    assert await desk.letters() == [("invoices", "late_event")]
    assert len(await desk.told()) == 2


async def test_a_fen_too_much_is_held_until_the_sums_hold(desk: Desk, asked: str) -> None:
    taken = await desk.says(Kind.INVOICE_ISSUED, payload=stated(invoice(gross="226.01")))
    assert taken == VendorEventReceipt(Kind.INVOICE_MISMATCH, State.CONFIRMED, (asked,), held=True)
    assert (await desk.told())[1:] == [("invoice.requested", asked), ("invoice.mismatch", None)]
    assert (await application(desk), await desk.letters()) == ("held", [("invoices", "invoice_mismatch")])
    await desk.says(Kind.INVOICE_ISSUED, payload=stated(invoice()))
    assert (await desk.last())["event"] == "invoice.issued"
    assert await application(desk) == "issued"


@pytest.mark.parametrize(
    "wrong",
    [invoice(rate="6"), invoice("9", standing="red", original={"number": "77"})],
    ids=["another rate", "red without an original"],
)
async def test_what_does_not_hold_is_told_as_no_invoice(desk: Desk, asked: str, wrong: dict[str, Any]) -> None:
    kind = Kind.INVOICE_RED if wrong.get("standing") else Kind.INVOICE_PARTLY_ISSUED
    await desk.says(kind, payload=stated(wrong))
    assert (await desk.last())["event"] == "invoice.mismatch"
    assert await desk.letters() == [("invoices", "invoice_mismatch")]


async def test_an_order_that_was_cut_is_invoiced_as_far_as_it_was_accepted(inbox: Inbox, pool: Pool) -> None:
    desk = Desk(pool, inbox)
    await desk.comes(1)
    await desk.ack(*(await desk.fetched()))
    parts = [{"line_no": 1, "sku": "SKU-1", "confirmed": "1", "refused": "2"}]
    await desk.says(Kind.PARTIALLY_CONFIRMED, supplier_order_nos=["V-1"], payload={"parts": parts})
    await desk.comes(2, ASK)
    await desk.ack(*(await desk.fetched()))
    await desk.says(Kind.INVOICE_ISSUED, payload=stated(invoice()))
    told = await desk.last()
    assert (told["event"], await application(desk)) == ("invoice.mismatch", "held")
    assert told["payload"]["differences"] == ["gross of all invoices of the order: 226.00, the order comes to 119.00"]


async def test_invoices_are_voided_and_taken_back(desk: Desk, asked: str) -> None:
    await desk.says(Kind.INVOICE_ISSUED, payload=stated(invoice()))
    await desk.says(Kind.INVOICE_RED, payload=stated(invoice("9", standing="red", original={"number": "1"})))
    assert (await desk.last())["event"] == "invoice.red"
    assert await application(desk) == "red"


async def asks_again(desk: Desk, mark_id: str) -> None:
    """The mall applies once more for what it applied for before, and the vendor has it."""
    payload = {**orjson.loads(COMMAND_EXAMPLES[ASK].payload.model_dump_json()), "mark_id": mark_id}
    await desk.comes(3, ASK, payload=payload)
    await desk.ack(*(await desk.fetched()))


async def test_what_was_taken_back_is_invoiced_again(desk: Desk, asked: str) -> None:
    await desk.says(Kind.INVOICE_ISSUED, payload=stated(invoice()))
    await desk.says(Kind.INVOICE_RED, payload=stated(invoice("9", standing="red", original={"number": "1"})))
    await asks_again(desk, "FP-2")
    await desk.says(Kind.INVOICE_ISSUED, payload=stated(invoice("2"), mark_id="FP-2"))
    assert (await desk.last())["event"] == "invoice.issued"


async def test_no_invoice_is_taken_back_twice(desk: Desk, asked: str) -> None:
    await desk.says(Kind.INVOICE_ISSUED, payload=stated(invoice()))
    for number in ("8", "9"):
        await desk.says(Kind.INVOICE_RED, payload=stated(invoice(number, standing="red", original={"number": "1"})))
    assert (await desk.last())["event"] == "invoice.mismatch"
    await asks_again(desk, "FP-2")  # as long as it is held, nothing counts as taken back
    await desk.says(Kind.INVOICE_ISSUED, payload=stated(invoice("2"), mark_id="FP-2"))
    assert (await desk.last())["event"] == "invoice.mismatch"


async def test_where_invoices_are_taken_back_there_are_red_ones(desk: Desk, asked: str) -> None:
    await desk.says(Kind.INVOICE_ISSUED, payload=stated(invoice()))
    await desk.says(Kind.INVOICE_RED, payload=stated())
    assert (await desk.last())["payload"]["differences"] == ["no red invoice is stated"]
    assert await application(desk) == "held"


async def test_all_invoices_void_end_the_application(desk: Desk, asked: str) -> None:
    await desk.says(Kind.INVOICE_ISSUED, payload=stated(invoice()))
    await desk.says(Kind.INVOICE_VOIDED, payload=stated(invoice(standing="void")))
    assert (await desk.last())["event"] == "invoice.voided"
    assert await application(desk) == "voided"


async def test_nobody_speaks_of_an_application_that_was_not_made(desk: Desk, asked: str) -> None:
    with pytest.raises(UnknownInvoiceError):
        await desk.says(Kind.INVOICE_ISSUED, payload=stated(invoice(), mark_id="FP-2"))


async def test_what_is_issued_is_not_refused_afterwards(desk: Desk, asked: str) -> None:
    await desk.says(Kind.INVOICE_ISSUED, payload=stated(invoice()))
    with pytest.raises(InvoiceOutOfStateError) as raised:
        await desk.says(Kind.INVOICE_REFUSED, payload={"mark_id": MARK, "code_class": "other"})
    assert raised.value.allowed == ["invoice.mailed", "invoice.voided", "invoice.red"]
    assert await application(desk) == "issued"


async def test_what_was_refused_and_is_applied_for_again_may_be_issued_at_once(desk: Desk, asked: str) -> None:
    await desk.says(Kind.INVOICE_REFUSED, payload={"mark_id": MARK, "code_class": "other"})
    again = await desk.comes(3, ASK)
    assert await desk.fetched() == [again]
    await desk.says(Kind.INVOICE_ISSUED, payload=stated(invoice()))
    assert (await desk.told())[2:] == [("invoice.requested", again), ("invoice.issued", None)]
    assert (await application(desk), await desk.letters()) == ("issued", [])


async def test_an_application_has_no_more_invoices_than_an_event_can_hold(desk: Desk, asked: str) -> None:
    small: dict[str, Any] = {"net": "0.01", "rate": None, "tax": "0.00", "gross": "0.01"}
    many = [invoice(str(number), **small) for number in range(MAX_INVOICES)]
    await desk.says(Kind.INVOICE_PARTLY_ISSUED, payload=stated(*many))
    with pytest.raises(ValueRefusedError):
        await desk.says(Kind.INVOICE_PARTLY_ISSUED, payload=stated(invoice("one more", **small)))
    assert (await desk.last())["event"] == "invoice.partly_issued"


async def test_a_number_is_not_used_for_another_application(desk: Desk, asked: str) -> None:
    same = await desk.comes(3, ASK)
    assert (await desk.states())[-1] == (same, "waiting")
    payload = {
        "mark_id": MARK,
        "invoice": {"kind": "electronic", "title": "某局"},
        "amounts": {"net": "1.00", "tax": "0.13", "gross": "1.13"},
        "receiver": {"name": "王芳", "mobile": "13800000000"},
    }
    other = await desk.comes(4, ASK, payload=payload)
    assert (await desk.states())[-1] == (other, "refused")
    assert (await desk.last())["payload"] == {"mark_id": MARK, "code_class": "conflict"}


async def test_of_two_records_under_one_id_the_first_is_the_application(desk: Desk) -> None:
    example = COMMAND_EXAMPLES[ASK]
    records = []
    for place, mark_id in enumerate(["FP-1", "FP-2"], desk.offset):
        document = {**orjson.loads(example.model_dump_json()), "command_id": identity(2)}
        document["payload"]["mark_id"] = mark_id
        value = orjson.dumps(document)
        records.append(Record(*PARTITION, place, 1_780_000_000_000, ORDER_NO.encode(), value, command_headers(example)))
    await desk.inbox.take(PARTITION, records, stands=desk.offset)
    assert [row["mark_id"] for row in await desk.rows("SELECT mark_id FROM invoices")] == ["FP-1"]
    assert await desk.letters() == [("commands", "command_conflict")]


async def test_an_order_that_is_over_takes_no_application(desk: Desk) -> None:
    await desk.says(Kind.CANCELLED, payload={"scope": "order", "by": "supplier"})
    command = await desk.comes(2, ASK)
    assert await desk.fetched() == []
    assert (await desk.told())[-1] == ("invoice.refused", command)
    assert (await desk.last())["payload"] == {"mark_id": MARK, "code_class": "no_such_order"}


async def test_an_application_for_an_order_that_is_over_ends_though_nobody_fetches(desk: Desk) -> None:
    await desk.says(Kind.CANCELLED, payload={"scope": "order", "by": "supplier"})
    command = await desk.comes(2, ASK)
    await desk.mailbox.end_due("acme")
    assert (await desk.told())[-1] == ("invoice.refused", command)


async def test_an_application_that_nobody_fetches_expires(desk: Desk) -> None:
    command = await desk.comes(2, ASK)
    desk.clock.now += 30 * DAY
    await desk.mailbox.end_due("acme")
    assert (await desk.told())[-1] == ("invoice.expired", command)
    assert (await desk.last())["payload"]["mark_id"] == MARK
    assert await application(desk) == "refused"
