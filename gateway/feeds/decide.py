"""What one chunk does: every item's outcome, what to publish, how the keys' states move. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, NamedTuple

from gateway.deadletters import issues_json
from gateway.feeds.guard import UNKNOWN_KEY, Candidate, ItemOutcome, KeyState, judge
from gateway.feeds.normalise import NormalisedItem, Result, parts_of
from gateway.feeds.versions import version_of
from gateway.sdk.errors import Issue

MAX_WARNED = 100
"""Warnings of one chunk after which items get no row of their own any more; they are counted all the same."""

SAMPLE_SKUS = 5
"""Skus that are named for a problem where it is counted."""

Key = tuple[str, str]
"""sku and area within one supplier and facet."""

OUTCOME_BYTES: Mapping[ItemOutcome, int] = {
    ItemOutcome.NORMALIZED: ord("n"),
    ItemOutcome.UNCHANGED: ord("u"),
    ItemOutcome.STALE: ord("s"),
    ItemOutcome.REJECTED: ord("r"),
    ItemOutcome.HELD: ord("h"),
    ItemOutcome.CANCELLED: ord("c"),
}
"""One byte per item in `feed_chunks.outcomes`, and the mark of a key's last outcome in `feed_state`."""


@dataclass(slots=True)  # not frozen: that would make each of millions dearer
class Entry:
    """One record of the chunk with what normalising made of it.

    index: from 0 within the feed, or its page; patched: an operator wrote it, not the supplier.
    """

    index: int
    line: int
    raw: bytes
    result: Result
    patched: bool = False


class Publication(NamedTuple):
    """One item to send under its version."""

    key: Key
    version: int
    item: NormalisedItem


class Bounds(NamedTuple):
    """What items of a chunk are judged by besides their keys. horizon: the lowest version that is not older than it."""

    period: timedelta | None
    horizon: int
    fresh_no: int


@dataclass(frozen=True, slots=True)
class Refused:
    """What becomes a dead letter. stage: where a replay re-enters; skus: whose keys are marked as seen."""

    entry: Entry
    stage: str
    issues: tuple[Issue, ...]
    skus: tuple[str, ...]

    @property
    def sku(self) -> str | None:
        """The one sku that it concerns, None for none or several."""
        return self.skus[0] if len(self.skus) == 1 else None


@dataclass(slots=True)
class Decisions:
    """All that a chunk decides; nothing of it has happened yet."""

    outcomes: bytearray = field(default_factory=bytearray)
    publications: list[Publication] = field(default_factory=list)
    states: dict[Key, tuple[KeyState, ItemOutcome]] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)
    problems: list[dict[str, Any]] = field(default_factory=list)
    warnings: Counter[str] = field(default_factory=Counter)
    """Items by what was doubtful about them, those without a row among the problems included."""
    raised: bool = False
    """An item was published under another number than the feed's: decide again with a fresh one, if that was none."""

    def add(self, outcome: ItemOutcome) -> None:
        """Note one more item's outcome."""
        self.outcomes.append(OUTCOME_BYTES[outcome])

    def counts(self) -> dict[ItemOutcome, int]:
        """Items per outcome, only those that occur."""
        found = {outcome: self.outcomes.count(byte) for outcome, byte in OUTCOME_BYTES.items()}
        return {outcome: count for outcome, count in found.items() if count}


def keys_of(entries: Sequence[Entry]) -> list[Key]:
    """Every key the chunk names, once, in order of appearance."""
    return list(dict.fromkeys((item.sku, item.area) for entry in entries for item in parts_of(entry.result)[0]))


def rejected_skus(entries: Sequence[Entry]) -> set[str]:
    """Whom the records concern that are rejected before they are judged."""
    return {sku for entry in entries for rejection in parts_of(entry.result)[1] for sku in rejection.skus}


def decide(
    entries: Sequence[Entry],
    known: Mapping[Key, KeyState],
    *,
    feed_no: int,
    period: timedelta | None,
    horizon: int = 0,
    fresh_no: int = 0,
    before: Decisions | None = None,
) -> Decisions:
    """Judge the items of a chunk in record order, each against the state its forerunners left.

    feed_no: what their versions carry, of the feed or of the page; horizon: number of the last full feed that was
    whole; fresh_no: given out just now, for items that win over one with a higher number; before: what was decided of
    the entries before these, it is added to.
    """
    decisions = Decisions() if before is None else before
    bounds = Bounds(period, version_of(horizon, 0), fresh_no)
    for entry in entries:
        items, rejections = parts_of(entry.result)
        version = version_of(feed_no, entry.index)
        for item, superseded in _with_superseded(items):
            _judge_item(decisions, entry, item, known, version=version, superseded=superseded, bounds=bounds)
        for rejection in rejections:
            _reject(decisions, entry, "normalise", rejection.issues, rejection.skus)
    return decisions


