"""A dead letter as a record of the export topic: its bytes unchanged, all that is known of it in headers."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from importlib.metadata import version
from urllib.parse import quote

from pydantic import TypeAdapter, ValidationError

from gateway.deadletters.letters import DeadLetter, storable
from gateway.kafka import DEADLETTERS
from gateway.outbox import OutboxMessage
from schemas import deadletters as names
from schemas.base import SupplierId
from schemas.envelope import DEAD_LETTER_TYPE, Envelope, Headers, encode, message_id, source_of

MAX_MESSAGE = 512
GATEWAY = version("mallgate")

SUPPLIER_ID: TypeAdapter[str] = TypeAdapter(SupplierId)


def exported(letter: DeadLetter, failed_at: datetime) -> OutboxMessage:
    """The record of a letter. Total: a poison pill may name a supplier that is none."""
    headers = encode(_envelope(letter)) + _headers(letter, failed_at)
    return OutboxMessage(DEADLETTERS, letter.key, letter.original, headers)


def _envelope(letter: DeadLetter) -> Envelope:
    supplier = _supplier(letter)
    return Envelope(
        id=str(message_id(DEAD_LETTER_TYPE, str(letter.id))),
        source=source_of(supplier) if supplier else "/mallgate",
        type=DEAD_LETTER_TYPE,
        subject=str(letter.id),
        time=letter.received_at,
        datacontenttype="application/octet-stream",
        supplier=supplier,
        feed_no=letter.feed_no or None,
    )


def _supplier(letter: DeadLetter) -> str | None:
    try:
        return SUPPLIER_ID.validate_python(letter.supplier)
    except ValidationError:
        return None


def _headers(letter: DeadLetter, failed_at: datetime) -> Headers:
    kind = letter.kind
    message = kind.message.encode()[:MAX_MESSAGE].decode(errors="ignore")
    known: dict[str, object] = {
        names.DLQ_ID: letter.id,
        names.DLQ_FINGERPRINT: kind.fingerprint,
        names.DLQ_STAGE: letter.stage,
        names.DLQ_REASON: letter.code,
        names.DLQ_PATH: kind.path or None,
        names.DLQ_MESSAGE: message,
        names.DLQ_CLASS: letter.error,
        names.DLQ_FACET: letter.facet,
        names.DLQ_SKU: None if letter.sku is None else quote(letter.sku, errors="replace"),
        names.DLQ_RECORD: letter.record_index,
        names.DLQ_LINE: letter.line,
        names.DLQ_REVISION: letter.revision,
        names.DLQ_TOPIC: letter.topic,
        names.DLQ_PARTITION: letter.partition,
        names.DLQ_OFFSET: letter.offset,
        names.DLQ_TIMESTAMP: letter.timestamp,
        names.DLQ_FAILED_AT: failed_at.isoformat(),
        names.DLQ_SHA256: sha256(letter.original).hexdigest(),
        names.DLQ_GATEWAY: GATEWAY,
        names.CONNECT_TOPIC: letter.topic,
        names.CONNECT_PARTITION: letter.partition,
        names.CONNECT_OFFSET: letter.offset,
        names.CONNECT_STAGE: letter.stage,
        names.CONNECT_CLASS: letter.error,
        names.CONNECT_MESSAGE: message,
    }
    return tuple((name, storable(str(value)).encode()) for name, value in known.items() if value is not None)
