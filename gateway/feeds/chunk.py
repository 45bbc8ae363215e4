"""A chunk: the unit of work on the feeds topics, a run of raw records of one feed.

A chunk of a pulled feed may hold none: it only takes a number that was given out in vain, so that all can be counted.
Value of the Kafka record: for every record its line (or ordinal, from 1) and its length as two unsigned 32-bit
big-endian integers, then its bytes as received. What the records are, and whose, stands in the headers (`ChunkHead`).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, NamedTuple

from pydantic import AwareDatetime, Field, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from gateway.feeds.versions import MAX_FEED_NO
from gateway.kafka import Headers
from gateway.sdk.errors import InvalidMessageError, Issue
from gateway.sdk.wire import SHOWN, pointer, shown
from schemas.base import SupplierId, written
from schemas.catalog import Facet
from schemas.envelope import GW_FEED, TRACEPARENT, Attribute

MAX_RECORDS = 1_000
"""Records of one chunk."""

MAX_CHUNK = 256 * 1024
"""Bytes of one chunk; a larger record travels alone."""

MAX_RECORD = 1024 * 1024
"""Bytes of one record; a longer one is rejected as `line_too_long`, its bytes kept."""

MAX_CARRIED = 3 * 1024 * 1024
"""Bytes of the longest record that is carried at all; beyond it the whole file is refused."""

MAX_FEED_RECORDS = 2**24 - 2
"""Records of one feed: versions have 24 bits for the record, the highest two are withdrawal's."""

SCHEMA = b"chunk/1"
"""Format of value and headers; another one is dead-lettered as `unknown_schema`."""

MAX_LINE = 2**31 - 1
"""Highest line of a record, and highest number of a chunk or a revision: what their columns hold."""

_ENTRY = struct.Struct(">II")

# Arithmetic with times of receipt must not leave what a datetime can hold.
_ERA = Field(ge=datetime(2000, 1, 1, tzinfo=UTC), lt=datetime(9000, 1, 1, tzinfo=UTC))


class Mode(StrEnum):
    """What a feed is for: change the keys it names, be the whole of the facet, or only be checked."""

    UPSERT = "upsert"
    FULL = "full"
    VALIDATE = "validate"


class Lane(StrEnum):
    """express: up to 200 pushed records; bulk: all else, never at the cost of express."""

    EXPRESS = "express"
    BULK = "bulk"


class Origin(StrEnum):
    """How a feed came: a vendor pushed it, or we pulled a whole facet, or pulled what a message named."""

    PUSH = "push"
    SWEEP = "sweep"
    REREAD = "reread"


EXPRESS_RECORDS = 200
"""Records of the largest feed that takes the express lane."""


class RawRecord(NamedTuple):
    """One record as received. line: its line or ordinal in the vendor's file, from 1."""

    line: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class ChunkHead:
    """The headers of a chunk: all that is needed to take the feed's row back into a restored database.

    page_no: of a page of a pulled feed; first_record: within that page, else within the feed; traceparent: W3C Trace
    Context of what caused the feed. The limits are those of what is read.
    """

    supplier: SupplierId
    feed_no: Annotated[int, Field(ge=1, le=MAX_FEED_NO)]
    chunk_no: Annotated[int, Field(ge=0, le=MAX_LINE)]
    first_record: Annotated[int, Field(ge=0, lt=MAX_FEED_RECORDS)]
    facet: Facet
    mode: Mode
    lane: Lane
    revision: Annotated[int, Field(ge=1, le=MAX_LINE)]
    received_at: Annotated[AwareDatetime, _ERA]
    traceparent: Attribute | None = None
    origin: Origin = Origin.PUSH
    page_no: Annotated[int, Field(ge=1, le=MAX_FEED_NO)] | None = None

    @property
    def number(self) -> int:
        """What versions of its items carry: the page's number, else the feed's own."""
        return self.feed_no if self.page_no is None else self.page_no


_HEAD = TypeAdapter(ChunkHead)

GW_PAGE = "gw-page"

