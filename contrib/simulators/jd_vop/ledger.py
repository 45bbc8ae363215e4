"""The ledger of effects: what the supplier has really done, one line of JSON for each effect.

A line is on disk before any answer leaves that could tell of it, so a reader of the file alone knows which orders
exist, whatever became of the answers, and whether or not the supplier is still alive. A supplier that starts with a
ledger takes its orders back from it.

This is the reader, which shares nothing with the supplier that writes.
`python -m contrib.simulators.jd_vop.ledger FILE` counts what a file holds.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

Entry = dict[str, Any]


def read(path: Path) -> list[Entry]:
    """The effects in a ledger, in their order. A last line that was not written to its end counts for nothing."""
    return [json.loads(line) for line in path.read_bytes().splitlines(keepends=True) if line.endswith(b"\n")]


def summary(entries: Iterable[Entry]) -> dict[str, Any]:
    """effects: how many of each kind; orders: different third orders that were submitted; duplicates: those submitted
    more than once, and how often.
    """
    counted = list(entries)
    submitted = Counter(entry["thirdOrder"] for entry in counted if entry["effect"] == "submit")
    return {
        "effects": dict(Counter(entry["effect"] for entry in counted)),
        "orders": len(submitted),
        "duplicates": {third: times for third, times in submitted.items() if times > 1},
    }


def main(arguments: list[str] | None = None) -> None:
    """Print the summary of a ledger, as JSON."""
    parser = argparse.ArgumentParser("python -m contrib.simulators.jd_vop.ledger", description=main.__doc__)
    parser.add_argument("file", type=Path)
    print(json.dumps(summary(read(parser.parse_args(arguments).file)), ensure_ascii=False))


if __name__ == "__main__":
    main()
