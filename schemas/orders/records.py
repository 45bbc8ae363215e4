"""Names, identities and headers of the records of orders."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from schemas.envelope import JSON, Envelope, Headers, encode, message_id, schema_id, source_of
from schemas.orders.commands import Operation
from schemas.orders.events import Cause, OrderEvent, OrderUnsupported
from schemas.orders.kinds import Kind

COMMAND_TYPE: Mapping[Operation, str] = {operation: f"mall.orders.{operation}.v1" for operation in Operation}
"""`ce_type` of each command."""

EVENT_TYPE: Mapping[Kind, str] = {kind: f"mall.orders.{kind}.v1" for kind in Kind}
"""`ce_type` of each event."""


def schema_name(name: str) -> str:
    """Name of the published schema of a command or event: `order-submit` of `order.submit`."""
    return name.replace(".", "-").replace("_", "-")


def order_key(order_no: str) -> bytes:
    """Key of every record of an order."""
    return order_no.encode()


def event_id(event: OrderEvent) -> str:
    """`ce_id`: the same for the same cause, kind and content, whenever and by whichever process it is told.

    A member that has its default does not count: an event that is repeated by a later version, whose models have more
    members, stays the same message.
    """
    content = event.model_dump_json(exclude={"occurred_at"}, exclude_defaults=True)
    parts = (event.order_no, *cause_parts(event.cause), hashlib.sha256(content.encode()).hexdigest())
    return str(message_id(EVENT_TYPE[Kind(event.event)], *parts))


def cause_parts(cause: Cause) -> tuple[str, ...]:
    """What tells one cause of an event from another."""
    if cause.message is None:
        return "command", str(cause.command_id)
    return "message", cause.message.type, cause.message.id


def event_headers(event: OrderEvent, *, traceparent: str | None = None) -> Headers:
    """Headers of the record that carries the event."""
    known = None if isinstance(event, OrderUnsupported) else event.supplier
    return encode(
        Envelope(
            id=event_id(event),
            source=source_of(known) if known else "/mallgate",
            type=EVENT_TYPE[Kind(event.event)],
            subject=event.order_no,
            time=event.occurred_at,
            dataschema=schema_id(schema_name(event.event)),
            datacontenttype=JSON,
            traceparent=traceparent,
            supplier=known,
        )
    )
