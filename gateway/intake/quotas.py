"""How many feeds a supplier may push: a bucket of tokens each, so that one supplier's burst costs no other anything."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway.sdk.errors import OverloadedError


@dataclass(frozen=True, slots=True)
class Bucket:
    """tokens: feeds that may be pushed at once; at: seconds of a monotonic clock when that was so."""

    tokens: float
    at: float


def draw(bucket: Bucket | None, per_minute: int, now: float) -> tuple[Bucket, float]:
    """Draw one token: the bucket afterwards, and the seconds until one will be there (0: drawn).

    A minute's quota may come at once, then it refills evenly. None is a supplier never seen. The quota may change
    from one call to the next; what was saved above a lowered one is lost.
    """
    rate = per_minute / 60
    saved = per_minute if bucket is None else min(per_minute, bucket.tokens + max(0.0, now - bucket.at) * rate)
    if saved >= 1:
        return Bucket(saved - 1, now), 0.0
    return Bucket(saved, now), (1 - saved) / rate


class QuotaExceededError(OverloadedError):
    """The supplier's quota of feeds is used up; wait as told."""


class Quotas:
    """The buckets of one process. Its quota is each process's own: with N workers a supplier has N of them."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._buckets: dict[str, Bucket] = {}

    def take(self, supplier: str, per_minute: int) -> None:
        """Count one feed of an authenticated supplier. Raises QuotaExceededError with the seconds to wait."""
        self._buckets[supplier], wait = draw(self._buckets.get(supplier), per_minute, self._clock())
        if wait:
            raise QuotaExceededError(retry_after=wait)
