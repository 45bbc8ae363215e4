"""The topics of the demo: when all that was decided stands on them, and how many records that makes."""

from __future__ import annotations

import asyncio

from gateway.kafka import TOPICS, Bus
from gateway.store import Pool, acquired


async def published(pool: Pool) -> None:
    """Return once the outbox has nothing left to publish."""
    while await _outbox(pool):  # noqa: ASYNC110 -- another task empties the table; nothing here could be told
        await asyncio.sleep(0.1)


async def count_topics(bus: Bus, pool: Pool) -> dict[str, int]:
    """Records on each topic that has any, by Kafka's own offsets, once all is published."""
    await published(pool)
    counts = {}
    for topic in TOPICS:
        starts, ends = await bus.beginning_offsets(topic), await bus.end_offsets(topic)
        counts[topic] = sum(ends.values()) - sum(starts.values())
    return {topic: count for topic, count in counts.items() if count}


async def _outbox(pool: Pool) -> int:
    async with acquired(pool) as connection:
        left: int = await connection.fetchval("SELECT count(*) FROM outbox")
        return left
