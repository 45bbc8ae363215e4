"""A dead letter as a record of the export topic: its bytes unchanged, all that is known of it in headers."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from importlib.metadata import version
from urllib.parse import quote

from pydantic import TypeAdapter, ValidationError

from gateway.deadletters.letters import DeadLetter
from gateway.kafka import DEADLETTERS
from gateway.outbox import OutboxMessage
from gateway.sdk.storable import storable
from schemas import deadletters as names
from schemas.base import SupplierId, written
from schemas.envelope import CE_ID, CE_SUBJECT, DEAD_LETTER_TYPE, Envelope, Headers, encode, source_of

MAX_MESSAGE = 512
GATEWAY = version("mallgate")

SUPPLIER_ID: TypeAdapter[str] = TypeAdapter(SupplierId)


def exported(letter: DeadLetter, failed_at: datetime) -> OutboxMessage:
    """The record of a letter. Total: a poison pill may name a supplier that is none."""
    identity = str(letter.id).encode()
    headers = (
        *_shared(letter.supplier, letter.feed_no, letter.received_at),
        (CE_ID, identity),
        (CE_SUBJECT, identity),
        *_headers(letter, failed_at),
    )
    return OutboxMessage(DEADLETTERS, letter.key, letter.original, headers)


@lru_cache(maxsize=64)
def _shared(supplier: str | None, feed_no: int | None, received_at: datetime | None) -> Headers:
    """What the letters of a chunk have in common; a thousand may come at once."""
    known = _supplier(supplier)
    envelope = Envelope(
        id="-",
        source=source_of(known) if known else "/mallgate",
        type=DEAD_LETTER_TYPE,
        time=received_at,
        datacontenttype="application/octet-stream",
        supplier=known,
        feed_no=feed_no or None,
    )
    return tuple(header for header in encode(envelope) if header[0] != CE_ID)


def _supplier(supplier: str | None) -> str | None:
    try:
        return SUPPLIER_ID.validate_python(supplier)
    except ValidationError:
        return None


def _headers(letter: DeadLetter, failed_at: datetime) -> Headers:
    kind = letter.kind
    message = kind.message.encode()[:MAX_MESSAGE].decode(errors="ignore")
    known: dict[str, str | int | None] = {
        names.DLQ_ID: str(letter.id),
        names.DLQ_FINGERPRINT: kind.fingerprint,
        names.DLQ_STAGE: letter.stage,
        names.DLQ_REASON: letter.code,
        names.DLQ_PATH: kind.path or None,
        names.DLQ_MESSAGE: message,
        names.DLQ_CLASS: letter.error,
        names.DLQ_FACET: letter.facet,
        names.DLQ_SKU: None if letter.sku is None else quote(letter.sku, errors="replace"),
        names.DLQ_PAGE: letter.page_no,
        names.DLQ_RECORD: letter.record_index,
        names.DLQ_LINE: letter.line,
        names.DLQ_REVISION: letter.revision,
        names.DLQ_TOPIC: letter.topic,
        names.DLQ_PARTITION: letter.partition,
        names.DLQ_OFFSET: letter.offset,
        names.DLQ_TIMESTAMP: letter.timestamp,
        names.DLQ_FAILED_AT: written(failed_at),
        names.DLQ_SHA256: sha256(letter.original).hexdigest(),
        names.DLQ_GATEWAY: GATEWAY,
        names.CONNECT_TOPIC: letter.topic,
        names.CONNECT_PARTITION: letter.partition,
        names.CONNECT_OFFSET: letter.offset,
        names.CONNECT_STAGE: letter.stage,
        names.CONNECT_CLASS: letter.error,
        names.CONNECT_MESSAGE: message,
    }
    return tuple((name, _bytes(value)) for name, value in known.items() if value is not None)


def _bytes(value: str | int) -> bytes:
    return b"%d" % value if isinstance(value, int) else storable(value).encode()
