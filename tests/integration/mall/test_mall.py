"""The mall core and the example programs on a real Kafka, before a played gateway."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from contrib.mall.records import read_record
from contrib.mall.verdict import Record, counts, verdicts
from gateway.config import Bootstrap
from gateway.embedded import Engines
from gateway.embedded.kafka import cache_directory
from gateway.kafka import PRICES, PRODUCTS, Bus, Message
from schemas.catalog import BarcodeCheck, Facet, NoDirectoryReason, Price, Product, Quote
from schemas.envelope import ItemHeaders, key_of
from schemas.money import parse_decimal
from tests.eventually import eventually
from tests.played_gateway import PlayedGateway, played_gateway

AT = datetime(2026, 11, 29, tzinfo=UTC)
SUPPLIERS = ("jd", "shop")
EXAMPLES = Path(__file__).parents[3] / "contrib" / "examples"


def goods(supplier: str, number: int) -> list[Message]:
    known: dict[str, Any] = {"supplier": supplier, "version": 1, "observed_at": AT, "sku": f"S-{number}"}
    checked = {"barcode_check": BarcodeCheck.ABSENT, "no_directory_reason": NoDirectoryReason.NO_CATEGORY}
    product = Product.model_validate(known | checked | {"name": f"硒鼓 {number}"})
    amount = parse_decimal(f"{number + 1}.05", places=2)
    price = Price(**known, quote=Quote.QUOTED, agreement_price=amount)
    messages = []
    for topic, facet, item, key in (
        (PRODUCTS, Facet.PRODUCT, product, key_of(supplier, product.sku)),
        (PRICES, Facet.PRICE, price, key_of(supplier, price.sku, "*")),
    ):
        headers = ItemHeaders(facet, supplier, feed_no=1, time=AT).state(key, 1, b"")
        messages.append(Message(topic, key, item.model_dump_json().encode(), headers))
    return messages


@pytest.fixture
async def catalog(bus: Bus) -> None:
    async with bus.producer("catalog") as producer:
        await producer.send([each for who in SUPPLIERS for number in range(6) for each in goods(who, number)])


def command_line(kafka: Bootstrap, prefix: str, path: Path, orders: int) -> Sequence[str]:
    return (
        *("-W", "error", "-m", "contrib.mall", "--bootstrap", kafka.servers, "--prefix", prefix, "--json"),
        *("--security-protocol", kafka.security_protocol, "--sasl-mechanism", str(kafka.sasl_mechanism)),
        *("--sasl-username", str(kafka.sasl_username), "--orders", str(orders), "--seed", "3", "--linger", "0.5"),
        *("--supplier", "jd=7_412_3545", "--supplier", "shop"),
        *("--journal", str(path / "journal.jsonl"), "--events", str(path / "events.jsonl")),
    )


@asynccontextmanager
async def program(*command: str, kafka: Bootstrap, prefix: str = ""):
    login = f'username="{kafka.sasl_username}" password="{kafka.sasl_password}"'
    environment = {
        **os.environ,
        "TOPIC_PREFIX": prefix,
        "KAFKA_SECURITY_PROTOCOL": kafka.security_protocol,
        "KAFKA_SASL_MECHANISM": str(kafka.sasl_mechanism),
        "KAFKA_SASL_USERNAME": str(kafka.sasl_username),
        "KAFKA_SASL_PASSWORD": str(kafka.sasl_password),
        "KAFKA_SASL_JAAS_CONFIG": f"org.apache.kafka.common.security.scram.ScramLoginModule required {login};",
    }
    started = await asyncio.create_subprocess_exec(*command, stdout=PIPE, stderr=PIPE, env=environment)
    try:
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.wait()


async def output(started: Process) -> str:
    out, error = await started.communicate()
    assert started.returncode == 0, error.decode()
    return out.decode()


def judged(path: Path, played: PlayedGateway) -> Record:
    read = read_record(path / "journal.jsonl", path / "events.jsonl", [])
    return Record(read.commands, read.events, played.effects)


async def test_orders_are_placed_and_followed_to_their_end(engines: Engines, bus: Bus, topic_prefix, tmp_path, catalog):
    kafka = engines.kafka_bootstrap
    async with played_gateway(bus, kafka, topic_prefix, delivers=True, refuses=5) as played:
        line = command_line(kafka, topic_prefix, tmp_path, 30)
        async with program(sys.executable, *line, "--rate", "20", kafka=kafka) as started:
            told = orjson.loads(await output(started))
    assert (told["placed"], told["lost"], told["answered_twice"]) == (30, 0, 0)
    assert told["commands"] == len(played.known)
    assert sum(told["by_state"].values()) == 30
    assert set(told["by_state"]) >= {"refused", "cancelled", "delivered"}
    record = judged(tmp_path, played)
    assert {name: [*each.violations] for name, each in verdicts(record).items() if each.violations} == {}
    assert all(each.judged for each in verdicts(record).values())
    counted = counts(record)
    assert (counted["ledger_effects"], counted["one_effect"], counted["refused"]) == (24, 24, 6)
    assert counted["repeats"] > 0


async def test_a_core_that_was_killed_goes_on_and_places_nothing_twice(
    engines: Engines, bus: Bus, topic_prefix, tmp_path, catalog
):
    """It dies while it waits for answers; the next one repeats what has none, byte by byte, and ends the plan."""
    kafka, journal = engines.kafka_bootstrap, tmp_path / "journal.jsonl"
    line = command_line(kafka, topic_prefix, tmp_path, 30)

    async def placed() -> bool:
        return journal.exists() and len(journal.read_bytes().splitlines()) == 31

    async with program(sys.executable, *line, kafka=kafka) as started:
        await eventually(placed)
        started.kill()
    async with (
        played_gateway(bus, kafka, topic_prefix) as played,
        program(sys.executable, *line, kafka=kafka) as started,
    ):
        told = orjson.loads(await output(started))
    assert (told["placed"], told["lost"], told["answered_twice"]) == (30, 0, 0)
    record = judged(tmp_path, played)
    assert {name: [*each.violations] for name, each in verdicts(record).items() if each.violations} == {}
    assert counts(record)["one_effect"] == 30


FOLLOWERS = {"python": (sys.executable, "-W", "error", str(EXAMPLES / "follow_order.py"))} | (
    {"java": ("java", "-cp", "{jars}", str(EXAMPLES / "FollowOrder.java"))} if shutil.which("javac") else {}
)
"""The example in Java runs where there is a JDK; the runtime that Kafka itself gets cannot compile."""


@pytest.mark.parametrize("language", FOLLOWERS)
async def test_an_example_places_an_order_and_follows_it_to_its_delivery(
    engines: Engines, bus: Bus, topic_prefix, language
):
    kafka = engines.kafka_bootstrap
    jars = str(next(cache_directory(os.environ).glob("kafka-*")) / "*")
    line = [each.replace("{jars}", jars) for each in FOLLOWERS[language]]
    async with (
        played_gateway(bus, kafka, topic_prefix, delivers=True) as played,
        program(*line, kafka.servers, "shop", "S-1", "2.05", kafka=kafka, prefix=topic_prefix) as started,
    ):
        order_no, *lines = (await output(started)).splitlines()
    assert [each.split()[1] for each in lines] == [
        "order.accepted",
        "order.confirmed",
        "shipment.created",
        "shipment.delivered",
    ]
    assert [(each.order_no, each.kind) for each in played.effects] == [(order_no, "submit"), (order_no, "confirm")]
