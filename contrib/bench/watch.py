"""The separate reader that says when a contestant is done: end offsets of Kafka and rows of PostgreSQL."""

from __future__ import annotations

import asyncio
import time

from contrib.bench.stage import Place
from gateway.kafka import Bus
from gateway.store import connect

LOOK_SECONDS = 0.05


async def until_published(bus: Bus, topic: str, count: int) -> float:
    """Wait until the topic holds so many records; when that was seen, by the monotonic clock."""
    while True:
        ends = await bus.end_offsets(topic)
        if sum(ends.values()) >= count:
            break
        await asyncio.sleep(LOOK_SECONDS)
    return time.monotonic()


async def until_counted(place: Place, query: str, count: int) -> float:
    """Wait until a counting query answers so many; when that was seen, by the monotonic clock."""
    async with connect(place.database, name="bench") as connection:
        while True:
            found: int = await connection.fetchval(query)
            if found >= count:
                break
            await asyncio.sleep(LOOK_SECONDS)
    return time.monotonic()
