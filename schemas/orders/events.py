"""What became of orders at suppliers, on `mall.orders.events.v1`; written by the gateway, read by the mall core.

Key the order's number, `ce_type` from `EVENT_TYPE`, `ce_id` a UUIDv5 that a repeat carries again. Of one order events
come in the order in which the gateway heard of them, which need not be the order in which they happened.

Exactly one of TERMINAL comes for each command whose identity can be read. `order.parked`, `invoice.parked` and
`aftersale.parked` are not terminal: the command waits for a person, and one of the others follows. They are told all
the same, because the core could not tell an order that waits for a person from one that is slow, and a buyer who orders
elsewhere meanwhile buys twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from schemas.base import CONTROLS, Model, SupplierId
from schemas.catalog import Label
from schemas.orders.aftersales import AfterSaleMoved, AfterSaleTaken, RefundMade
from schemas.orders.invoices import InvoiceMismatch, InvoiceProgress, InvoiceRequested
from schemas.orders.kinds import Kind
from schemas.orders.parts import MAX_LINES, CommandId, OrderNo, RawText, Reference, SupplierInstant, Tenant
from schemas.orders.payloads import (
    Accepted,
    AfterSaleNotDone,
    AfterSaleWaits,
    Cancelled,
    CancelRefused,
    Confirmed,
    Delivered,
    Expired,
    InvoiceExpired,
    InvoiceParked,
    InvoiceRefused,
    Parked,
    PartiallyConfirmed,
    PriceMismatch,
    Refused,
    Rejected,
    Shipped,
    Split,
    Tracked,
    Unsupported,
)


class SupplierMessage(Model):
    """A message of a supplier; suppliers use one id for messages of two types."""

    type: Label = Field(
        description="The supplier's type of the message; reread: the gateway looked by itself; resolution: a person "
        "decided about a held order. Source: supplier."
    )
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


class Event(Model):
    """What every event says."""

    order_no: OrderNo = Field(description="The mall's number of the order, key of the record. Source: core.")
    tenant: Tenant | None = Field(None, description="Jurisdiction that buys; null: unreadable. Source: the command.")
    cause: Cause = Field(description="What it answers or reports. Source: core, else supplier.")
    occurred_at: SupplierInstant = Field(description="When it was so. Source: supplier, else the gateway's clock.")


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
    """The command's deadline passed and it took no effect: nothing was sent, or what was sent came to nothing."""

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


_APPLICATION = "What became of an application for invoices. Source: gateway."


class InvoiceRequestedEvent(SupplierEvent):
    """The supplier took an application for invoices."""

    event: Literal["invoice.requested"] = Field("invoice.requested", description=_APPLICATION)
    payload: InvoiceRequested = Field(description=_MORE)


class InvoiceRefusedEvent(SupplierEvent):
    """An application for invoices had no effect, or was sent back."""

    event: Literal["invoice.refused"] = Field("invoice.refused", description=_APPLICATION)
    payload: InvoiceRefused = Field(description=_MORE)


class InvoicePartlyIssued(SupplierEvent):
    """Some of the invoices are made out."""

    event: Literal["invoice.partly_issued"] = Field("invoice.partly_issued", description=_APPLICATION)
    payload: InvoiceProgress = Field(description=_MORE)


class InvoiceIssued(SupplierEvent):
    """All invoices are made out, and come to what was asked for."""

    event: Literal["invoice.issued"] = Field("invoice.issued", description=_APPLICATION)
    payload: InvoiceProgress = Field(description=_MORE)


class InvoiceMailed(SupplierEvent):
    """The invoices are on their way."""

    event: Literal["invoice.mailed"] = Field("invoice.mailed", description=_APPLICATION)
    payload: InvoiceProgress = Field(description=_MORE)


class InvoiceVoided(SupplierEvent):
    """Every invoice of the application is void."""

    event: Literal["invoice.voided"] = Field("invoice.voided", description=_APPLICATION)
    payload: InvoiceProgress = Field(description=_MORE)


