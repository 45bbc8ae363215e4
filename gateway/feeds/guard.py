"""Which items win: the rules of versions, and nothing but the rules.

`judge` is the one place that knows them. It is total: every item gets exactly one outcome, whatever order things arrive
in, and applying the same items again changes nothing.

An item has two versions. Its own, by its feed and record, says how new it is. The one it is published under is the
same, unless the topic holds a higher one for its key: then it is raised under a number that was given out just now.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple


class ItemOutcome(StrEnum):
    """What became of an item; exactly one holds."""

    NORMALIZED = "normalized"
    UNCHANGED = "unchanged"
    STALE = "stale"
    REJECTED = "rejected"
    HELD = "held"
    CANCELLED = "cancelled"


class KeyState(NamedTuple):
    """The known state of one key. version 0 and hash None: nothing accepted yet; hash None alone: withdrawn.

    version: on the topic; own_version: of what stands there, by its feed and record, None where it is `version`;
    published_at: observed_at of the record on the topic.
    """

    version: int = 0
    source_version: int | None = None
    hash: bytes | None = None
    published_at: datetime | None = None
    own_version: int | None = None

    @property
    def newness(self) -> int:
        """What the own version of an item is compared with."""
        return self.version if self.own_version is None else self.own_version


UNKNOWN_KEY = KeyState()


class Candidate(NamedTuple):
    """One item that asks to be the state of its key.

    patched: the content is not what the supplier sent under this version, which may stand on the topic already with
    that of another patch that was never committed.
    """

    version: int
    hash: bytes
    observed_at: datetime
    source_version: int | None = None
    patched: bool = False


class Judgement(NamedTuple):
    """What becomes of a candidate, and what to do.

    publish: send it under the version of the state; raised: that is not its own; code: why it lost, a problem code.
    """

    outcome: ItemOutcome
    state: KeyState
    publish: bool = False
    code: str = ""
    raised: bool = False


def judge(
    candidate: Candidate, known: KeyState, period: timedelta | None, *, horizon: int = 0, fresh: int = 0
) -> Judgement:
    """Compare one candidate with the known state of its key.

    period: how long the supplier says a fact of this facet holds, None for for ever; a repeat is published again only
    to renew it, once half of the period has passed since the published observation. horizon: the lowest version that is
    not older than the last full pass. fresh: a version above all that were given out, for a judgement that is raised;
    without one such a judgement only tells that it needs it.
    """
    if lost := _loss(candidate, known, horizon):
        return lost
    same = candidate.hash == known.hash
    publish = not same or _wants_renewal(candidate, known, period)
    below = candidate.version <= known.version  # on the topic it would count as old
    raised = publish and (below or candidate.patched)
    version = fresh if raised else max(candidate.version, known.version)
    state = KeyState(  # in the order of its fields: by name it would take a third longer, millions of times
        version,
        known.source_version if candidate.source_version is None else candidate.source_version,
        candidate.hash,
        candidate.observed_at if publish else known.published_at,
        _newness(candidate, known, same=same) if below or raised else None,
    )
    return Judgement(ItemOutcome.UNCHANGED if same else ItemOutcome.NORMALIZED, state, publish, "", raised)


def _loss(candidate: Candidate, known: KeyState, horizon: int) -> Judgement | None:
    """Why a candidate is not to be the state of its key; None: it is."""
    outranks = False
    if candidate.source_version is not None and known.source_version is not None:
        if candidate.source_version < known.source_version:
            return Judgement(ItemOutcome.STALE, known, code="stale")
        if candidate.source_version == known.source_version and candidate.hash != known.hash:
            return Judgement(ItemOutcome.REJECTED, known, code="version_conflict")
        outranks = candidate.source_version > known.source_version
    if candidate.version <= known.newness and not outranks:
        return Judgement(ItemOutcome.STALE, known, code="stale")
    if known.hash is None and candidate.version < horizon:
        return Judgement(ItemOutcome.STALE, known, code="stale")
    return None


def _newness(candidate: Candidate, known: KeyState, *, same: bool) -> int:
    """Own version of what is said under a higher one; the same content said twice is as new as the newer of the two."""
    return max(candidate.version, known.newness) if same else candidate.version


def _wants_renewal(candidate: Candidate, known: KeyState, period: timedelta | None) -> bool:
    if period is None or known.published_at is None:
        return False
    return candidate.observed_at - known.published_at >= period / 2
