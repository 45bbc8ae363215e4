"""One very large feed: how much memory any process of the gateway ever takes, while it is received and worked on."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from contrib.bench import goods
from contrib.bench.program import gateway
from contrib.bench.rows import Budget, Plan, Row
from contrib.bench.stage import Stage, open_bus_at
from contrib.bench.usage import peaks
from contrib.bench.watch import until_published
from gateway.kafka import PRODUCTS

MB = 1_000_000
BUDGET = Budget(200, "MB")


async def measure(stage: Stage, plan: Plan) -> list[Row]:
    """The largest peak of all processes; one run says it, for a peak is a maximum."""
    body, records = products(stage, plan)
    run = await push(stage, body, records)
    worst = max(run["peaks"].values())
    name = f"peak memory of any process, feed of {plan.body_bytes / 1e9:g} GB"
    return [Row(name, "MB", worst, None, worst, BUDGET, [run])]


def products(stage: Stage, plan: Plan) -> tuple[Path, int]:
    """NDJSON of at least `plan.body_bytes`, every record of another product; and how many there are."""
    path, records = stage.directory / "products.ndjson", goods.fitting(goods.product, plan.body_bytes)
    return path if path.exists() else goods.write(path, goods.product, records), records


async def push(stage: Stage, body: Path, records: int) -> dict[str, Any]:
    """One run. peaks: MB by process."""
    async with (
        stage.place() as place,
        open_bus_at(place) as bus,
        gateway(place, stage.directory) as program,
        peaks(program.pid) as found,
    ):
        started = time.monotonic()
        await program.push("product", body)
        accepted = time.monotonic()
        ended = await until_published(bus, PRODUCTS, records)
    return {
        "records": records,
        "accept_seconds": accepted - started,
        "seconds": ended - started,
        "peaks": {str(pid): size / MB for pid, size in found.items()},
    }
