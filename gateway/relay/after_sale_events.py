"""What the mall core is told of commands about after-sale services. Pure.

Every such command ends in one event: a request in `aftersale.accepted` or `aftersale.refused`, its cancel in
`aftersale.progress` or `aftersale.refused`. One that waits for a person is told of by `aftersale.parked` meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from gateway.relay.commands import Command
from gateway.sdk.after_sales import Refund, SupplierAfterSale
from gateway.sdk.errors import AfterSaleRefusedError
from schemas.orders import (
    AfterSaleCommand,
    AfterSaleEvent,
    AfterSaleRefusal,
    ParkedReason,
    Party,
    RequestAfterSale,
    ServiceState,
)
from schemas.orders.aftersales import AfterSaleMoved, AfterSaleOperation, AfterSaleTaken, RefundMade, ServiceNo
from schemas.orders.events import (
    AfterSaleAccepted,
    AfterSaleParked,
    AfterSaleProgress,
    AfterSaleRefunded,
    AfterSaleRefused,
)
from schemas.orders.payloads import AfterSaleNotDone, AfterSaleWaits

_REPORTED_MEMBERS = ("state", "audit", "audit_code", "notes", "return_address", "new_order_no")
"""What is told of a service beside its numbers."""

BY_THE_GATEWAY = frozenset(
    {
        AfterSaleRefusal.NOT_CONFIRMED,
        AfterSaleRefusal.NOT_DELIVERED,
        AfterSaleRefusal.QUANTITY,
        AfterSaleRefusal.NOT_OF_ORDER,
        AfterSaleRefusal.ORDER_OVER,
        AfterSaleRefusal.NUMBER_USED,
        AfterSaleRefusal.NO_SUCH_SERVICE,
        AfterSaleRefusal.TOO_LATE,
    }
)
"""Preconditions that the gateway knows; what it refuses for one of them never reached the supplier."""


def done_event(
    command: AfterSaleCommand, service: SupplierAfterSale | None, common: Mapping[str, Any]
) -> AfterSaleEvent:
    """A request that the supplier took, or a cancel that took effect. common: members that every event has."""
    number = None if service is None else service.supplier_service_no
    taken: dict[str, Any] = {"service_no": command.payload.service_no, "supplier_service_no": number}
    if isinstance(command, RequestAfterSale):
        return AfterSaleAccepted(**common, payload=AfterSaleTaken(**taken))
    return AfterSaleProgress(**common, payload=AfterSaleMoved(**taken, state=ServiceState.CANCELLED))


def refused_event(
    command: AfterSaleCommand, error: BaseException | None, common: Mapping[str, Any], *, resolved: bool
) -> AfterSaleEvent:
    """A command that was refused. error: how; resolved: a person found out that it had no effect."""
    refusal = error.refusal if isinstance(error, AfterSaleRefusedError) else AfterSaleRefusal.OTHER
    unsent = isinstance(error, AfterSaleRefusedError) and error.status is None and not error.operation
    code_class = AfterSaleRefusal.OPERATOR if resolved else refusal
    by = Party.MALL if unsent and refusal in BY_THE_GATEWAY else Party.SUPPLIER
    payload = not_done(command.operation, command.payload.service_no, code_class, by)
    return AfterSaleRefused(**common, payload=payload)


def ended_event(
    command: Command, asked: AfterSaleCommand | None, common: Mapping[str, Any], code_class: AfterSaleRefusal, by: Party
) -> AfterSaleEvent:
    """A command that ended without a call. asked: what it says, None where that cannot be read."""
    service_no = None if asked is None else asked.payload.service_no
    return AfterSaleRefused(**common, payload=not_done(command.operation, service_no, code_class, by))


def waiting_event(
    command: Command, asked: AfterSaleCommand | None, common: Mapping[str, Any], reason: ParkedReason
) -> AfterSaleEvent:
    """A command that waits for a person."""
    service_no = None if asked is None else asked.payload.service_no
    operation = cast(AfterSaleOperation, command.operation)
    return AfterSaleParked(**common, payload=AfterSaleWaits(operation=operation, service_no=service_no, reason=reason))


def not_done(operation: str, service_no: ServiceNo | None, code_class: AfterSaleRefusal, by: Party) -> AfterSaleNotDone:
    """That a command about a service had no effect."""
    asked = cast(AfterSaleOperation, operation)
    return AfterSaleNotDone(operation=asked, service_no=service_no, code_class=code_class, by=by)


def progress_event(service_no: ServiceNo, service: SupplierAfterSale, common: Mapping[str, Any]) -> AfterSaleProgress:
    """How far a service is at the supplier."""
    facts: dict[str, Any] = {name: getattr(service, name) for name in _REPORTED_MEMBERS}
    payload = AfterSaleMoved(service_no=service_no, supplier_service_no=service.supplier_service_no, **facts)
    return AfterSaleProgress(**common, raw_code=service.raw_code, payload=payload)


def refund_event(
    service_no: ServiceNo, service: SupplierAfterSale, refund: Refund, common: Mapping[str, Any]
) -> AfterSaleRefunded:
    """Money that went back for a service."""
    payload = RefundMade(
        service_no=service_no,
        supplier_service_no=service.supplier_service_no,
        amount=refund.amount,
        at=refund.at,
        credit_note=refund.credit_note,
    )
    return AfterSaleRefunded(**common, payload=payload)
