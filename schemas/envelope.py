"""Keys and headers of every message: CloudEvents 1.0 in Kafka's binary mode, written by hand.

The value of a record is the bare JSON of its model; what it is, whose, and which state of its key travels as headers:

    ce_specversion ce_id ce_source ce_type ce_subject ce_time ce_dataschema content-type     CloudEvents
    traceparent                                               W3C Trace Context, optional
    gw-supplier gw-version gw-feed                            ours, so that nobody parses a value to route it

`ce_id` is a UUIDv5 over what makes the message the same message: a repeat carries the same id. A withdrawal has a null
value, and therefore neither content type nor schema. Header names are ASCII, header values UTF-8.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Literal, NamedTuple
from urllib.parse import quote, unquote_to_bytes
from uuid import UUID

from pydantic import Field, StringConstraints, ValidationError

from schemas.base import CONTROLS, Instant, Model, SupplierId, written
from schemas.catalog import Facet

Headers = tuple[tuple[str, bytes], ...]
"""Headers of a Kafka record, in order."""

CE_SPECVERSION = "ce_specversion"
CE_ID = "ce_id"
CE_SOURCE = "ce_source"
CE_TYPE = "ce_type"
CE_SUBJECT = "ce_subject"
CE_TIME = "ce_time"
CE_DATASCHEMA = "ce_dataschema"
CONTENT_TYPE = "content-type"
TRACEPARENT = "traceparent"
GW_SUPPLIER = "gw-supplier"
GW_VERSION = "gw-version"
GW_FEED = "gw-feed"

JSON = "application/json"

NAMESPACE = UUID("80d0c79f-cbea-5ec1-a181-54c8c56cdb58")
"""Namespace of every UUIDv5 the gateway makes, itself the UUIDv5 of `urn:mallgate`.

