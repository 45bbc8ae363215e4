"""The feeds stage on real engines."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from gateway.embedded import Engines
from gateway.kafka import Bus
from gateway.store import Pool
from tests.integration.feeds.workshop import Workshop, open_workshop


@pytest.fixture
async def workshop(engines: Engines, database: str, topic_prefix: str, pool: Pool, bus: Bus) -> AsyncIterator[Workshop]:
    async with open_workshop(engines, database, topic_prefix, pool, bus) as opened:
        yield opened


@pytest.fixture
async def pulled(engines: Engines, database: str, topic_prefix: str, pool: Pool, bus: Bus) -> AsyncIterator[Workshop]:
    """A workshop whose supplier is pulled."""
    async with open_workshop(engines, database, topic_prefix, pool, bus, adapter="fetched") as opened:
        yield opened
