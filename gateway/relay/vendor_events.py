"""What vendors tell of orders by HTTP: a model for each event, made of what the event for the mall core carries.

Whose order it is says the credential, which one the address; what it answers the gateway finds out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, StringConstraints

from gateway.sdk.errors import GatewayError
from schemas.base import CONTROLS, Model
from schemas.orders import EVENTS, Kind, OrderEvent
from schemas.orders.aftersales import AfterSaleMoved, AfterSaleTaken, RefundMade
from schemas.orders.events import Cause
from schemas.orders.invoices import InvoiceProgress, InvoiceRequested
from schemas.orders.parts import MAX_LINES, OrderNo, RawText, Reference, Tenant, WrittenInstant
from schemas.orders.payloads import (
    Accepted,
    AfterSaleNotDone,
    Cancelled,
    CancelRefused,
    Confirmed,
    Delivered,
    InvoiceRefused,
    PartiallyConfirmed,
    PriceMismatch,
    Refused,
    Rejected,
    Shipped,
    Split,
    Tracked,
)


class ValueRefusedError(GatewayError):
    """A value of an event cannot be, by what is known beside it. path: a JSON pointer; expected: what could be."""

    def __init__(self, path: str, expected: str) -> None:
        super().__init__(f"{path}: not {expected}")
        self.path = path
        self.expected = expected


class _VendorEventBase(Model):
    """What every event of a vendor says."""

    occurred_at: WrittenInstant | None = Field(None, description="When it was so, with offset; null: now.")
    supplier_order_nos: Annotated[tuple[Reference, ...], Field(max_length=MAX_LINES)] = Field(
        (), description="Your numbers of the order, that of the whole first."
    )
    raw_code: Annotated[str, StringConstraints(pattern=rf"^[^{CONTROLS}]*$", max_length=200)] | None = Field(
        None, description="Your own code, where there is one."
    )
    raw_message: RawText | None = Field(None, description="Your own words, where there are any.")


_WHAT = "What became of the order."
_MORE = "All about it."


class AcceptedByVendor(_VendorEventBase):
    """The goods are held for the order; it is placed once the mall confirms."""

    event: Literal["order.accepted"] = Field(description=_WHAT)
    payload: Accepted = Field(Accepted(), description=_MORE)


class RefusedByVendor(_VendorEventBase):
    """A submit or confirm is refused."""

    event: Literal["order.refused"] = Field(description=_WHAT)
    payload: Refused = Field(description=_MORE)


class ConfirmedByVendor(_VendorEventBase):
    """The order is placed."""

    event: Literal["order.confirmed"] = Field(description=_WHAT)
    payload: Confirmed = Field(Confirmed(), description=_MORE)


class PartiallyConfirmedByVendor(_VendorEventBase):
    """The order is placed in part."""

    event: Literal["order.partially_confirmed"] = Field(description=_WHAT)
    payload: PartiallyConfirmed = Field(description=_MORE)


class SplitByVendor(_VendorEventBase):
    """Several orders were made of it; every one that there is now."""

    event: Literal["order.split"] = Field(description=_WHAT)
    payload: Split = Field(description=_MORE)


class PriceMismatchByVendor(_VendorEventBase):
    """Prices are no longer those of the order."""

    event: Literal["order.price_mismatch"] = Field(description=_WHAT)
    payload: PriceMismatch = Field(description=_MORE)


class CancelledByVendor(_VendorEventBase):
    """The order, or some of its children, is cancelled."""

    event: Literal["order.cancelled"] = Field(description=_WHAT)
    payload: Cancelled = Field(description=_MORE)


class CancelRefusedByVendor(_VendorEventBase):
    """A cancel is refused; the order stays as it was."""

    event: Literal["order.cancel_refused"] = Field(description=_WHAT)
    payload: CancelRefused = Field(description=_MORE)


class ShippedByVendor(_VendorEventBase):
    """Goods are on their way."""

    event: Literal["shipment.created"] = Field(description=_WHAT)
    payload: Shipped = Field(description=_MORE)


class TrackedByVendor(_VendorEventBase):
    """Where goods are: steps that were not told before."""

    event: Literal["shipment.tracked"] = Field(description=_WHAT)
    payload: Tracked = Field(description=_MORE)


class DeliveredByVendor(_VendorEventBase):
    """The receiver signed. Without lines: all of the order has arrived."""

    event: Literal["shipment.delivered"] = Field(description=_WHAT)
    payload: Delivered = Field(description=_MORE)


class RejectedByVendor(_VendorEventBase):
    """The receiver refused the goods. Without lines: all of them."""

    event: Literal["shipment.rejected"] = Field(description=_WHAT)
    payload: Rejected = Field(description=_MORE)


_APPLICATION = "What became of the application for invoices."


class InvoiceRequestedByVendor(_VendorEventBase):
    """The application is taken; what is made out is told later."""

    event: Literal["invoice.requested"] = Field(description=_APPLICATION)
    payload: InvoiceRequested = Field(description=_MORE)


class InvoiceRefusedByVendor(_VendorEventBase):
    """The application is refused, or sent back later."""

    event: Literal["invoice.refused"] = Field(description=_APPLICATION)
    payload: InvoiceRefused = Field(description=_MORE)


class InvoicePartlyIssuedByVendor(_VendorEventBase):
    """Some invoices are made out: those that are new, or all so far."""

    event: Literal["invoice.partly_issued"] = Field(description=_APPLICATION)
    payload: InvoiceProgress = Field(description=_MORE)


class InvoiceIssuedByVendor(_VendorEventBase):
    """All invoices are made out; together they come to what was asked for."""

    event: Literal["invoice.issued"] = Field(description=_APPLICATION)
    payload: InvoiceProgress = Field(description=_MORE)


class InvoiceMailedByVendor(_VendorEventBase):
    """The invoices are on their way."""

    event: Literal["invoice.mailed"] = Field(description=_APPLICATION)
    payload: InvoiceProgress = Field(description=_MORE)


class InvoiceVoidedByVendor(_VendorEventBase):
    """Invoices are void: those that are listed with standing void."""

    event: Literal["invoice.voided"] = Field(description=_APPLICATION)
    payload: InvoiceProgress = Field(description=_MORE)


class InvoiceRedByVendor(_VendorEventBase):
    """Red invoices, with standing red, take back some that were made out, each its `original`."""

    event: Literal["invoice.red"] = Field(description=_APPLICATION)
    payload: InvoiceProgress = Field(description=_MORE)


class AfterSaleAcceptedByVendor(_VendorEventBase):
    """You have a request for after-sale; whether you grant it you tell as progress."""

    event: Literal["aftersale.accepted"] = Field(description=_WHAT)
    payload: AfterSaleTaken = Field(description=_MORE)


class AfterSaleRefusedByVendor(_VendorEventBase):
    """A request for after-sale, or its cancel, is not taken."""

    event: Literal["aftersale.refused"] = Field(description=_WHAT)
    payload: AfterSaleNotDone = Field(description=_MORE)


class AfterSaleProgressByVendor(_VendorEventBase):
    """How far a service is: `cancelled` answers a cancel, anything answers a request that has no answer yet."""

    event: Literal["aftersale.progress"] = Field(description=_WHAT)
    payload: AfterSaleMoved = Field(description=_MORE)


class RefundedByVendor(_VendorEventBase):
    """Money of a service went back."""

    event: Literal["refund.made"] = Field(description=_WHAT)
    payload: RefundMade = Field(description=_MORE)


ServiceVendorEvent: TypeAlias = (
    AfterSaleAcceptedByVendor | AfterSaleRefusedByVendor | AfterSaleProgressByVendor | RefundedByVendor
)
"""What vendors tell of after-sale services."""

VendorEvent: TypeAlias = (
    AcceptedByVendor
    | RefusedByVendor
    | ConfirmedByVendor
    | PartiallyConfirmedByVendor
    | SplitByVendor
    | PriceMismatchByVendor
    | CancelledByVendor
    | CancelRefusedByVendor
    | ShippedByVendor
    | TrackedByVendor
    | DeliveredByVendor
    | RejectedByVendor
    | InvoiceRequestedByVendor
    | InvoiceRefusedByVendor
    | InvoicePartlyIssuedByVendor
    | InvoiceIssuedByVendor
    | InvoiceMailedByVendor
    | InvoiceVoidedByVendor
    | InvoiceRedByVendor
    | AfterSaleAcceptedByVendor
    | AfterSaleRefusedByVendor
    | AfterSaleProgressByVendor
    | RefundedByVendor
)

VENDOR_EVENTS: Mapping[Kind, type[VendorEvent]] = {
    Kind.ACCEPTED: AcceptedByVendor,
    Kind.REFUSED: RefusedByVendor,
    Kind.CONFIRMED: ConfirmedByVendor,
    Kind.PARTIALLY_CONFIRMED: PartiallyConfirmedByVendor,
    Kind.SPLIT: SplitByVendor,
    Kind.PRICE_MISMATCH: PriceMismatchByVendor,
    Kind.CANCELLED: CancelledByVendor,
    Kind.CANCEL_REFUSED: CancelRefusedByVendor,
    Kind.SHIPPED: ShippedByVendor,
    Kind.TRACKED: TrackedByVendor,
    Kind.DELIVERED: DeliveredByVendor,
    Kind.REJECTED: RejectedByVendor,
    Kind.INVOICE_REQUESTED: InvoiceRequestedByVendor,
    Kind.INVOICE_REFUSED: InvoiceRefusedByVendor,
    Kind.INVOICE_PARTLY_ISSUED: InvoicePartlyIssuedByVendor,
    Kind.INVOICE_ISSUED: InvoiceIssuedByVendor,
    Kind.INVOICE_MAILED: InvoiceMailedByVendor,
    Kind.INVOICE_VOIDED: InvoiceVoidedByVendor,
    Kind.INVOICE_RED: InvoiceRedByVendor,
    Kind.SERVICE_ACCEPTED: AfterSaleAcceptedByVendor,
    Kind.SERVICE_REFUSED: AfterSaleRefusedByVendor,
    Kind.SERVICE_PROGRESS: AfterSaleProgressByVendor,
    Kind.REFUNDED: RefundedByVendor,
}
"""What vendors can tell, by its kind."""


def core_event(
    event: VendorEvent,
    *,
    supplier: str,
    order_no: OrderNo,
    tenant: Tenant | None,
    cause: Cause,
    now: WrittenInstant,
    replacement: tuple[Kind, Model] | None = None,
) -> OrderEvent:
    """The event for the mall core. now: when it was heard, for one that does not say when it was so; replacement: kind
    and
    payload, where these are others than the vendor's.
    """
    kind, payload = replacement or (Kind(event.event), event.payload)
    members: dict[str, Any] = {name: getattr(event, name) for name in _VendorEventBase.model_fields} | {
        "payload": payload,
        "supplier": supplier,
        "order_no": order_no,
        "tenant": tenant,
        "cause": cause,
        "occurred_at": event.occurred_at or now,
    }
    return EVENTS[kind](**members)
