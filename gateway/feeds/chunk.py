"""A chunk: the unit of work on the feeds topics, a run of raw records of one feed.

Value of the Kafka record: for every record its line (or ordinal, from 1) and its length as two unsigned 32-bit
big-endian integers, then its bytes as received. What the records are, and whose, stands in the headers (`ChunkHead`).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gateway.kafka import Headers
from gateway.sdk.errors import InvalidMessageError, Issue
from schemas.catalog import Facet
from schemas.envelope import TRACEPARENT

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

_ENTRY = struct.Struct(">II")


class Mode(StrEnum):
    """What a feed is for: change the keys it names, be the whole of the facet, or only be checked."""

    UPSERT = "upsert"
    FULL = "full"
    VALIDATE = "validate"


class Lane(StrEnum):
    """express: up to 200 pushed records; bulk: all else, never at the cost of express."""

    EXPRESS = "express"
    BULK = "bulk"


EXPRESS_RECORDS = 200
"""Records of the largest feed that takes the express lane."""


@dataclass(frozen=True, slots=True)
class RawRecord:
    """One record as received. line: its line or ordinal in the vendor's file, from 1."""

    line: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class ChunkHead:
    """The headers of a chunk: all that is needed to take the feed's row back into a restored database.

    traceparent: W3C Trace Context of the request that pushed the feed.
    """

    supplier: str
    feed_no: int
    chunk_no: int
    first_record: int
    facet: Facet
    mode: Mode
    lane: Lane
    revision: int
    received_at: datetime
    traceparent: str | None = None


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
    at, end = 0, len(value)
    while at < end:
        start = at + _ENTRY.size
        if start > end:
            raise InvalidMessageError(Issue("poison_pill", actual="chunk ends in an entry's head"))
        line, length = _ENTRY.unpack_from(value, at)
        at = start + length
        if at > end:
            raise InvalidMessageError(Issue("poison_pill", actual="chunk ends in a record"))
        yield RawRecord(line, value[start:at])


def head_to_headers(head: ChunkHead) -> Headers:
    """Headers of the Kafka record that carries the chunk."""
    trace = () if head.traceparent is None else ((TRACEPARENT, head.traceparent.encode()),)
    return (
        ("gw-schema", SCHEMA),
        ("gw-supplier", head.supplier.encode()),
        ("gw-feed", str(head.feed_no).encode()),
        ("gw-chunk", str(head.chunk_no).encode()),
        ("gw-first-record", str(head.first_record).encode()),
        ("gw-facet", head.facet.encode()),
        ("gw-mode", head.mode.encode()),
        ("gw-lane", head.lane.encode()),
        ("gw-revision", str(head.revision).encode()),
        ("gw-received-at", head.received_at.isoformat().encode()),
        *trace,
    )


def head_from_headers(headers: Headers) -> ChunkHead:
    """The head that `head_to_headers` wrote.

    Raises InvalidMessageError: `unknown_schema` for another format, `poison_pill` for missing or unusable headers.
    """
    found = dict(headers)
    if found.get("gw-schema", SCHEMA) != SCHEMA:
        raise InvalidMessageError(Issue("unknown_schema", path="/gw-schema", actual=repr(found["gw-schema"])[:200]))
    try:
        return ChunkHead(
            supplier=found["gw-supplier"].decode(),
            feed_no=int(found["gw-feed"]),
            chunk_no=int(found["gw-chunk"]),
            first_record=int(found["gw-first-record"]),
            facet=Facet(found["gw-facet"].decode()),
            mode=Mode(found["gw-mode"].decode()),
            lane=Lane(found["gw-lane"].decode()),
            revision=int(found["gw-revision"]),
            received_at=datetime.fromisoformat(found["gw-received-at"].decode()),
            traceparent=found[TRACEPARENT].decode() if TRACEPARENT in found else None,
        )
    except (KeyError, ValueError) as error:
        raise InvalidMessageError(Issue("poison_pill", path="/headers", actual=repr(error)[:200])) from error
