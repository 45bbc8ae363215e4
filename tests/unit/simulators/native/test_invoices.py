"""A vendor that is applied to for invoices: one of all that is asked for, wrong or refused when told so."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import orjson
import pytest

from contrib.simulators.native.book import OrderBook
from gateway.relay.vendor_events import VENDOR_EVENTS
from schemas.orders import Kind, Operation
from schemas.orders.examples import COMMAND_EXAMPLES


def event(faults: dict[str, Any], *, ordered: bool = True) -> dict[str, Any]:
    """What the vendor tells of the published example of an application."""
    book = OrderBook((), seed=1)
    submit, asked = (
        {"id": operation.value, "command": orjson.loads(COMMAND_EXAMPLES[operation].model_dump_json())}
        for operation in (Operation.SUBMIT, Operation.REQUEST_INVOICE)
    )
    if ordered:
        book.apply(book.take(submit, {}))
    entry = book.take(asked, faults)
    told: dict[str, Any] = entry["event"]
    VENDOR_EVENTS[Kind(told["event"])].model_validate_json(orjson.dumps(told))
    return told


@pytest.mark.parametrize(("faults", "gross"), [({}, "226.00"), ({"wrong_sum": {}}, "226.01")])
def test_one_invoice_is_made_out(faults: dict[str, Any], gross: str) -> None:
    told = event(faults)
    [invoice] = told["payload"]["invoices"]
    assert (told["event"], Decimal(invoice["gross"])) == ("invoice.issued", Decimal(gross))


def test_an_application_is_refused_when_told_so_and_for_no_order() -> None:
    assert event({"refuse": {}})["payload"]["code_class"] == "conflict"
    assert event({}, ordered=False)["payload"]["code_class"] == "no_such_order"
