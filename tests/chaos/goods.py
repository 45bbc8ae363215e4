"""The records that a stream of feeds sends: of which keys, with which numbers, good and bad. Drawn from its seed."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from tests.chaos.contents import AREAS, bad, doubtful, good, unreadable
from tests.history.events import Sent

PLAIN, RANKED = 240, 60
"""Skus of a supplier in one facet: those ordered by their feeds, and those with versions of their own."""

BAD = 0.01
"""Share of records that are bad."""

REPEATED = 0.15
"""Share of records that say what the key said before, or at some time before that."""

LATE = 0.3
"""Share of records with versions of their own that come later than they were made."""

Name = tuple[str, str, bool]
"""sku, area, and whether its records carry versions of their own."""


def names_of(facet: str) -> list[Name]:
    """The keys of a supplier in one facet."""
    anywhere = "*" if facet in AREAS else ""
    names = [(f"K-{number:04}", anywhere, False) for number in range(PLAIN)]
    if facet in AREAS:
        names += [(f"K-{number:04}", "area_1", False) for number in range(0, PLAIN, 8)]
    return names + [(f"V-{number:04}", anywhere, True) for number in range(RANKED)]


@dataclass
class Goods:
    """One facet of one supplier. next_value: the number that the next new content tells; none is told twice."""

    facet: str
    next_value: int
    rng: Random
    names: list[Name] = field(default_factory=list)
    _said: dict[Name, list[int]] = field(default_factory=dict)
    _late: dict[Name, list[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.names = names_of(self.facet)

    def some(self, least: int, most: int) -> list[Sent]:
        """Records of so many keys, in no order."""
        count = min(self.rng.randint(least, most), len(self.names))
        return [self._record(name) for name in self.rng.sample(self.names, count)]

    def all_but(self, share: float) -> list[Sent]:
        """Records of all keys but that share, now and then with one whose sku cannot be read."""
        absent = set(self.rng.sample(self.names, int(len(self.names) * share)))
        records = [self._record(name) for name in self.names if name not in absent]
        draw = self.rng.random()
        if draw < 0.08:
            records.insert(self.rng.randrange(len(records)), unreadable(self.rng.randrange(8)))
        elif draw < 0.14:
            records.insert(self.rng.randrange(len(records)), doubtful(self.rng.choice(self.names)[0]))
        return records

    def again(self, records: list[Sent]) -> list[Sent]:
        """New records of the same keys."""
        known = {(sku, area): (sku, area, ranked) for sku, area, ranked in self.names}
        names = [known.get((each.sku or "", each.area)) for each in records]
        return [self._record(name) for name in names if name is not None]

    def fresh(self, sku: str, area: str) -> Sent:
        """A good record of one key, with a new number."""
        return good(self.facet, sku, area, self._new(), ranked=sku.startswith("V-"))

    def _new(self) -> int:
        self.next_value += 1
        return self.next_value

    def _record(self, name: Name) -> Sent:
        sku, area, ranked = name
        if self.rng.random() < BAD:
            return bad(self.facet, sku, area, self._new())
        value = self._ranked_value(name) if ranked else self._plain_value(name)
        return good(self.facet, sku, area, value, ranked=ranked)

    def _plain_value(self, name: Name) -> int:
        said = self._said.setdefault(name, [])
        if said and self.rng.random() < REPEATED:
            return said[-1] if self.rng.random() < 0.7 else self.rng.choice(said)
        said.append(self._new())
        return said[-1]

    def _ranked_value(self, name: Name) -> int:
        """A new one, or one that was made before and kept back until now."""
        late = self._late.setdefault(name, [])
        if late and self.rng.random() < 0.5:
            return late.pop()
        if self.rng.random() < LATE:
            late.append(self._new())
        return self._new()