_HEADER_OF: Mapping[str, str] = {
    "supplier": "gw-supplier",
    "feed_no": GW_FEED,
    "chunk_no": "gw-chunk",
    "first_record": "gw-first-record",
    "facet": "gw-facet",
    "mode": "gw-mode",
    "lane": "gw-lane",
    "revision": "gw-revision",
    "received_at": "gw-received-at",
    "traceparent": TRACEPARENT,
    "origin": "gw-origin",
    "page_no": GW_PAGE,
}

GW_SCHEMA = "gw-schema"

HEAD_HEADERS = frozenset({GW_SCHEMA, *_HEADER_OF.values()})
"""Headers that a head is read from."""


@dataclass(frozen=True, slots=True)
class ChunkSpan:
    """Where one finished chunk lies in a spool, in bytes, and which records it holds."""

    chunk_no: int
    offset: int
    size: int
    first_record: int
    records: int


class Chunker:
    """Packs records in order into chunk values."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0
        self.records = 0

    def add(self, line: int, raw: bytes) -> tuple[bytes, int] | None:
        """Take one record; the value and record count of the chunk that it completes, if it does."""
        full = self.records == MAX_RECORDS or (self.records and self._size + _ENTRY.size + len(raw) > MAX_CHUNK)
        finished = self.finish() if full else None
        self._parts += (_ENTRY.pack(line, len(raw)), raw)
        self._size += _ENTRY.size + len(raw)
        self.records += 1
        return finished

    def finish(self) -> tuple[bytes, int] | None:
        """Value and record count of what is left, None when nothing is."""
        if not self.records:
            return None
        finished = b"".join(self._parts), self.records
        self._parts, self._size, self.records = [], 0, 0
        return finished


def encode(records: Iterable[RawRecord]) -> bytes:
    """Chunk value of `records`, whatever their number."""
    return b"".join(part for record in records for part in (_ENTRY.pack(record.line, len(record.raw)), record.raw))


def decode(value: bytes) -> Iterator[RawRecord]:
    """The records of a chunk value. Raises InvalidMessageError(poison_pill) when it was cut or is something else."""
    at, end, left = 0, len(value), MAX_RECORDS
    while at < end:
        start = at + _ENTRY.size
        if start > end:
            raise InvalidMessageError(Issue("poison_pill", actual="chunk ends in an entry's head"))
        line, length = _ENTRY.unpack_from(value, at)
        at = start + length
        if at > end:
            raise InvalidMessageError(Issue("poison_pill", actual="chunk ends in a record"))
        if left == 0 or line > MAX_LINE:
            raise InvalidMessageError(Issue("poison_pill", actual="chunk of entries that nobody wrote"))
        left -= 1
        yield RawRecord(line, value[start:at])


def head_to_headers(head: ChunkHead) -> Headers:
    """Headers of the Kafka record that carries the chunk."""
    values = ((header, getattr(head, field)) for field, header in _HEADER_OF.items())
    return ((GW_SCHEMA, SCHEMA), *((header, _text(value).encode()) for header, value in values if value is not None))


def head_from_headers(headers: Headers) -> ChunkHead:
    """The head that `head_to_headers` wrote.

    Raises InvalidMessageError: `unknown_schema` for another format, `poison_pill` for missing or unusable headers.
    """
    # Kafka lets a value be null.
    found = {name: (value or b"").decode(errors="replace") for name, value in headers}
    schema = found.get(GW_SCHEMA, SCHEMA.decode())
    if schema != SCHEMA.decode():
        raise InvalidMessageError(Issue("unknown_schema", "/headers/gw-schema", shown(schema), SCHEMA.decode()))
    given = {field: found[header] for field, header in _HEADER_OF.items() if header in found}
    try:
        return _HEAD.validate_strings(given)
    except ValidationError as error:
        raise InvalidMessageError(*map(_unusable, error.errors(include_url=False))) from error


def _text(value: object) -> str:
    return written(value) if isinstance(value, datetime) else str(value)


def _unusable(fault: ErrorDetails) -> Issue:
    path = pointer("headers", _HEADER_OF[str(fault["loc"][0])])
    actual = "" if fault["type"] == "missing" else shown(fault["input"])
    return Issue("poison_pill", path, actual, fault["msg"][:SHOWN])
