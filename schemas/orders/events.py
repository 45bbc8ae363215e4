"""What became of orders at suppliers, on `mall.orders.events.v1`; written by the gateway, read by the mall core.

Key the order's number, `ce_type` from `EVENT_TYPE`, `ce_id` a UUIDv5 that a repeat carries again. Of one order events
come in the order in which the gateway heard of them, which need not be the order in which they happened.

Terminal for a command, exactly one of them comes for each whose identity can be read: accepted, refused, confirmed,
partially_confirmed, price_mismatch, cancelled, cancel_refused, expired, unsupported. `order.parked` is not: the
command waits for a person, and one of the others follows. It is told all the same, because the core could not tell an
order that waits for a person from one that is slow, and a buyer who orders elsewhere meanwhile buys twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from schemas.base import CONTROLS, Line, Model, Personal, Sku, SupplierId
from schemas.catalog import Label, PriceBasis
from schemas.orders.commands import Operation, Scope
from schemas.orders.parts import (
    MAX_LINES,
    CommandId,
    LineNo,
    LineQuantity,
    Lines,
    OrderNo,
    PersonalLine,
    PlainQuantity,
    Reference,
    Tenant,
    Totals,
    UnitPrice,
    WrittenInstant,
)

RawText = Annotated[str, StringConstraints(pattern=rf"^[^{CONTROLS}]*$", max_length=2000), Personal()]
"""Words of a supplier as they came; they may repeat what was sent, a telephone number for instance."""


class Kind(StrEnum):
    """What an event says."""

    ACCEPTED = "order.accepted"
    REFUSED = "order.refused"
    CONFIRMED = "order.confirmed"
    PARTIALLY_CONFIRMED = "order.partially_confirmed"
    SPLIT = "order.split"
    PRICE_MISMATCH = "order.price_mismatch"
    CANCELLED = "order.cancelled"
    CANCEL_REFUSED = "order.cancel_refused"
    SHIPPED = "shipment.created"
    TRACKED = "shipment.tracked"
    DELIVERED = "shipment.delivered"
    REJECTED = "shipment.rejected"
    EXPIRED = "order.expired"
    UNSUPPORTED = "order.unsupported"
    PARKED = "order.parked"


class RefusalClass(StrEnum):
    """Why a supplier refuses, in the mall's words; `operator`: a person found that the command took no effect."""

    OUT_OF_STOCK = "out_of_stock"
    NO_PRICE = "no_price"
    NOT_SELLABLE = "not_sellable"
    AREA = "area"
    ADDRESS = "address"
    CREDIT = "credit"
    INVALID_REQUEST = "invalid_request"
    NOT_PERMITTED = "not_permitted"
    CONFLICT = "conflict"
    TOO_LATE = "too_late"
    NO_SUCH_ORDER = "no_such_order"
    OPERATOR = "operator"
    OTHER = "other"


class Party(StrEnum):
    """By whom an order was cancelled, or was not; time_out: nobody confirmed or paid in time."""

    MALL = "mall"
    SUPPLIER = "supplier"
    TIME_OUT = "time_out"


class UnsupportedReason(StrEnum):
    """What the gateway cannot do with a command; invalid: it does not fit its schema."""

    UNKNOWN_SUPPLIER = "unknown_supplier"
    UNKNOWN_OPERATION = "unknown_operation"
    UNKNOWN_SCHEMA_VERSION = "unknown_schema_version"
    INVALID = "invalid"


class ParkedReason(StrEnum):
    """Why a command waits for a person.

    outcome_unknown: it may have taken effect, and nothing can be asked; gave_up: too many attempts, or still unknown at
    its deadline; predecessor: an earlier command of the order waits; contradiction: the supplier's answers disagree.
    """

    OUTCOME_UNKNOWN = "outcome_unknown"
    GAVE_UP = "gave_up"
    PREDECESSOR = "predecessor"
    CONTRADICTION = "contradiction"


class SupplierMessage(Model):
    """A message of a supplier; suppliers use one id for messages of two types."""

    type: Label = Field(description="The supplier's type of the message. Source: supplier.")
    id: Reference = Field(description="The supplier's id of the message. Source: supplier.")


class Cause(Model):
    """What an event answers or reports: a command, or a message of the supplier."""

    command_id: CommandId | None = Field(None, description="The command, null for a message. Source: core.")
    message: SupplierMessage | None = Field(None, description="The message, null for a command. Source: supplier.")

    @model_validator(mode="after")
    def _one_cause(self) -> Self:
        if (self.command_id is None) == (self.message is None):
            raise PydanticCustomError("cause", "either a command or a message")
        return self


