"""What became of a feed and of a sku: the questions vendors and operators ask."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.feeds.closing import count_outcomes, count_problems, count_warnings
from gateway.feeds.decide import OUTCOME_BYTES
from gateway.feeds.feed import request_cancel
from gateway.feeds.passes import GRACE, OLDER_OPEN
from gateway.feeds.queries import FACET_CODES
from gateway.feeds.rejections import Spent, spent
from gateway.feeds.versions import RECORD_BITS, feed_no_of, record_index_of
from gateway.store import Batcher, Pool, Row, SharedPool
from gateway.store.outage import retrying_for
from schemas.catalog import Facet

_FEED = """
    SELECT f.feed_no, f.supplier, f.facet, f.mode, f.origin, f.state, f.lane, f.chunks, f.records, f.bytes, f.revision,
           f.received_at, f.produced_at, f.finished_at, f.cancel_requested_at IS NOT NULL AS cancel_requested, f.counts,
           f.withdrawn, f.flaw, f.hold, f.warnings,
           (SELECT count(*) FROM feed_chunks c WHERE c.feed_no = f.feed_no) AS chunks_done,
           (SELECT count(*) FROM deferred_chunks d WHERE d.feed_no = f.feed_no) AS chunks_deferred,
           CASE WHEN f.mode = 'full' AND f.state = 'produced' THEN ({older}) END AS waits_for
      FROM feeds f
     WHERE f.feed_no = $1 AND ($2::text IS NULL OR f.supplier = $2)
"""
FEED = _FEED.format(older=OLDER_OPEN.format(full="f", grace="$3::interval"))

FEEDS = """
    SELECT f.feed_no, f.supplier, f.facet, f.mode, f.origin, f.state, f.lane, f.chunks, f.records, f.bytes, f.revision,
           f.received_at, f.produced_at, f.finished_at, f.cancel_requested_at IS NOT NULL AS cancel_requested, f.counts,
           f.withdrawn, f.flaw, f.hold, f.warnings,
           (SELECT count(*) FROM feed_chunks c WHERE c.feed_no = f.feed_no) AS chunks_done
      FROM feeds f
     WHERE ($1::text IS NULL OR f.supplier = $1) AND ($2::text IS NULL OR f.facet = $2)
       AND ($3::text IS NULL OR f.state = $3) AND f.feed_no < $4
     ORDER BY f.feed_no DESC LIMIT $5
"""

LOCK_FOR_CANCEL = "SELECT state FROM feeds WHERE feed_no = $1 AND supplier = $2 FOR UPDATE"

STORED_PROBLEMS = "SELECT top_problems FROM feeds WHERE feed_no = $1"

# A chunk holds a thousand rows, each of which may tell a hundred issues: of those a reader has in its hands at a time
# there are fewer. first: of the rows to come in the chunk that the last page ended in.
NEXT_ROWS = """
    SELECT chunk_no, first, jsonb_path_query_array(
               problems, '$[$low to $high]', jsonb_build_object('low', first, 'high', first + $4::integer - 1)
           ) AS rows
      FROM feed_chunks
     CROSS JOIN LATERAL (SELECT CASE WHEN chunk_no = $2 THEN $3::integer ELSE 0 END) AS rest (first)
     WHERE feed_no = $1 AND chunk_no >= $2 AND jsonb_array_length(problems) > first
     ORDER BY chunk_no LIMIT 1
"""

ITEM = """
    SELECT s.area, s.version, COALESCE(s.own_version, s.version) AS own_version, s.source_version,
           s.seen_outcome::text, s.withdrawn, s.published_at,
           s.hash IS NOT NULL AS accepted,
           (SELECT c.feed_no FROM feed_chunks c
             WHERE c.page_no = COALESCE(s.own_version, s.version) >> $4::integer LIMIT 1) AS run,
           COALESCE((SELECT c.feed_no FROM feed_chunks c WHERE c.page_no = s.seen LIMIT 1), s.seen) AS seen
      FROM feed_state s
     WHERE s.facet = $1::text::"char" AND s.supplier = $2 AND s.sku = $3 AND ($5::text IS NULL OR s.area > $5)
     ORDER BY s.area LIMIT $6
"""

REFUSALS = """
    SELECT id, feed_no, line, code, issues, state, created_at FROM dead_letters
     WHERE supplier = $1 AND facet = $2 AND sku = $3
     ORDER BY created_at DESC LIMIT 10
"""

MOST_KEYS = 200
"""Keys of a sku that are told at once: it may have one for every area that its supplier names."""

NEWEST = 2**62
"""A cursor before every feed."""

ROWS = 100
"""Rows of a report that are read at once."""

READ_ON_SECONDS = 60.0
"""For which a report that has begun waits for PostgreSQL, or for its reader's turn there."""


@dataclass(frozen=True, slots=True)
class FeedStatus:
    """One feed as it stands. counts: outcome → items so far; warnings: code → items; chunks None: not known.

    Of a full feed: withdrawn: keys so far; flaw: why it withdrew nothing, or not everything; hold: what a brake held;
    waits_for: the older feed of which items may still come, so that it cannot decide yet; chunks_deferred: chunks that
    wait for the topic of their facet, which is away. Both only where one feed was asked for.
    """

    feed_no: int
    supplier: str
    facet: str
    mode: str
    origin: str
    state: str
    lane: str
    revision: int
    chunks: int | None
    chunks_done: int
    records: int | None
    bytes: int | None
    received_at: datetime
    produced_at: datetime | None
    finished_at: datetime | None
    cancel_requested: bool
    counts: dict[str, int]
    warnings: dict[str, int]
    withdrawn: int | None
    flaw: str | None
    hold: dict[str, Any] | None
    waits_for: int | None = None
    chunks_deferred: int = 0


