"""What the events of orders carry, each model in the event of its name.

Amounts are as the supplier states them; `schemas.orders.order_mismatches` compares them, no model does.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from schemas.base import Line, Model, Sku
from schemas.catalog import Label, PriceBasis
from schemas.orders.aftersales import AfterSaleOperation, AfterSaleRefusal, ServiceNo
from schemas.orders.commands import OrderOperation, Scope
from schemas.orders.invoices import MarkId
from schemas.orders.parts import (
    MAX_LINES,
    LineNo,
    LineQuantity,
    Lines,
    PersonalLine,
    PlainQuantity,
    RawText,
    Reference,
    SupplierInstant,
    Totals,
    UnitPrice,
)


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


class StatedOrder(Model):
    """An order as the supplier has it; its sums are compared by `schemas.orders.order_mismatches`, not here."""

    lines: Lines = Field((), description="All lines; empty where the supplier states none. Source: supplier.")
    totals: Totals = Field(Totals(), description="Sums that the supplier states. Source: supplier.")
    price_basis: PriceBasis = Field(PriceBasis.GROSS, description="Which price is fixed. Source: supplier's row.")


class Accepted(StatedOrder):
    """The goods are held, nothing is ordered yet."""

    reserved_until: SupplierInstant | None = Field(None, description="Until when; null is unknown. Source: supplier.")


class RefusedLine(Model):
    """A line that is a reason of a refusal."""

    line_no: LineNo | None = Field(None, description="Line of the order. Source: core.")
    sku: Sku = Field(description="Article number. Source: supplier.")
    raw_message: RawText | None = Field(None, description="What the supplier says of it. Source: supplier.")


class Refused(Model):
    """A submit or confirm had no effect."""

    operation: OrderOperation = Field(description="What was refused. Source: the command.")
    code_class: RefusalClass = Field(description="Why, in the mall's words. Source: the supplier's code.")
    lines: Annotated[tuple[RefusedLine, ...], Field(max_length=MAX_LINES)] = Field(
        (), description="Lines concerned, where they are named. Source: supplier."
    )


class Confirmed(StatedOrder):
    """The order is placed, with these lines and quantities."""

    promised_at: SupplierInstant | None = Field(
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
    at: SupplierInstant | None = Field(None, description="When it left; null is unknown. Source: the supplier's clock.")


class TrackStep(Model):
    """One step of a delivery."""

    at: SupplierInstant = Field(description="When. Source: the carrier's clock.")
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
    at: SupplierInstant | None = Field(None, description="When; null is unknown. Source: the supplier's clock.")


class Rejected(Shipment):
    """The receiver refused the goods."""

    lines: DeliveredLines = Field((), description="What was refused; empty: all of it. Source: supplier.")
    reason: PersonalLine | None = Field(None, description="Why. Source: supplier.")
    at: SupplierInstant | None = Field(None, description="When; null is unknown. Source: the supplier's clock.")


class Expired(Model):
    """The deadline passed; nothing was sent, or what was sent surely came to nothing."""

    operation: OrderOperation = Field(description="What was asked. Source: the command.")
    deadline: SupplierInstant = Field(description="The deadline. Source: the command.")


class Unsupported(Model):
    """The gateway cannot act on the command; nothing was sent."""

    reason: UnsupportedReason = Field(description="Why. Source: gateway.")
    operation: Label | None = Field(None, description="The operation as the command names it. Source: core.")
    problems: Annotated[tuple[Line, ...], Field(max_length=100)] = Field(
        (), description="What is wrong where, without personal data. Source: gateway."
    )


class Parked(Model):
    """The command waits for a person."""

    operation: OrderOperation = Field(description="What was asked. Source: the command.")
    reason: ParkedReason = Field(description="Why. Source: gateway.")


MAYBE_MARK_ID = "The application; null: the command cannot be read. Source: core."


class InvoiceRefused(Model):
    """The application had no effect, or the supplier sent it back later."""

    mark_id: MarkId | None = Field(None, description=MAYBE_MARK_ID)
    code_class: RefusalClass = Field(description="Why, in the mall's words. Source: the supplier's code.")


class InvoiceExpired(Model):
    """The deadline passed; nothing was sent, or what was sent surely came to nothing."""

    mark_id: MarkId | None = Field(None, description=MAYBE_MARK_ID)
    deadline: SupplierInstant = Field(description="The deadline. Source: the command.")


class InvoiceParked(Model):
    """The command waits for a person."""

    mark_id: MarkId | None = Field(None, description=MAYBE_MARK_ID)
    reason: ParkedReason = Field(description="Why. Source: gateway.")


class _OfService(Model):
    """What was asked of which service."""

    operation: AfterSaleOperation = Field(description="What was asked. Source: the command.")
    service_no: ServiceNo | None = Field(
        None, description="The mall's number of the service; null: the command cannot be read any more. Source: core."
    )


class AfterSaleNotDone(_OfService):
    """A request, or its cancel, had no effect."""

    code_class: AfterSaleRefusal = Field(description="Why, in the mall's words. Source: gateway, else supplier.")
    by: Party = Field(
        Party.SUPPLIER,
        description="Who refused; mall: a precondition does not hold, or the order's cancel overtook it; time_out: the "
        "deadline passed. Source: gateway.",
    )


class AfterSaleWaits(_OfService):
    """The command waits for a person."""

    reason: ParkedReason = Field(description="Why. Source: gateway.")