def count_problems(rows: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Items by the code of what was wrong with them, of rows of a report, and the first of their skus in order.

    An item counts once for a code, however many issues of that code it has.
    """
    items: Counter[str] = Counter()
    skus: defaultdict[str, set[str]] = defaultdict(set)
    for row in rows:
        codes = {issue["code"] for issue in row["issues"]}
        items.update(codes)
        if row["sku"] is not None:
            for code in codes:
                skus[code].add(row["sku"])
    return {code: {"items": count, "skus": sorted(skus[code])[:SAMPLE_SKUS]} for code, count in items.items()}


def cancel(entries: Sequence[Entry]) -> Decisions:
    """What a chunk of a cancelled feed does: nothing, and every item says so."""
    decisions = Decisions()
    for entry in entries:
        items, rejections = parts_of(entry.result)
        for _ in range(len(items) + len(rejections)):
            decisions.add(ItemOutcome.CANCELLED)
    return decisions


def _with_superseded(items: list[NormalisedItem]) -> list[tuple[NormalisedItem, bool]]:
    """Of several items of one key in one record the last counts; the flag marks the others."""
    if len(items) == 1:
        return [(items[0], False)]
    last = {(item.sku, item.area): place for place, item in enumerate(items)}
    return [(item, last[item.sku, item.area] != place) for place, item in enumerate(items)]


def _judge_item(
    decisions: Decisions,
    entry: Entry,
    item: NormalisedItem,
    known: Mapping[Key, KeyState],
    *,
    version: int,
    superseded: bool,
    bounds: Bounds,
) -> None:
    if superseded:
        _set_aside(decisions, entry, item.sku)
        return
    key = (item.sku, item.area)
    moved = decisions.states.get(key)
    state = moved[0] if moved else known.get(key, UNKNOWN_KEY)
    judgement = judge(
        Candidate(version, item.hash, item.observed_at, item.source_version, entry.patched),
        state,
        bounds.period,
        horizon=bounds.horizon,
        fresh=version_of(bounds.fresh_no, entry.index),
    )
    decisions.states[key] = (judgement.state, judgement.outcome)
    if judgement.outcome is ItemOutcome.REJECTED:
        issue = Issue(judgement.code, path="/version", actual=str(item.source_version))
        _reject(decisions, entry, "guard", (issue,), (item.sku,))
        return
    if judgement.outcome is ItemOutcome.STALE:
        _set_aside(decisions, entry, item.sku)
        return
    decisions.add(judgement.outcome)
    if item.warnings:
        _warn(decisions, entry, item, judgement.outcome)
    if judgement.publish:
        decisions.raised |= judgement.raised
        decisions.publications.append(Publication(key, judgement.state.version, item))


def _warn(decisions: Decisions, entry: Entry, item: NormalisedItem, outcome: ItemOutcome) -> None:
    if decisions.warnings.total() < MAX_WARNED:
        decisions.problems.append(_row(entry, item.sku, outcome, ()) | {"warnings": issues_json(item.warnings)})
    decisions.warnings.update({warning.code for warning in item.warnings})


def _set_aside(decisions: Decisions, entry: Entry, sku: str) -> None:
    decisions.add(ItemOutcome.STALE)
    decisions.problems.append(_row(entry, sku, ItemOutcome.STALE, (Issue("stale"),)))


def _reject(decisions: Decisions, entry: Entry, stage: str, issues: tuple[Issue, ...], skus: tuple[str, ...]) -> None:
    refused = Refused(entry, stage, issues, skus)
    decisions.add(ItemOutcome.REJECTED)
    decisions.refused.append(refused)
    for key in ((sku, "") for sku in skus):  # where a facet knows no areas the sku is the key
        if key in decisions.states:
            decisions.states[key] = (decisions.states[key][0], ItemOutcome.REJECTED)
    row = _row(entry, refused.sku, ItemOutcome.REJECTED, issues)
    # Of several, so that a full feed need not take it for a record of which nobody knows whom it concerns.
    decisions.problems.append(row if len(skus) < 2 else {**row, "skus": list(skus)})


def _row(entry: Entry, sku: str | None, outcome: ItemOutcome, issues: tuple[Issue, ...]) -> dict[str, Any]:
    return {
        "record": entry.index,
        "line": entry.line,
        "sku": sku,
        "outcome": outcome.value,
        "issues": issues_json(issues),
    }
