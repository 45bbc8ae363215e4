"""Full feeds that a brake holds: what they would withdraw, and the decision about them.

One full feed of a supplier and facet is held at a time. Releasing it withdraws what is absent by then; deciding against
it, six days without a decision, its supplier's cancelling it or a newer full feed close it, and nothing is withdrawn.
Lock order: its dead letter, its row, the horizon, groups of letters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gateway.deadletters import (
    DeadLetterRow,
    Handler,
    Predictor,
    ReplayResult,
    close_of_feed,
    discard_of_feed,
    refuse_patch,
    settle,
)
from gateway.feeds import horizons
from gateway.feeds.closing import CANCELLED, close
from gateway.feeds.contents import Contents
from gateway.feeds.feed import release_feed
from gateway.feeds.passes import LIFE, NAMED_IN_VAIN, SAMPLE, STAGE
from gateway.feeds.queries import FACET_CODES
from gateway.kafka import Position
from gateway.sdk.errors import GatewayError
from gateway.store import Connection, Pool, acquired, audit, transaction
from schemas.catalog import Facet
from schemas.envelope import ItemKey

RELEASED = "released"
"""What replaying the letter of a held feed comes to."""

REJECTED = "hold_rejected"
EXPIRED = "hold_expired"
"""Flaws of held feeds that withdrew nothing; codes of problems."""

LOCK_HELD = """
    SELECT feed_no, supplier, facet, mode, received_at FROM feeds
     WHERE feed_no = $1 AND state = 'held'
       FOR UPDATE
"""

EXISTS = "SELECT EXISTS (SELECT FROM feeds WHERE feed_no = $1)"

# A hold ends with its letter, whoever closed that. One whose time cannot be read has none, and ends no other's.
OVERDUE = """
    SELECT f.feed_no,
           CASE WHEN f.cancel_requested_at IS NOT NULL THEN $3
                WHEN held.since < now() - $2::interval THEN $4
                ELSE $5 END AS flaw
      FROM feeds f
     CROSS JOIN LATERAL (
           SELECT CASE WHEN pg_input_is_valid(f.hold ->> 'at', 'timestamptz') THEN (f.hold ->> 'at')::timestamptz END
           ) AS held (since)
     WHERE f.state = 'held'
       AND (f.cancel_requested_at IS NOT NULL OR held.since < now() - $2::interval
            OR NOT EXISTS (SELECT FROM dead_letters l
                            WHERE l.feed_no = f.feed_no AND l.stage = $1 AND l.state = 'open'))
     ORDER BY f.feed_no
"""

OLDER = """
    SELECT feed_no FROM feeds
     WHERE supplier = $1 AND facet = $2 AND state = 'held' AND feed_no < $3
     ORDER BY feed_no
"""

COUNT = "SELECT count(*) FROM feeds WHERE state = 'held'"

_ABSENT = """
    SELECT s.supplier, s.sku, s.area, s.seen, s.partition, s."offset"
      FROM feed_state s
     WHERE s.facet = $1::text::"char" AND s.supplier = $2 AND s.hash IS NOT NULL AND s.seen < $3
       AND s.sku NOT IN ({named})
     ORDER BY s.sku, s.area LIMIT $4
