"""Files in which a run is kept, for the verdict afterwards.

`python -m contrib.mall.records JOURNAL EVENTS --ledger jd_vop:SUPPLIER:FILE --ledger native:SUPPLIER:FILE` judges them.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from contrib.mall.account import SERVING
from contrib.mall.core import commands_in
from contrib.mall.orders import Event
from contrib.mall.recorded import about
from contrib.mall.verdict import Effect, Finding, Record, counts, effects_of_jd, effects_of_native, verdicts
from contrib.simulators.ledger import read

LEDGERS = {"jd_vop": effects_of_jd, "native": effects_of_native}


def write_events(path: Path, events: Iterable[Event]) -> None:
    """Leave events in a file, one line each."""
    path.write_text("".join(json.dumps(asdict(event), ensure_ascii=False) + "\n" for event in events), encoding="utf-8")


def read_record(journal: Path, events: Path, ledgers: Iterable[tuple[str, str, Path]]) -> Record:
    """The record of a run. ledgers: which simulator, what the gateway calls it, and its file."""
    effects: list[Effect] = []
    for simulator, supplier, path in ledgers:
        effects += LEDGERS[simulator](read(path), supplier)
    return Record(commands_in(read(journal)), [Event(**line) for line in read(events)], effects)


def verdicts_of_all(record: Record) -> dict[str, Finding]:
    """The verdicts on orders, and on what serves them where a command asks for it."""
    found = {**verdicts(record)}
    for subject, (checks, _) in SERVING.items():
        part = about(record, subject)
        if part.commands:
            found |= {check.__name__.replace("_", " "): check(part) for check in checks}
    return found


def table(found: Mapping[str, Finding]) -> str:
    """Check, judged, violations, verdict: as a table in Markdown."""
    rows = ["| check | judged | violations | verdict |", "|---|---:|---:|---|"]
    for name, finding in found.items():
        verdict = "red" if finding.violations else "green" if finding.judged else "-"
        rows.append(f"| {name} | {finding.judged} | {len(finding.violations)} | {verdict} |")
    return "\n".join(rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge a recorded run; 1 when something was found."""
    parser = argparse.ArgumentParser("python -m contrib.mall.records", description=main.__doc__)
    parser.add_argument("journal", type=Path)
    parser.add_argument("events", type=Path)
    parser.add_argument("--ledger", action="append", default=[], help="jd_vop|native:SUPPLIER:FILE; repeat it")
    asked = parser.parse_args(arguments)
    parts = [each.split(":", 2) for each in asked.ledger]
    record = read_record(asked.journal, asked.events, [(kind, who, Path(file)) for kind, who, file in parts])
    found = verdicts_of_all(record)
    print(json.dumps(counts(record), ensure_ascii=False))
    print(table(found))
    violations = [f"{name}: {each}" for name, finding in found.items() for each in finding.violations]
    print("\n".join(violations))
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
