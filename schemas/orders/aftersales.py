"""After-sale of delivered goods: what the mall core asks for, what becomes of it, and where a service then stands.

A service is one application for one child of an order (or for an order that was not split), under a number of the
mall. Its commands and events are records of its order, in the lane of its order; the order itself is not moved by them.

    requested ► auditing ► approved ► goods_returning ► received ► repairing | exchange_shipped | refunding ► done
        └──────────┴──► refused            cancelled: from anywhere before done
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal, Self, TypeAlias

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from schemas.base import Model, Personal, Sku
from schemas.catalog import Label
from schemas.orders.parts import (
    MAX_LINES,
    Address,
    LineNo,
    PersonalLine,
    PhoneNumber,
    PlainAmount,
    PlainQuantity,
    RawText,
    Receiver,
    Reference,
    SupplierInstant,
)
from schemas.orders.states import StateVerdict

ServiceNo = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z][0-9A-Za-z._-]{0,63}$")]
"""The mall's number of a service, unlike any other of its order: ASCII letters, digits, `.`, `_`, `-`, at most 64."""


AfterSaleOperation: TypeAlias = Literal["aftersale.request", "aftersale.cancel"]
"""The operations that are about a service."""


class ServiceKind(StrEnum):
    """What the buyer wants; refund: the money back without the goods going back."""

    RETURN = "return"
    EXCHANGE = "exchange"
    REPAIR = "repair"
    REFUND = "refund"


class PickupMode(StrEnum):
    """How the goods go back: fetched at the door, brought by the buyer, or sent by a carrier of the buyer's choice."""

    COLLECTED = "collected"
    BROUGHT = "brought"
    SENT = "sent"


class ServiceState(StrEnum):
    """Where a service stands."""

    REQUESTED = "requested"
    AUDITING = "auditing"
    APPROVED = "approved"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    GOODS_RETURNING = "goods_returning"
    RECEIVED = "received"
    REPAIRING = "repairing"
    EXCHANGE_SHIPPED = "exchange_shipped"
    REFUNDING = "refunding"
    DONE = "done"


class AfterSaleRefusal(StrEnum):
    """Why a request or its cancel had no effect.

    not_confirmed, not_delivered, quantity (more than was delivered, less what earlier services took), not_of_order (a
    child of another order, or none any more), order_over, number_used (the service's number is another command's),
    no_such_service: known to the gateway, or said by the supplier. not_offered: the supplier does not do this for these
    goods. too_late: the deadline passed, or the service is too far on. operator: a person found that it had no effect.
    """

    NOT_CONFIRMED = "not_confirmed"
    NOT_DELIVERED = "not_delivered"
    QUANTITY = "quantity"
    NOT_OF_ORDER = "not_of_order"
    ORDER_OVER = "order_over"
    NUMBER_USED = "number_used"
    NO_SUCH_ORDER = "no_such_order"
    NO_SUCH_SERVICE = "no_such_service"
    NOT_OFFERED = "not_offered"
    INVALID_REQUEST = "invalid_request"
    CONFLICT = "conflict"
    TOO_LATE = "too_late"
    OPERATOR = "operator"
    OTHER = "other"


class AuditResult(StrEnum):
    """What the supplier decided about a request."""

    APPROVED = "approved"
    REFUSED = "refused"


class ServiceLine(Model):
    """Goods that a service is about."""

    line_no: LineNo | None = Field(None, description="Line of the order; null: not told. Source: core.")
    sku: Sku = Field(description="Article number. Source: supplier.")
    quantity: Annotated[PlainQuantity, Field(gt=0)] = Field(description="Sales units. Source: core.")


class Pickup(Model):
    """How the goods go back."""

    mode: PickupMode = Field(description="How. Source: core.")
    address: Address | None = Field(
        None, description="Where they are; always there where they are fetched. Source: core."
    )

    @model_validator(mode="after")
    def _collected_somewhere(self) -> Self:
        if self.mode is PickupMode.COLLECTED and self.address is None:
            raise PydanticCustomError("pickup_address", "address, where the goods are to be fetched")
        return self


