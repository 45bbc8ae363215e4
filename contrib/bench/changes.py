"""Very many prices change at once: how long until the new ones are on the topic, beside what the rate allows."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any

from contrib.bench.program import gateway
from contrib.bench.pulling import Arrivals, arrivals, declare, percentile, until_swept
from contrib.bench.rows import Budget, Plan, Row, paired
from contrib.bench.stage import Place, Stage
from contrib.bench.suppliers import Supplier, suppliers

FRESHNESS = Budget(2)
CALLS = Budget(1.1)

SKUS = 10
"""For each change: most of them are of goods of their own."""

RATE = 400.0
BATCH = 100
LOOK_SECONDS = 0.5
MOST_SECONDS = 600.0
POLLED = ("message/get", "message/del", "price/getSellPrice")


async def measure(stage: Stage, plan: Plan) -> list[Row]:
    """The 99th percentile from the change to the topic, beside the time that the calls of 99 in 100 take.

    Without messages it would be half a day on average.
    """
    async with (
        stage.place() as place,
        suppliers(1, plan.changes * SKUS) as [supplier],
        gateway(place, stage.directory) as program,
    ):
        http = {**supplier.row()["http"], "rate_per_second": RATE}
        await declare(program, {supplier.id: supplier.row(facets=["price"], http=http)})
        await until_swept(program, supplier.id)
        runs = [await burst(place, supplier, plan.changes) for _ in range(plan.runs)]
    of = f"{plan.changes:,} changes at once"
    times = [(run["p99"], run["least_seconds"]) for run in runs]
    calls = [(run["calls"], run["least_calls"]) for run in runs]
    return [
        paired(f"p99 of freshness, {of}, beside the rate's own time", "s", times, FRESHNESS, runs),
        paired(f"{of}, beside the fewest", "calls", calls, CALLS, runs),
    ]


def least_calls(messages: int, skus: int) -> int:
    """The fewest calls that empty a pool and reread what it named: full fetches, a deletion each, full re-reads."""
    return ceil(messages / BATCH) + messages + ceil(skus / BATCH)


async def burst(place: Place, supplier: Supplier, count: int) -> dict[str, Any]:
    """One run, until the pool is empty. Seconds are from the order to change."""
    await supplier.control("DELETE", "stats")
    written = (await supplier.control("GET", "stats"))["messages"]["written"]
    before = await _prices(supplier)
    async with arrivals(place) as found:
        began = time.time()
        changed = {
            each["sku"] for each in await supplier.control("POST", "changes", {"count": count, "kinds": ["price"]})
        }
        prices = await _prices(supplier)
        # What changed twice may cost what it did before: there is nothing new to say of it.
        wanted = {(supplier.id, sku): prices[sku] for sku in changed if prices[sku] != before[sku]}
        async with asyncio.timeout(MOST_SECONDS):
            seconds = await _freshness(found, wanted, began)
        stats = await _emptied(supplier)
    messages = stats["messages"]["written"] - written
    calls = {operation: stats["calls"].get(operation, 0) for operation in POLLED}
    return {
        "skus": len(changed),
        "messages": messages,
        "p50": percentile(seconds, 0.5),
        "p99": percentile(seconds, 0.99),
        "least_seconds": 0.99 * least_calls(count, len(changed)) / RATE,
        "calls": sum(calls.values()),
        "least_calls": least_calls(messages, len(changed)),
        "operations": calls,
    }


async def _prices(supplier: Supplier) -> dict[str, str]:
    return {truth["sku"]: truth["price"] for truth in await supplier.control("GET", "truth/all")}


async def _freshness(found: Arrivals, wanted: Mapping[tuple[str, str], str], began: float) -> Sequence[float]:
    """Seconds until the price of each key was there, once all are."""
    seconds: dict[tuple[str, str], float] = {}
    while len(seconds) < len(wanted):
        await asyncio.sleep(LOOK_SECONDS)
        for key in wanted.keys() - seconds.keys():
            came = next((at for at, price in found.get(key, ()) if price == wanted[key]), None)
            if came is not None:
                seconds[key] = came - began
    return list(seconds.values())


async def _emptied(supplier: Supplier) -> dict[str, Any]:
    """The counts of the supplier, once no message waits or is still to come."""
    while True:
        stats: dict[str, Any] = await supplier.control("GET", "stats")
        if not stats["messages"]["waiting"] and not stats["messages"]["due"]:
            return stats
        await asyncio.sleep(LOOK_SECONDS)
