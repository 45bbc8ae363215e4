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

    def take(self, supplier: str, per_minute: int) -> int:
        """Count one feed of an authenticated supplier; how many more may come at once.

        Raises QuotaExceededError with the seconds to wait.
        """
        bucket, wait = draw(self._buckets.get(supplier), per_minute, self._clock())
        self._buckets[supplier] = bucket
        if wait:
            raise QuotaExceededError(f"At most {per_minute} feeds a minute.", retry_after=wait)
        return int(bucket.tokens)


@dataclass(frozen=True, slots=True)
class Allowance:
    """Where an admitted supplier stands.

    feeds, feeds_left: a minute's quota of pushes in this process, and what may come at once; rejected, rejected_left:
    a day's quota of rejected bytes, and what is left; day_left: seconds until the next day in China.
    """

    feeds: int
    feeds_left: int
    rejected: int
    rejected_left: int
    day_left: float

    def headers(self) -> dict[str, str]:
        """The RateLimit fields (draft-ietf-httpapi-ratelimit-headers) that tell it."""
        return {
            "RateLimit-Policy": f'"feeds";q={self.feeds};w=60, "rejected-bytes";q={self.rejected};w=86400',
            "RateLimit": f'"feeds";r={self.feeds_left};t={60 // self.feeds + 1}, '
            f'"rejected-bytes";r={self.rejected_left};t={int(self.day_left) + 1}',
        }
