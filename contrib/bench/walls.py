"""Vendors beside one that stalls, a row that cannot be handled and a topic that is gone: how long their pushes take.

Each pair is taken on a gateway of its own, first without the disturbance, then with it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
import orjson

from contrib.bench import goods
from contrib.bench.children import ChildDiedError
from contrib.bench.disturbances import DISTURBANCES, Disturbance, all_at_once, large_report
from contrib.bench.program import SUPPLIERS, Gateway, gateway
from contrib.bench.pulling import Arrivals, arrivals, percentile
from contrib.bench.rows import Budget, Plan, Row, paired
from contrib.bench.stage import Stage

BUDGET = Budget(1.5)

VENDOR = SUPPLIERS[1]
EVERY_SECONDS = 0.1
WARMING = 20
LATEST_SECONDS = 30.0
"""After a push was due, until it is lost: it counts as having taken so long."""

Measured = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Push:
    """One row that was pushed. due: by the wall clock; accepted: seconds until the 202, None when there was none."""

    sku: str
    due: float
    accepted: float | None


async def measure(stage: Stage, plan: Plan) -> list[Row]:
    """Two rows for each disturbance, and two for all at once: until the 202, and until the topic."""
    every = {**DISTURBANCES, "all of these at once": all_at_once}
    runs: dict[str, list[Measured]] = {name: [] for name in every}
    for _ in range(plan.runs):
        for name, disturb in every.items():
            runs[name].append(await pair(stage, disturb, plan.probes))
    return [row for name, taken in runs.items() for row in rows_of(name, taken)]


def rows_of(name: str, runs: Sequence[Measured]) -> list[Row]:
    """The rows of a disturbance, from its pairs."""
    return [
        paired(
            f"p99 of others' pushes until {end}, with {name}, beside without",
            "ms",
            [(run["with"][figure]["p99"] * 1000, run["without"][figure]["p99"] * 1000) for run in runs],
            BUDGET,
            runs,
        )
        for figure, end in (("accepted", "the 202"), ("arrived", "the topic"))
    ]


async def pair(stage: Stage, disturb: Disturbance, pushes: int) -> Measured:
    """One pair. disturbed_by: how many there were of each, the fewest that were seen."""
    async with (
        stage.place() as place,
        gateway(place, stage.directory) as program,
        arrivals(place) as found,
    ):
        report = await large_report(program)
        await window(program, found, first=0, count=WARMING)  # the first ones pay for connections and statements
        without = await window(program, found, first=WARMING, count=pushes)
        async with disturb(program, report) as counts:
            before = await counts()
            disturbed = await window(program, found, first=WARMING + pushes, count=pushes)
            there = fewest(before, await counts())
    return {"without": without, "with": disturbed, "disturbed_by": there}


def fewest(*counted: Mapping[str, int]) -> dict[str, int]:
    """Of each name the fewest that were counted; what was missing once was none then."""
    names = {name for counts in counted for name in counts}
    return {name: min(counts.get(name, 0) for counts in counted) for name in sorted(names)}


async def window(program: Gateway, found: Arrivals, *, first: int, count: int) -> Measured:
    """One row due every so often, whether or not the one before was answered, so that each feels a stall."""
    began, pushing = time.time(), list[asyncio.Task[Push]]()
    for place in range(count):
        due = began + place * EVERY_SECONDS
        await asyncio.sleep(max(0.0, due - time.time()))
        pushing.append(asyncio.create_task(_push(program, first + place, due)))
    return summary(await _arrived(await asyncio.gather(*pushing), found), found)


async def _push(program: Gateway, index: int, due: float) -> Push:
    row = goods.price(index)
    sku = str(orjson.loads(row)["sku"])
    try:
        async with asyncio.timeout(LATEST_SECONDS):
            await program.push("price", row, supplier=VENDOR)
    except (ChildDiedError, aiohttp.ClientError, TimeoutError):
        return Push(sku, due, None)
    return Push(sku, due, time.time() - due)


async def _arrived(pushes: Sequence[Push], found: Arrivals) -> Sequence[Push]:
    """The same, once all that were accepted are on the topic or are lost."""
    latest = pushes[-1].due + LATEST_SECONDS
    accepted = {(VENDOR, push.sku) for push in pushes if push.accepted is not None}
    while True:
        if accepted <= found.keys() or time.time() > latest:
            return pushes
        await asyncio.sleep(EVERY_SECONDS)


def summary(pushes: Sequence[Push], found: Arrivals) -> Measured:
    """Seconds until the 202 and until the topic, and how many came to neither."""
    accepted = [push.accepted for push in pushes]
    arrived = [came[0][0] - push.due if (came := found.get((VENDOR, push.sku))) else None for push in pushes]
    return {"pushes": len(pushes), "accepted": _spread(accepted), "arrived": _spread(arrived)}


def _spread(seconds: Sequence[float | None]) -> dict[str, float]:
    took = [LATEST_SECONDS if each is None else each for each in seconds]
    lost = sum(each is None for each in seconds)
    return {"p50": percentile(took, 0.5), "p99": percentile(took, 0.99), "lost": lost}
