"""A vendor that is asked for after-sale: step by step to its end, each step one line of the ledger."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import orjson
import pytest

from contrib.simulators.native.book import Entry, OrderBook
from gateway.relay.vendor_events import VENDOR_EVENTS
from schemas.orders import Kind, Operation, ServiceState, StateVerdict, judge_refund, judge_service
from schemas.orders.examples import COMMAND_EXAMPLES

REQUEST, CANCEL = Operation.REQUEST_AFTER_SALE, Operation.CANCEL_AFTER_SALE


def message(operation: Operation, **payload: Any) -> dict[str, Any]:
    """The published example of a command, under one number of a message for each operation."""
    command: dict[str, Any] = orjson.loads(COMMAND_EXAMPLES[operation].model_dump_json())
    command["payload"] |= payload
    return {"id": operation.value, "command": command}


def delivered() -> OrderBook:
    """A vendor whose order of the examples has arrived."""
    book = OrderBook((), seed=1)
    book.apply(book.take(message(Operation.SUBMIT, mode="direct"), {}))
    [order] = book.orders.values()
    while order.next is not None:
        book.apply(book.step(order))
    return book


def steps(book: OrderBook, entry: Entry) -> list[Entry]:
    """The entry and what the vendor then does by itself, each applied."""
    made = [entry]
    book.apply(entry)
    service = book.subject_of(entry)
    while service is not None and service.next is not None:
        made.append(book.step(service))
        book.apply(made[-1])
    return made


@pytest.mark.parametrize(
    ("kind", "effects"),
    [
        ("return", ["after_sale", "approve", "send_goods", "receive", "handle", "refund", "close"]),
        ("exchange", ["after_sale", "approve", "send_goods", "receive", "handle", "close"]),
        ("repair", ["after_sale", "approve", "send_goods", "receive", "handle", "close"]),
        ("refund", ["after_sale", "approve", "handle", "refund", "close"]),
    ],
)
def test_a_service_goes_the_way_of_its_kind_by_moves_that_the_schema_has(kind: str, effects: list[str]) -> None:
    book = delivered()
    made = steps(book, book.take(message(REQUEST, kind=kind), {}))
    assert [entry["effect"] for entry in made] == effects
    state = ServiceState.REQUESTED
    for entry in made:
        told = entry["event"]
        VENDOR_EVENTS[Kind(told["event"])].model_validate_json(orjson.dumps(told))
        if told["event"] == "aftersale.progress":
            judged = judge_service(state, ServiceState(told["payload"]["state"]))
            assert judged.verdict is StateVerdict.MOVES
            state = judged.state
        if told["event"] == "refund.made":
            assert judge_refund(state).verdict is StateVerdict.MOVES
    assert state is ServiceState.DONE


def test_what_goes_back_is_paid_back() -> None:
    """One piece at 113.00 with tax, as the example of an order has it."""
    book = delivered()
    paid = [entry["event"] for entry in steps(book, book.take(message(REQUEST), {})) if entry["effect"] == "refund"]
    assert [Decimal(event["payload"]["amount"]) for event in paid] == [Decimal("113.00")]


def test_a_request_is_refused_when_told_so_and_before_goods_arrived() -> None:
    book = OrderBook((), seed=1)
    unknown = book.take(message(REQUEST), {})
    book.apply(book.take(message(Operation.SUBMIT, mode="direct"), {}))
    early = book.take(message(REQUEST), {})
    told = delivered().take(message(REQUEST), {"refuse": {}})
    for entry, code_class in ((unknown, "no_such_order"), (early, "not_offered"), (told, "not_offered")):
        assert (entry["effect"], entry["event"]["payload"]["code_class"]) == ("refuse", code_class)


def test_a_cancel_ends_a_service_until_money_goes_back() -> None:
    book = delivered()
    assert book.take(message(CANCEL), {})["event"]["payload"]["code_class"] == "no_such_service"
    book.apply(book.take(message(REQUEST), {}))
    cancelled = book.take(message(CANCEL), {})
    assert [entry["effect"] for entry in steps(book, cancelled)] == ["cancel_after_sale"]
    other = delivered()
    steps(other, other.take(message(REQUEST), {}))
    assert other.take(message(CANCEL), {})["event"]["payload"]["code_class"] == "too_late"