class Reports:
    """Read-only view of feeds and keys; a supplier sees its own, None sees all.

    share: connections of the pool that the questions of one supplier may have at a time; None: as many as there are.
    """

    def __init__(self, pool: Pool, *, share: int | None = None) -> None:
        self._pool = SharedPool(pool, share=share)
        self._rejected = Batcher(self._spent)

    async def feed(self, feed_no: int, supplier: str | None) -> FeedStatus | None:
        """One feed, with its counts so far."""
        async with self._pool.acquired(supplier) as connection:
            row = await connection.fetchrow(FEED, feed_no, supplier, GRACE)
            if row is None:
                return None
            counts, warnings = row["counts"], row["warnings"]
            if counts is None:
                async with connection.transaction():
                    counts = await count_outcomes(connection, feed_no)
                    warnings = await count_warnings(connection, feed_no)
        return _status(row, counts, warnings)

    async def feeds(
        self, supplier: str | None, *, facet: str | None, state: str | None, before: int = NEWEST, limit: int = 50
    ) -> list[FeedStatus]:
        """Newest first, below the cursor `before`; counts only of finished feeds."""
        async with self._pool.acquired(supplier) as connection:
            rows = await connection.fetch(FEEDS, supplier, facet, state, before, limit)
        return [_status(row, row["counts"] or {}, row["warnings"]) for row in rows]

    async def rejected_today(self, supplier: str) -> Spent:
        """What a supplier had rejected of its pushes today."""
        return await self._rejected.ask(supplier)

    async def _spent(self, suppliers: Sequence[str]) -> list[Spent]:
        async with self._pool.acquired(None) as connection:
            return await spent(connection, suppliers)

    async def top_problems(self, feed_no: int, supplier: str | None = None) -> list[dict[str, Any]]:
        """Problem codes of a feed, most frequent first: {code, count, skus}; counted once, when the feed is closed."""
        async with self._pool.acquired(supplier) as connection:
            stored: list[dict[str, Any]] | None = await connection.fetchval(STORED_PROBLEMS, feed_no)
            return await count_problems(connection, feed_no) if stored is None else stored

    async def rows(self, feed_no: int, supplier: str | None = None) -> AsyncIterator[list[dict[str, Any]]]:
        """The report, some rows at a time in record order: items that did not simply come through, with their issues.

        No connection is held while the caller is busy with them, however long it takes. Once there were some,
        PostgreSQL may be away for READ_ON_SECONDS.
        """
        page = await self._rows_from(0, 0, feed_no, supplier)
        while page is not None:
            yield page["rows"]
            chunk_no, first = page["chunk_no"], page["first"] + len(page["rows"])
            async for attempt in retrying_for(READ_ON_SECONDS):
                with attempt:
                    page = await self._rows_from(chunk_no, first, feed_no, supplier)

    async def _rows_from(self, chunk_no: int, first: int, feed_no: int, supplier: str | None) -> Row | None:
        async with self._pool.acquired(supplier) as connection:
            return await connection.fetchrow(NEXT_ROWS, feed_no, chunk_no, first, ROWS)

    async def cancel(self, feed_no: int, supplier: str) -> str | None:
        """Ask that what has not taken effect yet never does; the state before, None when there is no such feed."""
        async with self._pool.acquired(supplier) as connection, connection.transaction():
            state: str | None = await connection.fetchval(LOCK_FOR_CANCEL, feed_no, supplier)
            if state is not None:
                await request_cancel(connection, feed_no)
        return state

    async def item(
        self, supplier: str, facet: Facet, sku: str, *, after: str | None = None, most: int = MOST_KEYS
    ) -> dict[str, Any] | None:
        """What became of one sku: its keys' states and its latest refusals; None when it was never named.

        after: area of the last key that is known; more: whether there are keys beyond these.
        """
        whose = (FACET_CODES[facet], supplier, sku)
        async with self._pool.acquired(supplier) as connection, connection.transaction():
            keys = await connection.fetch(ITEM, *whose, RECORD_BITS, after, most + 1)
            refusals = await connection.fetch(REFUSALS, supplier, facet, sku)
        if not keys and not refusals:
            return None
        return {
            "sku": sku,
            "facet": facet.value,
            "keys": [_key_state(row) for row in keys[:most]],
            "more": len(keys) > most,
            "refusals": [dict(row) for row in refusals],
        }


def _status(row: Any, counts: dict[str, int], warnings: dict[str, int] | None) -> FeedStatus:
    return FeedStatus(**{**dict(row), "counts": counts, "warnings": warnings or {}})


OUTCOME_OF = {chr(byte): outcome.value for outcome, byte in OUTCOME_BYTES.items()}


def _key_state(row: Any) -> dict[str, Any]:
    return {
        "area": row["area"] or None,
        "status": "withdrawn" if row["withdrawn"] else "accepted" if row["accepted"] else "never_accepted",
        "version": row["version"],
        "source_version": row["source_version"],
        "feed": row["run"] or feed_no_of(row["own_version"]) or None,
        "record": record_index_of(row["own_version"]) if row["version"] else None,
        "last_seen_feed": row["seen"],
        "last_outcome": OUTCOME_OF.get(row["seen_outcome"], row["seen_outcome"]),
        "published_at": row["published_at"],
    }
