"""What a vendor says of an order: which commands it answers, whether it fits, whether its sums hold. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from gateway.relay.commands import Command, Role
from gateway.relay.states import State as CommandState
from gateway.relay.transitions import moved
from gateway.relay.vendor_events import (
    AcceptedByVendor,
    CancelledByVendor,
    CancelRefusedByVendor,
    ConfirmedByVendor,
    DeliveredByVendor,
    PartiallyConfirmedByVendor,
    PriceMismatchByVendor,
    RefusedByVendor,
    RejectedByVendor,
    SplitByVendor,
    VendorEvent,
)
from gateway.sdk.comparing import WANTED, differences, limit_differences
from gateway.sdk.orders import SupplierOrder
from schemas.orders import (
    CancelScope,
    Kind,
    Operation,
    OrderFact,
    OrderStatus,
    Party,
    StateVerdict,
    SubmitOrder,
    allowed,
    judge,
    order_mismatches,
    split_mismatches,
)
from schemas.orders.commands import Submission
from schemas.orders.parts import LineQuantity, StatedLine, Totals
from schemas.orders.payloads import PriceMismatch, StatedOrder

FITS: Mapping[Kind, Collection[Operation]] = {
    Kind.ACCEPTED: (Operation.SUBMIT,),
    Kind.CONFIRMED: (Operation.SUBMIT, Operation.CONFIRM),
    Kind.PARTIALLY_CONFIRMED: (Operation.SUBMIT, Operation.CONFIRM),
    Kind.PRICE_MISMATCH: (Operation.SUBMIT, Operation.CONFIRM),
    Kind.CANCELLED: (Operation.CANCEL,),
    Kind.CANCEL_REFUSED: (Operation.CANCEL,),
}
"""What each kind answers; a refusal says it itself, and news of goods answers nothing."""

REFUSALS = frozenset({Kind.REFUSED, Kind.CANCEL_REFUSED, Kind.INVOICE_REFUSED, Kind.SERVICE_REFUSED})
"""An answer that a command had no effect is taken wherever the order stands: the core waits for it."""

ONCE = frozenset(
    {
        Kind.ACCEPTED,
        Kind.REFUSED,
        Kind.CONFIRMED,
        Kind.PARTIALLY_CONFIRMED,
        Kind.PRICE_MISMATCH,
        Kind.CANCEL_REFUSED,
    }
)
"""Nothing new where the order stands there already; of goods and children there can be more of the same."""

FACTS: Mapping[Kind, OrderFact] = {
    Kind.ACCEPTED: OrderFact.ACCEPTED,
    Kind.REFUSED: OrderFact.SUBMIT_REFUSED,
    Kind.CONFIRMED: OrderFact.CONFIRMED,
    Kind.PARTIALLY_CONFIRMED: OrderFact.PARTIALLY_CONFIRMED,
    Kind.SPLIT: OrderFact.SPLIT,
    Kind.PRICE_MISMATCH: OrderFact.PRICE_MISMATCH,
    Kind.CANCELLED: OrderFact.CANCELLED,
    Kind.CANCEL_REFUSED: OrderFact.CANCEL_FAILED,
    Kind.SHIPPED: OrderFact.SHIPPED,
    Kind.DELIVERED: OrderFact.DELIVERED,
    Kind.REJECTED: OrderFact.REJECTED,
}
"""What each kind means for the order as a whole, as a rule; tracking means nothing for it."""

_REFUSED: Mapping[Operation, OrderFact] = {
    Operation.SUBMIT: OrderFact.SUBMIT_REFUSED,
    Operation.CONFIRM: OrderFact.CONFIRM_FAILED,
    Operation.CANCEL: OrderFact.CANCEL_FAILED,
}


@dataclass(frozen=True, slots=True)
class Fit:
    """How a vendor's word fits. verdict: None where it moves nothing; answers: commands that it is the answer to."""

    fact: OrderFact | None
    verdict: StateVerdict | None
    answers: Sequence[Command]

    @property
    def refused(self) -> bool:
        """Whether it breaks the state table."""
        return self.verdict in (StateVerdict.CONTRADICTS, StateVerdict.NOT_ALLOWED)

    @property
    def late(self) -> bool:
        """Whether it is a success of an order that is over."""
        return self.verdict is StateVerdict.LATE


