"""What the mall core is told of a command: from what became of it to the one event that says so. Pure.

Every command whose end is told has exactly one terminal event; a command that waits for a person is told of once more,
by an event that ends nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from gateway.relay.after_sale_events import done_event, refused_event
from gateway.relay.attempts import AnswerOrError, AttemptResult, LookUpResult
from gateway.relay.commands import Command
from gateway.relay.ends import not_cancelled, parked_event
from gateway.relay.orders import News
from gateway.relay.states import State
from gateway.sdk.after_sales import SupplierAfterSale
from gateway.sdk.comparing import differences, limit_differences
from gateway.sdk.errors import OrderRefusedError, SupplierError
from gateway.sdk.orders import Standing, SupplierOrder
from schemas.catalog import PriceBasis
from schemas.orders import (
    CancelAfterSale,
    CancelOrder,
    ConfirmOrder,
    Operation,
    OrderCommand,
    OrderEvent,
    OrderFact,
    ParkedReason,
    Party,
    RefusalClass,
    RequestAfterSale,
    RequestInvoice,
    SubmitMode,
    SubmitOrder,
    fact_of_command,
    fact_of_event,
)
from schemas.orders.commands import OrderedLine
from schemas.orders.events import (
    Cause,
    InvoiceRefusedEvent,
    InvoiceRequestedEvent,
    OrderAccepted,
    OrderCancelled,
    OrderCancelRefused,
    OrderConfirmed,
    OrderPartiallyConfirmed,
    OrderPriceMismatch,
    OrderRefused,
    SupplierMessage,
)
from schemas.orders.invoices import InvoiceRequested
from schemas.orders.parts import LineKind, StatedLine, UnitPrice
from schemas.orders.payloads import (
    Accepted,
    Cancelled,
    Confirmed,
    InvoiceRefused,
    MismatchedLine,
    PartiallyConfirmed,
    PartLine,
    PriceMismatch,
    Refused,
    RefusedLine,
    StatedOrder,
)

LONGEST_WORDS = 2000
LONGEST_CODE = 200
"""Characters of a supplier's words and codes that events hold."""


@dataclass(frozen=True, slots=True)
class CommandEnd:
    """The known state of a command that has ended or stopped.

    found: what the supplier has; error: how it refused; cancelled: children that are; ordered: the submit of the order,
    for a confirm; resolved: a person found it out; service: of an after-sale command, as the supplier has it.
    """

    found: SupplierOrder | None = None
    error: BaseException | None = None
    cancelled: tuple[str, ...] = ()
    ordered: SubmitOrder | None = None
    resolved: bool = False
    service: SupplierAfterSale | None = None


def end_of(came: AttemptResult | LookUpResult | None, ordered: SubmitOrder | None = None) -> CommandEnd:
    """What an attempt or a look-up leaves behind; None: there was none."""
    match came:
        case None:
            return CommandEnd(ordered=ordered)
        case AttemptResult():
            return CommandEnd(came.returned, _error(came.answer), came.cancelled, ordered, service=came.service)
        case LookUpResult():
            return CommandEnd(came.found, ordered=ordered, service=came.service)


def sent_news(command: OrderCommand) -> News:
    """That a command is taken up."""
    return _news(command, fact_of_command(command))


def news_of(command: OrderCommand, before: State, after: Command, end: CommandEnd, at: datetime) -> News | None:
    """What a move of a command means for its order and the core; None: nothing yet, or it ended without a call."""
    match after.state:
        case State.CONFIRMED | State.REFUSED:
            done = after.state is State.CONFIRMED
            return _command_news(command, _done(command, end, at) if done else _refused(command, after, end, at), end)
        case State.HELD:
            return _command_news(command, _held(command, after, end, at), end)
        case State.PARKED | State.DEAD:
            reason = ParkedReason.OUTCOME_UNKNOWN if after.state is State.PARKED else ParkedReason.GAVE_UP
            return _command_news(command, parked_event(after, command.tenant, reason, at, command), end)
        case State.UNKNOWN if isinstance(command, SubmitOrder):
            return _news(command, OrderFact.OUTCOME_UNKNOWN)
        case State.RETRY if isinstance(command, SubmitOrder) and before is State.LOOKING_UP:
            return _news(command, OrderFact.NOT_FOUND)
        case _:
            return None


DECIDED = "resolution"
"""Type of the message that is told as the cause where a person decides about a command that has its terminal event."""


