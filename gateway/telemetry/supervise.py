"""Keeps the units of a loop apart: one that fails is set aside and tried again later, while its neighbours go on.

A unit is what a loop works on again and again: a feed, a topic, a partition, a job, an item of a job. Whatever ends the
work on one of them says something of that unit alone. Only what the loop names as its own end, as the loss of its
lease, passes.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

import structlog

from gateway.sdk.errors import ServiceUnavailableError
from gateway.telemetry import metrics

log = structlog.get_logger(__name__)

T = TypeVar("T")
U = TypeVar("U")

OUTAGE = 3
"""So many units in a row that newly find a service away tell of the service, not of themselves."""

SHOWN = 10
"""Units that a readiness check names."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Seconds before the next try: they double from `first` to `longest`."""

    first: float
    longest: float

    def delay(self, failures: int, chance: float) -> float:
        """After so many failures in a row. chance: 0 to 1; with it half of the time varies, so that tries spread."""
        doubled = self.first * 2.0 ** min(failures - 1, 32)
        return min(doubled, self.longest) * (1 + chance) / 2


FAULT = Backoff(1.0, 600.0)
"""After a fault of the unit or of ours: it rarely goes away by itself."""

AWAY = Backoff(0.2, 2.0)
"""While Kafka or PostgreSQL is away, or too busy for this unit."""


@dataclass(frozen=True, slots=True)
class SetAside:
    """A unit that is not worked on for now.

    reasons: classes of what ended its tries, the last one last; away: that was a service, not a fault; part: what the
    service says is away of it, where the rest of it answers; faults: how many of its failures were; since, due: when
    the first was, and when it is tried again, by the loop's clock.
    """

    loop: str
    unit: str
    reasons: tuple[str, ...]
    away: bool
    part: str
    failures: int
    faults: int
    since: float
    due: float

    @property
    def seconds(self) -> float:
        """From its first failure to its next try."""
        return self.due - self.since

    def __str__(self) -> str:
        reason = self.part or self.reasons[-1]
        return f"{self.loop}: {self.unit}: {reason}, {self.failures}x in {self.seconds:.0f} s"