Another one would make every message a new message.
"""

ITEM_TYPE: dict[Facet, str] = {facet: f"mall.catalog.{facet}.v1" for facet in Facet}
"""`ce_type` of a state of one key."""

WITHDRAWAL_TYPE: dict[Facet, str] = {facet: f"mall.catalog.{facet}.withdrawn.v1" for facet in Facet}
"""`ce_type` of the null value that withdraws a key."""

REPORT_TYPE = "mall.feeds.report.v1"
"""`ce_type` of the report of a finished feed."""

DEAD_LETTER_TYPE = "gateway.deadletter.v1"
"""`ce_type` of an exported dead letter."""


Attribute = Annotated[str, StringConstraints(pattern=rf"^[^{CONTROLS}]+$", max_length=2000)]
"""Value of a header that is text; long enough for the key of the longest sku, percent-encoded."""


class InvalidEnvelopeError(ValueError):
    """The key or the headers of a record are not what this module writes."""


class ItemKey(NamedTuple):
    """What a catalog key names. area: of prices and stocks only, `*` for everywhere, None where the facet has none."""

    supplier: str
    sku: str
    area: str | None = None


class Envelope(Model):
    """The headers of one record. Only the four attributes that CloudEvents demands are always there."""

    specversion: Literal["1.0"] = Field("1.0", description="CloudEvents version.")
    id: Attribute = Field(description="Identity of the message; a repeat carries the same.")
    source: Attribute = Field(description="Who speaks, as a URI reference.")
    type: Attribute = Field(description="Kind of message, with the major version of its schema.")
    subject: Attribute | None = Field(None, description="The key of the record, as text.")
    time: Instant | None = Field(None, description="When the gateway heard of it, with offset.")
    dataschema: Attribute | None = Field(None, description="`$id` of the JSON Schema of the value.")
    datacontenttype: Attribute | None = Field(None, description="Media type of the value; absent with a null value.")
    traceparent: Attribute | None = Field(None, description="W3C Trace Context of the request that caused it.")
    supplier: SupplierId | None = Field(None, description="Whom it concerns.")
    version: Annotated[int, Field(ge=0, le=2**63 - 1)] | None = Field(None, description="Orders the states of one key.")
    feed_no: Annotated[int, Field(ge=1)] | None = Field(None, description="The feed that caused it.")


HEADER_OF: dict[str, str] = {
    "specversion": CE_SPECVERSION,
    "type": CE_TYPE,
    "source": CE_SOURCE,
    "time": CE_TIME,
    "dataschema": CE_DATASCHEMA,
    "datacontenttype": CONTENT_TYPE,
    "traceparent": TRACEPARENT,
    "supplier": GW_SUPPLIER,
    "feed_no": GW_FEED,
    "id": CE_ID,
    "subject": CE_SUBJECT,
    "version": GW_VERSION,
}
"""Fields of the envelope and the headers they travel in, in the order they are written."""

FIELD_OF = {header: field for field, header in HEADER_OF.items()}

# Unreserved characters of RFC 3986, and the `*` of "everywhere", stand for themselves.
PLAIN = re.compile(r"[A-Za-z0-9_.~*-]+")
_PLAIN_KEY = re.compile(rf"({PLAIN.pattern}):({PLAIN.pattern})(?::({PLAIN.pattern}))?")
_PLAIN_PARTS = {
    count: re.compile(":".join([PLAIN.pattern] * count)) for count in (len(ItemKey._fields) - 1, len(ItemKey._fields))
}
"""By their number: parts that are written as they are. None of them holds a `:`, so each part matches its own."""


def _part(text: str) -> str:
    return text if PLAIN.fullmatch(text) else quote(text, safe="*")


def key_of(supplier: str, sku: str, area: str | None = None) -> bytes:
    """Key of a catalog record: the parts percent-encoded (RFC 3986, UTF-8) and joined by `:`."""
    parts = (supplier, sku) if area is None else (supplier, sku, area)
    key = ":".join(parts)
    if _PLAIN_PARTS[len(parts)].fullmatch(key):  # nearly all: one search instead of three
        return key.encode()
    return ":".join(map(_part, parts)).encode()


def parts_of(key: bytes) -> ItemKey:
    """The parts of a catalog key. Raises InvalidEnvelopeError for anything `key_of` cannot have made."""
    if key.isascii() and (plain := _PLAIN_KEY.fullmatch(key.decode())):  # nearly all, and a third of the time
        return ItemKey(*plain.groups())
    try:
        parts = ItemKey(*(unquote_to_bytes(part).decode() for part in key.split(b":")))
    except (TypeError, UnicodeDecodeError) as error:
        raise InvalidEnvelopeError(f"not a catalog key: {key[:200]!r}") from error
    if key_of(*parts) != key:
        raise InvalidEnvelopeError(f"not a catalog key: {key[:200]!r}")
    return parts


def schema_id(name: str) -> str:
    """`$id` of a published schema, which `ce_dataschema` carries; the major version is part of the identity."""
    return f"urn:mallgate:schema:{name}:v1"


def message_id(kind: str, *parts: str) -> UUID:
    """UUIDv5 of a message of type `kind` made unique by `parts`: percent-encoded, joined by blanks."""
    return _uuid5(" ".join([kind, *map(_part, parts)]).encode())


def item_id(kind: str, key: bytes, version: int, content_hash: bytes) -> UUID:
    """UUIDv5 of one state of one key: `uuid5(NAMESPACE, "<kind> <key> <version> <hash in hex>")`."""
    return _uuid5(b"%b %b %d %b" % (kind.encode(), key, version, content_hash.hex().encode()))


def _uuid5(name: bytes) -> UUID:
    return UUID(bytes=hashlib.sha1(NAMESPACE.bytes + name, usedforsecurity=False).digest()[:16], version=5)


class ItemHeaders:
    """Writes the headers of the items of one feed: what they share is made once, three are added per item.

    Under 2 µs an item; building and encoding an `Envelope` for each would cost ten times that.
    """

    __slots__ = ("_seed", "_shared", "_withdrawal_seed", "_withdrawal_shared")

    def __init__(
        self, facet: Facet, supplier: str, *, feed_no: int, time: datetime, traceparent: str | None = None
    ) -> None:
        withdrawal = Envelope(
            id="-",
            source=source_of(supplier),
            type=WITHDRAWAL_TYPE[facet],
            time=time,
            traceparent=traceparent,
            supplier=supplier,
            feed_no=feed_no,
        )
        state = withdrawal.model_copy(
            update={"type": ITEM_TYPE[facet], "dataschema": schema_id(facet), "datacontenttype": JSON}
        )
        self._shared, self._seed = _without_id(state), _seed(state.type)
        self._withdrawal_shared, self._withdrawal_seed = _without_id(withdrawal), _seed(withdrawal.type)

    def state(self, key: bytes, version: int, content_hash: bytes) -> Headers:
        """Headers of a record whose value is the item; content_hash: of the item's facts, any length."""
        return self._shared + _own(self._seed, key, version, content_hash)

    def withdrawal(self, key: bytes, version: int) -> Headers:
        """Headers of a record whose value is null."""
        return self._withdrawal_shared + _own(self._withdrawal_seed, key, version, b"")