class StatedOrder(Model):
    """An order as the supplier has it; its sums are compared by `schemas.orders.order_mismatches`, not here."""

    lines: Lines = Field((), description="All lines; empty where the supplier states none. Source: supplier.")
    totals: Totals = Field(Totals(), description="Sums that the supplier states. Source: supplier.")
    price_basis: PriceBasis = Field(PriceBasis.GROSS, description="Which price is fixed. Source: supplier's row.")


class Accepted(StatedOrder):
    """The goods are held, nothing is ordered yet."""

    reserved_until: WrittenInstant | None = Field(None, description="Until when; null is unknown. Source: supplier.")


class RefusedLine(Model):
    """A line that is a reason of a refusal."""

    line_no: LineNo | None = Field(None, description="Line of the order. Source: core.")
    sku: Sku = Field(description="Article number. Source: supplier.")
    raw_message: RawText | None = Field(None, description="What the supplier says of it. Source: supplier.")


class Refused(Model):
    """A submit or confirm had no effect."""

    operation: Operation = Field(description="What was refused. Source: the command.")
    code_class: RefusalClass = Field(description="Why, in the mall's words. Source: the supplier's code.")
    lines: Annotated[tuple[RefusedLine, ...], Field(max_length=MAX_LINES)] = Field(
        (), description="Lines concerned, where they are named. Source: supplier."
    )


class Confirmed(StatedOrder):
    """The order is placed, with these lines and quantities."""

    promised_at: WrittenInstant | None = Field(
        None, description="Promised delivery; null: no promise. Source: supplier."
    )


class PartLine(Model):
    """How much of a line is confirmed."""

    line_no: LineNo | None = Field(None, description="Line of the order. Source: core.")
    sku: Sku = Field(description="Article number. Source: supplier.")
    confirmed: PlainQuantity = Field(description="Sales units that come. Source: supplier.")
    refused: PlainQuantity = Field(description="Sales units that do not. Source: supplier.")


class PartiallyConfirmed(Confirmed):
    """The supplier cut lines or quantities; the buyer decides."""

    parts: Annotated[tuple[PartLine, ...], Field(min_length=1, max_length=MAX_LINES)] = Field(
        description="Every line of the order. Source: supplier, compared with the command."
    )

    @model_validator(mode="after")
    def _something_is_refused(self) -> Self:
        if not any(part.refused for part in self.parts):
            raise PydanticCustomError("nothing_refused", "at least one quantity that is refused")
        return self


class Child(StatedOrder):
    """One of the orders that the supplier made of an order."""

    supplier_order_no: Reference = Field(description="Its number. Source: supplier.")


class Split(Model):
    """The whole set of children as it is now; a later split may replace children of an earlier one."""

    children: Annotated[tuple[Child, ...], Field(min_length=1, max_length=MAX_LINES)] = Field(
        description="Every child there is. Source: supplier, asked for the whole set."
    )
    superseded: Annotated[tuple[Reference, ...], Field(max_length=MAX_LINES)] = Field(
        (), description="Numbers of children told before that are gone. Source: gateway."
    )

    @model_validator(mode="after")
    def _every_child_once(self) -> Self:
        numbers = [*(child.supplier_order_no for child in self.children), *self.superseded]
        if len(set(numbers)) < len(numbers):
            raise PydanticCustomError("children", "every child once, and either there or superseded")
        return self


class MismatchedLine(Model):
    """A line whose price or quantity is not the expected one."""

    line_no: LineNo | None = Field(None, description="Line of the order. Source: core.")
    sku: Sku = Field(description="Article number. Source: supplier.")
    expected: UnitPrice = Field(description="Price of a sales unit in the command. Source: core.")
    offered: UnitPrice = Field(description="Price of a sales unit now. Source: supplier.")
    expected_quantity: PlainQuantity | None = Field(None, description="Sales units in the command. Source: core.")
    offered_quantity: PlainQuantity | None = Field(None, description="Sales units offered. Source: supplier.")


class PriceMismatch(Model):
    """The order is held: prices, quantities or sums are not those of the command, or do not add up."""

    expected: Totals = Field(description="Sums of the command. Source: core.")
    offered: Totals = Field(description="Sums of the supplier's order or offer. Source: supplier.")
    lines: Annotated[tuple[MismatchedLine, ...], Field(max_length=MAX_LINES)] = Field(
        (), description="Lines that differ. Source: command and supplier."
    )
    differences: Annotated[tuple[Line, ...], Field(max_length=100)] = Field(
        (), description="Sums that the supplier states wrong, in words. Source: gateway."
    )


class Cancelled(Scope):
    """The order, or some of its children, is no more."""

    by: Party = Field(description="By whom. Source: the command, or the supplier's message.")
    reason: PersonalLine | None = Field(None, description="Why, in the words of who cancelled. Source: supplier.")


