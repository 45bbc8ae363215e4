"""The commands topic on real engines: what the core writes is kept once, whoever reads, restarts and comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import orjson
import pytest

from gateway.kafka import ORDER_COMMANDS, TOPICS, Bus, Message, Producer
from gateway.relay.inbox import Inbox
from gateway.relay.reader import command_reader
from gateway.store import Pool
from tests.eventually import eventually
from tests.integration.relay.test_inbox import BOX, HEADERS, identity, offered, record, rows


@pytest.fixture
async def core(bus: Bus) -> AsyncIterator[Producer]:
    """What the core writes with."""
    await bus.ensure_topics([TOPICS[ORDER_COMMANDS]], partitions=3, replication=1)
    async with bus.producer("core") as producer:
        yield producer


def commands(*numbers: int) -> list[Message]:
    """Commands of five orders, and after each a record that is none."""
    written = []
    for number in numbers:
        as_read = record(0, command_id=identity(number), order_no=f"ORDER-{number % 5}")
        written += [
            Message(ORDER_COMMANDS, as_read.key, as_read.value, HEADERS),
            Message(ORDER_COMMANDS, b"ORDER-1", orjson.dumps({"number": number}), HEADERS),
        ]
    return written


async def test_everything_is_kept_once_in_the_order_of_its_order(bus: Bus, pool: Pool, core: Producer) -> None:
    async def kept(count: int) -> bool:
        found = await rows(pool, "SELECT count(*) AS commands FROM commands")
        lost = await rows(pool, "SELECT count(*) AS letters FROM dead_letters WHERE stage = 'commands'")
        return (found[0]["commands"], lost[0]["letters"]) == (count, count)

    for stage in range(3):
        first = stage * 40
        await core.send(commands(*range(first, first + 20)))
        readers = [command_reader(bus, pool, Inbox(pool, BOX, offered)) for _ in range(2)]
        running = [asyncio.create_task(reader.run()) for reader in readers]
        await core.send(commands(*range(first + 20, first + 40)))
        await eventually(lambda count=first + 40: kept(count), within=60)  # type: ignore[misc] # bound at once
        for reader in readers:
            reader.stop()
        await asyncio.gather(*running)
    for order in range(5):
        found = await rows(pool, "SELECT command_id FROM commands WHERE order_no = $1 ORDER BY place", f"ORDER-{order}")
        assert [row["command_id"] for row in found] == [identity(number) for number in range(order, 120, 5)]
    [ends] = await rows(pool, "SELECT sum(next) AS read FROM source_offsets WHERE topic = $1", ORDER_COMMANDS)
    assert ends["read"] == 240
