"""What must stand under every key, told from the history of a supplier's facet alone."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from gateway.feeds.decide import Key


class Said(NamedTuple):
    """An item that took effect; the greatest of a key stands. source_version: -1 for none."""

    source_version: int
    feed_no: int
    record: int
    amount: str


class Standing:
    """Follows what took effect, in that order: an older item of a key that does not stand is too late."""

    def __init__(self) -> None:
        self._said: defaultdict[Key, list[Said]] = defaultdict(list)
        self._named: defaultdict[Key, int] = defaultdict(int)
        self._refused: defaultdict[str, int] = defaultdict(int)
        self._horizon = 0

    def say(self, key: Key, said: Said) -> None:
        self._named[key] = max(self._named[key], said.feed_no)
        if self._said[key] or said.feed_no >= self._horizon:
            self._said[key].append(said)

    def refuse(self, sku: str, feed_no: int) -> None:
        self._refused[sku] = max(self._refused[sku], feed_no)

    def decide(self, full: int) -> None:
        self._horizon = max(self._horizon, full)

    def withdraw(self, full: int) -> None:
        for key in self._said:
            if max(self._named[key], self._refused[key[0]]) < full:
                self._said[key] = []

    def on_sale(self) -> dict[Key, str]:
        return {key: max(said).amount for key, said in self._said.items() if said}
