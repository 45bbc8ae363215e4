"""`make bench`, or `python -m contrib.bench [NAMES] [--quick]`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

import uvloop
from cyclopts import App, Parameter
from rich.console import Console

from contrib.bench import (
    changes,
    express,
    feed,
    gigabyte,
    hang,
    normalise,
    processes,
    relay,
    relay_hang,
    relay_processes,
    report,
    small,
    sweep,
    walls,
)
from contrib.bench.rows import FULL, QUICK, Plan, Row
from contrib.bench.stage import Stage, open_stage

Name = Literal[
    "normalise",
    "feed",
    "gigabyte",
    "express",
    "small",
    "processes",
    "sweep",
    "changes",
    "hang",
    "walls",
    "relay",
    "relay_hang",
    "relay_processes",
]

BENCHMARKS: Mapping[str, Callable[[Stage, Plan], Awaitable[list[Row]]]] = {
    "normalise": normalise.measure,
    "feed": feed.measure,
    "gigabyte": gigabyte.measure,
    "express": express.measure,
    "small": small.measure,
    "processes": processes.measure,
    "sweep": sweep.measure,
    "changes": changes.measure,
    "hang": hang.measure,
    "walls": walls.measure,
    "relay": relay.measure,
    "relay_hang": relay_hang.measure,
    "relay_processes": relay_processes.measure,
}

app = App(name="bench", help="Measure the gateway beside its peers.")


@app.default
def bench(
    *names: Name,
    quick: Annotated[bool, Parameter(negative="")] = False,
    runs: int | None = None,
    commands: int | None = None,
    directory: Path | None = None,
    output: Path = Path("bench-results.json"),
) -> None:
    """Measure, show a table, write a JSON file.

    Parameters
    ----------
    names
        What to measure; everything by default.
    quick
        One run over a tenth of the data: to see that it works, not to claim anything.
    runs
        Interleaved pairs of which the median counts.
    commands
        Of the relay, placed at once.
    directory
        Where engines and bodies lie meanwhile, on a disk.
    output
        The JSON file.
    """
    plan = QUICK if quick else FULL
    plan = plan if runs is None else replace(plan, runs=runs)
    plan = plan if commands is None else replace(plan, commands=commands)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        rows = runner.run(_measure(names or tuple(BENCHMARKS), plan, directory))
    report.show(Console(highlight=False), rows)
    report.save(output, rows, plan)


async def _measure(names: tuple[str, ...], plan: Plan, directory: Path | None) -> list[Row]:
    rows: list[Row] = []
    terminal = Console(stderr=True, highlight=False)
    async with open_stage(directory) as stage:
        for name in names:
            terminal.print(f"[dim]measuring[/dim] {name}")
            rows += await BENCHMARKS[name](stage, plan)
    return rows


if __name__ == "__main__":
    app()
