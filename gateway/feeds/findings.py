"""What records read back from a catalog topic mean, given what is known of their keys. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from gateway.feeds.feed import OPEN
from gateway.feeds.versions import WITHDRAWAL, record_index_of
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

    hash: of the content; None: nothing was accepted yet, or the key is withdrawn. own_version: by the feed and record
    of the content, None where it is `version`.
    """

    version: int
    partition: int | None
    offset: int | None
    hash: bytes | None = None
    own_version: int | None = None

    @property
    def said_in(self) -> int:
        """The version that tells the record that the content was read from."""
        return self.version if self.own_version is None else self.own_version


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


class Facts(NamedTuple):
    """What the tables say of where a version came from that is newer than the state of its key.

    given_out: this database gave out its number; taken: the chunk that holds its record took effect here; replaying:
    a dead letter of that record is about to be replayed; state: of the feed that has this number, None for no feed;
    deferred: the chunk waits for its catalog topic, which is away or was.
    """

    given_out: bool
    taken: bool = False
    replaying: bool = False
    state: str | None = None
    cancelled: bool = False
    deferred: bool = False


class Fate(StrEnum):
    """What became of a version that is newer than the state of its key, once no chunk that waits can explain it.

    Decided: the database did not take it, or never finished taking it. Coming: somebody is about to take it. Lost: the
    database cannot know, because it is older than the record.
    """

    DECIDED = "decided"
    COMING = "coming"
    LOST = "lost"


def fate_of(version: int, facts: Facts) -> Fate:
    """What became of a version.

    A number that this database gave out, and that no row tells of, was taken by a transaction that never committed. A
    record whose feed misses its chunk, although all that waits was taken, was published before the database was put
    back to an older copy.
    """
    if facts.taken:
        return Fate.COMING if facts.replaying else Fate.DECIDED
    if facts.deferred:
        return Fate.COMING
    if facts.state is None:
        return Fate.DECIDED if facts.given_out else Fate.LOST
    if facts.state == "withdrawing" and record_index_of(version) == WITHDRAWAL:
        return Fate.COMING
    return Fate.LOST if facts.state in OPEN and not facts.cancelled else Fate.DECIDED


def newest_version_before(known: Known, seen: Iterable[Seen]) -> int:
    """The newest version before the record that the state names, where that record is older; 0 where it is not.

    seen: records of the key in their order. The newer one was published by a transaction that did not commit. When it
    was repeated, an older feed had published the same content behind it, so that there was nothing to publish any more.
    """
    newest = 0
    for each in seen:
        if each.position == (known.partition, known.offset):
            return newest if each.version < newest <= known.version else 0
        newest = max(newest, each.version)
    return 0


@dataclass(frozen=True, slots=True)
class Remedy:
    """What has to be done for one key.

    adopt: the record to believe, None to stay with what is known; resend: the topic does not end on that content;
    end: the last place where the topic holds the key; orphan: the newest version on the topic that is not to be
    believed, None unless what is believed has to be sent again under a number above it.
    """

    adopt: Seen | None
    resend: bool
    end: Position
    orphan: int | None = None


def remedy(known: Known, seen: Sequence[Seen], fates: Mapping[int, Fate]) -> Remedy | None:
    """What to do about records of one key, in their order on the topic; None: nothing.

    fates: of the versions that are newer than what is known. Whoever has one that is coming waits for that first.
    """
    adopt: Seen | None = None
    resend, orphan, passed = False, 0, newest_version_before(known, seen)
    end = _end(seen[0], known) if passed else None
    for each in seen:
        finding = compare(each, known)
        if finding is Finding.SETTLED:
            continue
        end = _end(each, known)
        believed = known.version
        if finding is not Finding.PENDING:
            resend = finding is Finding.REPAIR
            passed = passed if resend else 0
        elif fates[each.version] is Fate.LOST:
            # What was known may lie behind it: repeats of old chunks in a restored database are published again.
            adopt, resend, believed, passed = each, end.offset > each.offset, each.version, 0
        else:
            resend, orphan = True, max(orphan, each.version)
        known = known._replace(version=believed, partition=end.partition, offset=end.offset)
    if end is None:
        return None
    outranked = orphan > known.version or passed > 0
    return Remedy(adopt, resend or outranked, end, max(orphan, passed) if outranked else None)


def _end(seen: Seen, known: Known) -> Position:
    offset = known.offset if known.offset is not None and known.partition == seen.partition else -1
    return Position(seen.partition, max(seen.offset, offset))
