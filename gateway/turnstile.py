"""Long work takes turns: however many large feeds are worked on, the event loop meets one stretch of them per turn.

What is short goes by without asking: it waits for that one stretch and no more. While something urgent is under way
long work rests longer, so that it keeps a share of the event loop, of PostgreSQL and of Kafka, and no more.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import TracebackType
from typing import Self

STRETCH_SECONDS = 0.002
"""Longest stretch of work before others get the event loop."""

SPACING_SECONDS = 0.01
"""Between two stretches, whoever's they are, while something urgent is under way: a fifth is left to long work."""

_URGENT: ContextVar[bool] = ContextVar("urgent", default=False)


class Precedence:
    """What is urgent, and the long work that rests meanwhile. There is one in a process, as there is one event loop."""

    def __init__(self, spacing: float = SPACING_SECONDS) -> None:
        self._spacing = spacing
        self._under_way = 0
        self._resting: set[asyncio.Future[None]] = set()
        self._next = 0.0

    @contextmanager
    def urgent(self) -> Iterator[None]:
        """Somebody waits for what runs in here, and it is short: long work rests, but for its share."""
        token = _URGENT.set(True)
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1
            _URGENT.reset(token)
            if not self._under_way:
                self._wake()

    async def give_way(self) -> None:
        """Let others have the event loop, and what is urgent have it until the next stretch is due."""
        if not self._under_way or _URGENT.get():
            await asyncio.sleep(0)
            return
        now = time.perf_counter()
        self._next = max(now, self._next) + self._spacing
        rested = asyncio.get_running_loop().create_future()
        self._resting.add(rested)
        try:
            await asyncio.wait([rested], timeout=self._next - now)
        finally:
            self._resting.discard(rested)

    def _wake(self) -> None:
        self._next = 0.0
        for rested in self._resting:
            rested.set_result(None)
        self._resting.clear()


PRECEDENCE = Precedence()
urgent = PRECEDENCE.urgent


class Stretch:
    """Where a stretch of work ends."""

    def __init__(self) -> None:
        self._end = time.perf_counter() + STRETCH_SECONDS

    async def rest(self) -> None:
        """Let others have the event loop when the stretch is used up."""
        if time.perf_counter() >= self._end:
            await PRECEDENCE.give_way()
            self._end = time.perf_counter() + STRETCH_SECONDS


class Turnstile:
    """Lets one holder through at a time, in order of arrival: no turn of the event loop meets the stretches of two."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()

    async def __aenter__(self) -> Self:
        await self._lock.acquire()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._lock.release()
