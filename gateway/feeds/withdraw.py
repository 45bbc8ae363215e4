"""Withdrawing what a full feed did not name: null under its key on the catalog topic, a thousand keys at a time.

A batch is one transaction: the feed's row, its keys in their order, the acks, the keys' new states. A crash anywhere
repeats the batch under the same `ce_id`s. Keys are found by walking over all of their supplier's facet: an index on
what was seen when would have to move with every item of every feed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

import structlog

from gateway.events import set_within
from gateway.feeds.closing import CANCELLED, close
from gateway.feeds.decide import Key
from gateway.feeds.feed import add_withdrawn
from gateway.feeds.message import catalog_key
from gateway.feeds.passes import NAMED_IN_VAIN
from gateway.feeds.queries import FACET_CODES
from gateway.feeds.versions import WITHDRAWAL, feed_no_of, version_of
from gateway.kafka import CATALOG_TOPIC, Message, Position, Producer
from gateway.sdk.errors import ServiceUnavailableError
from gateway.store import Connection, Pool, Row, acquired, transaction
from gateway.telemetry import metrics
from gateway.telemetry.failpoints import failpoint
from gateway.telemetry.supervise import Supervisor
from schemas.catalog import Facet
from schemas.envelope import ItemHeaders

log = structlog.get_logger(__name__)

BATCH = 1_000
"""Keys withdrawn in one transaction."""

POLL_SECONDS = 1.0

START: Key = ("", "")
"""Before every key."""

DUE = "SELECT feed_no FROM feeds WHERE state = 'withdrawing' ORDER BY feed_no"

# Another process that has the row is at work on the feed already.
LOCK_FEED = """
    SELECT feed_no, supplier, facet, mode, received_at, withdrawn, cancel_requested_at IS NOT NULL AS cancelled
      FROM feeds
     WHERE feed_no = $1 AND state = 'withdrawing'
       FOR NO KEY UPDATE SKIP LOCKED
"""

# Only a walk by the primary key can stop after a batch; every other plan sorts all that is left, batch after batch.
BY_KEY = "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off"

# Without locks: a walk over millions of keys must not keep chunks waiting for the first of those it finds.
_FIND = """
    SELECT sku, area FROM feed_state
     WHERE facet = $1::text::"char" AND supplier = $2 AND (sku, area) > ($3, $4) AND seen < $5 AND hash IS NOT NULL
       AND sku NOT IN ({named})
     ORDER BY sku, area LIMIT $6
"""
FIND = _FIND.format(named=NAMED_IN_VAIN.format(full="$5"))

LOCK_KEYS = """
    SELECT s.sku, s.area, s.version AS published, COALESCE(s.own_version, s.version) AS version, s.seen,
           s.hash IS NOT NULL AS active
      FROM unnest($3::text[], $4::text[]) AS k (sku, area)
     CROSS JOIN LATERAL (
           SELECT sku, area, version, own_version, seen, hash FROM feed_state
            WHERE facet = $1::text::"char" AND supplier = $2 AND sku = k.sku AND area = k.area
              FOR UPDATE
           ) s
"""

# Every row exists and is locked: the conflict is what this is for. `seen` stays: the feed did not name the key.
WITHDRAW = """
    INSERT INTO feed_state AS s (facet, supplier, own_version, seen, sku, area, version, partition, "offset")
    SELECT $1::text::"char", $2, $3, 0, k.*
      FROM unnest($4::text[], $5::text[], $6::bigint[], $7::integer[], $8::bigint[]) AS k
    ON CONFLICT (facet, supplier, sku, area) DO UPDATE
       SET version = EXCLUDED.version, own_version = NULLIF(EXCLUDED.own_version, EXCLUDED.version),
           source_version = NULL, hash = NULL, published_at = NULL, withdrawn = true,
           partition = EXCLUDED.partition, "offset" = EXCLUDED."offset"
"""


def is_absent(key: Row, feed_no: int) -> bool:
    """Whether a locked key is withdrawn by the feed: it is active, and nobody has named it since."""
    return bool(key["active"] and key["seen"] < feed_no and key["version"] < version_of(feed_no, WITHDRAWAL))


def withdrawal_over(key: Row, feed_no: int) -> int:
    """The version that a key is withdrawn under: the feed's, or behind a higher one that it was published under."""
    own = version_of(feed_no, WITHDRAWAL)
    return own if key["published"] < own else version_of(feed_no_of(key["published"]), WITHDRAWAL)


