"""What the core is told of what became of a command."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from gateway.relay.attempts import Attempted, LookedAt
from gateway.relay.commands import Command
from gateway.relay.outcomes import Answer, Write
from gateway.relay.received import ROLES
from gateway.relay.states import State
from gateway.relay.telling import End, end_of, news_of, resolved_news, sent_news
from gateway.sdk.errors import OrderRefusedError, Sent
from gateway.sdk.orders import Standing, SupplierOrder
from schemas.orders import Fact, Operation, OrderCommand, RefusalClass, SubmitOrder
from schemas.orders.events import (
    OrderAccepted,
    OrderCancelled,
    OrderCancelRefused,
    OrderConfirmed,
    OrderExpired,
    OrderParked,
    OrderPartiallyConfirmed,
    OrderPriceMismatch,
    OrderRefused,
)
from schemas.orders.examples import COMMAND_EXAMPLES
from schemas.orders.parts import StatedLine, Totals, UnitPrice
from schemas.orders.payloads import StatedOrder
from tests.unit.relay.commands import NOON

SUBMIT, CONFIRM, CANCEL = (COMMAND_EXAMPLES[each] for each in (Operation.SUBMIT, Operation.CONFIRM, Operation.CANCEL))
assert isinstance(SUBMIT, SubmitOrder)
ORDERED = SUBMIT
[LINE] = SUBMIT.payload.lines
WRITE = Write("submit_order", Sent.ALL)


def facts(command: OrderCommand, state: State, reason: str = "") -> Command:
    """A command that has come to this state."""
    return Command(
        command_id=command.command_id,
        supplier=command.supplier,
        order_no=command.order_no,
        operation=command.operation,
        role=ROLES[command.operation],
        place=1,
        content="",
        deadline=command.deadline,
        due_at=NOON,
        state=state,
        reason=reason,
    )


def there(quantity: str = "3", standing: Standing = Standing.RESERVED, **more: Any) -> SupplierOrder:
    """The order of the example, as a supplier has it."""
    price = UnitPrice(gross=more.pop("gross", LINE.price.gross))
    line = StatedLine(line_no=None, sku=LINE.sku, quantity=Decimal(quantity), price=price)
    stated = StatedOrder(lines=(line,), totals=Totals(gross=price.gross and price.gross * line.quantity))
    return SupplierOrder("S-1", standing, stated, **more)


def told(command: OrderCommand, state: State, end: End, reason: str = "") -> Any:
    news = news_of(command, State.SENDING, facts(command, state, reason), end, NOON)
    assert news is not None
    assert news.event is not None
    assert news.event.cause.command_id == command.command_id
    return news


def test_what_the_supplier_holds_is_accepted_and_what_it_placed_is_confirmed() -> None:
    reserved = told(SUBMIT, State.CONFIRMED, End(there()))
    assert isinstance(reserved.event, OrderAccepted)
    assert (reserved.fact, reserved.supplier_order_no) == (Fact.ACCEPTED, "S-1")
    assert reserved.event.payload.lines[0].quantity == 3
    placed = told(SUBMIT, State.CONFIRMED, End(there(standing=Standing.PLACED)))
    assert isinstance(placed.event, OrderConfirmed)
    child = told(SUBMIT, State.CONFIRMED, End(there(parent_no="S-0")))
    assert child.supplier_order_no == "S-0"


def test_a_confirm_that_brings_less_says_how_much_of_each_line_comes() -> None:
    whole = told(CONFIRM, State.CONFIRMED, End(there(standing=Standing.PLACED), ordered=ORDERED))
    assert isinstance(whole.event, OrderConfirmed)
    less = told(CONFIRM, State.CONFIRMED, End(there("1", Standing.PLACED), ordered=ORDERED))
    assert isinstance(less.event, OrderPartiallyConfirmed)
    [part] = less.event.payload.parts
    assert (str(part.confirmed), str(part.refused)) == ("1", "2")
    silent = told(CONFIRM, State.CONFIRMED, End())
    assert isinstance(silent.event, OrderConfirmed)


def test_an_order_at_another_price_is_held_with_both_prices() -> None:
    held = told(SUBMIT, State.HELD, End(there(gross=Decimal("120.00"))))
    assert isinstance(held.event, OrderPriceMismatch)
    [line] = held.event.payload.lines
    assert (line.expected.gross, line.offered.gross) == (Decimal("113.00"), Decimal("120.00"))
    assert held.event.payload.differences
    assert held.fact is Fact.PRICE_MISMATCH
    other = told(CONFIRM, State.HELD, End(there()))
    assert isinstance(other.event, OrderParked)
    assert other.event.payload.reason == "contradiction"


def test_a_refusal_carries_the_suppliers_code_its_words_and_the_lines() -> None:
    error = OrderRefusedError("库存\x00不足\n请重试", code_class=RefusalClass.OUT_OF_STOCK, supplier_code="3008")
    error.skus = (LINE.sku, "another")
    came = Attempted(error, WRITE)
    refused = told(SUBMIT, State.REFUSED, end_of(came), "3008")
    assert isinstance(refused.event, OrderRefused)
    assert (refused.event.raw_code, refused.event.payload.code_class) == ("3008", "out_of_stock")
    words = refused.event.raw_message or ""
    assert "库存" in words
    assert words.isprintable()
    assert [line.line_no for line in refused.event.payload.lines] == [LINE.line_no, None]
    kept = told(CANCEL, State.REFUSED, end_of(came), "3008")
    assert isinstance(kept.event, OrderCancelRefused)
    later = told(SUBMIT, State.REFUSED, End(), "3008")
    assert later.event.raw_code == "3008"


def test_what_ends_without_a_call_is_told_as_such() -> None:
    assert isinstance(told(SUBMIT, State.EXPIRED, End()).event, OrderExpired)
    late = told(CANCEL, State.EXPIRED, End())
    assert (late.event.event, late.event.payload.by) == ("order.cancel_refused", "time_out")
    for command in (SUBMIT, CONFIRM, CANCEL):
        assert isinstance(told(command, State.CANCELLED_UNSENT, End()).event, OrderCancelled)


@pytest.mark.parametrize(("state", "reason"), [(State.PARKED, "outcome_unknown"), (State.DEAD, "gave_up")])
def test_what_waits_for_a_person_is_told_of_and_not_ended(state: State, reason: str) -> None:
    news = told(SUBMIT, state, End())
    assert (news.event.event, news.event.payload.reason) == ("order.parked", reason)
    assert news.fact is Fact.OUTCOME_UNKNOWN


def test_what_nobody_knows_is_not_told_and_what_is_surely_not_there_neither() -> None:
    unknown = news_of(SUBMIT, State.SENDING, facts(SUBMIT, State.UNKNOWN), End(), NOON)
    assert unknown is not None
    assert (unknown.fact, unknown.event) == (Fact.OUTCOME_UNKNOWN, None)
    absent = news_of(SUBMIT, State.LOOKING_UP, facts(SUBMIT, State.RETRY), End(), NOON)
    assert absent is not None
    assert absent.fact is Fact.NOT_FOUND
    assert news_of(CONFIRM, State.SENDING, facts(CONFIRM, State.UNKNOWN), End(), NOON) is None
    assert news_of(SUBMIT, State.HELD, facts(SUBMIT, State.SUPERSEDED), End(), NOON) is None


def test_a_look_up_that_finds_the_order_tells_what_is_there() -> None:
    found = there()
    assert end_of(LookedAt(Answer(), found)).found is found
    assert sent_news(SUBMIT).fact is Fact.SUBMIT


def test_a_persons_word_ends_the_command_under_the_number_that_was_found() -> None:
    after = replace(facts(SUBMIT, State.CONFIRMED), reason="resolved_done")
    news = resolved_news(SUBMIT, after, NOON, "S-9")
    assert news is not None
    assert news.event is not None
    assert (news.supplier_order_no, news.event.event) == ("S-9", "order.accepted")
