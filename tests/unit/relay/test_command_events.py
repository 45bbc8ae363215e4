"""What the core is told of what became of a command."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from gateway.relay.attempts import AttemptResult, LookUpResult
from gateway.relay.command_events import CommandEnd, end_of, news_of, resolved_news, sent_news
from gateway.relay.commands import Command, Origin
from gateway.relay.ends import ending_news
from gateway.relay.outcomes import AdapterAnswer, Write
from gateway.relay.received import ROLES
from gateway.relay.states import State
from gateway.sdk.errors import OrderRefusedError, Sent
from gateway.sdk.orders import Standing, SupplierOrder
from schemas.orders import CancelScope, Operation, OrderCommand, OrderFact, RefusalClass, SubmitOrder
from schemas.orders.commands import Cancellation
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


def told(command: OrderCommand, state: State, end: CommandEnd, reason: str = "") -> Any:
    news = news_of(command, State.SENDING, facts(command, state, reason), end, NOON)
    assert news is not None
    assert news.event is not None
    assert news.event.cause.command_id == command.command_id
    return news


def test_what_the_supplier_holds_is_accepted_and_what_it_placed_is_confirmed() -> None:
    reserved = told(SUBMIT, State.CONFIRMED, CommandEnd(there()))
    assert isinstance(reserved.event, OrderAccepted)
    assert (reserved.fact, reserved.supplier_order_no) == (OrderFact.ACCEPTED, "S-1")
    assert reserved.event.payload.lines[0].quantity == 3
    placed = told(SUBMIT, State.CONFIRMED, CommandEnd(there(standing=Standing.PLACED)))
    assert isinstance(placed.event, OrderConfirmed)
    child = told(SUBMIT, State.CONFIRMED, CommandEnd(there(parent_no="S-0")))
    assert child.supplier_order_no == "S-0"


def test_a_confirm_that_brings_less_says_how_much_of_each_line_comes() -> None:
    whole = told(CONFIRM, State.CONFIRMED, CommandEnd(there(standing=Standing.PLACED), ordered=ORDERED))
    assert isinstance(whole.event, OrderConfirmed)
    less = told(CONFIRM, State.CONFIRMED, CommandEnd(there("1", Standing.PLACED), ordered=ORDERED))
    assert isinstance(less.event, OrderPartiallyConfirmed)
    [part] = less.event.payload.parts
    assert (str(part.confirmed), str(part.refused)) == ("1", "2")
    silent = told(CONFIRM, State.CONFIRMED, CommandEnd())
    assert isinstance(silent.event, OrderConfirmed)


def test_an_order_at_another_price_is_held_with_both_prices() -> None:
    held = told(SUBMIT, State.HELD, CommandEnd(there(gross=Decimal("120.00"))))
    assert isinstance(held.event, OrderPriceMismatch)
    [line] = held.event.payload.lines
    assert (line.expected.gross, line.offered.gross) == (Decimal("113.00"), Decimal("120.00"))
    assert held.event.payload.differences
    assert held.fact is OrderFact.PRICE_MISMATCH
    other = told(CONFIRM, State.HELD, CommandEnd(there()))
    assert isinstance(other.event, OrderParked)
    assert other.event.payload.reason == "contradiction"


def test_long_differences_are_told_as_long_as_an_event_holds_them() -> None:
    held = told(SUBMIT, State.HELD, CommandEnd(there(order_no="X" * 600)))
    first = held.event.payload.differences[0]
    assert (first, len(first)) == (f"it has the number {'X' * 482}", 500)


def test_a_refusal_carries_the_suppliers_code_its_words_and_the_lines() -> None:
    error = OrderRefusedError("库存\x00不足\n请重试", code_class=RefusalClass.OUT_OF_STOCK, supplier_code="3008")
    error.skus = (LINE.sku, "another")
    came = AttemptResult(error, WRITE)
    refused = told(SUBMIT, State.REFUSED, end_of(came), "3008")
    assert isinstance(refused.event, OrderRefused)
    assert (refused.event.raw_code, refused.event.payload.code_class) == ("3008", "out_of_stock")
    words = refused.event.raw_message or ""
    assert "库存" in words
    assert words.isprintable()
    assert [line.line_no for line in refused.event.payload.lines] == [LINE.line_no, None]
    kept = told(CANCEL, State.REFUSED, end_of(came), "3008")
    assert isinstance(kept.event, OrderCancelRefused)
    later = told(SUBMIT, State.REFUSED, CommandEnd(), "3008")
    assert later.event.raw_code == "3008"


def ended(command: OrderCommand, state: State, *, alone: bool = True, read: bool = True, attempt: int = 0) -> Any:
    after = replace(facts(command, state), attempt=attempt)
    asked = command if read else None
    return ending_news(after, Origin("410000", None), NOON, alone=alone, asked=asked)


def test_what_ends_without_a_call_is_told_as_such() -> None:
    assert isinstance(ended(SUBMIT, State.EXPIRED)[-1].event, OrderExpired)
    for command in (SUBMIT, CONFIRM, CANCEL):
        assert isinstance(ended(command, State.CANCELLED_UNSENT)[-1].event, OrderCancelled)
    assert ended(SUBMIT, State.SUPERSEDED) == []


def test_what_a_cancel_overtakes_is_refused_while_nobody_knows_whether_the_order_is_cancelled() -> None:
    [news] = ended(CONFIRM, State.CANCELLED_UNSENT, alone=False)
    assert (news.event.event, news.event.payload.operation) == ("order.refused", "order.confirm")
    assert (news.event.payload.code_class, news.event.raw_code, news.fact) == (RefusalClass.CONFLICT, None, None)


def test_what_is_asked_of_a_refused_order_is_refused_and_moves_nothing() -> None:
    confirm = ended(CONFIRM, State.REFUSED)[-1]
    assert (confirm.event.event, confirm.event.payload.operation) == ("order.refused", "order.confirm")
    assert (confirm.event.payload.code_class, confirm.fact) == (RefusalClass.NO_SUCH_ORDER, OrderFact.CONFIRM_FAILED)
    cancel = ended(CANCEL, State.REFUSED)[-1]
    assert (cancel.event.event, cancel.event.payload.by) == ("order.cancel_refused", "mall")
    assert (cancel.event.payload.code_class, cancel.fact) == (RefusalClass.NO_SUCH_ORDER, OrderFact.CANCEL_FAILED)


def test_a_cancel_that_came_too_late_is_refused_by_time_out_and_says_of_what_it_was() -> None:
    payload = Cancellation(scope=CancelScope.CHILDREN, children=("S-1",), reason="too many")
    children = CANCEL.model_copy(update={"payload": payload})
    late = ended(children, State.EXPIRED)[-1]
    assert (late.event.event, late.event.payload.by, late.fact) == (
        "order.cancel_refused",
        "time_out",
        OrderFact.CANCEL_FAILED,
    )
    assert (late.event.payload.scope, late.event.payload.children) == ("children", ("S-1",))
    unread = ended(CANCEL, State.EXPIRED, read=False)[-1]
    assert (unread.event.event, unread.event.payload.operation) == ("order.expired", "order.cancel")
    assert unread.fact is OrderFact.CANCEL_FAILED


def test_only_what_is_alone_in_its_lane_or_was_sent_before_moves_its_order() -> None:
    assert [each.fact for each in ended(SUBMIT, State.EXPIRED)] == [OrderFact.SUBMIT, OrderFact.SUBMIT_EXPIRED]
    assert [each.fact for each in ended(SUBMIT, State.EXPIRED, alone=False)] == [None]
    assert [each.fact for each in ended(SUBMIT, State.EXPIRED, alone=False, attempt=1)] == [OrderFact.SUBMIT_EXPIRED]


@pytest.mark.parametrize(("state", "reason"), [(State.PARKED, "outcome_unknown"), (State.DEAD, "gave_up")])
def test_what_waits_for_a_person_is_told_of_and_not_ended(state: State, reason: str) -> None:
    news = told(SUBMIT, state, CommandEnd())
    assert (news.event.event, news.event.payload.reason) == ("order.parked", reason)
    assert news.fact is OrderFact.OUTCOME_UNKNOWN


def test_what_nobody_knows_is_not_told_and_what_is_surely_not_there_neither() -> None:
    unknown = news_of(SUBMIT, State.SENDING, facts(SUBMIT, State.UNKNOWN), CommandEnd(), NOON)
    assert unknown is not None
    assert (unknown.fact, unknown.event) == (OrderFact.OUTCOME_UNKNOWN, None)
    absent = news_of(SUBMIT, State.LOOKING_UP, facts(SUBMIT, State.RETRY), CommandEnd(), NOON)
    assert absent is not None
    assert absent.fact is OrderFact.NOT_FOUND
    assert news_of(CONFIRM, State.SENDING, facts(CONFIRM, State.UNKNOWN), CommandEnd(), NOON) is None
    assert news_of(SUBMIT, State.HELD, facts(SUBMIT, State.SUPERSEDED), CommandEnd(), NOON) is None


def test_a_look_up_that_finds_the_order_tells_what_is_there() -> None:
    found = there()
    assert end_of(LookUpResult(AdapterAnswer(), found)).found is found
    assert sent_news(SUBMIT).fact is OrderFact.SUBMIT


def test_a_persons_word_ends_the_command_under_the_number_that_was_found() -> None:
    after = replace(facts(SUBMIT, State.CONFIRMED), reason="resolved_done")
    news = resolved_news(SUBMIT, after, NOON, "S-9")
    assert news is not None
    assert news.event is not None
    assert (news.supplier_order_no, news.event.event) == ("S-9", "order.accepted")
