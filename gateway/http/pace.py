"""How slowly a body may come: a credit of seconds that time spends and bytes earn.

A sender starts with `grace` seconds. While we are willing to read, time spends the credit; every `min_rate` bytes earn
a second, up to `grace` again. So a sender below the rate for longer than the grace is too slow, however fast it was
before, and the time in which we did not read is not counted against it.
"""

from __future__ import annotations

from dataclasses import dataclass


class TooSlowError(Exception):
    """The body came too slowly."""


@dataclass(frozen=True, slots=True)
class PaceRule:
    """grace: seconds; min_rate: bytes per second after that; absolute: seconds that no body may exceed."""

    grace: float = 5.0
    min_rate: float = 1024.0
    absolute: float = 3600.0

    def describe(self) -> str:
        """The rule as a vendor is told it."""
        return f"A body has to come at {self.min_rate:.0f} bytes a second or more, and within {self.absolute:.0f} s."


class Pace:
    """The pace of one body. Times are seconds of any one monotonic clock."""

    __slots__ = ("_credit", "_end", "_held", "_since", "rule")

    def __init__(self, rule: PaceRule, now: float) -> None:
        self.rule = rule
        self._credit = rule.grace
        self._since = now
        self._held = False
        self._end = now + rule.absolute

    def received(self, size: int, now: float) -> None:
        """Bytes came."""
        self._spend(now)
        self._credit = min(self.rule.grace, self._credit + size / self.rule.min_rate)

    def hold(self, now: float) -> None:
        """We stop reading: the sender is not to blame from now on."""
        self._spend(now)
        self._held = True

    def release(self, now: float) -> None:
        """We read again."""
        self._spend(now)
        self._held = False

    def deadline(self, now: float) -> float:
        """When to look again: the body is too slow if that is not in the future.

        While we do not read that is a grace away: the sender spends nothing before we read again.
        """
        return min(self._end, now + self.rule.grace if self._held else self._since + self._credit)

    def _spend(self, now: float) -> None:
        if not self._held:
            self._credit -= now - self._since
        self._since = now
