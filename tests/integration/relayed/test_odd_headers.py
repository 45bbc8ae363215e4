"""Records whose headers Kafka takes and no reader of ours expects: they stop neither the program nor other orders."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.record.util import calc_crc32c

from contrib.simulators.jd_vop.ledger import read
from gateway.kafka import client_options
from tests.eventually import eventually
from tests.integration.pulled.conftest import Ground, ground
from tests.ordering import goods
from tests.program import Program
from tests.pulling import Operator, row_of
from tests.relaying import COMMANDS, entry, submit, town

__all__ = ["ground"]


class Shop:
    """A program that sells at `jd`, and what the supplier did."""

    def __init__(self, ground: Ground, program: Program, simulator: Any, ledger: Path) -> None:
        self.ground, self.program, self.simulator, self.ledger = ground, program, simulator, ledger

    def order(self, number: int) -> dict[str, Any]:
        lines = [(goods(self.simulator)[0], 1)]
        return submit(f"HEADERS-{number}", lines, area=town(self.simulator), supplier="jd")

    async def has(self, number: int) -> bool:
        return f"HEADERS-{number}" in {each["thirdOrder"] for each in read(self.ledger)}


@pytest.fixture
async def shop(ground: Ground, tmp_path: Path) -> AsyncIterator[Shop]:
    ledger = tmp_path / "ledger.jsonl"
    async with ground.simulator(ledger=ledger) as simulator, ground.program() as program:
        row = row_of(simulator, facets=["price"], pulls={"price": "30d"})
        await Operator(program.admin_url).declare(jd=row)
        yield Shop(ground, program, simulator, ledger)


async def send(shop: Shop, *records: dict[str, Any]) -> None:
    """Into one partition, in this order."""
    topic = shop.ground.prefix + COMMANDS
    async with AIOKafkaProducer(**client_options(shop.ground.engines.kafka_bootstrap)) as producer:
        for each in records:
            await producer.send_and_wait(topic, partition=0, **each)


@pytest.mark.parametrize("name", ["traceparent", "x-request-id"])
async def test_a_header_without_a_value_stops_no_other_order(shop: Shop, name: str) -> None:
    odd = entry(shop.order(1), (name, None))
    if name == "x-request-id":
        odd["value"] = b"{"  # no command: it becomes a dead letter
    await send(shop, odd, entry(shop.order(2)))
    await eventually(lambda: shop.has(2), within=30)


async def test_a_header_whose_name_is_no_text_stops_neither_the_program_nor_another_order(shop: Shop) -> None:
    topic = shop.ground.prefix + COMMANDS
    async with AIOKafkaProducer(**client_options(shop.ground.engines.kafka_bootstrap)) as producer:
        batch = producer.create_batch()
        batch.append(timestamp=None, **entry(shop.order(1), ("zzzz", b"1")))
        whole = bytearray(batch._build())
        place = whole.index(b"zzzz")
        whole[place : place + 4] = b"\xff\xfe\xfd\xfc"
        struct.pack_into(">I", whole, 17, calc_crc32c(bytes(whole[21:])))
        batch._buffer = bytes(whole)
        await (await producer.send_batch(batch, topic, partition=0))
    await send(shop, entry(shop.order(2)))
    async with AIOKafkaConsumer(**client_options(shop.ground.engines.kafka_bootstrap)) as consumer:
        assert await consumer.end_offsets([TopicPartition(topic, 0)]) == {TopicPartition(topic, 0): 2}

    async def ended_or_ordered() -> bool:
        return shop.program.process.returncode is not None or await shop.has(2)

    await eventually(ended_or_ordered, within=60)
    assert shop.program.process.returncode is None, orjson.dumps(shop.program.log[-3:]).decode()
