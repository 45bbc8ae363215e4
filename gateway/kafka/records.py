"""What goes to Kafka and comes from it. Topics are logical names: the prefix of a sandbox is added and taken off below.

Named tuples, not dataclasses: these are made a hundred thousand times a second.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

Headers: TypeAlias = tuple[tuple[str, bytes], ...]
"""Names and values, in order; a name may come twice."""


class Partition(NamedTuple):
    """One partition of one topic."""

    topic: str
    partition: int

    def __str__(self) -> str:
        return f"{self.topic}/{self.partition}"


class Position(NamedTuple):
    """Where a message stands in its topic."""

    partition: int
    offset: int


class Message(NamedTuple):
    """What is to be sent. value None withdraws the key; partition None lets the key decide, or spreads without one."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = ()
    partition: int | None = None


class Record(NamedTuple):
    """What was read. timestamp: milliseconds since 1970, UTC."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers


def record_of(target: Partition, record: Any) -> Record:
    """aiokafka's record as ours. A header without a value, which Kafka allows, is none."""
    return Record(
        target.topic,
        target.partition,
        record.offset,
        record.timestamp,
        record.key,
        record.value,
        tuple([header for header in record.headers if header[1] is not None]),
    )