class Withdrawer:
    """Works on feeds that are withdrawing, batch by batch in turns; several processes take each other's place."""

    def __init__(self, pool: Pool, producer: Producer) -> None:
        self._pool = pool
        self._producer = producer
        self._walked: dict[int, Key] = {}
        self._wake = asyncio.Event()
        self.supervisor = Supervisor[int]("withdrawal", "feed")

    def wake(self) -> None:
        """There may be something to withdraw."""
        self._wake.set()

    async def run(self) -> None:
        """For ever; Kafka or PostgreSQL being away only delays it, and a feed at fault keeps no other from its turn."""
        while True:
            self._wake.clear()
            try:
                busy = await self.round()
            except ServiceUnavailableError as error:
                log.warning("withdrawal.waiting", error=str(error))
                busy = False
            if not busy:
                await set_within(self._wake, POLL_SECONDS)

    async def round(self) -> bool:
        """One batch of every feed that is withdrawing; whether there was anything to do."""
        async with acquired(self._pool) as connection:
            due = [row["feed_no"] for row in await connection.fetch(DUE)]
        self._walked = {feed_no: self._walked.get(feed_no, START) for feed_no in due}
        return any(await self.supervisor.each(due, self._batch))

    async def _batch(self, feed_no: int) -> bool:
        """The next keys of a feed, or its end; False when another process is at it."""
        async with transaction(self._pool) as connection:
            feed = await connection.fetchrow(LOCK_FEED, feed_no)
            if feed is None:
                return False
            found = [] if feed["cancelled"] else await self._find(connection, feed)
            keys = await self._withdrawn(connection, feed, found) if found else []
            if not found:
                await close(
                    connection, feed, withdrawn=feed["withdrawn"], flaw=CANCELLED if feed["cancelled"] else None
                )
        if found:
            self._walked[feed_no] = found[-1]
            metrics.withdrawals_total.labels(facet=feed["facet"]).inc(len(keys))
        else:
            log.info("feed.withdrawn", feed=feed_no, supplier=feed["supplier"], keys=feed["withdrawn"])
        return True

    async def _find(self, connection: Connection, feed: Row) -> list[Key]:
        """The next keys that seem absent."""
        feed_no = feed["feed_no"]
        after = self._walked[feed_no]
        facet = FACET_CODES[Facet(feed["facet"])]
        await connection.execute(BY_KEY)
        rows = await connection.fetch(FIND, facet, feed["supplier"], *after, feed_no, BATCH)
        return [(row["sku"], row["area"]) for row in rows]

    async def _withdrawn(self, connection: Connection, feed: Row, found: Sequence[Key]) -> list[Key]:
        """Those of the keys that are absent under their locks, withdrawn."""
        facet, supplier, feed_no = FACET_CODES[Facet(feed["facet"])], feed["supplier"], feed["feed_no"]
        rows = await connection.fetch(LOCK_KEYS, facet, supplier, *map(list, zip(*found, strict=True)))
        gone = {(row["sku"], row["area"]): withdrawal_over(row, feed_no) for row in rows if is_absent(row, feed_no)}
        if not gone:
            return []
        places = await self._publish(feed, gone)
        columns = zip(*((*key, gone[key], *at) for key, at in zip(gone, places, strict=True)), strict=True)
        await connection.execute(WITHDRAW, facet, supplier, version_of(feed_no, WITHDRAWAL), *map(list, columns))
        await add_withdrawn(connection, feed_no, len(gone))
        return list(gone)

    async def _publish(self, feed: Row, keys: Mapping[Key, int]) -> Sequence[Position]:
        """Where the withdrawals of the keys stand. Raises ServiceUnavailableError when the acks do not come."""
        messages = withdrawals(feed, keys)
        failpoint("withdraw.before")
        positions = await self._producer.send(messages)
        failpoint("withdraw.after")
        return positions


def withdrawals(feed: Row, keys: Mapping[Key, int]) -> list[Message]:
    """The records that withdraw keys in the name of a feed. keys: with the versions that they get."""
    facet, supplier, feed_no = Facet(feed["facet"]), feed["supplier"], feed["feed_no"]
    headers = ItemHeaders(facet, supplier, feed_no=feed_no, time=feed["received_at"])
    named = ((catalog_key(supplier, facet, key), version) for key, version in keys.items())
    return [Message(CATALOG_TOPIC[facet], key, None, headers.withdrawal(key, version)) for key, version in named]
