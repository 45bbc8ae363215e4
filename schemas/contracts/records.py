"""Names, identities and headers of the records of contracts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from schemas.contracts.commands import ContractOperation
from schemas.contracts.events import ContractEvent, ContractKind, ContractUnsupported
from schemas.envelope import JSON, Envelope, Headers, encode, message_id, schema_id, source_of
from schemas.orders.records import cause_parts, schema_name

COMMAND_TYPE: Mapping[ContractOperation, str] = {
    operation: f"mall.contracts.{operation}.v1" for operation in ContractOperation
}
"""`ce_type` of each command."""

EVENT_TYPE: Mapping[ContractKind, str] = {kind: f"mall.contracts.{kind}.v1" for kind in ContractKind}
"""`ce_type` of each event."""


def contract_key(contract_no: str) -> bytes:
    """Key of every record of a contract."""
    return contract_no.encode()


def contract_event_id(event: ContractEvent) -> str:
    """`ce_id`: as that of an order's event, the same for the same cause, kind and content."""
    content = event.model_dump_json(exclude={"occurred_at"}, exclude_defaults=True)
    parts = (event.contract_no, *cause_parts(event.cause), hashlib.sha256(content.encode()).hexdigest())
    return str(message_id(EVENT_TYPE[ContractKind(event.event)], *parts))


def contract_event_headers(event: ContractEvent, *, traceparent: str | None = None) -> Headers:
    """Headers of the record that carries the event."""
    known = None if isinstance(event, ContractUnsupported) else event.supplier
    return encode(
        Envelope(
            id=contract_event_id(event),
            source=source_of(known) if known else "/mallgate",
            type=EVENT_TYPE[ContractKind(event.event)],
            subject=event.contract_no,
            time=event.occurred_at,
            dataschema=schema_id(schema_name(event.event)),
            datacontenttype=JSON,
            traceparent=traceparent,
            supplier=known,
        )
    )
