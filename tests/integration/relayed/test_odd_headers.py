"""Records whose headers Kafka takes and no reader of ours expects: they stop neither the program nor other orders."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
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


async def test_headers_whose_names_are_no_text_hide_nothing_of_their_batch(shop: Shop) -> None:
    topic = shop.ground.prefix + COMMANDS
    async with AIOKafkaProducer(**client_options(shop.ground.engines.kafka_bootstrap)) as producer:
        batch = producer.create_batch()
        for number in range(1, 6):
            odd = [("zzzz", b"1")] if number in (2, 3, 5) else []
            batch.append(timestamp=None, **entry(shop.order(number), *odd))
        whole = bytes(batch._build()).replace(b"zzzz", b"\xff\xfe\xfd\xfc")
        batch._buffer = whole[:17] + struct.pack(">I", calc_crc32c(whole[21:])) + whole[21:]
        await (await producer.send_batch(batch, topic, partition=0))
    await send(shop, entry(shop.order(6)))

    async def all_placed() -> bool:
        return all([await shop.has(number) for number in range(1, 7)])

    await eventually(all_placed, within=90)
    assert shop.program.process.returncode is None
