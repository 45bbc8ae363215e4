"""The message pool: a message comes back until it is deleted, and many an event comes twice, under two ids."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from heapq import heappop, heappush, merge
from itertools import count, islice
from random import Random
from typing import Any

from contrib.simulators.jd_vop.clock import Clock, local

MOST = 100
FIRST = 4_200_000_000


@dataclass(frozen=True, slots=True)
class Message:
    """One message. at: seconds since 1970."""

    id: int
    type: int
    result: Any
    at: float

    def body(self) -> dict[str, Any]:
        """As the supplier writes it: time of China, without an offset."""
        return {"id": self.id, "result": self.result, "time": local(self.at), "type": self.type}


class MessagePool:
    """Messages by type, oldest first. Some events come once more, when the time of the repetition has come."""

    def __init__(self, clock: Clock, chance: Random, repeat_share: float, repeat_seconds: float) -> None:
        self._clock = clock
        self._chance = chance
        self._repeat_share = repeat_share
        self._repeat_seconds = repeat_seconds
        self._next_id = FIRST
        self._by_type: dict[int | None, dict[int, Message]] = {}
        self._due: list[tuple[float, int, int, Any]] = []
        self._order = count()
        self.written = self.deleted = self.repeated = 0

    def __len__(self) -> int:
        return sum(len(messages) for messages in self._by_type.values())

    @property
    def due(self) -> int:
        """Repetitions whose time has not come."""
        return len(self._due)

    def put(self, type_: int, result: Any) -> Message:
        """Write a message about something that has happened."""
        now = self._clock()
        if self._chance.random() < self._repeat_share:
            wait = self._repeat_seconds * (0.5 + self._chance.random())
            heappush(self._due, (now + wait, next(self._order), type_, result))
        return self._write(type_, type_, result, now)

    def poison(self, type_: int, result: Any) -> Message:
        """Write a message that is returned whatever types are asked for."""
        return self._write(None, type_, result, self._clock())

    def get(self, types: Collection[int] | None) -> list[Message]:
        """The oldest messages of these types, None for all; they stay."""
        self._settle()
        wanted: Iterable[int | None] = self._by_type if types is None else (*types, None)
        piles = [self._by_type[type_].values() for type_ in dict.fromkeys(wanted) if type_ in self._by_type]
        return list(islice(merge(*piles, key=lambda message: message.id), MOST))

    def delete(self, id_: int) -> bool:
        """Take a message out. False when it is not there, or no longer."""
        for messages in self._by_type.values():
            if messages.pop(id_, None):
                self.deleted += 1
                return True
        return False

    def _settle(self) -> None:
        while self._due and self._due[0][0] <= self._clock():
            at, _, type_, result = heappop(self._due)
            self.repeated += 1
            self._write(type_, type_, result, at)

    def _write(self, pile: int | None, type_: int, result: Any, at: float) -> Message:
        self._next_id += self._chance.randint(1, 900)
        message = Message(self._next_id, type_, result, at)
        self._by_type.setdefault(pile, {})[message.id] = message
        self.written += 1
        return message