class AfterSaleRequested(Model):
    """What `aftersale.request` carries."""

    service_no: ServiceNo = Field(description="The mall's number of the service. Source: core.")
    kind: ServiceKind = Field(description="What is wanted. Source: core.")
    supplier_order_no: Reference | None = Field(
        None, description="The child that was delivered; null: the order was not split. Source: supplier."
    )
    lines: Annotated[tuple[ServiceLine, ...], Field(min_length=1, max_length=MAX_LINES)] = Field(
        description="Goods concerned. Source: core."
    )
    reason: PersonalLine = Field(description="What is wrong with them, for the supplier. Source: core.")
    contact: Receiver = Field(description="Whom the supplier may call. Source: core.")
    pickup: Pickup | None = Field(None, description="How the goods go back; null: they stay. Source: core.")
    return_address: Address | None = Field(
        None, description="Where repaired or new goods go; null: where they came from. Source: core."
    )

    @model_validator(mode="after")
    def _goods_fit_the_kind(self) -> Self:
        if len({line.sku for line in self.lines}) < len(self.lines):
            raise PydanticCustomError("lines", "every sku once")
        if (self.kind is ServiceKind.REFUND) != (self.pickup is None):
            raise PydanticCustomError("pickup", "pickup, where goods go back, and only there")
        return self


class AfterSaleCancellation(Model):
    """What `aftersale.cancel` carries."""

    service_no: ServiceNo = Field(description="The mall's number of the service. Source: core.")
    supplier_order_no: Reference | None = Field(
        None, description="The child that the request named; null: it named none. Source: supplier."
    )
    reason: PersonalLine = Field(description="Why, for the supplier. Source: core.")


class AfterSaleTaken(Model):
    """The supplier has the request; whether it grants it is told later."""

    service_no: ServiceNo = Field(description="The mall's number of the service. Source: core.")
    supplier_service_no: Reference | None = Field(
        None, description="The supplier's number of the service; null: it tells none. Source: supplier."
    )


class ReturnAddress(Model):
    """Where goods are to be sent back to."""

    name: PersonalLine | None = Field(None, description="Who takes them. Source: supplier.")
    phone: Annotated[PhoneNumber, Personal()] | None = Field(None, description="A number to call. Source: supplier.")
    text: PersonalLine = Field(description="The address. Source: supplier.")
    zip: PersonalLine | None = Field(None, description="Postal code. Source: supplier.")


class AfterSaleMoved(AfterSaleTaken):
    """How far a service is; members that are null were not told."""

    state: ServiceState = Field(description="Where it stands. Source: the supplier's step.")
    audit: AuditResult | None = Field(None, description="What the supplier decided. Source: supplier.")
    audit_code: Label | None = Field(None, description="The supplier's own code of that. Source: supplier.")
    notes: RawText | None = Field(None, description="What it says of that; may name people. Source: supplier.")
    return_address: ReturnAddress | None = Field(None, description="Where the goods are to be sent. Source: supplier.")
    new_order_no: Reference | None = Field(
        None, description="The supplier's number of the order of an exchange. Source: supplier."
    )


class RefundMade(AfterSaleTaken):
    """Money went back."""

    amount: Annotated[PlainAmount, Field(gt=0)] = Field(description="Yuan. Source: supplier.")
    at: SupplierInstant | None = Field(None, description="When; null is unknown. Source: the supplier's clock.")
    credit_note: Reference | None = Field(
        None, description="The supplier's number of the credit note or transfer. Source: supplier."
    )


ENDED = frozenset({ServiceState.REFUSED, ServiceState.CANCELLED, ServiceState.DONE})
"""Nothing more happens to the goods; a refund may still be told of one that is done."""

_CLOSING = frozenset({ServiceState.CANCELLED})
_HANDLED = frozenset({ServiceState.REPAIRING, ServiceState.EXCHANGE_SHIPPED, ServiceState.REFUNDING})

