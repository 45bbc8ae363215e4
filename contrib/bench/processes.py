"""Two processes instead of one: what an item costs of processor time, all of the gateway's processes together."""

from __future__ import annotations

from contrib.bench import goods
from contrib.bench.feed import push
from contrib.bench.rows import Budget, Plan, Row, paired
from contrib.bench.stage import Stage

BUDGET = Budget(1.15)


async def measure(stage: Stage, plan: Plan) -> list[Row]:
    """Processor time per item with two workers beside that with one."""
    body = goods.write(stage.directory / "prices.ndjson", goods.price, plan.records)
    runs = []
    for _ in range(plan.runs):
        runs.append([await push(stage, body, plan.records, workers=workers) for workers in (2, 1)])
    pairs = [(two["cpu_seconds"] / plan.records * 1e6, one["cpu_seconds"] / plan.records * 1e6) for two, one in runs]
    flat = [run for pair in runs for run in pair]
    return [paired("CPU of an item with two processes, beside one", "µs", pairs, BUDGET, flat)]
