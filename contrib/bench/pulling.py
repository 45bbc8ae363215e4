"""The gateway as it pulls: waiting until it has read a supplier to the end, and seeing prices arrive on the topic."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from math import ceil
from typing import Any
from urllib.parse import unquote

import orjson
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition

from contrib.bench.program import Gateway
from contrib.bench.stage import Place, open_bus_at
from gateway.kafka import PRICES, client_options

LOOK_SECONDS = 0.5

Key = tuple[str, str]
"""Supplier and sku."""

Arrivals = Mapping[Key, list[tuple[float, str]]]
"""When which price of a key came, in order. Seconds since 1970."""


class SweepFailedError(Exception):
    """A supplier was not read as a whole."""


async def declare(program: Gateway, rows: Mapping[str, Mapping[str, Any]]) -> None:
    """Have suppliers pulled."""
    await program.admin.post("suppliers", "apply", body={"suppliers": rows})


async def until_swept(program: Gateway, *suppliers: str) -> None:
    """Wait until every facet of these was pulled as a whole, and its feed finished. Raises SweepFailedError."""
    while True:
        found = {each["supplier"]: each for each in (await program.admin.get("pulls"))["suppliers"]}
        pulls = [pull for supplier in suppliers for pull in found.get(supplier, {}).get("facets", {}).values()]
        if reasons := [pull["reason"] for pull in pulls if pull.get("outcome") == "failed"]:
            raise SweepFailedError(reasons[0])
        known = found.keys() >= set(suppliers) and pulls
        if known and all(pull.get("fresh_at") for pull in pulls) and await _finished(program):
            return
        await asyncio.sleep(LOOK_SECONDS)


async def _finished(program: Gateway) -> bool:
    feeds = (await program.admin.get("feeds", limit=200))["feeds"]
    return all(feed["finished_at"] for feed in feeds)


@asynccontextmanager
async def arrivals(place: Place) -> AsyncIterator[Arrivals]:
    """Prices as they come on their topic from now on, seen by a reader who waits there."""
    found: dict[Key, list[tuple[float, str]]] = {}

    def note(now: float, record: ConsumerRecord) -> None:
        supplier, sku, *_ = map(unquote, record.key.decode().split(":"))
        found.setdefault((supplier, sku), []).append((now, orjson.loads(record.value)["agreement_price"]))

    async with following(place, PRICES, note):
        yield found


@asynccontextmanager
async def following(place: Place, topic: str, note: Callable[[float, ConsumerRecord], None]) -> AsyncIterator[None]:
    """Have every record with a value noted as it comes on a topic from now on, with its time."""
    async with open_bus_at(place) as bus:
        ends = await bus.end_offsets(topic)
    consumer = AIOKafkaConsumer(**client_options(place.bootstrap), enable_auto_commit=False, fetch_max_wait_ms=100)
    await consumer.start()
    try:
        starts = {TopicPartition(f"{place.prefix}{topic}", partition): end for partition, end in ends.items()}
        consumer.assign(list(starts))
        for partition, end in starts.items():
            consumer.seek(partition, end)
        reading = asyncio.create_task(_read(consumer, note))
        try:
            yield
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
    finally:
        await consumer.stop()


async def _read(consumer: AIOKafkaConsumer, note: Callable[[float, ConsumerRecord], None]) -> None:
    while True:
        batches = await consumer.getmany(timeout_ms=1000)
        now = time.time()
        for record in (record for records in batches.values() for record in records):
            if record.value is not None:
                note(now, record)


def percentile(values: Iterable[float], share: float) -> float:
    """A percentile, by nearest rank."""
    in_order = sorted(values)
    return in_order[ceil(share * len(in_order)) - 1]
