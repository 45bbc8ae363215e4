"""A feed: its states, which of them may follow which, and every statement that moves it.

admitted ──► produced ──────┬──────────────────► done | cancelled
  │   ▲         ▲           │                     ▲
  ▼   │         │           ├► held ─► withdrawing┘      (full feeds only)
incomplete ─────┴───────────┘

An incomplete feed may be resumed: the same idempotency key carries on under the same feed_no, and a sweep goes on. It
ends as any other once all its chunks took effect. Each statement asks for the states that it may move a feed from, so
a row that another process or another release has moved meanwhile stays as it is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from gateway.feeds.chunk import Lane, Mode, Origin
from gateway.sdk.errors import GatewayError
from gateway.store import Connection, Row
from schemas.catalog import Facet


class FeedState(StrEnum):
    """Where a feed stands; see the drawing above."""

    ADMITTED = "admitted"
    PRODUCED = "produced"
    INCOMPLETE = "incomplete"
    WITHDRAWING = "withdrawing"
    HELD = "held"
    DONE = "done"
    CANCELLED = "cancelled"


OPEN = frozenset({FeedState.ADMITTED, FeedState.PRODUCED, FeedState.INCOMPLETE})
"""Chunks may still come, or have not all taken effect."""

ENDED = frozenset({FeedState.DONE, FeedState.CANCELLED})
"""Nothing more happens to the feed."""

_DECIDED = frozenset({FeedState.HELD, FeedState.WITHDRAWING}) | ENDED

NEXT_STATES: Mapping[FeedState, Collection[FeedState]] = {
    FeedState.ADMITTED: OPEN | _DECIDED,
    FeedState.INCOMPLETE: OPEN | _DECIDED,
    FeedState.PRODUCED: _DECIDED,
    FeedState.HELD: ENDED | {FeedState.WITHDRAWING},
    FeedState.WITHDRAWING: ENDED,
    FeedState.DONE: frozenset(),
    FeedState.CANCELLED: frozenset(),
}
"""What may follow each state; a feed that is resumed or given up again stays what it is."""


def states_before(state: FeedState) -> Sequence[FeedState]:
    """The states that a feed may come from to this one."""
    return [before for before, following in NEXT_STATES.items() if state in following]


def _listed(states: Collection[FeedState]) -> str:
    """States as SQL has them between brackets."""
    return ", ".join(f"'{state}'" for state in FeedState if state in states)


_OPEN = _listed(OPEN)
_ENDED = _listed(ENDED)

_INSERT = """
    INSERT INTO feeds (feed_no, supplier, facet, mode, state, revision, lane, received_at, origin, chunks, records,
                       bytes, body_sha256)
    VALUES ($1, $2, $3, $4, {state}, $5, $6, $7, $8, $9, $10, $11, $12)
    {conflict}
"""

ADMIT = _INSERT.format(state="'admitted'", conflict="")

RESTORE = _INSERT.format(state="'incomplete'", conflict="ON CONFLICT DO NOTHING")

_OPEN_RUN = """
    ON CONFLICT (feed_no) DO UPDATE SET state = 'admitted', touched_at = now()
     WHERE feeds.state IN ({before}) AND feeds.flaw IS NULL
"""
OPEN_RUN = _INSERT.format(
    state="'admitted'", conflict=_OPEN_RUN.format(before=_listed(states_before(FeedState.ADMITTED)))
)

_RESUME = """
    UPDATE feeds SET state = 'admitted', touched_at = now() WHERE feed_no = $1 AND state IN ({before})
"""
RESUME = _RESUME.format(before=_listed(states_before(FeedState.ADMITTED)))

TOUCH = """
    UPDATE feeds
       SET touched_at = now(),
           state = CASE WHEN state = 'incomplete' AND origin = 'sweep' AND flaw IS NULL THEN 'admitted' ELSE state END
     WHERE feed_no = $1
"""

_PRODUCED = """
    UPDATE feeds SET state = 'produced', produced_at = now(), touched_at = now()
     WHERE feed_no = $1 AND state IN ({before})