class InvoiceRed(SupplierEvent):
    """A red invoice takes back one that was made out."""

    event: Literal["invoice.red"] = Field("invoice.red", description=_APPLICATION)
    payload: InvoiceProgress = Field(description=_MORE)


class InvoiceMismatchEvent(SupplierEvent):
    """The application is held: its invoices are not what was asked for, or do not add up."""

    event: Literal["invoice.mismatch"] = Field("invoice.mismatch", description=_APPLICATION)
    payload: InvoiceMismatch = Field(description=_MORE)


class InvoiceExpiredEvent(SupplierEvent):
    """The deadline of an application passed and it took no effect."""

    event: Literal["invoice.expired"] = Field("invoice.expired", description=_APPLICATION)
    payload: InvoiceExpired = Field(description=_MORE)


class InvoiceParkedEvent(SupplierEvent):
    """An application waits for a person; another event follows."""

    event: Literal["invoice.parked"] = Field("invoice.parked", description=_APPLICATION)
    payload: InvoiceParked = Field(description=_MORE)


InvoiceEvent = (
    InvoiceRequestedEvent
    | InvoiceRefusedEvent
    | InvoicePartlyIssued
    | InvoiceIssued
    | InvoiceMailed
    | InvoiceVoided
    | InvoiceRed
    | InvoiceMismatchEvent
    | InvoiceExpiredEvent
    | InvoiceParkedEvent
)


class AfterSaleAccepted(SupplierEvent):
    """The supplier has a request for after-sale; whether it grants it is told later."""

    event: Literal["aftersale.accepted"] = Field("aftersale.accepted", description=_WHAT)
    payload: AfterSaleTaken = Field(description=_MORE)


class AfterSaleRefused(SupplierEvent):
    """A request for after-sale, or its cancel, had no effect."""

    event: Literal["aftersale.refused"] = Field("aftersale.refused", description=_WHAT)
    payload: AfterSaleNotDone = Field(description=_MORE)


class AfterSaleProgress(SupplierEvent):
    """How far an after-sale service is."""

    event: Literal["aftersale.progress"] = Field("aftersale.progress", description=_WHAT)
    payload: AfterSaleMoved = Field(description=_MORE)


class AfterSaleParked(SupplierEvent):
    """A command about an after-sale service waits for a person; another event follows."""

    event: Literal["aftersale.parked"] = Field("aftersale.parked", description=_WHAT)
    payload: AfterSaleWaits = Field(description=_MORE)


class AfterSaleRefunded(SupplierEvent):
    """Money of an after-sale service went back."""

    event: Literal["refund.made"] = Field("refund.made", description=_WHAT)
    payload: RefundMade = Field(description=_MORE)


AfterSaleEvent = AfterSaleAccepted | AfterSaleRefused | AfterSaleProgress | AfterSaleParked | AfterSaleRefunded

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
    | InvoiceEvent
    | AfterSaleEvent
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
    Kind.INVOICE_REQUESTED: InvoiceRequestedEvent,
    Kind.INVOICE_REFUSED: InvoiceRefusedEvent,
    Kind.INVOICE_PARTLY_ISSUED: InvoicePartlyIssued,
    Kind.INVOICE_ISSUED: InvoiceIssued,
    Kind.INVOICE_MAILED: InvoiceMailed,
    Kind.INVOICE_VOIDED: InvoiceVoided,
    Kind.INVOICE_RED: InvoiceRed,
    Kind.INVOICE_MISMATCH: InvoiceMismatchEvent,
    Kind.INVOICE_EXPIRED: InvoiceExpiredEvent,
    Kind.INVOICE_PARKED: InvoiceParkedEvent,
    Kind.SERVICE_ACCEPTED: AfterSaleAccepted,
    Kind.SERVICE_REFUSED: AfterSaleRefused,
    Kind.SERVICE_PROGRESS: AfterSaleProgress,
    Kind.SERVICE_PARKED: AfterSaleParked,
    Kind.REFUNDED: AfterSaleRefunded,
}
"""The event of each kind."""
