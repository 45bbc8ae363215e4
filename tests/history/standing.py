"""What may stand on the topic for a key, from the order of what was sent alone. Pure, and knows no code of the gateway.

The rules, in the order of the feeds' numbers. A whole full feed takes off sale what it does not name in any way, unless
a later feed named it before it decided; what is older than it and off sale stays so. Of what was sent since, the latest
stands; where records carry versions of their own (`ranked`), the highest of those. Where an answer was lost, a feed was
cancelled or requests overlapped, several things may stand.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import inf
from typing import NamedTuple

Order = tuple[float, float]
"""Number of a feed, and the record in it."""

Value = int | None
"""What stands; None: nothing, or withdrawn."""


class Mention(NamedTuple):
    """One record that names the key. low, high: between which orders it lies, the same where its number is known.

    began: when it left; value: None: it names the key and can be no state of it; sure: that it took effect.
    """

    low: Order
    high: Order
    began: float
    value: Value
    sure: bool


class Pass(NamedTuple):
    """A full feed that withdrew, or may have. finished: from then on nothing can have come before its decision."""

    number: int
    sure: bool
    finished: float


def allowed(mentions: Sequence[Mention], passes: Iterable[Pass], *, ranked: bool) -> frozenset[Value]:
    """Everything that may stand in the end."""
    ordered = sorted(passes)
    ends = [*(float(each.number) for each in ordered[1:]), inf]
    first = float(ordered[0].number) if ordered else inf
    states = _after_records(frozenset({None}), _between(mentions, 0, first), ranked=ranked)
    for each, end in zip(ordered, ends, strict=bool(ordered)):
        states = _after_pass(states, each, mentions)
        states = _after_records(states, _between(mentions, each.number, end), ranked=ranked)
    return states


def _between(mentions: Iterable[Mention], start: float, end: float) -> list[Mention]:
    return [each for each in mentions if each.high >= (start, 0) and each.low < (end, 0)]


def _after_pass(states: frozenset[Value], full: Pass, mentions: Iterable[Mention]) -> frozenset[Value]:
    """Named by it: kept. Named by a later one that may have come first: kept or not."""
    kept, maybe_kept = False, not full.sure
    for each in mentions:
        if each.high < (full.number, 0):
            continue
        named = each.low >= (full.number, 0) and each.high < (full.number + 1, 0)
        kept |= named and each.sure
        maybe_kept |= named or each.began < full.finished
    if kept:
        return states
    return states | {None} if maybe_kept else frozenset({None})


def _after_records(states: frozenset[Value], mentions: Sequence[Mention], *, ranked: bool) -> frozenset[Value]:
    told = [each for each in mentions if each.value is not None]
    return _by_rank(states, told) if ranked else _by_order(states, told)


def _by_order(states: frozenset[Value], mentions: Sequence[Mention]) -> frozenset[Value]:
    top = max((each for each in mentions if each.sure), key=lambda each: each.high, default=None)
    found = set(states) if top is None else {top.value}
    floor = (0.0, 0.0) if top is None else top.high
    return frozenset(found | {each.value for each in mentions if not each.sure and each.high > floor})


def _by_rank(states: frozenset[Value], mentions: Sequence[Mention]) -> frozenset[Value]:
    floor = max((each.value or 0 for each in mentions if each.sure), default=0)
    found = {max(state or 0, floor) for state in states}
    found |= {max(state, each.value or 0) for state in found for each in mentions if not each.sure}
    return frozenset(value or None for value in found)
