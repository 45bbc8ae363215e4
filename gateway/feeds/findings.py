"""What a record read back from a catalog topic means, given what is known of its key. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Seen:
    """One record of a catalog topic. version: from its headers; partition and offset: where it lies."""

    partition: int
    offset: int
    version: int


@dataclass(frozen=True, slots=True)
class Known:
    """What `feed_state` says of the key: the accepted version and where its content was last published."""

    version: int
    partition: int | None
    offset: int | None


class Finding(StrEnum):
    """What a record on the topic means, given what is known of its key."""

    SETTLED = "settled"
    TAKE_OVER = "take_over"
    REPAIR = "repair"
    PENDING = "pending"


def compare(seen: Seen, known: Known | None) -> Finding:
    """Settled: nothing to do. Take over: a repeat, its offset is the newer one. Repair: an older version lies behind
    the newest. Pending: it is newer than what is known, its chunk has not committed yet.
    """
    if known is None or seen.version > known.version:
        return Finding.PENDING
    if known.offset is not None and known.partition == seen.partition and seen.offset <= known.offset:
        return Finding.SETTLED
    return Finding.TAKE_OVER if seen.version == known.version else Finding.REPAIR
