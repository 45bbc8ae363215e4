"""A whole supplier pulled: how many calls that takes beside the fewest possible, and how much of the rate is used."""

from __future__ import annotations

import asyncio
from collections import Counter
from math import ceil
from pathlib import Path
from typing import Any

import orjson

from contrib.bench.program import gateway
from contrib.bench.pulling import declare, until_swept
from contrib.bench.rows import Budget, Plan, Row, paired
from contrib.bench.stage import Stage
from contrib.bench.suppliers import suppliers
from contrib.bench.usage import cpu_seconds
from contrib.simulators.jd_vop import Config
from contrib.simulators.jd_vop.catalog import Catalog
from contrib.simulators.jd_vop.words import POOLS

CALLS = Budget(1.1)
SPEED = Budget(0.8, at_least=True)

RATE = 400.0
"""Calls a second that the supplier's row allows: what two cores can do with simulator, Kafka and PostgreSQL on them."""

BATCH = 100
ASIDE = frozenset({"message/get", "message/del", "oauth2/accessToken", "oauth2/refreshToken"})
"""Calls that are no part of a sweep."""


async def measure(stage: Stage, plan: Plan) -> list[Row]:
    """One run says it: calls are counted, and its minutes are an average already."""
    run = await sweep(stage, plan.skus)
    calls, least, rate = run["calls"], run["least"], run["rate"]
    of = f"of {plan.skus:,} skus"
    return [
        paired(f"sweep {of}, beside the fewest", "calls", [(calls, least)], CALLS, [run]),
        paired(f"sweep {of}, beside the rate allowed", "calls/s", [(rate, RATE)], SPEED, [run]),
    ]


def least_calls(skus: int) -> int:
    """The fewest calls that tell everything about a catalog, by what a call may ask for.

    The list of skus once, a detail for each, and images, prices, shelf, sale, stock and area limits in full batches.
    """
    catalog, page = Catalog(seed=0, size=skus), Config().page_size
    sizes = [sum(map(len, catalog.members(pool))) for pool in range(len(POOLS))]
    return 1 + sum(ceil(size / page) for size in sizes) + skus + 6 * ceil(skus / BATCH)


async def sweep(stage: Stage, skus: int) -> dict[str, Any]:
    """One run. operations: calls by operation; rate: calls a second, from the first call to the last.

    CPU is that of all the gateway does, until every item is on its topic.
    """
    log = stage.directory / "calls.jsonl"
    async with (
        stage.place() as place,
        suppliers(1, skus, log) as [supplier],
        gateway(place, stage.directory) as program,
    ):
        before, theirs = cpu_seconds(program.pid), cpu_seconds(supplier.pid)
        http = {**supplier.row()["http"], "rate_per_second": RATE}
        await declare(program, {supplier.id: supplier.row(http=http)})
        await until_swept(program, supplier.id)
        spent, theirs = cpu_seconds(program.pid) - before, cpu_seconds(supplier.pid) - theirs
        run = await asyncio.to_thread(counted, log)
    log.unlink()
    calls = run["calls"]
    cpu = {"gateway_cpu_ms_a_call": spent / calls * 1e3, "simulator_cpu_ms_a_call": theirs / calls * 1e3}
    return {**run, **cpu, "least": least_calls(skus), "rate_allowed": RATE}


def counted(log: Path) -> dict[str, Any]:
    """What the supplier's own log says of the sweep."""
    with log.open("rb") as lines:
        served = [(call["at"], call["operation"]) for call in map(orjson.loads, lines)]
    times = [at for at, operation in served if operation not in ASIDE]
    seconds = max(times) - min(times)
    operations = Counter(operation for _, operation in served)
    return {"calls": len(times), "seconds": seconds, "rate": len(times) / seconds, "operations": dict(operations)}
