"""Which items win: the rules of versions, and nothing but the rules.

`judge` is the one place that knows them. It is total: every item gets exactly one outcome, whatever order things arrive
in, and applying the same items again changes nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple


class Outcome(StrEnum):
    """What became of an item; exactly one holds."""

    NORMALIZED = "normalized"
    UNCHANGED = "unchanged"
    STALE = "stale"
    REJECTED = "rejected"
    HELD = "held"
    CANCELLED = "cancelled"


class KeyState(NamedTuple):
    """What is known of one key. version 0 and hash None: nothing accepted yet; hash None alone: withdrawn.

    published_at: observed_at of the record on the topic.
    """

    version: int = 0
    source_version: int | None = None
    hash: bytes | None = None
    published_at: datetime | None = None


UNKNOWN_KEY = KeyState()


class Candidate(NamedTuple):
    """One item that asks to be the state of its key."""

    version: int
    hash: bytes
    observed_at: datetime
    source_version: int | None = None


class Judgement(NamedTuple):
    """What becomes of a candidate, and what to do. publish: send it; code: why it lost, a problem code."""

    outcome: Outcome
    state: KeyState
    publish: bool = False
    code: str = ""


def judge(candidate: Candidate, known: KeyState, period: timedelta | None) -> Judgement:
    """Compare one candidate with what is known of its key.

    period: how long the supplier says a fact of this facet holds, None for for ever. A repeat is published again only
    to renew it, once half of the period has passed since the published observation.
    """
    if candidate.version <= known.version:
        return Judgement(Outcome.STALE, known, code="stale")
    same = candidate.hash == known.hash
    if candidate.source_version is not None and known.source_version is not None:
        if candidate.source_version < known.source_version:
            return Judgement(Outcome.STALE, known, code="stale")
        if candidate.source_version == known.source_version and not same:
            return Judgement(Outcome.REJECTED, known, code="version_conflict")
    publish = not same or _wants_renewal(candidate, known, period)
    state = KeyState(
        version=candidate.version,
        source_version=known.source_version if candidate.source_version is None else candidate.source_version,
        hash=candidate.hash,
        published_at=candidate.observed_at if publish else known.published_at,
    )
    return Judgement(Outcome.UNCHANGED if same else Outcome.NORMALIZED, state, publish)


def _wants_renewal(candidate: Candidate, known: KeyState, period: timedelta | None) -> bool:
    if period is None or known.published_at is None:
        return False
    return candidate.observed_at - known.published_at >= period / 2