"""
ABSENT = _ABSENT.format(named=NAMED_IN_VAIN.format(full="$3"))


class UnknownFeedError(GatewayError):
    """There is no such feed."""


class NotHeldError(GatewayError):
    """The feed is not held, or not any more."""


@dataclass(frozen=True, slots=True)
class Absent:
    """A key that a held feed would withdraw. last_seen_feed: that named it last; item: what the topic says of it."""

    sku: str
    area: str | None
    last_seen_feed: str
    item: dict[str, Any] | None


async def give_up(connection: Connection, feed_no: int, *, flaw: str, reason: str) -> bool:
    """Close a held feed without withdrawing anything, and its letter; False when it is not held any more."""
    groups = await discard_of_feed(connection, feed_no, stage=STAGE, reason=reason)
    feed = await connection.fetchrow(LOCK_HELD, feed_no)
    if feed is None:
        return False
    await close(connection, feed, withdrawn=0, flaw=flaw)
    await settle(connection, groups)
    return True


async def overdue(connection: Connection) -> list[tuple[int, str]]:
    """Held feeds that nobody needs to decide about any more, and the flaws that they end with."""
    rows = await connection.fetch(OVERDUE, STAGE, LIFE, CANCELLED, EXPIRED, REJECTED)
    return [(row["feed_no"], row["flaw"]) for row in rows]


async def older(connection: Connection, supplier: str, facet: str, feed_no: int) -> list[int]:
    """Held feeds of a supplier and facet before this one."""
    return [row["feed_no"] for row in await connection.fetch(OLDER, supplier, facet, feed_no)]


async def count(connection: Connection) -> int:
    """How many feeds are held."""
    found: int = await connection.fetchval(COUNT)
    return found


class Holds:
    """Held feeds as operators decide about them. released: told that there is something to withdraw."""

    def __init__(self, pool: Pool, contents: Contents, released: Callable[[], None]) -> None:
        self._pool = pool
        self._contents = contents
        self._released = released

    async def release(self, feed_no: int, *, actor: str, reason: str) -> None:
        """Let a held feed withdraw. Raises UnknownFeedError, NotHeldError."""
        async with transaction(self._pool) as connection:
            groups = await close_of_feed(connection, feed_no, stage=STAGE, outcome=RELEASED)
            if not await _released(connection, feed_no):
                raise await _refusal(connection, feed_no)
            await audit.record(connection, actor, "feed.release", target=str(feed_no), reason=reason)
            await settle(connection, groups)
        self._released()

    async def reject(self, feed_no: int, *, actor: str, reason: str) -> None:
        """Close a held feed so that it withdraws nothing. Raises UnknownFeedError, NotHeldError."""
        async with transaction(self._pool) as connection:
            if not await give_up(connection, feed_no, flaw=REJECTED, reason=reason):
                raise await _refusal(connection, feed_no)
            await audit.record(connection, actor, "feed.reject", target=str(feed_no), reason=reason)

    async def absent(self, feed_no: int, supplier: str, facet: Facet) -> list[Absent]:
        """Some of the keys that a held feed would withdraw now, by sku, with what the mall knows of them."""
        async with acquired(self._pool) as connection:
            rows = await connection.fetch(ABSENT, FACET_CODES[facet], supplier, feed_no, SAMPLE)
        keys = {ItemKey(row["supplier"], row["sku"], row["area"] or None): row for row in rows}
        items = await self._contents.items(
            facet, {key: Position(row["partition"], row["offset"]) for key, row in keys.items()}
        )
        return [Absent(key.sku, key.area, str(row["seen"]), items.get(key)) for key, row in keys.items()]

    def handlers(self) -> dict[str, Handler]:
        """What replays the letters of held feeds, by stage."""
        return {STAGE: self._replay}

    def predictors(self) -> dict[str, Predictor]:
        """What foretells that, by stage."""
        return {STAGE: self._replay}

    async def _replay(self, connection: Connection, letter: DeadLetterRow) -> ReplayResult:
        refuse_patch(letter)
        if letter.feed_no is not None and await _released(connection, letter.feed_no):
            return ReplayResult(RELEASED)
        return ReplayResult("stale", detail="the feed is not held any more")


async def _released(connection: Connection, feed_no: int) -> bool:
    """Have a held feed withdraw; False when it is not held any more. From now on it is the horizon."""
    feed = await release_feed(connection, feed_no)
    if feed is None:
        return False
    await horizons.move(connection, feed["supplier"], feed["facet"], feed_no)
    return True


async def _refusal(connection: Connection, feed_no: int) -> GatewayError:
    if await connection.fetchval(EXISTS, feed_no):
        return NotHeldError(f"Feed {feed_no} is not held, or not any more.")
    return UnknownFeedError(f"There is no feed {feed_no}.")