def fit(event: VendorEvent, status: OrderStatus, unanswered: Sequence[Command], order: SubmitOrder | None) -> Fit:
    """How a vendor's word fits. unanswered: commands that he may have, by place; order: what was ordered, if known."""
    kind, fact = Kind(event.event), fact_of(event, order)
    verdict = None if fact is None else judge(status, fact).verdict
    if verdict is StateVerdict.LATE:
        return Fit(fact, verdict, ())
    answers = answered(event, unanswered)
    if answers and fact is None and kind is Kind.CANCELLED:
        return Fit(OrderFact.CHILDREN_CANCELLED, judge(status, OrderFact.CHILDREN_CANCELLED).verdict, answers)
    if answers and kind in REFUSALS and verdict in (StateVerdict.CONTRADICTS, StateVerdict.NOT_ALLOWED):
        return Fit(None, None, answers)
    return Fit(fact, verdict, answers)


def is_repeated(event: VendorEvent, found: Fit) -> bool:
    """Whether the core knows it already."""
    cancelled = isinstance(event, CancelledByVendor) and event.payload.scope is CancelScope.ORDER
    once = Kind(event.event) in ONCE or cancelled
    return once and found.verdict is StateVerdict.KNOWN and not found.answers


def answered(event: VendorEvent, unanswered: Sequence[Command]) -> Sequence[Command]:
    """The commands that a word answers: the oldest that it fits. An order that is cancelled ends all of them, but
    none that the mall submitted again behind a cancel.
    """
    if isinstance(event, CancelledByVendor) and event.payload.scope is CancelScope.ORDER:
        return _of_one_order(unanswered)
    fits = (event.payload.operation,) if isinstance(event, RefusedByVendor) else FITS.get(Kind(event.event), ())
    found: Sequence[Command] = [command for command in unanswered if command.operation in fits]
    if isinstance(event, CancelledByVendor | CancelRefusedByVendor):
        found = _of_scope(event.payload.scope, found)
    return found[:1]


def is_still_submitted(answers: Sequence[Command], unanswered: Sequence[Command]) -> bool:
    """Whether another submit waits for its answer: an end of those answered is none of the order."""
    answered_ids = {command.command_id for command in answers}
    return any(each.role is Role.MAKES and each.command_id not in answered_ids for each in unanswered)


def fact_of(event: VendorEvent, order: SubmitOrder | None) -> OrderFact | None:
    """What a word means for the order as a whole; None: nothing."""
    match event:
        case RefusedByVendor(payload=refused):
            return _REFUSED[refused.operation]
        case CancelledByVendor(payload=cancelled) if cancelled.scope is CancelScope.CHILDREN:
            return None
        case CancelledByVendor(payload=cancelled):
            return OrderFact.LAPSED if cancelled.by is Party.TIME_OUT else OrderFact.CANCELLED
        case DeliveredByVendor(payload=delivered):
            return OrderFact.PARTLY_DELIVERED if _is_part(delivered.lines, order) else OrderFact.DELIVERED
        case RejectedByVendor(payload=rejected):
            return None if _is_part(rejected.lines, order) else OrderFact.REJECTED
        case _:
            return FACTS.get(Kind(event.event))


def allowed_next(status: OrderStatus) -> Sequence[Kind]:
    """What a vendor may say of an order that stands here."""
    facts = allowed(status)
    found = {kind for kind, fact in FACTS.items() if fact in facts}
    if OrderFact.CONFIRM_FAILED in facts:
        found.add(Kind.REFUSED)
    return [kind for kind in FACTS if kind in found]


def after_answer(command: Command, event: VendorEvent) -> Command:
    """A command that its vendor answered: he has it, whether he acknowledged it or not."""
    if command.state is CommandState.CONFIRMED:
        return command
    state = CommandState.REFUSED if Kind(event.event) in REFUSALS else CommandState.CONFIRMED
    return moved(command, state, reason="answered")


