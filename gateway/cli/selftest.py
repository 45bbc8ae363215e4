"""The self-test report of an adapter as a terminal shows it, and what it says of the program."""

from __future__ import annotations

import subprocess
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from shutil import which

from rich.text import Text

from gateway.cli.output import console, facts, table
from gateway.registry import Registry
from gateway.sdk.errors import ConfigError
from gateway.sdk.testing import Report, Result, Subject, Trial, report, report_unreadable

SHOWN = 10
"""Problems of one check that are told; the report as JSON has them all."""


def program() -> str:
    """Name, version and, in a checkout, revision of this program; `+` says that files differ from it."""
    return f"mallgate {version('mallgate')}{_revision()}"


def _revision() -> str:
    root, git = Path(__file__).parents[2], which("git")
    if git is None or not (root / ".git").exists():
        return ""
    command = [git, "describe", "--always", "--exclude=*", "--abbrev=12", "--dirty=+"]
    result = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)  # noqa: S603 - from PATH
    return f" ({result.stdout.strip()})" if result.returncode == 0 else ""


def examined(name: str) -> Report:
    """The report on an adapter; one that cannot be read or imported has failed. Raises ConfigError if there is none."""
    registry = Registry()
    at = datetime.now(UTC).astimezone()
    try:
        loaded = registry.load(name)
        subject = Subject.read(loaded.manifest, loaded.adapter, loaded.folder)
    except ConfigError as error:
        if name not in registry.names():
            raise
        return report_unreadable(name, error.problems, program(), at)
    return report(subject, program(), at)


def show(made: Report) -> None:
    """The report for people: who, what, every check, every case, and all failures in words."""
    manifest = made.manifest
    facts(
        [
            ("adapter", made.adapter),
            ("interface", manifest and manifest.name),
            ("capabilities", manifest and manifest.capabilities),
            ("facets", manifest and manifest.facets),
            ("program", made.program),
            ("files", made.digest and f"sha256 {made.digest[:16]}"),
            ("tested", f"{made.at:%Y-%m-%d %H:%M:%S %z}"),
        ]
    )
    table("check|result|#trials|#failures", map(_row, made.results), empty="")
    if made.cases:
        table("case|about|result", ([each.name, each.about, each.verdict] for each in made.cases), empty="")
    for result in made.results:
        if result.verdict != "passed":
            _explain(result)
    console.print()
    console.print(Text(summary(made), style="green" if made.passed else "red"))


def _row(result: Result) -> list[object]:
    return [result.check, result.verdict if result.trials else "nothing to try", result.trials, len(result.found)]


def _explain(result: Result) -> None:
    console.print()
    console.print(Text.assemble((result.check, "bold"), f": {result.en}"))
    if result.waiver:
        console.print(Text(f"  waived: {result.waiver}", style="yellow"))
    lines = [*problems(result.found)]
    for line in lines[:SHOWN]:
        console.print(Text(f"  {line}"))
    if len(lines) > SHOWN:
        console.print(Text(f"  … and {len(lines) - SHOWN:,} more; --format json has them all", style="dim"))


def problems(found: tuple[Trial, ...]) -> Iterator[str]:
    """Each problem with the case or file that it is about."""
    return (f"{trial.about}: {problem}" for trial in found for problem in trial.problems)


def summary(made: Report) -> str:
    """What came of it, in one line."""
    counts = Counter(result.verdict for result in made.results)
    totals = ", ".join(f"{counts[verdict]} {verdict}" for verdict in ("passed", "failed") if counts[verdict])
    waivers = f"{len(made.waived)} waiver{'' if len(made.waived) == 1 else 's'}"
    verdict = "passed" if made.passed else "failed"
    return f"{made.adapter} {verdict}: checks {totals}; {waivers}; {len(made.cases)} cases, {made.trials:,} trials."