"""
PRODUCED = _PRODUCED.format(before=_listed(states_before(FeedState.PRODUCED)))

_PRODUCED_RUN = """
    UPDATE feeds
       SET state = 'produced', chunks = $2, records = $3, flaw = $4, produced_at = now(), touched_at = now()
     WHERE feed_no = $1 AND state IN ({before}) AND flaw IS NULL
"""
PRODUCED_RUN = _PRODUCED_RUN.format(before=_listed(states_before(FeedState.PRODUCED)))

INCOMPLETE = "UPDATE feeds SET state = 'incomplete' WHERE feed_no = $1 AND state = 'admitted'"

_ABANDON_RUN = """
    UPDATE feeds SET state = 'incomplete', flaw = $2, touched_at = now()
     WHERE feed_no = $1 AND state IN ({before}) AND flaw IS NULL
"""
ABANDON_RUN = _ABANDON_RUN.format(before=_listed(states_before(FeedState.INCOMPLETE)))

# A row that somebody holds waits for the next sweep: it must not keep the others from it.
SILENT_INCOMPLETE = """
    UPDATE feeds SET state = 'incomplete'
     WHERE feed_no IN (SELECT feed_no FROM feeds WHERE state = 'admitted' AND touched_at < now() - $1::interval
                          FOR NO KEY UPDATE SKIP LOCKED)
"""

_HOLD = (
    "UPDATE feeds SET state = 'held', hold = $2, withdrawn = 0 WHERE feed_no = $1 AND state IN ({before}) RETURNING 1"
)
HOLD = _HOLD.format(before=_listed(states_before(FeedState.HELD)))

_WITHDRAW = (
    "UPDATE feeds SET state = 'withdrawing', withdrawn = 0 WHERE feed_no = $1 AND state IN ({before}) RETURNING 1"
)
WITHDRAW = _WITHDRAW.format(before=_OPEN)

RELEASE = """
    UPDATE feeds SET state = 'withdrawing', withdrawn = 0 WHERE feed_no = $1 AND state = 'held'
    RETURNING supplier, facet
"""

ADD_WITHDRAWN = "UPDATE feeds SET withdrawn = withdrawn + $2 WHERE feed_no = $1 AND state = 'withdrawing'"

# A sweep's owner counts what it sent itself; one that was killed may have sent more.
_END = """
    UPDATE feeds
       SET state = $2, counts = $3, finished_at = now(), withdrawn = $4, flaw = $5, warnings = $6, top_problems = $7,
           records = CASE WHEN origin <> 'sweep' THEN records
                          ELSE (SELECT coalesce(sum(c.records), 0) FROM feed_chunks c WHERE c.feed_no = $1) END
     WHERE feed_no = $1 AND state NOT IN ({ended})
    RETURNING finished_at
"""
END = _END.format(ended=_ENDED)

_REQUEST_CANCEL = """
    UPDATE feeds SET cancel_requested_at = COALESCE(cancel_requested_at, now())
     WHERE feed_no = $1 AND state NOT IN ({ended})
