"""Orders at one supplier: commands a second until their results are on the topic, those of each order in order.

Beside it, in turn, who does the same job: FastStream with some numbers of workers, which keeps what it takes by Kafka's
offsets alone, and a bare loop with a queue for each order, which keeps nothing.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from contrib.bench.relayed import REVISIONS, Job, followed, relayed
from contrib.bench.rows import Budget, Plan, Row, paired
from contrib.bench.stage import Stage

MILLISECONDS = (20, 5)
"""That the supplier takes."""

SLOTS = 100
"""Calls that the gateway and the bare loop may have under way."""

WORKERS = (12, 4, 1)
"""Of FastStream; no more than there are partitions have something to do."""

BUDGETS: Mapping[tuple[int, str], Budget] = {
    (20, "faststream 12"): Budget(4, at_least=True),
    (20, "lanes"): Budget(0.6, at_least=True),
}
"""By the supplier's time and the peer; nothing is promised of the others."""

TITLES: Mapping[str, str] = {"lanes": "a bare loop with a queue for each order"} | {
    f"faststream {count}": f"FastStream with {count} worker{'s' if count > 1 else ''}" for count in WORKERS
}
"""Of the peers, in the order in which they run."""

Run = dict[str, Any]


async def measure(stage: Stage, plan: Plan) -> list[Row]:
    """Commands per second of the gateway beside every peer, for each time that a supplier takes."""
    rows: list[Row] = []
    for milliseconds in MILLISECONDS:
        job = Job(plan.commands // REVISIONS, REVISIONS, milliseconds, SLOTS)
        runs: dict[str, list[Run]] = {name: [] for name in ("gateway", *TITLES)}
        for _ in range(plan.runs):
            for name, contestant in contestants(job).items():
                runs[name].append(await contestant(stage))
        rows += rows_of(milliseconds, runs)
    return rows


def contestants(job: Job) -> Mapping[str, Callable[[Stage], Awaitable[Run]]]:
    """Who runs, in turn."""
    return {
        "gateway": lambda stage: relayed(stage, job),
        "lanes": lambda stage: followed(stage, "lanes", job.slots, job),
        **{f"faststream {count}": _workers(count, job) for count in WORKERS},
    }


def _workers(count: int, job: Job) -> Callable[[Stage], Awaitable[Run]]:
    return lambda stage: followed(stage, "faststream", count, job_for(count, job))


def job_for(workers: int, job: Job) -> Job:
    """What so many workers are given: the whole job would take the few of them minutes, at the same rate."""
    if workers >= max(WORKERS):
        return job
    return replace(job, orders=max(1, job.orders * workers // 8), revisions=1)


def rows_of(milliseconds: int, runs: Mapping[str, Sequence[Run]]) -> list[Row]:
    """A row for each peer."""
    return [
        paired(
            f"relay, a supplier that takes {milliseconds} ms, beside {title}",
            "commands/s",
            [(ours["rate"], theirs["rate"]) for ours, theirs in zip(runs["gateway"], runs[name], strict=True)],
            BUDGETS.get((milliseconds, name)),
            [*runs["gateway"], *runs[name]],
        )
        for name, title in TITLES.items()
    ]
