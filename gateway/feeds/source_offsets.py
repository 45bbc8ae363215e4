"""Where each reader of a partition goes on: PostgreSQL's word, stronger than any offset committed to Kafka."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

import structlog

from gateway.feeds.chunk import Lane
from gateway.feeds.recreated_topics import note_lost
from gateway.kafka import BULK, EXPRESS, Bus, Partition
from gateway.store import Connection, Pool, acquired, transaction
from gateway.store.outage import retrying_while_unavailable
from gateway.telemetry import metrics

log = structlog.get_logger(__name__)

LANE_TOPIC: Mapping[Lane, str] = {Lane.EXPRESS: EXPRESS, Lane.BULK: BULK}

ENSURE_OFFSETS = """
    INSERT INTO source_offsets (topic, partition, next)
    SELECT * FROM unnest($1::text[], $2::integer[], $3::bigint[])
    ON CONFLICT DO NOTHING
"""

OFFSETS = "SELECT topic, partition, next FROM source_offsets WHERE topic = ANY($1::text[])"

RAISE_OFFSET = "UPDATE source_offsets SET next = $3 WHERE topic = $1 AND partition = $2 AND next < $3"


async def beginning_offsets(bus: Bus, topics: Iterable[str]) -> dict[Partition, int]:
    """First offset of every partition of the topics."""
    return {
        Partition(topic, number): at for topic in topics for number, at in (await bus.beginning_offsets(topic)).items()
    }


async def end_offsets(bus: Bus, topics: Iterable[str]) -> dict[Partition, int]:
    """Offset that the next record of every partition of the topics will get."""
    return {Partition(topic, number): at for topic in topics for number, at in (await bus.end_offsets(topic)).items()}


async def stored_offsets(connection: Connection, topics: list[str]) -> dict[Partition, int]:
    """Every stored place of the topics."""
    rows = await connection.fetch(OFFSETS, topics)
    return {Partition(row["topic"], row["partition"]): row["next"] for row in rows}


async def store_offset(pool: Pool, partition: Partition, following: int) -> None:
    """Remember that the partition goes on at `following`, unless somebody is further already."""
    async with acquired(pool) as connection:
        await connection.execute(RAISE_OFFSET, *partition, following)


async def starting_offsets(pool: Pool, bus: Bus, assigned: Collection[Partition]) -> dict[Partition, int]:
    """Where each partition goes on; one never read before begins at the log's start, and is stored so.

    A partition whose next records Kafka has deleted goes on at the log's start too, after an alarm, and so does one
    that ends before its stored place: it is not the log it was. One of a topic that does not exist is left out. Raises
    ClusterChangedError where the cluster is not the one it was.
    """
    topics = sorted({topic for topic, _ in assigned})
    starts = await beginning_offsets(bus, topics)
    there = [partition for partition in assigned if partition in starts]
    stored = await _ensured(pool, topics, {partition: starts[partition] for partition in there})
    ends = await end_offsets(bus, topics)  # read later than the places, which move all the time
    lost = {each.topic for each in there if each in ends and stored[each] > ends[each]}
    if lost:
        await bus.check()
        await _begin_again(pool, {topic: _of_topic(ends, topic) for topic in sorted(lost)})
    async with transaction(pool) as connection:
        for partition in there:
            if partition.topic in lost:
                stored[partition] = 0
                await connection.execute(RAISE_OFFSET, *partition, starts[partition])
            elif stored[partition] < starts[partition]:
                _report_gap(partition, stored[partition], starts[partition])
                await connection.execute(RAISE_OFFSET, *partition, starts[partition])
    return {partition: max(stored[partition], starts[partition]) for partition in there}


async def wait_for_starting_offsets(pool: Pool, bus: Bus, assigned: Collection[Partition]) -> Mapping[Partition, int]:
    """The same, waiting for as long as Kafka or PostgreSQL is away."""
    async for attempt in retrying_while_unavailable():
        with attempt:
            return await starting_offsets(pool, bus, assigned)
    raise AssertionError("patience has no end")


async def _ensured(pool: Pool, topics: list[str], starts: Mapping[Partition, int]) -> dict[Partition, int]:
    """The stored places of the topics; partitions without one begin at their starts."""
    async with transaction(pool) as connection:
        columns = ([topic for topic, _ in starts], [number for _, number in starts])
        await connection.execute(ENSURE_OFFSETS, *columns, list(starts.values()))
        return await stored_offsets(connection, topics)


async def _begin_again(pool: Pool, topics: Mapping[str, Sequence[int]]) -> None:
    async with transaction(pool) as connection:
        await note_lost(connection, topics, event="topic.ends_before_its_place")


def _of_topic(ends: Mapping[Partition, int], topic: str) -> list[int]:
    """The ends of a topic's partitions, in their order."""
    return [ends[partition] for partition in sorted(ends) if partition.topic == topic]


def _report_gap(partition: Partition, unread_from: int, goes_on_at: int) -> None:
    metrics.source_gaps_total.labels(topic=partition.topic).inc()
    log.error("source.gap", partition=partition, unread_from=unread_from, goes_on_at=goes_on_at)


async def have_processed(pool: Pool, ends: Mapping[Partition, int]) -> bool:
    """Whether everything before these ends of the feeds topics has taken effect, or was deferred."""
    async with acquired(pool) as connection:
        stored = await stored_offsets(connection, sorted({topic for topic, _ in ends}))
    return all(stored.get(partition, 0) >= end for partition, end in ends.items())
