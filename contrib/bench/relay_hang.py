"""One of twenty suppliers takes orders and answers none: how soon the others' results come, beside the same without.

There are far more orders for it than it may have calls under way. Once it answers again it has to get all of them.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import accumulate
from typing import Any

from aiokafka import ConsumerRecord

from contrib.bench.order_commands import CommandLostError, commands_of, messages_of, result_of
from contrib.bench.order_suppliers import OrderSupplier, announced, order_suppliers
from contrib.bench.program import Gateway, gateway
from contrib.bench.pulling import declare, following, percentile
from contrib.bench.relayed import WARMING, until_owned
from contrib.bench.rows import Budget, Plan, Row, paired
from contrib.bench.stage import Place, Stage, open_bus_at
from contrib.bench.usage import cpu_seconds
from contrib.mall.orders import Command
from gateway.kafka import ORDER_EVENTS
from gateway.kafka.producer import Producer

BUDGET = Budget(1.1)

SUPPLIERS = 20
SLOTS = 8
MILLISECONDS = 20
RATE = 150.0
"""Commands a second, for all suppliers together."""

TICK_SECONDS = 0.01
LATEST_SECONDS = 120.0
"""After the last command was placed, or the supplier answers again, until what has no result is lost."""

Answers = Mapping[str, float]
"""When the result of a command came to the topic, by the command. Seconds since 1970."""

Measured = dict[str, Any]


async def measure(stage: Stage, plan: Plan) -> list[Row]:
    """The 99th percentile of the others while one hangs, beside the same without, in turn on one gateway."""
    environment = announced(stage.directory / "announced")
    async with (
        order_suppliers(SUPPLIERS, MILLISECONDS) as suppliers,
        stage.place() as place,
        gateway(place, stage.directory, environment=environment) as program,
    ):
        await declare(program, {each.id: each.row(SLOTS) for each in suppliers})
        await until_owned(program, len(suppliers))
        runs = await _windows(program, suppliers, plan)
    pairs = [(bad["p99"] * 1000, good["p99"] * 1000) for good, bad in zip(runs[::2], runs[1::2], strict=True)]
    name = f"p99 of results of {SUPPLIERS - 1} suppliers while one hangs, beside without"
    return [paired(name, "ms", pairs, BUDGET, runs)]


async def _windows(program: Gateway, suppliers: Sequence[OrderSupplier], plan: Plan) -> list[Measured]:
    place, names, runs = program.place, [each.id for each in suppliers], list[Measured]()
    async with open_bus_at(place) as bus, bus.producer("bench") as producer, answers(place) as found:
        await _window(program, producer, found, commands_of("warming", names, WARMING), hanging=None)
        for number in range(plan.runs):
            for hanging in (None, suppliers[-1]):
                commands = commands_of(f"{number}-{hanging and hanging.id}", names, plan.orders)
                random.shuffle(commands)
                runs.append(await _window(program, producer, found, commands, hanging=hanging))
    return runs


async def _window(
    program: Gateway, producer: Producer, found: Answers, commands: Sequence[Command], *, hanging: OrderSupplier | None
) -> Measured:
    """Place commands at a steady rate. Raises CommandLostError."""
    if hanging is not None:
        await hanging.hang()
    before, began = cpu_seconds(program.pid), time.monotonic()
    placed = await _placed(producer, commands)
    spent = (cpu_seconds(program.pid) - before) / (time.monotonic() - began)
    others = [each.id for each in commands if hanging is None or each.supplier != hanging.id]
    await _until_answered(others, found)
    took = [found[each] - placed[each] for each in others]
    waiting = len(commands) - sum(each.id in found for each in commands)
    if hanging is not None:
        await hanging.answer()
        await program.admin.post("suppliers", hanging.id, "breakers", "close", body={"reason": "it answers again"})
        await _until_answered([each.id for each in commands], found)
    return {
        "hangs": hanging is not None,
        "commands": len(commands),
        "waiting": waiting,
        "p50": percentile(took, 0.5),
        "p99": percentile(took, 0.99),
        "most": max(took),
        "cpu": spent,
    }


async def _placed(producer: Producer, commands: Sequence[Command]) -> Mapping[str, float]:
    """When each was placed: as they come in life, at random. Nothing waits for what was placed before."""
    moments = accumulate(random.expovariate(RATE) for _ in commands)
    waiting, placed = deque(zip(moments, commands, strict=True)), dict[str, float]()
    began = time.monotonic()
    async with asyncio.TaskGroup() as sending:
        while waiting:
            ready = []
            while waiting and waiting[0][0] <= time.monotonic() - began:
                ready.append(waiting.popleft()[1])
            placed.update((command.id, time.time()) for command in ready)
            sending.create_task(producer.send(messages_of(ready)))
            await asyncio.sleep(TICK_SECONDS)
    return placed


async def _until_answered(commands: Sequence[str], found: Answers) -> None:
    """Wait until each has its result. Raises CommandLostError."""
    until = time.monotonic() + LATEST_SECONDS
    while missing := [each for each in commands if each not in found]:
        if time.monotonic() > until:
            raise CommandLostError(f"{len(missing)} of {len(commands)}")
        await asyncio.sleep(0.1)


@asynccontextmanager
async def answers(place: Place) -> AsyncIterator[Answers]:
    """Results as they come on their topic from now on."""
    found: dict[str, float] = {}

    def note(now: float, record: ConsumerRecord) -> None:
        if (result := result_of(record.value)) is not None:
            found.setdefault(result[1], now)

    async with following(place, ORDER_EVENTS, note):
        yield found
