"""How many retries a supplier gets: a share of its calls, else an outage would be answered with four times the load."""

from __future__ import annotations

from collections import deque
from math import ceil

WINDOW_SECONDS = 60.0
SHARE = 0.2

FLOOR = 10
"""Retries that the window allows at least: a supplier that is called rarely has no share to speak of."""

ORDER_FLOOR = 120
"""The same of commands: two a second, since what waits for a retry is an order."""


class RetryBudget:
    """Retries of one supplier. Times are seconds of any one monotonic clock, never going back.

    floor: retries that the window allows at least.
    """

    def __init__(self, floor: float = FLOOR) -> None:
        self._floor = floor
        self._calls: deque[float] = deque()
        self._retries: deque[float] = deque()

    def call(self, now: float) -> None:
        """Count a call that is no retry."""
        self._calls.append(now)
        _forget(self._calls, now)

    def spend(self, now: float) -> bool:
        """Whether one more retry is allowed; if so, it is counted."""
        allowed = self.left(now) > 0
        if allowed:
            self._retries.append(now)
        return allowed

    def left(self, now: float) -> int:
        """How many more retries are allowed."""
        _forget(self._calls, now)
        _forget(self._retries, now)
        return max(0, ceil(max(self._floor, SHARE * len(self._calls))) - len(self._retries))


def _forget(times: deque[float], now: float) -> None:
    while times and times[0] <= now - WINDOW_SECONDS:
        times.popleft()
