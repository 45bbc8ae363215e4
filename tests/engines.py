"""Real Kafka and PostgreSQL for tests: started once, a topic prefix and a database of its own for each test."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from contrib.scratch import delete_topics, of_database, scratch_database
from gateway.embedded import Engines, open_engines
from gateway.kafka import TOPICS, Bus, open_bus
from gateway.store import Pool, connect, migrate, open_pool

TEMPLATE = "template_mallgate"

PARTITIONS = 3
"""Of every topic in tests: enough to tell partitions apart, few enough to be made quickly."""

_numbers = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever asks for the engines is marked as needing them."""
    for item in items:
        if "engines" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.engines)


@pytest.fixture(scope="session")
async def engines(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engines]:
    """Both engines, for the whole session. Who stops or freezes one brings it back."""
    async with open_engines(tmp_path_factory.mktemp("engines")) as opened:
        yield opened


@pytest.fixture(scope="session")
async def template(engines: Engines) -> str:
    """Name of a database with the schema and nothing in it."""
    return await make_template(engines)


async def make_template(engines: Engines) -> str:
    """Make a database with the schema and nothing in it; its name."""
    async with connect(engines.database_url, name="tests") as connection:
        await connection.execute(f"CREATE DATABASE {TEMPLATE}")
    async with connect(of_database(engines.database_url, TEMPLATE), name="tests") as connection:
        await migrate(connection)
    return TEMPLATE


@pytest.fixture
async def database(engines: Engines, template: str) -> AsyncIterator[str]:
    """URL of a database of this test's own, with the schema."""
    async with fresh_database(engines, template) as url:
        yield url


@asynccontextmanager
async def fresh_database(engines: Engines, template: str) -> AsyncIterator[str]:
    """URL of a database with the schema and nothing in it, dropped afterwards."""
    async with scratch_database(engines.database_url, f"test_{next(_numbers)}", template=template) as url:
        yield url


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    """Connections to this test's database."""
    async with open_pool(database, name="tests", size=8) as opened:
        yield opened


@pytest.fixture
async def topic_prefix(engines: Engines) -> AsyncIterator[str]:
    """Before the name of every topic and group of this test; what was made under it is gone after the test."""
    async with fresh_prefix(engines) as prefix:
        yield prefix


@asynccontextmanager
async def fresh_prefix(engines: Engines) -> AsyncIterator[str]:
    """A prefix that no topic has; what is made under it is deleted afterwards."""
    prefix = f"test{next(_numbers)}."
    yield prefix
    async with open_bus(engines.kafka_bootstrap):  # waits for a broker that was stopped or frozen
        await delete_topics(engines.kafka_bootstrap, prefix)


@pytest.fixture
async def bus(engines: Engines, topic_prefix: str) -> AsyncIterator[Bus]:
    """Kafka under this test's prefix, with all topics of the registry."""
    async with open_bus(engines.kafka_bootstrap, topic_prefix=topic_prefix) as opened:
        problems = await opened.ensure_topics(list(TOPICS.values()), partitions=PARTITIONS, replication=1)
        assert problems == []
        yield opened