def sum_faults(event: VendorEvent, order: SubmitOrder | None) -> Sequence[str]:
    """What does not hold between the sums that a vendor states, and between them and what was ordered, in words."""
    match event:
        case AcceptedByVendor(payload=stated) | ConfirmedByVendor(payload=stated):
            found = _of_order(stated, order)
        case PartiallyConfirmedByVendor(payload=stated):
            found = [str(each) for each in order_mismatches(stated.lines, stated.totals, stated.price_basis)]
        case SplitByVendor(payload=split):
            found = [
                str(each)
                for child in split.children
                for each in order_mismatches(child.lines, child.totals, child.price_basis)
            ]
            if order is not None:
                found += [str(each) for each in split_mismatches(_as_stated(order.payload), split.children)]
        case _:
            found = []
    return limit_differences(found)


def as_mismatch(event: VendorEvent, faults: Sequence[str], order: SubmitOrder | None) -> PriceMismatchByVendor:
    """What is told instead of a word whose sums do not hold."""
    stated = event.payload.totals if isinstance(event.payload, StatedOrder) else Totals()
    expected = Totals() if order is None else order.payload.totals
    return PriceMismatchByVendor(
        event="order.price_mismatch",
        occurred_at=event.occurred_at,
        supplier_order_nos=event.supplier_order_nos,
        raw_code=event.raw_code,
        raw_message=event.raw_message,
        payload=PriceMismatch(expected=expected, offered=stated, differences=tuple(faults)),
    )


def completed(event: VendorEvent, order: SubmitOrder | None) -> VendorEvent:
    """A word with what the vendor need not repeat: which price the order fixes, and what it came to there."""
    if order is None:
        return event
    payload = event.payload
    if isinstance(payload, PriceMismatch):
        update: dict[str, Any] = {"expected": order.payload.totals}
    elif isinstance(payload, StatedOrder) and "price_basis" not in payload.model_fields_set:
        update = {"price_basis": order.payload.price_basis}
    else:
        return event
    return event.model_copy(update={"payload": payload.model_copy(update=update)})


def mismatch_fact(status: OrderStatus) -> OrderFact | None:
    """What a mismatch means where the order stands: it is held, unless it is too far on to be."""
    held = judge(status, OrderFact.PRICE_MISMATCH).verdict is StateVerdict.MOVES
    return OrderFact.PRICE_MISMATCH if held else None


def _of_scope(scope: CancelScope, cancels: Sequence[Command]) -> Sequence[Command]:
    """The cancels that a word of this scope may answer. What is said of the whole order is said of its children too."""
    of_children = [command for command in cancels if command.role is Role.CANCELS_CHILDREN]
    if scope is CancelScope.CHILDREN:
        return of_children
    return [command for command in cancels if command.role is Role.CANCELS] or of_children


def _of_one_order(unanswered: Sequence[Command]) -> Sequence[Command]:
    """Those up to the first submit behind a cancel."""
    cancelled = False
    for index, command in enumerate(unanswered):
        if cancelled and command.role is Role.MAKES:
            return unanswered[:index]
        cancelled = cancelled or command.role in (Role.CANCELS, Role.CANCELS_CHILDREN)
    return unanswered


def _of_order(stated: StatedOrder, order: SubmitOrder | None) -> list[str]:
    """A vendor who states nothing takes the order as it is."""
    if order is None:
        return [str(each) for each in order_mismatches(stated.lines, stated.totals, stated.price_basis)]
    if not stated.lines and stated.totals == Totals():
        return []
    standing = WANTED[order.payload.mode]
    return list(differences(order, SupplierOrder("-", standing, stated)))


def _as_stated(submission: Submission) -> StatedOrder:
    lines = tuple(
        StatedLine(line_no=line.line_no, sku=line.sku, quantity=line.quantity, price=line.price)
        for line in submission.lines
    )
    return StatedOrder(lines=lines, totals=submission.totals, price_basis=submission.price_basis)


def _is_part(lines: Sequence[LineQuantity], order: SubmitOrder | None) -> bool:
    """Whether lines, where they are stated, are fewer pieces than were ordered."""
    if not lines or order is None:
        return bool(lines)
    return any(_pieces(lines, line.sku) < _pieces(order.payload.lines, line.sku) for line in order.payload.lines)


class _Piece(Protocol):
    @property
    def sku(self) -> str: ...
    @property
    def quantity(self) -> Decimal: ...


def _pieces(lines: Sequence[_Piece], sku: str) -> Decimal:
    return sum((line.quantity for line in lines if line.sku == sku), Decimal(0))