SERVICE_MOVES: Mapping[ServiceState, frozenset[ServiceState]] = {
    ServiceState.REQUESTED: _CLOSING | {ServiceState.AUDITING, ServiceState.APPROVED, ServiceState.REFUSED},
    ServiceState.AUDITING: _CLOSING | {ServiceState.APPROVED, ServiceState.REFUSED},
    ServiceState.APPROVED: _CLOSING | _HANDLED | {ServiceState.GOODS_RETURNING},
    ServiceState.GOODS_RETURNING: _CLOSING | {ServiceState.RECEIVED},
    ServiceState.RECEIVED: _CLOSING | _HANDLED,
    **dict.fromkeys(_HANDLED, _CLOSING | {ServiceState.DONE}),
    **{state: frozenset[ServiceState]() for state in ENDED},
}
"""Every regular move. An approved service whose goods need not go back is handled at once."""

_STEP: Mapping[ServiceState, int] = {
    ServiceState.REQUESTED: 0,
    ServiceState.AUDITING: 1,
    ServiceState.APPROVED: 2,
    ServiceState.GOODS_RETURNING: 3,
    ServiceState.RECEIVED: 4,
    **dict.fromkeys(_HANDLED, 5),
    ServiceState.DONE: 6,
}
"""How far on a state is; what was refused or cancelled has no place in it."""


@dataclass(frozen=True, slots=True)
class ServiceJudgement:
    """What news is to a service, and where it then stands."""

    verdict: StateVerdict
    state: ServiceState

    @property
    def ask_again(self) -> bool:
        """Whether the service is to be read at the supplier, because the news did not fit."""
        return self.verdict in (StateVerdict.AHEAD, StateVerdict.CONTRADICTS)


def judge_service(state: ServiceState, stated: ServiceState) -> ServiceJudgement:
    """What it means for a service that it is told to stand somewhere. Total, as `judge` is for orders.

    News of something further on moves it there, news of something behind changes nothing; what fits neither changes
    nothing and lets it be asked for again. Out of an end no news leads: a late success there is for a person.
    """
    if stated is state:
        return ServiceJudgement(StateVerdict.KNOWN, state)
    if stated in SERVICE_MOVES[state]:
        return ServiceJudgement(StateVerdict.MOVES, stated)
    if state in (ServiceState.REFUSED, ServiceState.CANCELLED):
        return ServiceJudgement(_verdict_on_nothing(stated), state)
    if stated not in _STEP or _STEP[stated] == _STEP[state]:
        return ServiceJudgement(StateVerdict.CONTRADICTS, state)
    ahead = _STEP[stated] > _STEP[state]
    return ServiceJudgement(StateVerdict.AHEAD, stated) if ahead else ServiceJudgement(StateVerdict.KNOWN, state)


def judge_refund(state: ServiceState) -> ServiceJudgement:
    """What it means for a service that money went back: of one that is done nothing more, of one that came to nothing
    it is late.
    """
    if state is ServiceState.DONE:
        return ServiceJudgement(StateVerdict.MOVES, state)
    found = judge_service(state, ServiceState.REFUNDING)
    known = found.verdict is StateVerdict.KNOWN
    return ServiceJudgement(StateVerdict.MOVES, state) if known else found


def allowed_services(state: ServiceState) -> frozenset[ServiceState]:
    """Where a service may be told to stand next: what an answer that fits nowhere is told instead."""
    return frozenset(
        stated
        for stated in ServiceState
        if judge_service(state, stated).verdict in (StateVerdict.MOVES, StateVerdict.AHEAD)
    )


def _verdict_on_nothing(stated: ServiceState) -> StateVerdict:
    """Of a service that came to nothing: what it went through is known, that it went on is late."""
    if stated not in _STEP:
        return StateVerdict.CONTRADICTS
    return StateVerdict.LATE if _STEP[stated] >= _STEP[ServiceState.APPROVED] else StateVerdict.KNOWN
