"""Topics that are deleted and made again under the feeds stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from contrib.scratch import delete_topics
from gateway.feeds.deferred import DeferredChunks
from gateway.kafka import TOPICS
from gateway.store import Row, acquired
from schemas.catalog import Facet
from tests.engines import PARTITIONS
from tests.eventually import eventually
from tests.integration.feeds.test_walls import alive
from tests.integration.feeds.workshop import Workshop

RECORDS: Mapping[Facet, Mapping[str, Any]] = {
    Facet.PRODUCT: {"name": "a chair", "category": ["x"]},
    Facet.PRICE: {"price": "10.00"},
    Facet.STOCK: {"state": "in_stock"},
    Facet.LISTING: {"shelf": "on"},
}


def record(facet: Facet, sku: str) -> bytes:
    """A record of a facet in the native format."""
    return orjson.dumps({"sku": sku, **RECORDS[facet]})


async def gone(workshop: Workshop, topic: str) -> None:
    """Delete a topic, and see that it is."""
    await delete_topics(workshop.engines.kafka_bootstrap, workshop.prefix + topic)

    async def missing() -> bool:
        return await workshop.bus.partitions_for(topic) == 0

    await eventually(missing)


async def made_again(workshop: Workshop) -> None:
    """Make the topics that are missing."""
    await workshop.bus.ensure_topics(list(TOPICS.values()), partitions=PARTITIONS, replication=1)


async def deferred(workshop: Workshop) -> Sequence[Row]:
    """The chunks that wait."""
    async with acquired(workshop.pool) as connection:
        return await connection.fetch('SELECT * FROM deferred_chunks ORDER BY topic, partition, "offset"')


async def none_deferred(workshop: Workshop, *loops: DeferredChunks) -> None:
    """Let deferred chunks be taken until none is left, by one process or several, and finish what is whole."""

    async def empty() -> bool:
        return not await deferred(workshop)

    if loops:
        async with alive(loops[0].run):
            await none_deferred(workshop, *loops[1:])
    else:
        await eventually(empty, within=60)
        await workshop.finisher.sweep()
