"""One run of a contestant at orders: commands placed at once, until the result of each is on the topic.

Whoever it is runs, and has carried some commands out, before the clock starts. Afterwards a separate reader looks
whether suppliers and core met the commands of each order as they were placed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from contrib.bench.children import running
from contrib.bench.order_commands import check_order, commands_of, messages_of, results_on
from contrib.bench.order_suppliers import OrderSupplier, announced, order_suppliers
from contrib.bench.program import Gateway, gateway
from contrib.bench.pulling import declare
from contrib.bench.stage import Stage, open_bus_at
from contrib.bench.usage import cpu_seconds
from contrib.bench.watch import LOOK_SECONDS, until_published
from contrib.mall.orders import Command
from gateway.config import kafka_environment
from gateway.kafka import ORDER_COMMANDS, ORDER_EVENTS, TOPICS, Bus
from gateway.store import connect

PARTITIONS = 12
REVISIONS = 5
"""Commands of one order."""

WARMING = 60
"""Commands that are carried out before the clock starts, at least: connections are opened, statements are prepared."""

IDLE_SECONDS = 3.0
"""In which nothing is placed: a contestant that has nothing to do costs something as well."""

LATEST_SECONDS = 600.0
"""For what was placed at once to have its results."""

MOST_OWNED = """
    SELECT coalesce(sum(owned), 0)::int AS owned, coalesce(max(owned), 0)::int AS most
      FROM (SELECT count(*) AS owned FROM leases WHERE name LIKE 'session %' AND until > now() GROUP BY owner) AS shares
"""


@dataclass(frozen=True, slots=True)
class Job:
    """What is placed. orders: each as often as it is revised; slots: calls under way at once at each supplier."""

    orders: int
    revisions: int
    milliseconds: int
    slots: int
    suppliers: int = 1

    @property
    def warming(self) -> int:
        """Commands that warm up: every slot has had one, so that no connection is opened while the clock runs."""
        return max(WARMING, self.suppliers * self.slots)

    def commands(self, suppliers: Sequence[OrderSupplier]) -> tuple[list[Command], list[Command]]:
        """Those that warm up, and those that are measured."""
        names = [each.id for each in suppliers]
        return commands_of("warming", names, self.warming), commands_of("measured", names, self.orders, self.revisions)


async def relayed(stage: Stage, job: Job, *, workers: int = 1) -> dict[str, Any]:
    """One run of the gateway, with everything that it writes down."""
    async with (
        order_suppliers(job.suppliers, job.milliseconds) as suppliers,
        stage.place() as place,
        gateway(place, stage.directory, workers=workers, environment=announced(stage.directory / "announced")) as ours,
        open_bus_at(place) as bus,
    ):
        await declare(ours, {each.id: each.row(job.slots) for each in suppliers})
        await until_owned(ours, len(suppliers), workers)
        return {"who": "gateway", "workers": workers, **await _timed(bus, ours.pid, job, suppliers)}


async def followed(stage: Stage, contestant: str, count: int, job: Job) -> dict[str, Any]:
    """One run of a peer. count: its workers, or calls that it may have under way."""
    async with (
        order_suppliers(1, job.milliseconds) as suppliers,
        stage.place() as place,
        open_bus_at(place) as bus,
    ):
        topics = [TOPICS[ORDER_COMMANDS], TOPICS[ORDER_EVENTS]]
        await bus.ensure_topics(topics, partitions=PARTITIONS, replication=1)
        names = (place.prefix + topic.name for topic in topics)
        arguments = ("contrib.bench.order_peers", contestant, str(count), suppliers[0].url, *names)
        environment = kafka_environment(place.bootstrap)
        async with running(*arguments, sign=b"ready", environment=environment) as peer:
            return {"who": f"{contestant} {count}", **await _timed(bus, peer.pid, job, suppliers)}


async def _timed(bus: Bus, pid: int, job: Job, suppliers: Sequence[OrderSupplier]) -> Mapping[str, Any]:
    """Place everything, and see what comes of it. Raises CommandLostError, OutOfOrderError, TimeoutError."""
    warming, commands = job.commands(suppliers)
    messages = messages_of(commands)
    async with asyncio.timeout(LATEST_SECONDS), bus.producer("bench") as producer:
        await producer.send(messages_of(warming))
        await until_published(bus, ORDER_EVENTS, len(warming))
        idle = await _idle_cores(pid)
        before, started = cpu_seconds(pid), time.monotonic()
        await producer.send(messages)
        ended = await until_published(bus, ORDER_EVENTS, len(warming) + len(commands))
        spent = cpu_seconds(pid) - before
    check_order(commands, await results_on(bus))
    check_order(commands, [call for each in suppliers for call in await each.calls()])
    seconds = ended - started
    return {
        "commands": len(commands),
        "seconds": seconds,
        "rate": len(commands) / seconds,
        "cpu_microseconds": spent / len(commands) * 1e6,
        "idle_cores": idle,
    }


async def _idle_cores(pid: int) -> float:
    """Processor time that is spent in a second in which nothing is placed."""
    before, began = cpu_seconds(pid), time.monotonic()
    await asyncio.sleep(IDLE_SECONDS)
    return (cpu_seconds(pid) - before) / (time.monotonic() - began)


async def until_owned(program: Gateway, suppliers: int, workers: int = 1) -> None:
    """Wait until every supplier has an owner, and no process more than its share."""
    async with connect(program.place.database, name="bench") as connection:
        while True:
            [found] = await connection.fetch(MOST_OWNED)
            if found["owned"] == suppliers and found["most"] <= ceil(suppliers / workers):
                return
            await asyncio.sleep(LOOK_SECONDS)
