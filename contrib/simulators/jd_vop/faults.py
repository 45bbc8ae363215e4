"""Faults that were ordered: which calls they strike, and how often. What each does stands in `effects`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from itertools import count
from random import Random
from types import MappingProxyType
from typing import Any

from contrib.simulators.jd_vop.calls import Subject, subject_of

NO_FORM: Mapping[str, str] = MappingProxyType({})


@dataclass(slots=True)
class Rule:
    """One order. kind: a row of effects.KINDS; operation: a pattern for the path without /api/, or for its last part;
    after: matching calls that are spared first; times: how many it strikes, None for all until cleared; probability:
    of striking; skus, area, third, page: it strikes only calls about one of these skus, about this area, with this
    number of an order, for this page of a list, where they are given.
    """

    kind: str
    operation: str = "*"
    parameters: Mapping[str, Any] = field(default_factory=dict)
    times: int | None = None
    probability: float = 1.0
    after: int = 0
    skus: Collection[str | int] = ()
    area: str = ""
    third: str = ""
    page: str = ""
    id: int = 0
    seen: int = 0
    struck: int = 0

    def matches(self, operation: str, subject: Subject) -> bool:
        """Whether the order is about this operation, and about what the call is about."""
        if self.skus and not self.struck_of(subject):
            return False
        narrowed = ((self.area, subject.area), (self.third, subject.third), (self.page, subject.page))
        if any(wanted not in ("", asked) for wanted, asked in narrowed):
            return False
        return fnmatchcase(operation, self.operation) or fnmatchcase(operation.rpartition("/")[2], self.operation)

    def struck_of(self, subject: Subject) -> list[str]:
        """Those skus of a call that the order is about, in the call's order."""
        wanted = {str(sku) for sku in self.skus}
        return [sku for sku in subject.skus if sku in wanted]

    @property
    def spent(self) -> bool:
        """Whether it has struck as often as it was to."""
        return self.times is not None and self.struck >= self.times

    def strike(self, chance: Random) -> bool:
        """Whether it strikes this matching call."""
        self.seen += 1
        if self.spent or self.seen <= self.after or chance.random() >= self.probability:
            return False
        self.struck += 1
        return True


class Faults:
    """The orders that stand, oldest first. Several may strike one call."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self._ids = count(1)
        self.rules: list[Rule] = []

    def add(self, rule: Rule) -> int:
        """Let it stand from the next call on; returns its id."""
        rule.id = next(self._ids)
        self.rules.append(rule)
        return rule.id

    def clear(self, id_: int | None = None) -> int:
        """Take back one order, or all; returns how many."""
        kept = [] if id_ is None else [rule for rule in self.rules if rule.id != id_]
        gone = len(self.rules) - len(kept)
        self.rules = kept
        return gone

    def struck(self, operation: str, form: Mapping[str, str] = NO_FORM) -> list[Rule]:
        """The orders that strike a call of this operation with this form."""
        if not self.rules:
            return []
        subject = subject_of(form)
        struck = [rule for rule in self.rules if rule.matches(operation, subject) and rule.strike(self._chance)]
        self.rules = [rule for rule in self.rules if not rule.spent]
        return struck
