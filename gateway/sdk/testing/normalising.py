"""Records handed to an adapter's `normalise`, and what may come of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

from pydantic import ValidationError

from gateway.sdk.adapter import Item, Record, Refusal
from gateway.sdk.errors import ContractError, InvalidMessageError, Issue
from gateway.sdk.exchange import decode_exchange
from gateway.sdk.problems import PROBLEMS
from gateway.sdk.testing.cases import FACTS, Case, ExpectedIssue

AnyIssue = TypeVar("AnyIssue", Issue, ExpectedIssue)

NormaliseResult = list[Item | Refusal] | list[Issue] | str
"""What an adapter makes of a record; a text is what it should not have raised."""


def outcome_of(adapter: Any, record: Record) -> NormaliseResult:
    """Items and refusals, or issues; a ContractError is one issue, as in a feed's report."""
    try:
        return list(adapter.normalise(record))
    except InvalidMessageError as error:
        return list(error.issues)
    except ContractError:
        return [Issue("contract_error")]
    except Exception as error:  # noqa: BLE001 - whatever else it raises is what the kit is looking for
        return f"raised {type(error).__name__}: {error}"


def unsound(record: Record, outcome: NormaliseResult, *, pulled: bool = False) -> Iterator[str]:
    """What may not come of any record. pulled: it is an exchange, so the skus are known that it can be about."""
    if isinstance(outcome, str):
        yield outcome
        return
    if not outcome and not pulled:
        yield "neither items nor issues"
    for each in outcome:
        match each:
            case Issue():
                yield from _unsound_issue(each)
            case Refusal():
                yield from _unsound_refusal(each)
            case Item():
                yield from _unsound_item(record, each)
            case _:
                yield f"{type(each).__name__} is neither an item nor a refusal"
    if pulled:
        yield from _unasked(record, outcome)


def _unasked(record: Record, outcome: Sequence[object]) -> Iterator[str]:
    try:
        asked = decode_exchange(record.raw).skus
    except InvalidMessageError:
        return
    for each in outcome:
        sku = each.facts.sku if isinstance(each, Item) else each.sku if isinstance(each, Refusal) else None
        if sku is not None and sku not in asked:
            yield f"says something of {sku!r:.100}, which was not asked about"


def _unsound_refusal(refusal: Refusal) -> Iterator[str]:
    if not refusal.issues:
        yield f"refusal of {refusal.sku!r:.100} without an issue"
    for issue in refusal.issues:
        yield from _unsound_issue(issue)


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
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        place = ".".join(map(str, fault["loc"]))
        yield f"facts are not canonical: {place}: {fault['msg']}: {fault['input']!r:.60}"
    if item.observed_at is not None and item.observed_at.tzinfo is None:
        yield "observed_at has no offset"
    if item.source_version is not None and not 0 <= item.source_version <= 2**53:
        yield "source_version is out of range"


def other_than_golden(case: Case, outcome: NormaliseResult) -> Iterator[str]:
    """Where the outcome of a case's record is not what the case says."""
    if isinstance(outcome, str):
        yield outcome
    elif case.issues is not None:
        found = [each for each in outcome if isinstance(each, Issue)]
        if len(found) != len(outcome) or not _alike(case.issues, found):
            yield f"expected {list(case.issues)}, got {outcome}"
    else:
        yield from _other_items(case, outcome)


def _other_items(case: Case, outcome: Sequence[object]) -> Iterator[str]:
    wanted = [each.item(case.facet) for each in case.items or ()]
    found = [each for each in outcome if not isinstance(each, Refusal)]
    if found != wanted:
        yield f"expected {wanted}, got {found}"
    refused = {each.sku: each.issues for each in outcome if isinstance(each, Refusal)}
    if sorted(refused) != sorted(each.sku for each in case.refusals):
        yield f"expected refusals of {[each.sku for each in case.refusals]}, got {list(refused)}"
        return
    for refusal in case.refusals:
        if not _alike(refusal.issues, refused[refusal.sku]):
            yield f"{refusal.sku}: expected {list(refusal.issues)}, got {list(refused[refusal.sku])}"


def _alike(wanted: Sequence[ExpectedIssue], found: Sequence[Issue]) -> bool:
    return len(wanted) == len(found) and all(map(_matches, _in_order(wanted), _in_order(found)))


def _in_order(issues: Iterable[AnyIssue]) -> list[AnyIssue]:
    return sorted(issues, key=lambda issue: (issue.path, issue.code))


def _matches(wanted: ExpectedIssue, found: Issue) -> bool:
    return all(getattr(wanted, name) in (None, getattr(found, name)) for name in ("code", "path", "actual", "expected"))
