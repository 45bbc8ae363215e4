"""Two processes instead of one: what a command costs of processor time, all of the gateway's processes together."""

from __future__ import annotations

from contrib.bench.relayed import REVISIONS, Job, relayed
from contrib.bench.rows import Budget, Plan, Row, paired
from contrib.bench.stage import Stage

BUDGET = Budget(1.15)

SUPPLIERS = 20
SLOTS = 8
MILLISECONDS = 20


async def measure(stage: Stage, plan: Plan) -> list[Row]:
    """Processor time of a command with two workers beside that with one, orders spread over twenty suppliers."""
    job = Job(plan.commands // REVISIONS, REVISIONS, MILLISECONDS, SLOTS, SUPPLIERS)
    runs = [[await relayed(stage, job, workers=workers) for workers in (2, 1)] for _ in range(plan.runs)]
    pairs = [(two["cpu_microseconds"], one["cpu_microseconds"]) for two, one in runs]
    flat = [run for pair in runs for run in pair]
    return [
        paired(f"CPU of a command for {SUPPLIERS} suppliers with two processes, beside one", "µs", pairs, BUDGET, flat)
    ]