class CancelRefused(Scope):
    """The order stays as it was."""

    by: Party = Field(description="Who did not cancel; time_out: the command's deadline passed. Source: as cancelled.")
    code_class: RefusalClass = Field(description="Why, in the mall's words. Source: the supplier's code.")


class Shipment(Model):
    """A delivery: its number is the supplier's, or that of the child order where it numbers no deliveries."""

    delivery_no: Reference = Field(description="Number of the delivery. Source: supplier.")
    supplier_order_no: Reference | None = Field(None, description="Child order it is part of. Source: supplier.")


DeliveredLines = Annotated[tuple[LineQuantity, ...], Field(max_length=MAX_LINES)]


class Shipped(Shipment):
    """Goods left the supplier."""

    lines: DeliveredLines = Field((), description="What is in it; empty is unknown. Source: supplier.")
    carrier: Label | None = Field(None, description="Carrier. Source: supplier.")
    waybill: Reference | None = Field(None, description="The carrier's number. Source: supplier.")
    at: WrittenInstant | None = Field(None, description="When it left; null is unknown. Source: the supplier's clock.")


class TrackStep(Model):
    """One step of a delivery."""

    at: WrittenInstant = Field(description="When. Source: the carrier's clock.")
    text: Annotated[RawText, Field(min_length=1)] = Field(
        description="What happened; may name people. Source: carrier."
    )
    operator: PersonalLine | None = Field(None, description="Who did it. Source: carrier.")


class Tracked(Shipment):
    """Steps of a delivery that were not told before."""

    steps: Annotated[tuple[TrackStep, ...], Field(min_length=1, max_length=500)] = Field(
        description="Oldest first. Source: supplier."
    )


class Delivered(Shipment):
    """The receiver signed."""

    lines: DeliveredLines = Field((), description="What was taken; empty: all of it. Source: supplier.")
    signed_by: PersonalLine | None = Field(None, description="Who signed. Source: supplier.")
    at: WrittenInstant | None = Field(None, description="When; null is unknown. Source: the supplier's clock.")


class Rejected(Shipment):
    """The receiver refused the goods."""

    lines: DeliveredLines = Field((), description="What was refused; empty: all of it. Source: supplier.")
    reason: PersonalLine | None = Field(None, description="Why. Source: supplier.")
    at: WrittenInstant | None = Field(None, description="When; null is unknown. Source: the supplier's clock.")


class Expired(Model):
    """The deadline passed, and surely nothing was sent."""

    operation: Operation = Field(description="What was asked. Source: the command.")
    deadline: WrittenInstant = Field(description="The deadline. Source: the command.")


class Unsupported(Model):
    """The gateway cannot act on the command; nothing was sent."""

    reason: UnsupportedReason = Field(description="Why. Source: gateway.")
    operation: Label | None = Field(None, description="The operation as the command names it. Source: core.")
    problems: Annotated[tuple[Line, ...], Field(max_length=100)] = Field(
        (), description="What is wrong where, without personal data. Source: gateway."
    )


class Parked(Model):
    """The command waits for a person."""

    operation: Operation = Field(description="What was asked. Source: the command.")
    reason: ParkedReason = Field(description="Why. Source: gateway.")


class Event(Model):
    """What every event says."""

    order_no: OrderNo = Field(description="The mall's number of the order, key of the record. Source: core.")
    tenant: Tenant | None = Field(None, description="Jurisdiction that buys; null: unreadable. Source: the command.")
    cause: Cause = Field(description="What it answers or reports. Source: core, else supplier.")
    occurred_at: WrittenInstant = Field(description="When it was so. Source: supplier, else the gateway's clock.")


class SupplierEvent(Event):
    """An event of an order at a known supplier."""

    supplier: SupplierId = Field(description="At whom. Source: the command, or whose message it is.")
    supplier_order_nos: Annotated[tuple[Reference, ...], Field(max_length=MAX_LINES)] = Field(
        (), description="The supplier's numbers of the order. Source: supplier."
    )
    raw_code: Annotated[str, StringConstraints(pattern=rf"^[^{CONTROLS}]*$", max_length=200)] | None = Field(
        None, description="The supplier's own code, as it came; null: there is none. Source: supplier."
    )
    raw_message: RawText | None = Field(None, description="The supplier's own words, as they came. Source: supplier.")


_WHAT = "What became of the order. Source: gateway."
_MORE = "All about it. Source: as its fields say."


class OrderAccepted(SupplierEvent):
    """The supplier holds the goods for the order."""

    event: Literal["order.accepted"] = Field("order.accepted", description=_WHAT)
    payload: Accepted = Field(description=_MORE)