def _without_id(envelope: Envelope) -> Headers:
    return tuple(header for header in encode(envelope) if header[0] != CE_ID)


def _seed(kind: str) -> hashlib._Hash:
    return hashlib.sha1(NAMESPACE.bytes + kind.encode() + b" ", usedforsecurity=False)


_VARIANT = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}
"""The digit of a UUID that tells its variant (RFC 9562), by the one that the hash has there."""


def _own(seed: hashlib._Hash, key: bytes, version: int, content_hash: bytes) -> Headers:
    """The headers that differ from item to item. Spells the UUID out itself: `uuid.UUID` would double the cost."""
    digest = seed.copy()
    number = b"%d" % version
    digest.update(b"%b %b %b" % (key, number, content_hash.hex().encode()))
    text = digest.hexdigest()
    identity = f"{text[:8]}-{text[8:12]}-5{text[13:16]}-{_VARIANT[text[16]]}{text[17:20]}-{text[20:32]}"
    return ((CE_ID, identity.encode()), (CE_SUBJECT, key), (GW_VERSION, number))


def source_of(supplier: str) -> str:
    """`ce_source` of everything the gateway says about one supplier."""
    return f"/mallgate/suppliers/{supplier}"


def encode(envelope: Envelope) -> Headers:
    """The envelope as headers; what is absent is not written."""
    return tuple(
        (header, (written(value) if isinstance(value, datetime) else str(value)).encode())
        for field, header in HEADER_OF.items()
        if (value := getattr(envelope, field)) is not None
    )


def decode(headers: Iterable[tuple[str, bytes]]) -> Envelope:
    """The envelope of a record; headers of others are ignored, of a repeated one the last counts.

    Raises InvalidEnvelopeError when an attribute that CloudEvents demands is missing or one does not read.
    """
    # The model has a default for those who write; a record must say so itself.
    known = {"specversion": b""} | {FIELD_OF[name]: value for name, value in headers if name in FIELD_OF}
    try:
        return Envelope.model_validate_strings({field: value.decode() for field, value in known.items()})
    except UnicodeDecodeError as error:
        raise InvalidEnvelopeError(str(error)) from error
    except ValidationError as error:
        found = (f"{HEADER_OF[str(each['loc'][0])]}: {each['msg']}" for each in error.errors(include_url=False))
        raise InvalidEnvelopeError("; ".join(found)) from error


def version_of(headers: Iterable[tuple[str, bytes]]) -> int | None:
    """`gw-version` alone, None when there is none: what a reader of whole topics needs, without decoding the rest.

    Raises InvalidEnvelopeError when it is not a plain number.
    """
    for name, version in reversed(tuple(headers)):  # written last, and of a repeated one the last counts
        if name == GW_VERSION:
            if not version.isdigit() or len(version) > 19:
                raise InvalidEnvelopeError(f"not a version: {version[:40]!r}")
            return int(version)
    return None
