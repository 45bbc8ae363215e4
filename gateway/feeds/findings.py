"""What records read back from a catalog topic mean, given what is known of their keys. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from gateway.kafka import Position


class Seen(NamedTuple):
    """One record of a catalog topic. version: from its headers; partition and offset: where it lies."""

    partition: int
    offset: int
    version: int

    @property
    def position(self) -> Position:
        """Where it lies."""
        return Position(self.partition, self.offset)


class Known(NamedTuple):
    """What `feed_state` says of a key: the accepted version and where its content was last published.

    hash: of the content; None: nothing was accepted yet, or the key is withdrawn.
    """

    version: int
    partition: int | None
    offset: int | None
    hash: bytes | None = None


NOTHING = Known(0, None, None)
"""A key that no chunk has named yet."""


class Finding(StrEnum):
    """What a record on the topic means, given what is known of its key."""

    SETTLED = "settled"
    TAKE_OVER = "take_over"
    REPAIR = "repair"
    PENDING = "pending"


def compare(seen: Seen, known: Known) -> Finding:
    """Settled: nothing to do. Take over: a repeat, its offset is the newer one. Repair: an older version lies behind
    the newest. Pending: it is newer than what is known, its chunk has not committed yet.
    """
    if seen.version > known.version:
        return Finding.PENDING
    if known.offset is not None and known.partition == seen.partition and seen.offset <= known.offset:
        return Finding.SETTLED
    return Finding.TAKE_OVER if seen.version == known.version else Finding.REPAIR


@dataclass(frozen=True, slots=True)
class Remedy:
    """What has to be done for one key.

    adopt: the record to believe, None to stay with what is known; resend: the topic does not end on that content;
    end: the last place where the topic holds the key.
    """

    adopt: Seen | None
    resend: bool
    end: Position


def remedy(known: Known, seen: Iterable[Seen]) -> Remedy | None:
    """What to do about records of one key, in their order on the topic; None: nothing.

    A record that is newer than what is known is believed here: the caller keeps those back whose chunk may yet come.
    """
    found: Remedy | None = None
    for each in seen:
        finding = compare(each, known)
        if finding is Finding.SETTLED:
            continue
        end = _end(each, known)
        adopted = found.adopt if found else None
        match finding:
            case Finding.TAKE_OVER:
                found = Remedy(adopted, resend=False, end=end)
            case Finding.REPAIR:
                found = Remedy(adopted, resend=True, end=end)
            case Finding.PENDING:
                # What was known may lie behind it: repeats of old chunks in a restored database are published again.
                found = Remedy(each, resend=end.offset > each.offset, end=end)
        known = known._replace(version=max(each.version, known.version), partition=end.partition, offset=end.offset)
    return found


def _end(seen: Seen, known: Known) -> Position:
    offset = known.offset if known.offset is not None and known.partition == seen.partition else -1
    return Position(seen.partition, max(seen.offset, offset))
