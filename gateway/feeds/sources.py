"""Where each reader of a partition goes on: PostgreSQL's word, stronger than any offset committed to Kafka."""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from gateway.feeds.chunk import Lane
from gateway.kafka import BULK, EXPRESS, Bus, Consumer, Partition
from gateway.sdk.errors import ConfigError
from gateway.store import Connection, Pool, acquired, transaction
from gateway.telemetry import metrics

log = structlog.get_logger(__name__)

LANE_TOPIC: Mapping[Lane, str] = {Lane.EXPRESS: EXPRESS, Lane.BULK: BULK}

ENSURE_NEXT = """
    INSERT INTO source_offsets (topic, partition, next)
    SELECT * FROM unnest($1::text[], $2::integer[], $3::bigint[])
    ON CONFLICT DO NOTHING
"""

ALL_NEXT = "SELECT topic, partition, next FROM source_offsets WHERE topic = ANY($1::text[])"

RAISE_NEXT = "UPDATE source_offsets SET next = $3 WHERE topic = $1 AND partition = $2 AND next < $3"


async def stored_nexts(connection: Connection, topics: list[str]) -> dict[Partition, int]:
    """Every stored place of the topics."""
    rows = await connection.fetch(ALL_NEXT, topics)
    return {(row["topic"], row["partition"]): row["next"] for row in rows}


async def store_next(pool: Pool, partition: Partition, following: int) -> None:
    """Remember that the partition goes on at `following`, unless somebody is further already."""
    async with acquired(pool) as connection:
        await connection.execute(RAISE_NEXT, *partition, following)


async def follow_stored_offsets(pool: Pool, bus: Bus, consumer: Consumer) -> dict[Partition, int]:
    """Set every assigned partition to its stored place, the log's start where there is none; those places.

    Raises ConfigError when a place lies behind the log's end: this is another log than the one that was read.
    """
    assigned = consumer.assignment()
    topics = sorted({topic for topic, _ in assigned})
    starts, ends = await bus.beginning_offsets(topics), await bus.end_offsets(topics)
    async with transaction(pool) as connection:
        missing = [(topic, partition, starts[topic, partition]) for topic, partition in assigned]
        if missing:
            await connection.execute(ENSURE_NEXT, *(list(column) for column in zip(*missing, strict=True)))
        stored = await stored_nexts(connection, topics)
    places = {partition: _place(partition, stored[partition], starts, ends) for partition in assigned}
    for partition, place in places.items():
        if place != stored[partition]:
            await store_next(pool, partition, place)
        consumer.seek(partition, place)
    return places


def _place(
    partition: Partition, stored: int, starts: Mapping[Partition, int], ends: Mapping[Partition, int]
) -> int:
    topic, number = partition
    if stored > ends[partition]:
        raise ConfigError(
            [
                f"{topic}/{number} ends at {ends[partition]}, but {stored} was read already: "
                "Kafka lost data or is another cluster; restore it, or start with a fresh database and topic prefix"
            ]
        )
    if stored < starts[partition]:
        metrics.source_gaps_total.labels(topic=topic).inc()
        log.error("source.gap", topic=topic, partition=number, unread_from=stored, goes_on_at=starts[partition])
        return starts[partition]
    return stored


async def lanes_are_idle(pool: Pool, bus: Bus) -> bool:
    """Whether every chunk that the feeds topics hold has taken effect."""
    ends = await bus.end_offsets(list(LANE_TOPIC.values()))
    async with acquired(pool) as connection:
        stored = await stored_nexts(connection, list(LANE_TOPIC.values()))
    return all(stored.get(partition, 0) >= end for partition, end in ends.items())
