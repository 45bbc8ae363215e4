"""Which fault comes when: drawn from the seed alone, so that a seed names a plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Literal

Target = Literal["gateway", "kafka", "postgres", "backend"]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault. weight: how often it is drawn; least, most: seconds that it holds."""

    target: Target
    weight: int
    least: float
    most: float


# Frozen for longer than a lease and a consumer's session now and then.
KINDS: Mapping[str, Kind] = {
    "gateway killed": Kind("gateway", 6, 0.0, 2.0),
    "gateway killed at a point": Kind("gateway", 7, 6.0, 10.0),
    "gateway ended": Kind("gateway", 2, 0.0, 1.0),
    "gateway frozen": Kind("gateway", 4, 1.0, 16.0),
    "kafka frozen": Kind("kafka", 3, 1.0, 12.0),
    "kafka killed": Kind("kafka", 2, 0.0, 3.0),
    "kafka stopped": Kind("kafka", 1, 0.0, 3.0),
    "postgres frozen": Kind("postgres", 3, 1.0, 10.0),
    "postgres killed": Kind("postgres", 2, 0.0, 3.0),
    "postgres stopped": Kind("postgres", 1, 0.0, 3.0),
    "backends frozen": Kind("backend", 4, 1.0, 12.0),
    "backends ended": Kind("backend", 2, 0.0, 0.0),
}

TWO_AT_ONCE = 0.2
"""Share of faults that do not come alone."""

CALM = (1.0, 4.0)
"""Seconds between the end of a fault and the next one."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. at: seconds from the start; hold: how long it lasts; draw: settles whom it meets, and so on."""

    kind: str
    at: float
    hold: float
    draw: int

    @property
    def target(self) -> Target:
        """What it meets."""
        return KINDS[self.kind].target


def plan(seed: int, seconds: float) -> list[Fault]:
    """The faults of a run, by time; the last one ends before the run does."""
    rng, at = Random(f"faults {seed}"), 3.0
    faults: list[Fault] = []
    while True:
        kinds = _drawn(rng)
        holds = [rng.uniform(KINDS[kind].least, KINDS[kind].most) for kind in kinds]
        if at + max(holds) >= seconds:
            return faults
        faults += [
            Fault(kind, round(at, 1), round(hold, 1), rng.randrange(2**32))
            for kind, hold in zip(kinds, holds, strict=True)
        ]
        at += max(holds) * 0.6 + rng.uniform(*CALM)


def _drawn(rng: Random) -> list[str]:
    """One kind of fault, or two of different targets."""
    names, weights = list(KINDS), [kind.weight for kind in KINDS.values()]
    first = rng.choices(names, weights)[0]
    if rng.random() >= TWO_AT_ONCE:
        return [first]
    second = rng.choices(names, weights)[0]
    return [first] if KINDS[second].target == KINDS[first].target else [first, second]
