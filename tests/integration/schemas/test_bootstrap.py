"""A program of the mall core follows a catalog topic on a real Kafka, as the documentation of TableBootstrap shows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

from aiokafka import AIOKafkaConsumer

from gateway.embedded import Engines
from gateway.kafka import PRICES, Bus, Message, client_options
from schemas.base import read
from schemas.bootstrap import TableBootstrap
from schemas.catalog import Facet, Price, Quote
from schemas.envelope import ItemHeaders, key_of
from schemas.money import parse_decimal

AT = datetime(2026, 11, 23, tzinfo=UTC)
HEADERS = ItemHeaders(Facet.PRICE, "acme", feed_no=1, time=AT)


def quoted(sku: str, version: int, amount: str) -> Message:
    price = Price(
        supplier="acme",
        version=version,
        observed_at=AT,
        sku=sku,
        quote=Quote.QUOTED,
        agreement_price=parse_decimal(amount, places=2),
    )
    key = key_of("acme", sku, "*")
    return Message(PRICES, key, price.model_dump_json().encode(), HEADERS.state(key, version, b""))


def withdrawn(sku: str, version: int) -> Message:
    key = key_of("acme", sku, "*")
    return Message(PRICES, key, None, HEADERS.withdrawal(key, version))


async def send(bus: Bus, messages: Sequence[Message]) -> None:
    async with bus.producer("core") as producer:
        await producer.send(messages)


async def whole(consumer: AIOKafkaConsumer) -> TableBootstrap[Price]:
    """Reads the topic as far as it went when reading began."""
    partitions = consumer.assignment()
    ends = await consumer.end_offsets(partitions)
    prices = TableBootstrap({tp.partition: end for tp, end in ends.items()}, partial(read, Price))
    while not prices.complete:
        for records in (await consumer.getmany(timeout_ms=500)).values():
            for record in records:
                prices.take(record.key, record.headers, record.value)
        for tp in partitions:
            prices.reached(tp.partition, await consumer.position(tp))
    return prices


def amounts(prices: TableBootstrap[Price]) -> dict[str, str]:
    return {price.sku: str(price.agreement_price) for price in prices.values()}


async def test_a_reader_starts_with_the_whole_table_and_follows_it(
    engines: Engines, bus: Bus, topic_prefix: str
) -> None:
    await send(bus, [quoted(f"SKU-{number}", 1, "10.00") for number in range(50)])
    await send(bus, [quoted("SKU-1", 3, "12.50"), withdrawn("SKU-2", 3)])
    await send(bus, [quoted("SKU-1", 2, "99.00"), quoted("SKU-2", 2, "99.00")])  # appended late by a frozen broker

    async with AIOKafkaConsumer(
        topic_prefix + PRICES, **client_options(engines.kafka_bootstrap), auto_offset_reset="earliest"
    ) as consumer:
        prices = await whole(consumer)
        assert amounts(prices) == {f"SKU-{n}": "12.50" if n == 1 else "10.00" for n in range(50) if n != 2}

        await send(bus, [quoted("SKU-2", 4, "8.00"), withdrawn("SKU-1", 4)])
        while {prices.version(key_of("acme", sku, "*")) for sku in ("SKU-1", "SKU-2")} != {4}:
            record = await consumer.getone()
            prices.take(record.key, record.headers, record.value)
        assert amounts(prices) == {f"SKU-{n}": "8.00" if n == 2 else "10.00" for n in range(50) if n != 1}


async def test_an_empty_topic_is_whole_at_once(engines: Engines, bus: Bus, topic_prefix: str) -> None:
    async with AIOKafkaConsumer(
        topic_prefix + PRICES, **client_options(engines.kafka_bootstrap), auto_offset_reset="earliest"
    ) as consumer:
        assert len(await whole(consumer)) == 0
