"""One of twenty suppliers answers nothing any more: how fresh the others' prices are, beside the same while it did."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from contrib.bench.program import Gateway, gateway
from contrib.bench.pulling import Arrivals, arrivals, declare, percentile, until_swept
from contrib.bench.rows import Budget, Plan, Row, paired
from contrib.bench.stage import Stage
from contrib.bench.suppliers import Supplier, suppliers
from contrib.bench.usage import cpu_seconds
from gateway.store import connect

BUDGET = Budget(1.1)

SUPPLIERS = 20
SKUS = 200
RATE = 50.0
CHANGES_PER_SECOND = 2.0
"""Of each supplier."""

LATEST_SECONDS = 30.0
"""After the last change, until what has not come is lost."""

STATEMENTS = "SELECT xact_commit + xact_rollback FROM pg_stat_database WHERE datname = current_database()"


class ChangeLostError(Exception):
    """A change never came to the topic."""


@dataclass(frozen=True, slots=True)
class Change:
    """A price that a supplier has from a moment on."""

    key: tuple[str, str]
    price: str
    at: float


async def measure(stage: Stage, plan: Plan) -> list[Row]:
    """The 99th percentile of the others' freshness while one hangs, beside the same without, in turn on one gateway."""
    async with (
        stage.place() as place,
        suppliers(SUPPLIERS, SKUS) as (*others, hanging),
        gateway(place, stage.directory) as program,
    ):
        await declare(program, {each.id: _row_of(each) for each in (*others, hanging)})
        await until_swept(program, *(each.id for each in (*others, hanging)))
        idle = await _idle(program, plan.window_seconds / 2)
        async with arrivals(place) as found:
            runs = []
            for _ in range(plan.runs):
                for hangs in (False, True):
                    await _restart(program, hanging, hangs=hangs)
                    runs.append(await window(program, others, found, plan.window_seconds) | {"hangs": hangs})
    pairs = [(bad["p99"], good["p99"]) for good, bad in zip(runs[::2], runs[1::2], strict=True)]
    name = f"p99 of freshness of {len(others)} suppliers while one hangs, beside without"
    return [paired(name, "s", pairs, BUDGET, [idle, *runs])]


def _row_of(supplier: Supplier) -> dict[str, Any]:
    return supplier.row(http={**supplier.row()["http"], "rate_per_second": RATE})


async def _idle(program: Gateway, seconds: float) -> dict[str, Any]:
    """What it costs to own so many suppliers of which nothing is to be read: shares of a core, and transactions."""
    before, committed = cpu_seconds(program.pid), await _transactions(program)
    await asyncio.sleep(seconds)
    spent, done = cpu_seconds(program.pid) - before, await _transactions(program) - committed
    return {"idle_cpu": spent / seconds, "transactions_per_second": done / seconds}


async def _transactions(program: Gateway) -> int:
    async with connect(program.place.database, name="bench") as connection:
        return int(await connection.fetchval(STATEMENTS))


async def _restart(program: Gateway, supplier: Supplier, *, hangs: bool) -> None:
    """Have everything of a supplier read again, by a session that knows nothing of it: its breakers are closed."""
    await supplier.control("DELETE", "faults")
    await program.admin.post("suppliers", supplier.id, "pause", body={"reason": "to be begun anew"})
    await program.admin.post("suppliers", supplier.id, "resume", body={})
    if hangs:
        await supplier.control("POST", "faults", {"kind": "hang", "operation": "*"})
    await program.admin.post("suppliers", supplier.id, "pull", body={})


async def window(program: Gateway, others: Sequence[Supplier], found: Arrivals, seconds: float) -> dict[str, Any]:
    """Changes at a steady rate for so long, and how long each took until the topic."""
    before = cpu_seconds(program.pid)
    began = time.monotonic()
    made = await asyncio.gather(*(_changing(each, seconds) for each in others))
    spent = (cpu_seconds(program.pid) - before) / (time.monotonic() - began)
    took = await _freshness([change for changes in made for change in changes], found)
    return {
        "changes": len(took),
        "p50": percentile(took, 0.5),
        "p99": percentile(took, 0.99),
        "most": max(took),
        "cpu": spent,
    }


async def _changing(supplier: Supplier, seconds: float) -> list[Change]:
    skus = [truth["sku"] for truth in await supplier.control("GET", "truth/all") if truth["pools"]]
    began, made = time.monotonic(), list[Change]()
    for place, due in enumerate(_moments(seconds)):
        await asyncio.sleep(began + due - time.monotonic())
        sku, price = skus[place % len(skus)], f"{random.randint(1_000, 9_999_999) / 100:.2f}"
        made.append(Change((supplier.id, sku), price, time.time()))
        await supplier.control("POST", "change", {"sku": int(sku), "kind": "price", "value": price})
    return made


def _moments(seconds: float) -> Iterator[float]:
    """As they come in life, at random: a steady beat could keep step with the looks at the pool."""
    moment = 0.0
    while (moment := moment + random.expovariate(CHANGES_PER_SECOND)) < seconds:
        yield moment


async def _freshness(changes: Sequence[Change], found: Arrivals) -> Sequence[float]:
    """Seconds of every change. Raises ChangeLostError."""
    until = time.monotonic() + LATEST_SECONDS
    while True:
        took = [came - change.at for change in changes if (came := _came(change, found)) is not None]
        if len(took) == len(changes):
            return took
        if time.monotonic() > until:
            raise ChangeLostError(f"{len(changes) - len(took)} of {len(changes)}")
        await asyncio.sleep(0.2)


def _came(change: Change, found: Arrivals) -> float | None:
    return next((at for at, price in found.get(change.key, ()) if price == change.price and at >= change.at), None)
