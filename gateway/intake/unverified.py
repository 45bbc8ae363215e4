"""How many bytes may lie here whose sender is not known yet: a budget per client address, one per supplier that they
claim to come from, and one for all together.

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
    """body, per_address, per_supplier, in_all: bytes in one process; seconds: in which a signed body has to be whole.

    memory: bytes of one body that are kept in memory, the rest is on disk; retry_after: seconds until those who are
    refused may try again.
    """

    body: int = 64 * MIB
    per_address: int = 128 * MIB
    per_supplier: int = 128 * MIB
    in_all: int = 256 * MIB
    memory: int = 64 * 1024
    seconds: float = 300.0
    retry_after: float = 5.0


class UnverifiedBytes:
    """The budget of one process."""

    def __init__(self, limits: UnverifiedLimits) -> None:
        self.limits = limits
        self._by_address: Counter[str] = Counter()
        self._by_supplier: Counter[str] = Counter()
        self._in_all = 0

    @contextmanager
    def share(self, address: str, supplier: str) -> Iterator[Share]:
        """A body's share of the budget, nothing at first; given back when the block is left.

        supplier: that it claims to come from.
        """
        share = Share(self, address, supplier)
        try:
            yield share
        finally:
            self._count(address, supplier, -share.size)

    def take(self, address: str, supplier: str, size: int) -> None:
        """Take so many bytes more. Raises ProblemError unverified_…_full."""
        limits = self.limits
        for code, taken, most in (
            ("unverified_address_full", self._by_address[address], limits.per_address),
            ("unverified_supplier_full", self._by_supplier[supplier], limits.per_supplier),
            ("unverified_full", self._in_all, limits.in_all),
        ):
            if taken + size > most:
                raise _full(code, most, limits)
        self._count(address, supplier, size)

    def _count(self, address: str, supplier: str, size: int) -> None:
        self._in_all += size
        for counter, key in ((self._by_address, address), (self._by_supplier, supplier)):
            counter[key] += size
            if not counter[key]:
                del counter[key]


class Share:
    """What one body has of the budget. size: bytes."""

    def __init__(self, budget: UnverifiedBytes, address: str, supplier: str) -> None:
        self._budget = budget
        self._address = address
        self._supplier = supplier
        self.size = 0

    def cover(self, size: int) -> None:
        """Have at least `size` bytes. Raises as `UnverifiedBytes.take`; what is had already stays."""
        if size > self.size:
            self._budget.take(self._address, self._supplier, size - self.size)
            self.size = size


def _full(code: str, most: int, limits: UnverifiedLimits) -> ProblemError:
    return ProblemError(
        code,
        "Bodies sent with Authorization: Bearer do not count.",
        expected=f"at most {most} bytes of signed bodies under way",
        retry_after=limits.retry_after,
    )
