"""Long work takes turns: however many large feeds are worked on, the event loop meets one stretch of them per turn.

What is short goes by without asking: it waits for that one stretch and no more.
"""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import Self

STRETCH_SECONDS = 0.002
"""Longest stretch of work before others get the event loop."""


class Stretch:
    """Where a stretch of work ends."""

    def __init__(self) -> None:
        self._end = time.perf_counter() + STRETCH_SECONDS

    async def rest(self) -> None:
        """Let others have the event loop when the stretch is used up."""
        if time.perf_counter() >= self._end:
            await asyncio.sleep(0)
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
