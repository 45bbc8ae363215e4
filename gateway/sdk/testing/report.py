"""The self-test report (自检报告) of an adapter, as data: what procurement platforms ask of whoever joins them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from importlib.resources.abc import Traversable
from typing import Any

from gateway.sdk.manifest import Manifest
from gateway.sdk.testing.calls import CallCase
from gateway.sdk.testing.checks import Result, Verdict, examine, unreadable
from gateway.sdk.testing.facts import files_of
from gateway.sdk.testing.folder import AnyCase
from gateway.sdk.testing.subject import Subject


@dataclass(frozen=True, slots=True)
class CaseLine:
    """One case in a report. about: a facet or a method; problems: what any check found with it."""

    name: str
    description: str
    capability: str
    about: str
    verdict: Verdict
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """Who was examined, by which program, when, and what came of it.

    digest: SHA-256 over the adapter's files, which says what exactly was examined; None where nothing could be read.
    """

    adapter: str
    program: str
    at: datetime
    manifest: Manifest | None
    digest: str | None
    results: tuple[Result, ...]
    cases: tuple[CaseLine, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether no check failed; waived ones did not."""
        return all(result.verdict != "failed" for result in self.results)

    @property
    def trials(self) -> int:
        """How many things were tried."""
        return sum(result.trials for result in self.results)

    @property
    def waived(self) -> tuple[Result, ...]:
        """The checks that do not pass, for a reason that the manifest gives."""
        return tuple(result for result in self.results if result.verdict == "waived")

    def as_json(self) -> dict[str, Any]:
        """The report as JSON has it."""
        return {
            "adapter": self.adapter,
            "interface": self.manifest and self.manifest.name,
            "capabilities": list(self.manifest.capabilities) if self.manifest else [],
            "facets": list(self.manifest.facets) if self.manifest else [],
            "program": self.program,
            "digest": self.digest,
            "at": self.at.isoformat(timespec="seconds"),
            "passed": self.passed,
            "trials": self.trials,
            "waivers": len(self.waived),
            "checks": [_result_as_json(result) for result in self.results],
            "cases": [{name: getattr(case, name) for name in CaseLine.__dataclass_fields__} for case in self.cases],
        }


def _result_as_json(result: Result) -> Mapping[str, Any]:
    found = [{"about": trial.about, "problems": trial.problems} for trial in result.found]
    plain = {name: getattr(result, name) for name in ("check", "en", "zh", "verdict", "trials", "waiver")}
    return {**plain, "found": found}


def report(subject: Subject, program: str, at: datetime) -> Report:
    """Examine an adapter and report. program: name, version and revision of this one."""
    results = examine(subject)
    cases = tuple(_line(case, results) for case in subject.cases)
    digest = digest_of(subject.folder)
    return Report(subject.manifest.id, program, at, subject.manifest, digest, results, cases)


def report_unreadable(adapter: str, problems: Sequence[str], program: str, at: datetime) -> Report:
    """The report on an adapter that cannot be examined."""
    return Report(adapter, program, at, None, None, (unreadable(problems),))


def digest_of(folder: Traversable) -> str:
    """SHA-256 over the names and contents of an adapter's files."""
    digest = sha256()
    for path, file in files_of(folder):
        content = file.read_bytes()
        digest.update(f"{path}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


def _line(case: AnyCase, results: Sequence[Result]) -> CaseLine:
    found = list(_found(case.name, results))
    about = case.call.method.name if isinstance(case, CallCase) else case.facet.value
    verdicts = {verdict for verdict, _ in found}
    verdict: Verdict = "failed" if "failed" in verdicts else "waived" if verdicts else "passed"
    problems = tuple(problem for _, problem in found)
    return CaseLine(case.name, case.description, case.capability, about, verdict, problems)


def _found(name: str, results: Sequence[Result]) -> Iterator[tuple[Verdict, str]]:
    for result in results:
        for trial in result.found:
            if trial.about == name:
                yield from ((result.verdict, problem) for problem in trial.problems)
