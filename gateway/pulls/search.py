"""Which skus spoil a question that is not answered as a whole, found in few further questions. Pure.

Generalised binary splitting: of a group that holds a sku at fault the first half is asked about; where that is answered
the other half must hold it, without being asked about as a whole. What was not asked about meanwhile joins the rest,
and the rest is asked about in groups that are likely to be answered, by the share that was found at fault so far.

The least that could do is log2 C(n, d) questions for d at fault among n: each has two answers. For 10 among 100 that is
44; this one needs 57 on average and has not been seen to need more than 63.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass

ALONE = 8
"""Skus from all over the question that were each refused alone, before it is taken to be the question's own fault."""

PRIOR = 16
"""Skus that count as well before any is known, so that one at fault does not condemn its neighbours."""

LIKELY = 0.7
"""About ln 2: a group of this over the share at fault is answered every other time, which tells most."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a search came to. faulty: refused alone; unasked: left, because nothing at all was answered."""

    faulty: tuple[str, ...]
    unasked: tuple[str, ...] = ()


def search(skus: Sequence[str]) -> Generator[tuple[str, ...], bool, Found]:
    """Yields what to ask about, beginning with all; is sent whether it was answered; returns what was found.

    No sku is asked about again once it was answered for, and none is found at fault that was not asked about alone.
    """
    rest, faulty, answered = list(skus), list[str](), 0
    if (yield tuple(rest)):
        return Found(())
    if len(rest) == 1:
        return Found(tuple(rest))
    group, rest = rest, []
    while group:
        while len(group) > 1:
            first, second = group[: len(group) // 2], group[len(group) // 2 :]
            if (yield tuple(first)):
                answered += len(first)
                group = second
                if len(group) == 1 and (yield tuple(group)):
                    answered, group = answered + 1, []
            else:
                group, rest = first, second + rest
        faulty += group
        if not answered and len(faulty) >= ALONE:
            return Found(tuple(faulty), tuple(rest))
        group = []
        while rest and not group:
            size = _size(len(rest), len(faulty), answered)
            at = len(faulty) * 37 % len(rest) if not answered else 0
            group, rest = rest[at : at + size], rest[:at] + rest[at + size :]
            if (yield tuple(group)):
                answered, group = answered + len(group), []
    return Found(tuple(faulty))


def _size(rest: int, faulty: int, answered: int) -> int:
    """How many to ask about: one while nothing was answered, for then the fault may be that of the question."""
    if not answered:
        return 1
    return min(rest, max(1, round(LIKELY * (answered + faulty + PRIOR) / faulty))) if faulty else rest