class Supervisor(Generic[U]):
    """Runs the units of one loop.

    loop: its name, a noun, in logs, metrics and checks; kind: what a unit is, in one word; passes: errors that are no
    unit's own and end the loop.
    """

    def __init__(
        self,
        loop: str,
        kind: str,
        *,
        passes: tuple[type[Exception], ...] = (),
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.loop = loop
        self._kind = kind
        self._events = {what: f"{loop}.{what}" for what in ("waiting", "set_aside", "recovered")}
        self._passes = passes
        self._clock = clock
        self._chance = chance
        self._aside: dict[U, SetAside] = {}
        self._newly_away = 0

    def due(self, unit: U) -> bool:
        """Whether the unit may be worked on now."""
        aside = self._aside.get(unit)
        return aside is None or aside.due <= self._clock()

    def failing(self, unit: U) -> bool:
        """Whether the unit's last try failed."""
        return unit in self._aside

    def not_due(self) -> list[U]:
        """The units that may not be worked on yet."""
        self._forget()
        return [unit for unit in self._aside if not self.due(unit)]

    def set_aside(self) -> Sequence[SetAside]:
        """What is set aside; a unit that nobody asks for any more is forgotten in time."""
        self._forget()
        return list(self._aside.values())

    async def run(self, unit: U, work: Callable[[], Awaitable[T]]) -> T | None:
        """Work on a unit if it is due; None when it is not, or when that failed and it is set aside from now on.

        Raises only what the loop names as its own end.
        """
        results = await self._tried(unit, work)
        return results[0] if results else None

    async def each(self, units: Iterable[U], work: Callable[[U], Awaitable[T]]) -> list[T]:
        """Work on every unit that is due, one after the other; what came of those that went well.

        Raises ServiceUnavailableError when a service was away for some, and not a part of it, once the others had their
        turn; at once as `raise_outage` does, for then the others would fail as well.
        """
        found: list[T] = []
        tried: set[U] = set()
        for unit in filter(self.due, units):
            found += await self._tried(unit, partial(work, unit))
            self.raise_outage()
            tried.add(unit)
        failed = [self._aside[unit] for unit in tried & self._aside.keys()]
        if any(aside.away and not aside.part for aside in failed):
            raise ServiceUnavailableError
        return found

    def raise_outage(self) -> None:
        """Raises ServiceUnavailableError when units in a row found a service away, and all of them for the first time.

        Those that found it so before may be stuck, behind a lock say, and tell nothing of the others; nor do those that
        need a part of it that is away.
        """
        if self._newly_away >= OUTAGE:
            self._newly_away = 0
            raise ServiceUnavailableError

    async def _tried(self, unit: U, work: Callable[[], Awaitable[T]]) -> Sequence[T]:
        """What came of the work; nothing when the unit was not due, or when that failed."""
        if not self.due(unit):
            return ()
        try:
            result = await work()
        except self._passes:
            raise
        except Exception as error:  # noqa: BLE001 -- whatever it is, it is this unit's, and must not reach another
            self._failed(unit, error)
            return ()
        self._went_well(unit)
        return (result,)

    async def rest(self, unit: U) -> None:
        """Wait until the unit is due."""
        aside = self._aside.get(unit)
        if aside is not None:
            await asyncio.sleep(max(0.0, aside.due - self._clock()))

    def _failed(self, unit: U, error: Exception) -> None:
        before = self._aside.get(unit)
        parts = {aside.part for aside in self._aside.values()}
        aside = self._aside[unit] = self._next(before, f"{self._kind} {unit}", error)
        metrics.unit_failures_total.labels(loop=self.loop, error=aside.reasons[-1]).inc()
        self._count()
        if before is None:
            self._newly_away = self._newly_away + 1 if aside.away and not aside.part else 0
        elif aside.reasons[-1] in before.reasons:
            return
        if not aside.away:
            log.error(self._events["set_aside"], unit=aside.unit, exc_info=error)
        elif not aside.part or aside.part not in parts:  # thousands of letters may wait for one topic
            log.warning(self._events["waiting"], unit=aside.unit, error=str(error))

    def _next(self, before: SetAside | None, unit: str, error: Exception) -> SetAside:
        now, reason = self._clock(), type(error).__name__
        away = isinstance(error, ServiceUnavailableError)
        part = str(error) if isinstance(error, ServiceUnavailableError) and error.partial else ""
        reasons, failures, faults, since = (
            ((), 0, 0, now) if before is None else (before.reasons, before.failures, before.faults, before.since)
        )
        failures, faults = failures + 1, faults + (not away)
        wait = AWAY.delay(failures, self._chance()) if away else FAULT.delay(faults, self._chance())
        others = tuple(each for each in reasons if each != reason)
        return SetAside(self.loop, unit, (*others, reason), away, part, failures, faults, since, now + wait)

    def _went_well(self, unit: U) -> None:
        self._newly_away = 0
        aside = self._aside.pop(unit, None)
        if aside is None:
            return
        self._count()
        if aside.faults:
            log.info(self._events["recovered"], unit=aside.unit, failures=aside.failures)

    def _forget(self) -> None:
        """Who has been due for long and was not tried is gone: closed, cancelled, or another process's."""
        oldest = self._clock() - FAULT.longest
        gone = [unit for unit, aside in self._aside.items() if aside.due < oldest]
        for unit in gone:
            del self._aside[unit]
        if gone:
            self._count()

    def _count(self) -> None:
        metrics.units_set_aside.labels(loop=self.loop).set(len(self._aside))


def described(supervisors: Iterable[Supervisor[Any]]) -> str:
    """What is set aside in a process, the longest first, in one line for its readiness."""
    aside = sorted((each for one in supervisors for each in one.set_aside()), key=lambda each: -each.seconds)
    named = [str(each) for each in aside]
    more = len(named) - SHOWN
    return "; ".join([*named[:SHOWN], *([f"and {more} more"] if more > 0 else [])]) or "nothing"
