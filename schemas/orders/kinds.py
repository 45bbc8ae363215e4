"""Kinds of events of orders, and which of them end a command."""

from __future__ import annotations

from enum import StrEnum


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
    INVOICE_REQUESTED = "invoice.requested"
    INVOICE_REFUSED = "invoice.refused"
    INVOICE_PARTLY_ISSUED = "invoice.partly_issued"
    INVOICE_ISSUED = "invoice.issued"
    INVOICE_MAILED = "invoice.mailed"
    INVOICE_VOIDED = "invoice.voided"
    INVOICE_RED = "invoice.red"
    INVOICE_MISMATCH = "invoice.mismatch"
    INVOICE_EXPIRED = "invoice.expired"
    INVOICE_PARKED = "invoice.parked"
    SERVICE_ACCEPTED = "aftersale.accepted"
    SERVICE_REFUSED = "aftersale.refused"
    SERVICE_PROGRESS = "aftersale.progress"
    SERVICE_PARKED = "aftersale.parked"
    REFUNDED = "refund.made"


TERMINAL = (
    Kind.ACCEPTED,
    Kind.REFUSED,
    Kind.CONFIRMED,
    Kind.PARTIALLY_CONFIRMED,
    Kind.PRICE_MISMATCH,
    Kind.CANCELLED,
    Kind.CANCEL_REFUSED,
    Kind.EXPIRED,
    Kind.UNSUPPORTED,
    Kind.INVOICE_REQUESTED,
    Kind.INVOICE_REFUSED,
    Kind.INVOICE_EXPIRED,
    Kind.SERVICE_ACCEPTED,
    Kind.SERVICE_REFUSED,
    Kind.SERVICE_PROGRESS,
)
"""Kinds that end a command where they name it as their cause; progress: the cancel of a service, which is cancelled."""