class OrderRefused(SupplierEvent):
    """The supplier said no to a submit or confirm."""

    event: Literal["order.refused"] = Field("order.refused", description=_WHAT)
    payload: Refused = Field(description=_MORE)


class OrderConfirmed(SupplierEvent):
    """The order is placed."""

    event: Literal["order.confirmed"] = Field("order.confirmed", description=_WHAT)
    payload: Confirmed = Field(description=_MORE)


class OrderPartiallyConfirmed(SupplierEvent):
    """The order is placed in part."""

    event: Literal["order.partially_confirmed"] = Field("order.partially_confirmed", description=_WHAT)
    payload: PartiallyConfirmed = Field(description=_MORE)


class OrderSplit(SupplierEvent):
    """The supplier made several orders of one."""

    event: Literal["order.split"] = Field("order.split", description=_WHAT)
    payload: Split = Field(description=_MORE)


class OrderPriceMismatch(SupplierEvent):
    """The order is held; supplier_order_nos says whether the supplier holds one all the same."""

    event: Literal["order.price_mismatch"] = Field("order.price_mismatch", description=_WHAT)
    payload: PriceMismatch = Field(description=_MORE)


class OrderCancelled(SupplierEvent):
    """The order, or some of its children, is cancelled."""

    event: Literal["order.cancelled"] = Field("order.cancelled", description=_WHAT)
    payload: Cancelled = Field(description=_MORE)


class OrderCancelRefused(SupplierEvent):
    """A cancel had no effect."""

    event: Literal["order.cancel_refused"] = Field("order.cancel_refused", description=_WHAT)
    payload: CancelRefused = Field(description=_MORE)


class ShipmentCreated(SupplierEvent):
    """Goods are on their way."""

    event: Literal["shipment.created"] = Field("shipment.created", description=_WHAT)
    payload: Shipped = Field(description=_MORE)


class ShipmentTracked(SupplierEvent):
    """Where goods are."""

    event: Literal["shipment.tracked"] = Field("shipment.tracked", description=_WHAT)
    payload: Tracked = Field(description=_MORE)


class ShipmentDelivered(SupplierEvent):
    """Goods were signed for."""

    event: Literal["shipment.delivered"] = Field("shipment.delivered", description=_WHAT)
    payload: Delivered = Field(description=_MORE)


class ShipmentRejected(SupplierEvent):
    """Goods were refused at the door."""

    event: Literal["shipment.rejected"] = Field("shipment.rejected", description=_WHAT)
    payload: Rejected = Field(description=_MORE)


class OrderExpired(SupplierEvent):
    """The command's deadline passed before anything was sent."""

    event: Literal["order.expired"] = Field("order.expired", description=_WHAT)
    payload: Expired = Field(description=_MORE)


class OrderUnsupported(Event):
    """Nobody can act on the command."""

    event: Literal["order.unsupported"] = Field("order.unsupported", description=_WHAT)
    supplier: Label | None = Field(None, description="Supplier as the command names it. Source: core.")
    payload: Unsupported = Field(description=_MORE)


class OrderParked(SupplierEvent):
    """The command waits for a person; another event follows."""

    event: Literal["order.parked"] = Field("order.parked", description=_WHAT)
    payload: Parked = Field(description=_MORE)


OrderEvent = (
    OrderAccepted
    | OrderRefused
    | OrderConfirmed
    | OrderPartiallyConfirmed
    | OrderSplit
    | OrderPriceMismatch
    | OrderCancelled
    | OrderCancelRefused
    | ShipmentCreated
    | ShipmentTracked
    | ShipmentDelivered
    | ShipmentRejected
    | OrderExpired
    | OrderUnsupported
    | OrderParked
)

EVENTS: Mapping[Kind, type[OrderEvent]] = {
    Kind.ACCEPTED: OrderAccepted,
    Kind.REFUSED: OrderRefused,
    Kind.CONFIRMED: OrderConfirmed,
    Kind.PARTIALLY_CONFIRMED: OrderPartiallyConfirmed,
    Kind.SPLIT: OrderSplit,
    Kind.PRICE_MISMATCH: OrderPriceMismatch,
    Kind.CANCELLED: OrderCancelled,
    Kind.CANCEL_REFUSED: OrderCancelRefused,
    Kind.SHIPPED: ShipmentCreated,
    Kind.TRACKED: ShipmentTracked,
    Kind.DELIVERED: ShipmentDelivered,
    Kind.REJECTED: ShipmentRejected,
    Kind.EXPIRED: OrderExpired,
    Kind.UNSUPPORTED: OrderUnsupported,
    Kind.PARKED: OrderParked,
}
"""The event of each kind."""
