"""Reads single partitions without a group: from here to there, or the one record at an offset."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from gateway.config import Bootstrap
from gateway.kafka.errors import translate
from gateway.kafka.member import stop_consumer
from gateway.kafka.records import Partition, Record, record_of
from gateway.kafka.security import client_options

ANSWER_SECONDS = 15.0
"""Seconds without an answer after which Kafka counts as away."""


async def scan(
    bootstrap: Bootstrap, prefix: str, target: Partition, start: int, end: int | None, *, max_records: int = 1000
) -> AsyncGenerator[list[Record], None]:
    """The records from `start` up to, not including, `end` (None: the log's end now), as they come.

    What the log no longer holds is left out. Raises KafkaUnavailableError after PATIENCE seconds without an answer.
    """
    physical = TopicPartition(prefix + target.topic, target.partition)
    with translate():
        async with _reading(bootstrap, physical) as consumer:
            async with asyncio.timeout(ANSWER_SECONDS):
                first = (await consumer.beginning_offsets([physical]))[physical]
                last = (await consumer.end_offsets([physical]))[physical]
            stop = last if end is None else min(end, last)
            place = max(start, first)
            consumer.seek(physical, place)
            while place < stop:
                found, place = await _next(consumer, physical, min(max_records, stop - place))
                records = [record_of(target, record) for record in found if record.offset < stop]
                if records:
                    yield records


async def _next(consumer: Any, physical: TopicPartition, most: int) -> tuple[list[Any], int]:
    """The next records and the place behind them, which compaction may have put further than the last of them."""
    async with asyncio.timeout(ANSWER_SECONDS):
        before = await consumer.position(physical)
        while True:
            found = await consumer.getmany(physical, timeout_ms=1000, max_records=most)
            place = await consumer.position(physical)
            if place > before:
                return found.get(physical, []), place


@asynccontextmanager
async def _reading(bootstrap: Bootstrap, target: TopicPartition) -> AsyncIterator[Any]:
    async with asyncio.timeout(ANSWER_SECONDS):
        consumer = await build_reader(bootstrap)
    try:
        consumer.assign([target])
        yield consumer
    finally:
        await stop_consumer(consumer)


async def build_reader(bootstrap: Bootstrap) -> Any:
    """A started consumer without a group, with nothing assigned. Raises what aiokafka raises."""
    consumer = AIOKafkaConsumer(
        **client_options(bootstrap),
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="none",
        request_timeout_ms=int(ANSWER_SECONDS * 1000),
        fetch_max_bytes=8 * 1024 * 1024,
        max_partition_fetch_bytes=1024 * 1024,
    )
    try:
        await consumer.start()
    except BaseException:
        await stop_consumer(consumer)
        raise
    return consumer
