"""What records read back from a catalog topic mean, given the known state of their keys. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from gateway.feeds.feed import OPEN
from gateway.feeds.versions import WITHDRAWAL, record_index_of
from gateway.kafka import Position


class Observed(NamedTuple):
    """One record of a catalog topic. version: from its headers; partition and offset: where it lies."""

    partition: int
    offset: int
    version: int

    @property
    def position(self) -> Position:
        """Where it lies."""
        return Position(self.partition, self.offset)


class Stored(NamedTuple):
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
    def content_version(self) -> int:
        """The version that tells the record that the content was read from."""
        return self.version if self.own_version is None else self.own_version


NOTHING_STORED = Stored(0, None, None)
"""A key that no chunk has named yet."""


class RecordStatus(StrEnum):
    """What a record on the topic means, given the known state of its key."""

    SETTLED = "settled"
    TAKE_OVER = "take_over"
    REPAIR = "repair"
    PENDING = "pending"


def compare_record(observed: Observed, stored: Stored) -> RecordStatus:
    """Settled: nothing to do. Take over: a repeat, its offset is the newer one. Repair: an older version lies behind
    the newest. Pending: it is newer than what is known, its chunk has not committed yet.
    """
    if observed.version > stored.version:
        return RecordStatus.PENDING
    if stored.offset is not None and stored.partition == observed.partition and observed.offset <= stored.offset:
        return RecordStatus.SETTLED
    return RecordStatus.TAKE_OVER if observed.version == stored.version else RecordStatus.REPAIR


class VersionFacts(NamedTuple):
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


class VersionOutcome(StrEnum):
    """What became of a version that is newer than the state of its key, once no chunk that waits can explain it.

    Decided: the database did not take it, or never finished taking it. Coming: somebody is about to take it. Lost: the
    database cannot know, because it is older than the record.
    """

    DECIDED = "decided"
    COMING = "coming"
    LOST = "lost"


def version_outcome(version: int, facts: VersionFacts) -> VersionOutcome:
    """What became of a version.

    A number that this database gave out, and that no row tells of, was taken by a transaction that never committed. A
    record whose feed misses its chunk, although all that waits was taken, was published before the database was put
    back to an older copy.
    """
    if facts.taken:
        return VersionOutcome.COMING if facts.replaying else VersionOutcome.DECIDED
    if facts.deferred:
        return VersionOutcome.COMING
    if facts.state is None:
        return VersionOutcome.DECIDED if facts.given_out else VersionOutcome.LOST
    if facts.state == "withdrawing" and record_index_of(version) == WITHDRAWAL:
        return VersionOutcome.COMING
    return VersionOutcome.LOST if facts.state in OPEN and not facts.cancelled else VersionOutcome.DECIDED


def newest_version_before(stored: Stored, observed: Iterable[Observed]) -> int:
    """The newest version before the record that the state names, where that record is older; 0 where it is not.

    observed: records of the key in their order. The newer one was published by a transaction that did not commit. When
    it
    was repeated, an older feed had published the same content behind it, so that there was nothing to publish any more.
    """
    newest = 0
    for each in observed:
        if each.position == (stored.partition, stored.offset):
            return newest if each.version < newest <= stored.version else 0
        newest = max(newest, each.version)
    return 0


@dataclass(frozen=True, slots=True)
class Repair:
    """What has to be done for one key.

    adopt: the record to believe, None to stay with what is known; resend: the topic does not end on that content;
    end: the last place where the topic holds the key; orphan: the newest version on the topic that is not to be
    believed, None unless what is believed has to be sent again under a number above it.
    """

    adopt: Observed | None
    resend: bool
    end: Position
    orphan: int | None = None


def plan_repair(stored: Stored, observed: Sequence[Observed], fates: Mapping[int, VersionOutcome]) -> Repair | None:
    """What to do about records of one key, in their order on the topic; None: nothing.

    fates: of the versions that are newer than what is known. Whoever has one that is coming waits for that first.
    """
    adopt: Observed | None = None
    resend, orphan, passed = False, 0, newest_version_before(stored, observed)
    end = _end(observed[0], stored) if passed else None
    for each in observed:
        status = compare_record(each, stored)
        if status is RecordStatus.SETTLED:
            continue
        end = _end(each, stored)
        believed = stored.version
        if status is not RecordStatus.PENDING:
            resend = status is RecordStatus.REPAIR
            passed = passed if resend else 0
        elif fates[each.version] is VersionOutcome.LOST:
            # What was known may lie behind it: repeats of old chunks in a restored database are published again.
            adopt, resend, believed, passed = each, end.offset > each.offset, each.version, 0
        else:
            resend, orphan = True, max(orphan, each.version)
        stored = stored._replace(version=believed, partition=end.partition, offset=end.offset)
    if end is None:
        return None
    outranked = orphan > stored.version or passed > 0
    return Repair(adopt, resend or outranked, end, max(orphan, passed) if outranked else None)


def _end(observed: Observed, stored: Stored) -> Position:
    offset = stored.offset if stored.offset is not None and stored.partition == observed.partition else -1
    return Position(observed.partition, max(observed.offset, offset))
