"""How many bytes may lie here whose sender is not known yet: a budget per client address, and one for all together.

A signed body proves who sent it only at its end, so until then anybody may have sent it. It has its declared length of
the budget before a byte is read, and is refused when that is not to be had; one without a declared length gets its
share as it comes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from gateway.http.problems import ProblemError

MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class UnverifiedLimits:
    """body, per_address, in_all: bytes in one process; seconds: in which a signed body has to be whole.

    memory: bytes of one body that are kept in memory, the rest is on disk; retry_after: seconds until those who are
    refused may try again.
    """

    body: int = 64 * MIB
    per_address: int = 128 * MIB
    in_all: int = 256 * MIB
    memory: int = 64 * 1024
    seconds: float = 300.0
    retry_after: float = 5.0


class UnverifiedBytes:
    """The budget of one process."""

    def __init__(self, limits: UnverifiedLimits) -> None:
        self.limits = limits
        self._by_address: Counter[str] = Counter()
        self._in_all = 0

    @contextmanager
    def share(self, address: str) -> Iterator[Share]:
        """A body's share of the budget, nothing at first; given back when the block is left."""
        share = Share(self, address)
        try:
            yield share
        finally:
            self._in_all -= share.size
            self._by_address[address] -= share.size
            if not self._by_address[address]:
                del self._by_address[address]

    def take(self, address: str, size: int) -> None:
        """Take so many bytes more. Raises ProblemError unverified_address_full, unverified_full."""
        limits = self.limits
        if self._by_address[address] + size > limits.per_address:
            raise _full("unverified_address_full", limits.per_address, limits)
        if self._in_all + size > limits.in_all:
            raise _full("unverified_full", limits.in_all, limits)
        self._by_address[address] += size
        self._in_all += size


class Share:
    """What one body has of the budget. size: bytes."""

    def __init__(self, budget: UnverifiedBytes, address: str) -> None:
        self._budget = budget
        self._address = address
        self.size = 0

    def cover(self, size: int) -> None:
        """Have at least `size` bytes. Raises as `UnverifiedBytes.take`; what is had already stays."""
        if size > self.size:
            self._budget.take(self._address, size - self.size)
            self.size = size


def _full(code: str, most: int, limits: UnverifiedLimits) -> ProblemError:
    return ProblemError(
        code,
        "Bodies sent with Authorization: Bearer do not count.",
        expected=f"at most {most} bytes of signed bodies under way",
        retry_after=limits.retry_after,
    )
