"""What became of a feed and of a sku: the questions vendors and operators ask."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway.feeds.closing import SAMPLE_SKUS, TOP, TOP_PROBLEMS, count_outcomes, count_warnings
from gateway.feeds.decide import OUTCOME_BYTES
from gateway.feeds.passes import GRACE, OLDER_OPEN
from gateway.feeds.queries import FACET_CODES
from gateway.feeds.rejections import Spent, spent
from gateway.feeds.versions import RECORD_BITS, feed_no_of, record_index_of
from gateway.store import Pool, acquired, transaction
from schemas.catalog import Facet

_FEED = """
    SELECT f.feed_no, f.supplier, f.facet, f.mode, f.origin, f.state, f.lane, f.chunks, f.records, f.bytes, f.revision,
           f.received_at, f.produced_at, f.finished_at, f.cancel_requested_at IS NOT NULL AS cancel_requested, f.counts,
           f.withdrawn, f.flaw, f.hold, f.warnings,
           (SELECT count(*) FROM feed_chunks c WHERE c.feed_no = f.feed_no) AS chunks_done,
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

REQUEST_CANCEL = """
    UPDATE feeds SET cancel_requested_at = COALESCE(cancel_requested_at, now())
     WHERE feed_no = $1 AND supplier = $2 AND state NOT IN ('done', 'cancelled')
    RETURNING true
"""

LOCK_FOR_CANCEL = "SELECT state FROM feeds WHERE feed_no = $1 AND supplier = $2 FOR UPDATE"

PROBLEMS = """
    SELECT problems FROM feed_chunks WHERE feed_no = $1 AND problems <> '[]' ORDER BY chunk_no
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


@dataclass(frozen=True, slots=True)
class FeedStatus:
    """One feed as it stands. counts: outcome → items so far; warnings: code → items; chunks None: not known.

    Of a full feed: withdrawn: keys so far; flaw: why it withdrew nothing, or not everything; hold: what a brake held;
    waits_for: the older feed of which items may still come, so that it cannot decide yet; only where one feed was asked
    for.
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


class Reports:
    """Read-only view of feeds and keys; a supplier sees its own, None sees all."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def feed(self, feed_no: int, supplier: str | None) -> FeedStatus | None:
        """One feed, with its counts so far."""
        async with acquired(self._pool) as connection:
            row = await connection.fetchrow(FEED, feed_no, supplier, GRACE)
            if row is None:
                return None
        counts, warnings = row["counts"], row["warnings"]
        if counts is None:
            async with transaction(self._pool) as connection:
                counts = await count_outcomes(connection, feed_no)
                warnings = await count_warnings(connection, feed_no)
        return _status(row, counts, warnings)

    async def feeds(
        self, supplier: str | None, *, facet: str | None, state: str | None, before: int = NEWEST, limit: int = 50
    ) -> list[FeedStatus]:
        """Newest first, below the cursor `before`; counts only of finished feeds."""
        async with transaction(self._pool) as connection:
            rows = await connection.fetch(FEEDS, supplier, facet, state, before, limit)
        return [_status(row, row["counts"] or {}, row["warnings"]) for row in rows]

    async def rejected_today(self, supplier: str) -> Spent:
        """What a supplier had rejected of its pushes today."""
        async with acquired(self._pool) as connection:
            return await spent(connection, supplier)

    async def top_problems(self, feed_no: int) -> list[dict[str, Any]]:
        """Problem codes of a feed, most frequent first: {code, count, skus}."""
        async with acquired(self._pool) as connection:
            rows = await connection.fetch(TOP, feed_no, SAMPLE_SKUS, TOP_PROBLEMS)
        return [dict(row) for row in rows]

    async def rows(self, feed_no: int) -> AsyncIterator[list[dict[str, Any]]]:
        """The report, chunk by chunk in record order: items that did not simply come through, with their issues."""
        async with transaction(self._pool) as connection:
            async for row in connection.cursor(PROBLEMS, feed_no):
                yield row["problems"]

    async def cancel(self, feed_no: int, supplier: str) -> str | None:
        """Ask that what has not taken effect yet never does; the state before, None when there is no such feed."""
        async with transaction(self._pool) as connection:
            state: str | None = await connection.fetchval(LOCK_FOR_CANCEL, feed_no, supplier)
            await connection.execute(REQUEST_CANCEL, feed_no, supplier)
        return state

    async def item(
        self, supplier: str, facet: Facet, sku: str, *, after: str | None = None, most: int = MOST_KEYS
    ) -> dict[str, Any] | None:
        """What became of one sku: its keys' states and its latest refusals; None when it was never named.

        after: area of the last key that is known; more: whether there are keys beyond these.
        """
        whose = (FACET_CODES[facet], supplier, sku)
        async with transaction(self._pool) as connection:
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
        "last_outcome": OUTCOME_OF.get(row["seen_outcome"]),
        "published_at": row["published_at"],
    }
