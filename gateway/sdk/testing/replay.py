"""Replaying cases and damaged records against an adapter, and judging what comes out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from gateway.sdk.adapter import Adapter, Item, NormalisesFeeds, Record, Refusal
from gateway.sdk.errors import ContractError, InvalidMessageError, Issue
from gateway.sdk.manifest import Manifest
from gateway.sdk.problems import PROBLEMS
from gateway.sdk.testing.cases import FACTS, Case, ExpectedIssue
from gateway.sdk.testing.mutants import mutants

Told = TypeVar("Told", Issue, ExpectedIssue)

Outcome = list[Item | Refusal] | list[Issue] | str
"""What an adapter makes of a record; a text is what it should not have raised."""


@dataclass(frozen=True, slots=True)
class CaseResult:
    """What became of a case. problems: everything that is not as it should be, in words."""

    case: Case
    problems: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether all is as it should be."""
        return not self.problems


def replay(adapter: type[Adapter], cases: Iterable[Case]) -> list[CaseResult]:
    """Each case against an adapter of its own: the golden outcome, twice the same, canonical and publishable."""
    return [CaseResult(case, tuple(_replay(adapter, case))) for case in cases]


def endure(adapter: type[Adapter], case: Case) -> list[str]:
    """Damage done to a case's record that the adapter does not bear: neither sound items nor an error it may raise."""
    subject = _made(adapter, case)
    return [
        f"{damage}: {problem}"
        for damage, raw in mutants(case.raw.raw)
        for problem in _unsound(case.raw, _outcome(subject, replace(case.raw, raw=raw)))
    ]


def missing_cases(manifest: Manifest, cases: Sequence[Case]) -> list[str]:
    """What the cases of an adapter leave untold: every facet has a record taken and a record refused."""
    told = {(case.facet, case.items is not None) for case in cases}
    return [
        f"{facet}: no case of a record that is {'taken' if taken else 'refused'}"
        for facet in manifest.facets
        for taken in (True, False)
        if (facet, taken) not in told
    ]


def _replay(adapter: type[Adapter], case: Case) -> Iterator[str]:
    outcome = _outcome(_made(adapter, case), case.raw)
    if _outcome(_made(adapter, case), case.raw) != outcome:
        yield "the same record had two outcomes"
    yield from _unsound(case.raw, outcome)
    yield from _differences(case, outcome)


def _made(adapter: type[Adapter], case: Case) -> NormalisesFeeds:
    made = adapter(adapter.options_model.model_validate(case.options))
    if not isinstance(made, NormalisesFeeds):
        raise TypeError(f"{adapter.__name__} does not normalise feeds")
    return made


def _outcome(adapter: NormalisesFeeds, record: Record) -> Outcome:
    """Items, or issues; a ContractError is one issue, as in a feed's report."""
    try:
        return list(adapter.normalise(record))
    except InvalidMessageError as error:
        return list(error.issues)
    except ContractError:
        return [Issue("contract_error")]
    except Exception as error:  # noqa: BLE001 - whatever else it raises is what the kit is looking for
        return f"raised {type(error).__name__}: {error}"


def _unsound(record: Record, outcome: Outcome) -> Iterator[str]:
    """What may not be, whatever the record."""
    if isinstance(outcome, str):
        yield outcome
        return
    if not outcome:
        yield "neither items nor issues"
    for each in outcome:
        match each:
            case Issue():
                yield from _unsound_issue(each)
            case Refusal():
                for issue in each.issues:
                    yield from _unsound_issue(issue)
            case Item():
                yield from _unsound_item(record, each)


def _unsound_issue(issue: Issue) -> Iterator[str]:
    if issue.code not in PROBLEMS:
        yield f"issue code {issue.code!r} is not declared"
    for text in (issue.path, issue.actual, issue.expected):
        if "\x00" in text:
            yield f"issue {issue.code} at {issue.path!r} holds NUL, which cannot be stored"
    if max(len(issue.actual), len(issue.expected)) > 200:
        yield f"issue {issue.code} at {issue.path} repeats more than 200 characters"


def _unsound_item(record: Record, item: Item) -> Iterator[str]:
    facts, model = item.facts, FACTS[record.facet]
    if type(facts) is not model:
        yield f"{type(facts).__name__} instead of {model.__name__}"
        return
    if list(vars(facts)) != list(model.model_fields):
        yield "members of the facts are not in canonical order"
    try:
        if model.model_validate_json(facts.__pydantic_serializer__.to_json(facts), strict=True) != facts:
            yield "facts change on their way through JSON"
    except ValueError as error:
        yield f"facts are not canonical: {error}"
    if item.observed_at is not None and item.observed_at.tzinfo is None:
        yield "observed_at has no offset"
    if item.source_version is not None and not 0 <= item.source_version <= 2**53:
        yield "source_version is out of range"


def _differences(case: Case, outcome: Outcome) -> Iterator[str]:
    if isinstance(outcome, str):
        return
    if case.items is not None:
        items = [each.item(case.facet) for each in case.items]
        if outcome != items:
            yield f"expected {items}, got {outcome}"
        return
    found = [each for each in outcome if isinstance(each, Issue)]
    wanted = list(case.issues or ())
    if len(found) != len(wanted) or not all(map(_matches, _in_order(wanted), _in_order(found))):
        yield f"expected {wanted}, got {outcome}"


def _in_order(issues: Iterable[Told]) -> list[Told]:
    return sorted(issues, key=lambda issue: (issue.path, issue.code))


def _matches(wanted: ExpectedIssue, found: Issue) -> bool:
    return all(getattr(wanted, name) in (None, getattr(found, name)) for name in ("code", "path", "actual", "expected"))
