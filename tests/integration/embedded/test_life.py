"""Engines serve, keep their data and their port, and stay apart from each other."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import psutil
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import UnknownTopicOrPartitionError

from gateway.config import Bootstrap
from gateway.embedded import Engines, Stage, Step, open_engines
from gateway.kafka import client_options

pytestmark = pytest.mark.engines


async def produce(bootstrap: Bootstrap, topic: str, value: bytes) -> None:
    producer = AIOKafkaProducer(**client_options(bootstrap), acks="all", max_request_size=5 << 20)
    await producer.start()
    try:
        await producer.send_and_wait(topic, value, partition=0)
    finally:
        await producer.stop()


async def create_topic(bootstrap: Bootstrap, topic: str) -> None:
    admin = AIOKafkaAdminClient(**client_options(bootstrap))
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()


async def topics(bootstrap: Bootstrap) -> set[str]:
    admin = AIOKafkaAdminClient(**client_options(bootstrap))
    await admin.start()
    try:
        return set(await admin.list_topics())
    finally:
        await admin.close()


async def first_value(bootstrap: Bootstrap, topic: str) -> bytes:
    consumer = AIOKafkaConsumer(**client_options(bootstrap), max_partition_fetch_bytes=5 << 20)
    await consumer.start()
    try:
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        await consumer.seek_to_beginning(partition)
        record = await asyncio.wait_for(consumer.getone(), 30)
        assert isinstance(record.value, bytes)
        return record.value
    finally:
        await consumer.stop()


async def execute(url: str, *statements: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


async def ask(url: str, query: str) -> object:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def keep(engines: Engines, name: str) -> None:
    """Write the name into a topic and a table of that name."""
    await create_topic(engines.kafka_bootstrap, name)
    await produce(engines.kafka_bootstrap, name, name.encode())
    await execute(engines.database_url, f"CREATE TABLE {name} (value text)", f"INSERT INTO {name} VALUES ('{name}')")


async def kept(engines: Engines, name: str) -> tuple[str, object]:
    """What the topic and the table of that name hold."""
    value = await first_value(engines.kafka_bootstrap, name)
    return value.decode(), await ask(engines.database_url, f"SELECT value FROM {name}")


async def test_data_and_address_outlive_a_stop(engines: Engines) -> None:
    address, url = engines.kafka_bootstrap, engines.database_url
    await keep(engines, "stopped")

    await asyncio.gather(engines.kafka.stop(), engines.postgres.stop())
    with pytest.raises(ConnectionRefusedError):
        await ask(url, "SELECT 1")
    await asyncio.gather(engines.kafka.start(), engines.postgres.start())

    assert (engines.kafka.bootstrap, engines.postgres.url) == (address, url)
    assert await kept(engines, "stopped") == ("stopped", "stopped")


async def test_what_was_acknowledged_outlives_a_kill(engines: Engines) -> None:
    await keep(engines, "killed")

    await asyncio.gather(engines.kafka.kill(), engines.postgres.kill())
    await asyncio.gather(engines.kafka.start(), engines.postgres.start())

    assert await kept(engines, "killed") == ("killed", "killed")


async def test_the_next_program_finds_the_data(tmp_path: Path) -> None:
    async with open_engines(tmp_path) as first:
        await keep(first, "found")
    async with open_engines(tmp_path) as second:
        assert await kept(second, "found") == ("found", "found")


async def test_two_pairs_run_side_by_side_and_apart(tmp_path: Path) -> None:
    async with open_engines(tmp_path / "one") as one, open_engines(tmp_path / "two") as two:
        await create_topic(one.kafka_bootstrap, "mine")
        await execute(one.database_url, "CREATE TABLE mine ()")
        assert "mine" in await topics(one.kafka_bootstrap)
        assert "mine" not in await topics(two.kafka_bootstrap)
        assert await ask(one.database_url, "SELECT to_regclass('mine') IS NULL") is False
        assert await ask(two.database_url, "SELECT to_regclass('mine') IS NULL") is True


async def test_a_frozen_server_answers_nobody_until_it_thaws(engines: Engines) -> None:
    kept_open = await asyncpg.connect(engines.database_url)
    await engines.postgres.freeze()
    await engines.kafka.freeze()
    states = {psutil.Process(engine.pid).status() for engine in (engines.kafka, engines.postgres)}
    assert states == {psutil.STATUS_STOPPED}
    with pytest.raises(TimeoutError):
        await kept_open.fetchval("SELECT 1", timeout=0.2)

    await engines.postgres.thaw()
    await engines.kafka.thaw()
    await kept_open.close()
    assert await ask(engines.database_url, "SELECT 1") == 1
    assert await topics(engines.kafka_bootstrap) is not None


async def test_a_frozen_server_can_be_stopped(engines: Engines) -> None:
    await engines.postgres.freeze()
    await engines.kafka.freeze()
    await asyncio.gather(engines.kafka.stop(), engines.postgres.stop())
    assert "database system is shut down" in engines.postgres.log.read_text()


async def test_everything_listens_on_loopback_only(shared: Engines) -> None:
    listeners = {
        connection.laddr.ip
        for engine in (shared.kafka, shared.postgres)
        for connection in psutil.Process(engine.pid).net_connections()
        if connection.status == psutil.CONN_LISTEN
    }
    assert {address.removeprefix("::ffff:") for address in listeners} == {"127.0.0.1"}


async def test_the_ports_can_be_chosen(tmp_path: Path, free_ports: tuple[int, int]) -> None:
    kafka_port, postgres_port = free_ports
    async with open_engines(tmp_path, kafka_port=kafka_port, postgres_port=postgres_port) as engines:
        assert engines.kafka_bootstrap.servers == f"127.0.0.1:{kafka_port}"
        assert urlsplit(engines.database_url).port == postgres_port
        assert await topics(engines.kafka_bootstrap) is not None
        assert await ask(engines.database_url, "SELECT 1") == 1


@pytest.fixture
def free_ports() -> tuple[int, int]:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        return one.getsockname()[1], two.getsockname()[1]


async def test_a_topic_nobody_declared_is_not_made_by_asking_for_it(shared: Engines) -> None:
    consumer = AIOKafkaConsumer("undeclared", **client_options(shared.kafka_bootstrap), request_timeout_ms=1000)
    with pytest.raises(UnknownTopicOrPartitionError):
        await consumer.start()
    await consumer.stop()
    assert "undeclared" not in await topics(shared.kafka_bootstrap)


async def test_a_record_of_four_and_a_half_mebibytes_passes(shared: Engines) -> None:
    large = b"x" * int(4.5 * 2**20)
    await create_topic(shared.kafka_bootstrap, "large")
    await produce(shared.kafka_bootstrap, "large", large)
    assert await first_value(shared.kafka_bootstrap, "large") == large


async def test_only_who_knows_the_password_gets_in(shared: Engines) -> None:
    parts = urlsplit(shared.database_url)
    with pytest.raises(asyncpg.InvalidPasswordError):
        await ask(shared.database_url.replace(str(parts.password), "guessed"), "SELECT 1")
    assert shared.postgres.log.with_name("password").stat().st_mode & 0o777 == 0o600


async def test_the_database_is_utf8_in_utc_with_durable_commits_and_room_for_200_connections(shared: Engines) -> None:
    settings = {
        name: await ask(shared.database_url, f"SHOW {name}")
        for name in ("server_encoding", "timezone", "synchronous_commit", "fsync", "max_connections")
    }
    assert settings == {
        "server_encoding": "UTF8",
        "timezone": "UTC",
        "synchronous_commit": "on",
        "fsync": "on",
        "max_connections": "200",
    }


async def test_the_owner_may_make_databases(shared: Engines) -> None:
    await execute(shared.database_url, "CREATE DATABASE another")
    url = urlsplit(shared.database_url)._replace(path="/another").geturl()
    assert await ask(url, "SELECT current_database()") == "another"


async def test_a_place_with_spaces_commas_and_chinese_letters_will_do(tmp_path: Path) -> None:
    async with open_engines(tmp_path / "数据, a b=c") as engines:
        assert await topics(engines.kafka_bootstrap) is not None
        assert await ask(engines.database_url, "SELECT 1") == 1


async def test_the_steps_are_told_in_order(tmp_path: Path) -> None:
    steps: list[Step] = []
    async with open_engines(tmp_path, progress=steps.append):
        pass
    stages = list(Stage)
    for engine in ("kafka", "postgres"):
        told = [stages.index(step.stage) for step in steps if step.engine == engine]
        assert told == sorted(told)
        assert stages[told[-1]] is Stage.READY
