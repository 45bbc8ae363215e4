"""Before intake opens: number new feeds above everything that Kafka already holds.

A database restored from an older copy would otherwise give out numbers again, and every new item would lose to what
the topics hold: the gateway would go mute. Only what lies behind the stored places has to be looked at, since a
number on a topic before them was given out before the copy was made. The numbers between are noted: what stands under
them was lost by this database, and not merely never committed.
"""

from __future__ import annotations

import structlog

from gateway.feeds.chunk import GW_PAGE
from gateway.feeds.seal import ChunkSeal
from gateway.feeds.source_offsets import LANE_TOPIC, beginning_offsets, end_offsets, stored_offsets
from gateway.feeds.versions import MAX_FEED_NO, feed_no_of
from gateway.kafka import CATALOG_TOPIC, Bus, Record
from gateway.store import Pool, transaction
from schemas.envelope import GW_FEED, GW_VERSION

log = structlog.get_logger(__name__)

# Numbers that were given out after the copy was put back, and before anybody noticed, may be on the topics already:
# what no feed here has does not count as given out.
NOTE_LOST = """
    INSERT INTO lost_numbers (first, last)
    SELECT LEAST(n.last_value, (SELECT coalesce(max(feed_no), 0) FROM feeds)) + 1, $1 FROM feed_no n
     WHERE n.last_value < $1 OR (n.last_value = $1 AND NOT n.is_called)
    ON CONFLICT DO NOTHING
"""

RAISE = """
    SELECT setval('feed_no', $1) FROM feed_no WHERE last_value < $1 OR (last_value = $1 AND NOT is_called)
"""

MAX_DIGITS = len(str(2**63 - 1))
"""Of the longest version."""

# One process at a time: by the time another one looks, the first may have given out higher numbers.
ALONE = "SELECT pg_advisory_xact_lock(hashtext('feed_no'))"


async def raise_feed_no(bus: Bus, pool: Pool, seal: ChunkSeal) -> int:
    """Make the next feed_no higher than any on the catalog and feeds topics; the highest found, 0 for none.

    Chunks that the gateway did not write do not count: they come to nothing, and must not use the numbers up.
    """
    topics = [*LANE_TOPIC.values(), *CATALOG_TOPIC.values()]
    starts, ends = await beginning_offsets(bus, topics), await end_offsets(bus, topics)
    async with transaction(pool) as connection:
        stored = await stored_offsets(connection, topics)
    highest = 0
    for partition, end in ends.items():
        start = max(starts[partition], stored.get(partition, 0))
        if start < end:
            async for records in bus.scan(*partition, start, end):
                highest = max((highest, *(_feed_no(record) for record in records if _counts(record, seal))))
    # Before the sequence moves, which no transaction undoes: a crash between the two is seen again.
    async with transaction(pool) as connection:
        await connection.execute(ALONE)
        await connection.execute(NOTE_LOST, highest)
    async with transaction(pool) as connection:
        await connection.execute(ALONE)
        raised = await connection.fetchval(RAISE, highest)
    if raised is not None:
        log.warning("feed_no.raised", to=raised)
    return highest


def _counts(record: Record, seal: ChunkSeal) -> bool:
    return record.topic not in LANE_TOPIC.values() or seal.holds(record.headers, record.value or b"")


def _feed_no(record: Record) -> int:
    """The highest number that a record's headers name: its feed, its page, or what its version carries.

    0 where they name none that we can have given out.
    """
    return max((_number(name, value) for name, value in record.headers), default=0)


def _number(name: str, value: bytes | None) -> int:
    if name not in (GW_FEED, GW_PAGE, GW_VERSION) or not value or not value.isdigit() or len(value) > MAX_DIGITS:
        return 0
    number = feed_no_of(int(value)) if name == GW_VERSION else int(value)
    return number if number <= MAX_FEED_NO else 0
