"""A vendor that is applied to for invoices: taken first, then one of all that is asked for, wrong when told so."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import orjson
import pytest

from contrib.simulators.native.book import Entry, OrderBook
from gateway.relay.vendor_events import VENDOR_EVENTS
from schemas.orders import Kind, Operation
from schemas.orders.examples import COMMAND_EXAMPLES


def events(faults: dict[str, Any], *, ordered: bool = True) -> list[dict[str, Any]]:
    """What the vendor tells of the published example of an application."""
    book = OrderBook((), seed=1)
    submit, asked = (
        {"id": operation.value, "command": orjson.loads(COMMAND_EXAMPLES[operation].model_dump_json())}
        for operation in (Operation.SUBMIT, Operation.REQUEST_INVOICE)
    )
    if ordered:
        book.apply(book.take(submit, {}))
    entry: Entry | None = book.take(asked, faults)
    told: list[dict[str, Any]] = []
    while entry is not None:
        told.append(entry["event"])
        VENDOR_EVENTS[Kind(told[-1]["event"])].model_validate_json(orjson.dumps(told[-1]))
        book.apply(entry)
        application = book.subject_of(entry)
        entry = book.step(application) if application is not None and application.next else None
    return told


@pytest.mark.parametrize(("faults", "gross"), [({}, "226.00"), ({"wrong_sum": {}}, "226.01")])
def test_an_application_is_taken_and_one_invoice_is_made_out(faults: dict[str, Any], gross: str) -> None:
    requested, issued = events(faults)
    [invoice] = issued["payload"]["invoices"]
    assert [requested["event"], issued["event"]] == ["invoice.requested", "invoice.issued"]
    assert Decimal(invoice["gross"]) == Decimal(gross)


def test_an_application_is_refused_when_told_so_and_for_no_order() -> None:
    cases: list[tuple[dict[str, Any], bool, str]] = [({"refuse": {}}, True, "conflict"), ({}, False, "no_such_order")]
    for faults, ordered, code_class in cases:
        [told] = events(faults, ordered=ordered)
        assert (told["event"], told["payload"]["code_class"]) == ("invoice.refused", code_class)
