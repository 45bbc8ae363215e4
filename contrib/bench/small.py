"""Pushes of one row: how many are durable in a second for a crowd of clients, and how long one takes while idle.

Beside an endpoint that only puts the row on a topic: no durable step, no credential, no version, no report.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import Awaitable, Callable
from statistics import median
from typing import Any, TypeAlias

import aiohttp

from contrib.bench import goods
from contrib.bench.children import ChildDiedError, running
from contrib.bench.feed import PARTITIONS, RAW
from contrib.bench.program import gateway
from contrib.bench.rows import Budget, Plan, Row
from contrib.bench.stage import Stage, open_bus_at
from gateway.config import kafka_environment
from gateway.embedded.ports import choose_port

CLIENTS = 64
WARM_PUSHES = 20

RATE = Budget(400, "pushes/s", at_least=True)
LATENCY = Budget(8, "ms")

Push: TypeAlias = Callable[[bytes], Awaitable[object]]


async def measure(stage: Stage, plan: Plan) -> list[Row]:
    """A row for the crowd and one for the idle gateway."""
    ours, theirs = [], []
    for _ in range(plan.runs):
        ours.append(await _gateway(stage, plan))
        theirs.append(await _peer(stage, plan))
    return [
        _row(f"one-row pushes of {CLIENTS} clients, beside FastStream", "rate", RATE, ours, theirs),
        _row("p50 of a one-row push while idle, beside FastStream", "p50", LATENCY, ours, theirs),
    ]


def _row(name: str, value: str, budget: Budget, ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> Row:
    measured, reference = (median(run[value] for run in runs) for runs in (ours, theirs))
    return Row(name, budget.unit, measured, reference, measured, budget, [*ours, *theirs])


async def _gateway(stage: Stage, plan: Plan) -> dict[str, Any]:
    async with stage.place() as place, gateway(place, stage.directory) as program:
        return await take("gateway", lambda body: program.push("price", body), plan)


async def _peer(stage: Stage, plan: Plan) -> dict[str, Any]:
    async with stage.place() as place, open_bus_at(place) as bus:
        await bus.ensure_topics([RAW], partitions=PARTITIONS, replication=1)
        port, topic = choose_port(), place.prefix + RAW.name
        environment = kafka_environment(place.bootstrap)
        peer = running("contrib.bench.small_peer", str(port), topic, sign=b"ready", environment=environment)
        async with peer, aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(sock_connect=5)) as session:
            url = f"http://127.0.0.1:{port}/feeds/price"

            async def push(body: bytes) -> None:
                async with session.post(url, data=body) as response:
                    if response.status != 202:
                        raise ChildDiedError(f"the endpoint answered {response.status}: {await response.text()}")

            return await take("faststream", push, plan)


async def take(who: str, push: Push, plan: Plan) -> dict[str, Any]:
    """One run: some probes one after the other, then the crowd. rate: pushes per second; p50: milliseconds."""
    bodies = map(goods.price, itertools.count())
    for _ in range(WARM_PUSHES):
        await push(next(bodies))
    latencies = [await _timed(push, next(bodies)) for _ in range(plan.probes)]
    started = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for _ in range(CLIENTS):
            group.create_task(_client(push, [next(bodies) for _ in range(plan.changes // CLIENTS)]))
    seconds, pushes = time.monotonic() - started, plan.changes // CLIENTS * CLIENTS
    return {"who": who, "pushes": pushes, "rate": pushes / seconds, "p50": median(latencies) * 1000}


async def _client(push: Push, bodies: list[bytes]) -> None:
    for body in bodies:
        await push(body)


async def _timed(push: Push, body: bytes) -> float:
    started = time.monotonic()
    await push(body)
    return time.monotonic() - started