def resolved_news(
    command: OrderCommand, after: Command, at: datetime, supplier_order_no: str | None = None, *, answered: bool = False
) -> News | None:
    """What a person's word about a command means.

    supplier_order_no: of an order that was found by that person; answered: the command has had its terminal event, so
    that this one reports what became of the order.
    """
    news = news_of(command, State.PARKED, after, CommandEnd(resolved=True), at)
    if news is None or news.event is None:
        return news
    changes: dict[str, Any] = {}
    if supplier_order_no is not None:
        changes["supplier_order_nos"] = (supplier_order_no,)
    if answered:
        changes["cause"] = Cause(message=SupplierMessage(type=DECIDED, id=command.command_id))
    event = news.event.model_copy(update=changes)
    return replace(news, event=event, supplier_order_no=supplier_order_no or news.supplier_order_no)


def cancelled_children(news: News) -> tuple[str, ...]:
    """The children that news says are cancelled; () where it says so of none, or of the whole order."""
    return news.event.payload.children if isinstance(news.event, OrderCancelled) else ()


def _news(
    command: OrderCommand, fact: OrderFact | None, event: OrderEvent | None = None, number: str | None = None
) -> News:
    basis = command.payload.price_basis if isinstance(command, SubmitOrder) else None
    return News(
        supplier=command.supplier,
        order_no=command.order_no,
        fact=fact,
        event=event,
        tenant=command.tenant,
        supplier_order_no=number,
        price_basis=basis,
    )


def _command_news(command: OrderCommand, event: OrderEvent, end: CommandEnd) -> News:
    return _news(command, fact_of_event(event), event, None if end.found is None else _whole(end.found))


def _whole(order: SupplierOrder) -> str:
    """The number of the whole order: a child tells that of its parent."""
    return order.parent_no or order.supplier_order_no


def _done(command: OrderCommand, end: CommandEnd, at: datetime) -> OrderEvent:
    common = _common_members(command, end, at)
    match command:
        case SubmitOrder() | ConfirmOrder():
            return _placed(command, end, common)
        case CancelOrder(payload=payload):
            children = end.cancelled or payload.children
            return OrderCancelled(**common, payload=Cancelled(scope=payload.scope, children=children, by=Party.MALL))
        case RequestInvoice(payload=asked):
            return InvoiceRequestedEvent(**common, payload=InvoiceRequested(mark_id=asked.mark_id))
        case RequestAfterSale() | CancelAfterSale():
            return done_event(command, end.service, common)


def _placed(command: SubmitOrder | ConfirmOrder, end: CommandEnd, common: Mapping[str, Any]) -> OrderEvent:
    """An order that is held for the mall, or placed."""
    stated = StatedOrder() if end.found is None else end.found.stated
    facts = {name: getattr(stated, name) for name in StatedOrder.model_fields}
    if isinstance(command, SubmitOrder):
        held = command.payload.mode is SubmitMode.RESERVE if end.found is None else _is_reserved(end.found)
        if held:
            return OrderAccepted(**common, payload=Accepted(**facts))
        return OrderConfirmed(**common, payload=Confirmed(**facts))
    parts = _parts(end.ordered, stated.lines)
    if any(part.refused for part in parts):
        return OrderPartiallyConfirmed(**common, payload=PartiallyConfirmed(**facts, parts=parts))
    return OrderConfirmed(**common, payload=Confirmed(**facts))


def _is_reserved(found: SupplierOrder) -> bool:
    return found.standing is Standing.RESERVED


def _parts(ordered: SubmitOrder | None, stated: Sequence[StatedLine]) -> tuple[PartLine, ...]:
    """How much of each line comes; () where the supplier states no lines, or they cannot be told apart."""
    lines = () if ordered is None else ordered.payload.lines
    if not stated or len({line.sku for line in lines}) < len(lines):
        return ()
    come: dict[str, Decimal] = {}
    for line in stated:
        if line.kind is LineKind.GOODS:
            come[line.sku] = come.get(line.sku, Decimal(0)) + line.quantity
    return tuple(_part(line, come.get(line.sku)) for line in lines)


def _part(line: OrderedLine, confirmed: Any) -> PartLine:
    comes = min(line.quantity, confirmed or line.quantity - line.quantity)
    return PartLine(line_no=line.line_no, sku=line.sku, confirmed=comes, refused=line.quantity - comes)


