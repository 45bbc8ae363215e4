"""What tests of the bus share."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gateway.embedded import Engines
from gateway.kafka import Bus, Producer


@pytest.fixture
async def producer(bus: Bus) -> AsyncIterator[Producer]:
    """A producer of the test's own."""
    async with bus.producer("tests") as opened:
        yield opened


@pytest.fixture
async def awake(engines: Engines, topic_prefix: str) -> AsyncIterator[Engines]:
    """The engines, for tests that stop or freeze Kafka; brought back before the test's topics are deleted."""
    yield engines
    if engines.kafka.running:
        await engines.kafka.thaw()
    else:
        await engines.kafka.start()
