"""What a benchmark comes to: rows with a measured value, a reference beside it, a budget, and every single run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured.

    runs: interleaved pairs of which the median counts; records: of one price feed; peer_records: of the same feed for
    the peer that takes one record at a time; body_bytes: of the large feed; probes: small feeds sent while idle; skus:
    of the supplier that is swept; changes: at once, and pushes of one row; window_seconds: of changes at a steady rate;
    commands: placed at once, five of an order; orders: placed at a steady rate at twenty suppliers.
    """

    runs: int
    records: int
    peer_records: int
    body_bytes: int
    probes: int
    skus: int
    changes: int
    window_seconds: float
    commands: int
    orders: int


FULL = Plan(
    runs=5,
    records=200_000,
    peer_records=5_000,
    body_bytes=1_000_000_000,
    probes=300,
    skus=100_000,
    changes=10_000,
    window_seconds=60,
    commands=5_000,
    orders=20_000,
)
QUICK = Plan(
    runs=1,
    records=20_000,
    peer_records=1_000,
    body_bytes=100_000_000,
    probes=100,
    skus=5_000,
    changes=1_000,
    window_seconds=15,
    commands=500,
    orders=1_000,
)


@dataclass(frozen=True, slots=True)
class Budget:
    """What a value has to keep: at least or at most so much, in the unit of the value it is about."""

    limit: float
    unit: str = "×"
    at_least: bool = False

    def keeps(self, value: float) -> bool:
        """Whether the value is within the budget."""
        return value >= self.limit if self.at_least else value <= self.limit

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.limit:g} {self.unit}"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    measured: of the gateway; reference: of what it stands beside, None when the budget is absolute; unit: of both;
    value: what the budget is about, a ratio or the measured value itself; budget: None where nothing is promised; runs:
    everything that was measured.
    """

    name: str
    unit: str
    measured: float
    reference: float | None
    value: float
    budget: Budget | None
    runs: Sequence[Mapping[str, Any]] = field(repr=False)

    @property
    def met(self) -> bool:
        """Whether the budget is kept; without one there is nothing to break."""
        return self.budget is None or self.budget.keeps(self.value)


def paired(
    name: str,
    unit: str,
    pairs: Sequence[tuple[float, float]],
    budget: Budget | None,
    runs: Sequence[Mapping[str, Any]],
) -> Row:
    """A row of pairs (measured, reference) that were taken side by side: the median of each, and of their ratios."""
    return Row(
        name,
        unit,
        median(measured for measured, _ in pairs),
        median(reference for _, reference in pairs),
        median(measured / reference for measured, reference in pairs),
        budget,
        runs,
    )