"""
REQUEST_CANCEL = _REQUEST_CANCEL.format(ended=_ENDED)


class FeedMovedError(GatewayError):
    """The feed is not in a state that this may follow: somebody else has moved it."""


@dataclass(frozen=True, slots=True)
class NewFeed:
    """A feed that has no row yet. chunks, records, size (bytes), body_sha256: None where they are not known."""

    feed_no: int
    supplier: str
    facet: Facet
    mode: Mode
    revision: int
    lane: Lane
    origin: Origin
    received_at: datetime
    chunks: int | None = None
    records: int | None = None
    size: int | None = None
    body_sha256: bytes | None = None

    @property
    def row(self) -> tuple[Any, ...]:
        """Its columns."""
        values = (self.chunks, self.records, self.size, self.body_sha256)
        whose = (self.feed_no, self.supplier, self.facet, self.mode)
        return (*whose, self.revision, self.lane, self.received_at, self.origin, *values)


@dataclass(frozen=True, slots=True)
class FeedEnd:
    """What a feed comes to. state: done or cancelled; counts: outcome → items; warnings: code → items.

    problems: most frequent first, {code, count, skus}; withdrawn: keys, None unless it is a full feed; flaw: why a full
    feed withdrew nothing, or not everything.
    """

    state: FeedState
    counts: Mapping[str, int]
    warnings: Mapping[str, int]
    problems: Sequence[Mapping[str, Any]]
    withdrawn: int | None = None
    flaw: str | None = None


async def admit_feed(connection: Connection, new: NewFeed) -> None:
    """→ admitted. Raises asyncpg.UniqueViolationError: the number has been given to a feed."""
    await connection.execute(ADMIT, *new.row)


async def restore_feed(connection: Connection, new: NewFeed) -> None:
    """→ incomplete, unless it is there: a restored database has lost a feed whose chunks lie on the topics."""
    await connection.execute(RESTORE, *new.row)


async def open_run(connection: Connection, new: NewFeed) -> None:
    """→ admitted. A run that was taken for dead goes on; one with a flaw was given up permanently."""
    await connection.execute(OPEN_RUN, *new.row)


async def resume_feed(connection: Connection, feed_no: int) -> None:
    """Admitted or incomplete → admitted: its key came again."""
    await connection.execute(RESUME, feed_no)


async def touch_feed(connection: Connection, feed_no: int) -> None:
    """Say that somebody works on it.

    A run that was given up for dead while its supplier kept it waiting is alive again; one with a flaw stays given up.
    """
    await connection.execute(TOUCH, feed_no)


async def feed_produced(connection: Connection, feed_no: int) -> None:
    """Admitted or incomplete → produced: all its chunks lie on their topic."""
    await connection.execute(PRODUCED, feed_no)


async def run_produced(connection: Connection, feed_no: int, *, chunks: int, records: int, flaw: str | None) -> None:
    """Admitted or incomplete → produced, unless the run was given up. flaw: why nothing may be withdrawn."""
    await connection.execute(PRODUCED_RUN, feed_no, chunks, records, flaw)


async def feed_incomplete(connection: Connection, feed_no: int) -> None:
    """Admitted → incomplete: its chunks did not get to their topic, or not all."""
    await connection.execute(INCOMPLETE, feed_no)


async def abandon_run(connection: Connection, feed_no: int, flaw: str) -> None:
    """Admitted or incomplete → incomplete, permanently. flaw: why."""
    await connection.execute(ABANDON_RUN, feed_no, flaw)


async def silent_incomplete(connection: Connection, silent: timedelta) -> None:
    """Admitted → incomplete, all feeds that gave no sign of life for so long."""
    await connection.execute(SILENT_INCOMPLETE, silent)


async def hold_feed(connection: Connection, feed_no: int, hold: Mapping[str, object]) -> None:
    """Open → held. hold: as the column has it. Raises FeedMovedError."""
    _require(await connection.fetchval(HOLD, feed_no, hold))


async def withdraw_feed(connection: Connection, feed_no: int) -> None:
    """Open → withdrawing. Raises FeedMovedError."""
    _require(await connection.fetchval(WITHDRAW, feed_no))


async def release_feed(connection: Connection, feed_no: int) -> Row | None:
    """Held → withdrawing; its supplier and facet, None when it is not held."""
    return await connection.fetchrow(RELEASE, feed_no)


async def add_withdrawn(connection: Connection, feed_no: int, keys: int) -> None:
    """Of a feed that is withdrawing: so many keys more are withdrawn."""
    await connection.execute(ADD_WITHDRAWN, feed_no, keys)


async def end_feed(connection: Connection, feed_no: int, end: FeedEnd) -> datetime:
    """→ done or cancelled, permanently; when. Raises FeedMovedError: it has ended."""
    values = (end.state, end.counts, end.withdrawn, end.flaw, end.warnings, end.problems)
    finished_at: datetime = _require(await connection.fetchval(END, feed_no, *values))
    return finished_at


async def request_cancel(connection: Connection, feed_no: int) -> None:
    """Have what has not taken effect of a feed come to nothing; one that has ended stays as it is."""
    await connection.execute(REQUEST_CANCEL, feed_no)


def _require(moved: Any) -> Any:
    if moved is None:
        raise FeedMovedError
    return moved
