"""The supplier's clock, which may be wrong."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone

CHINA = timezone(timedelta(hours=8))


class Clock:
    """Seconds since 1970, ahead of the machine's by `skew`."""

    def __init__(self, skew: float = 0.0) -> None:
        self.skew = skew

    def __call__(self) -> float:
        return time.time() + self.skew

    @contextmanager
    def off(self, seconds: float) -> Iterator[None]:
        """Within, the clock is ahead by so many seconds more."""
        self.skew += seconds
        try:
            yield
        finally:
            self.skew -= seconds


def local(at: float) -> str:
    """Seconds since 1970 as the supplier writes them: time of China, without an offset."""
    return datetime.fromtimestamp(at, CHINA).strftime("%Y-%m-%d %H:%M:%S")
