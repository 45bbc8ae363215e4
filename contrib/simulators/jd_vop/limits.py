"""How many calls a second the supplier stands: a bucket that fills at that rate and holds a second's worth."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from contrib.simulators.jd_vop.config import RateAnswer


@dataclass(slots=True)
class Limit:
    """A rate and what is left of it. rate: calls a second, 0 for any number; answer: what a call too many gets."""

    rate: float
    answer: RateAnswer
    clock: Callable[[], float]
    left: float = 0.0
    seen: float = 0.0
    retry_after: int = 1

    def take(self) -> bool:
        """Whether one more call may be served now."""
        if not self.rate:
            return True
        now, room = self.clock(), max(self.rate, 1.0)
        self.left = min(room, self.left + (now - self.seen) * self.rate)
        self.seen = now
        if self.left < 1:
            return False
        self.left -= 1
        return True
