"""The ledger of effects: what a supplier has really done, one line of JSON for each effect.

A line is on disk before any answer leaves that could tell of it, so a reader of the file alone knows which orders
exist, whatever became of the answers, and whether or not the supplier is still alive. A supplier that starts with a
ledger takes its orders back from it.

This is the reader, which shares nothing with the suppliers that write; each of them has a program that counts its own.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

Entry = dict[str, Any]
Summary = dict[str, Any]


def read(path: Path) -> list[Entry]:
    """The effects in a ledger, in their order. A last line that was not written to its end counts for nothing."""
    return [json.loads(line) for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]


def summarise(entries: Iterable[Entry], number: str) -> Summary:
    """effects: how many of each kind; orders: different orders that were submitted; duplicates: those submitted more
    than once, and how often. number: the member that holds the buyer's number of an order.
    """
    counted = list(entries)
    submitted = Counter(entry[number] for entry in counted if entry["effect"] == "submit")
    return {
        "effects": dict(Counter(entry["effect"] for entry in counted)),
        "orders": len(submitted),
        "duplicates": {order: times for order, times in submitted.items() if times > 1},
    }


def print_summary(program: str, summary: Callable[[Iterable[Entry]], Summary], arguments: list[str] | None) -> None:
    """Print the summary of a ledger, as JSON."""
    parser = argparse.ArgumentParser(program, description=print_summary.__doc__)
    parser.add_argument("file", type=Path)
    print(json.dumps(summary(read(parser.parse_args(arguments).file)), ensure_ascii=False))