def _refused(command: OrderCommand, after: Command, end: CommandEnd, at: datetime) -> OrderEvent:
    common = _common_members(command, end, at)
    refusal = end.error if isinstance(end.error, OrderRefusedError) else None
    unnamed = RefusalClass.OPERATOR if end.resolved else RefusalClass.TOO_LATE if _lapsed(end) else RefusalClass.OTHER
    code_class = refusal.code_class if refusal else unnamed
    if common["raw_code"] is None and after.reason:  # of an earlier attempt, or none that a supplier gave
        common["raw_code"] = _one_line(after.reason)[:LONGEST_CODE]
    if isinstance(command, RequestAfterSale | CancelAfterSale):
        return refused_event(command, end.error, common, resolved=end.resolved)
    if isinstance(command, CancelOrder):
        return OrderCancelRefused(**common, payload=not_cancelled(command, Party.SUPPLIER, code_class))
    if isinstance(command, RequestInvoice):
        refused = InvoiceRefused(mark_id=command.payload.mark_id, code_class=code_class)
        return InvoiceRefusedEvent(**common, payload=refused)
    lines = tuple(RefusedLine(line_no=_line_no(command, sku), sku=sku) for sku in (refusal.skus if refusal else ()))
    return OrderRefused(
        **common, payload=Refused(operation=Operation(command.operation), code_class=code_class, lines=lines)
    )


def _lapsed(end: CommandEnd) -> bool:
    """Whether what was to be confirmed is cancelled at the supplier."""
    return end.found is not None and end.found.standing is Standing.CANCELLED


def _line_no(command: OrderCommand, sku: str) -> Any:
    lines = command.payload.lines if isinstance(command, SubmitOrder) else ()
    numbers = [line.line_no for line in lines if line.sku == sku]
    return numbers[0] if len(numbers) == 1 else None


def _held(command: OrderCommand, after: Command, end: CommandEnd, at: datetime) -> OrderEvent:
    """An order that is another than was asked for is held, with everything in which it differs."""
    common, found = _common_members(command, end, at), end.found
    if not isinstance(command, SubmitOrder) or found is None:
        event = parked_event(after, command.tenant, ParkedReason.CONTRADICTION, at, command)
        return event.model_copy(
            update={name: common[name] for name in ("supplier_order_nos", "raw_code", "raw_message")}
        )
    mismatch = PriceMismatch(
        expected=command.payload.totals,
        offered=found.stated.totals,
        lines=tuple(_mismatched(command, found)),
        differences=limit_differences(differences(command, found)),
    )
    return OrderPriceMismatch(**common, payload=mismatch)


def _mismatched(command: SubmitOrder, found: SupplierOrder) -> Sequence[MismatchedLine]:
    offered = {line.sku: line for line in found.stated.lines if line.kind is LineKind.GOODS}
    lines = []
    for line in command.payload.lines:
        there = offered.get(line.sku)
        if there is None or (there.quantity == line.quantity and _same(line, there, command.payload.price_basis)):
            continue
        lines.append(
            MismatchedLine(
                line_no=line.line_no,
                sku=line.sku,
                expected=_unit_price(line.price),
                offered=_unit_price(there.price),
                expected_quantity=line.quantity,
                offered_quantity=there.quantity,
            )
        )
    return lines


def _same(line: OrderedLine, there: StatedLine, basis: PriceBasis) -> bool:
    part = "net" if basis is PriceBasis.NET else "gross"
    return getattr(there.price, part) in (None, getattr(line.price, part))


def _unit_price(price: UnitPrice) -> UnitPrice:
    return UnitPrice(**{name: getattr(price, name) for name in UnitPrice.model_fields})


def _common_members(command: OrderCommand, end: CommandEnd, at: datetime) -> dict[str, Any]:
    """The members that every event of a command has."""
    error = end.error if isinstance(end.error, SupplierError) else None
    words = str(error)[:LONGEST_WORDS] if isinstance(error, OrderRefusedError) else None
    return {
        "order_no": command.order_no,
        "tenant": command.tenant,
        "cause": Cause(command_id=command.command_id),
        "occurred_at": at,
        "supplier": command.supplier,
        "supplier_order_nos": () if end.found is None else (end.found.supplier_order_no,),
        "raw_code": (_one_line(error.supplier_code)[:LONGEST_CODE] or None) if error else None,
        "raw_message": _one_line(words) if words else None,
    }


def _one_line(words: str) -> str:
    """Without the controls that an event may not hold."""
    return "".join(each if each.isprintable() else " " for each in words)


def _error(answer: AnswerOrError | None) -> BaseException | None:
    return answer if isinstance(answer, BaseException) else None
