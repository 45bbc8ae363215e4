"""Small feeds while a very large one is worked on: how long until a vendor knows what became of one price."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import Any

from contrib.bench import goods
from contrib.bench.gigabyte import products
from contrib.bench.program import SUPPLIERS, Gateway, gateway
from contrib.bench.rows import Budget, Plan, Row, paired
from contrib.bench.stage import Stage, open_bus_at
from contrib.bench.watch import until_published
from gateway.kafka import PRODUCTS, Bus

BUDGET = Budget(3)
EVERY_SECONDS = 0.1
WAIT_SECONDS = 60


async def measure(stage: Stage, plan: Plan) -> list[Row]:
    """The 99th percentile of the small feeds' latency beside a large feed, beside the same without."""
    body, records = products(stage, plan)
    runs = [await take(stage, body, records, plan.probes) for _ in range(plan.runs)]
    pairs = [(p99(run["loaded"]) * 1000, p99(run["idle"]) * 1000) for run in runs]
    name = f"p99 of a small feed during one of {plan.body_bytes / 1e9:g} GB, beside idle"
    return [paired(name, "ms", pairs, BUDGET, runs)]


async def take(stage: Stage, body: Path, records: int, probes: int) -> dict[str, Any]:
    """One pair of runs on one gateway. idle, loaded: latencies in seconds."""
    async with stage.place() as place, open_bus_at(place) as bus, gateway(place, stage.directory) as program:
        await _probe(program, 0)  # the first one pays for connections and statements
        idle = await _probes(program, asyncio.Event(), first=1, most=probes)
        done = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            group.create_task(_work(program, bus, body, records, done))
            loaded = await _probes(program, done, first=1 + probes)
    return {"records": records, "idle": idle, "loaded": loaded}


async def _work(program: Gateway, bus: Bus, body: Path, records: int, done: asyncio.Event) -> None:
    """The large feed, from its first byte to its last item on the topic."""
    try:
        await program.push("product", body, supplier=SUPPLIERS[0])
        await until_published(bus, PRODUCTS, records)
    finally:
        done.set()


async def _probes(program: Gateway, done: asyncio.Event, *, first: int, most: int | None = None) -> list[float]:
    """Latencies of small feeds, one due every so often whether or not the one before has been answered.

    Measured from when it was due, so that a stall is felt by all that should have been sent meanwhile.
    """
    probes: list[asyncio.Task[float]] = []
    began = time.monotonic()
    while not done.is_set() and len(probes) != most:
        due = began + len(probes) * EVERY_SECONDS
        await asyncio.sleep(due - time.monotonic())
        probes.append(asyncio.create_task(_probe(program, first + len(probes), due)))
    return await asyncio.gather(*probes)


async def _probe(program: Gateway, index: int, due: float | None = None) -> float:
    """Push one price and wait for its outcome; seconds since it was due."""
    due = time.monotonic() if due is None else due
    await program.push("price", goods.price(index), supplier=SUPPLIERS[1], wait=WAIT_SECONDS)
    return time.monotonic() - due


def p99(latencies: Sequence[float]) -> float:
    """The 99th percentile, by nearest rank."""
    return sorted(latencies)[ceil(0.99 * len(latencies)) - 1]
