"""What the simulator counts about itself, for tests and benchmarks that judge its caller."""

from __future__ import annotations

from collections import Counter
from typing import Any


class Stats:
    """Counts since the start, or since they were last cleared."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.statuses: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.seconds: Counter[str] = Counter()
        self.limited = self.gone = 0
        self.running = self.most_running = 0

    def clear(self) -> None:
        """Count again; calls that are running stay counted as running."""
        for counter in (self.calls, self.statuses, self.faults, self.seconds):
            counter.clear()
        self.limited, self.gone, self.most_running = 0, 0, self.running

    def begin(self, operation: str, at: float) -> None:
        """A call has come in."""
        self.calls[operation] += 1
        self.seconds[str(int(at))] += 1
        self.running += 1
        self.most_running = max(self.most_running, self.running)

    def end(self) -> None:
        """A call is over, whatever became of it."""
        self.running -= 1

    def summary(self) -> dict[str, Any]:
        """As JSON: limited counts the calls beyond the rate, gone those whose caller did not wait for the answer,
        per_second the calls of each second since 1970."""
        return {
            "calls": dict(self.calls),
            "total": self.calls.total(),
            "statuses": dict(self.statuses),
            "faults": dict(self.faults),
            "limited": self.limited,
            "gone": self.gone,
            "running": self.running,
            "most_running": self.most_running,
            "per_second": dict(self.seconds),
        }
