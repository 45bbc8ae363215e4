"""How the feeds stage waits while Kafka or PostgreSQL is away: the retry policies of its loops and readers."""

from __future__ import annotations

from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_random_exponential

from gateway.sdk.errors import OverloadedError, ServiceUnavailableError


def patiently() -> AsyncRetrying:
    """Try again until both are back, full jitter up to 2 s. Nothing is skipped and nothing is given up meanwhile."""
    return AsyncRetrying(
        retry=retry_if_exception_type(ServiceUnavailableError), wait=wait_random_exponential(multiplier=0.1, max=2)
    )


def patiently_for(seconds: float) -> AsyncRetrying:
    """For an answer that has begun, which could only be cut off: try again for so long, for a turn of one's own too."""
    return AsyncRetrying(
        retry=retry_if_exception_type((ServiceUnavailableError, OverloadedError)),
        wait=wait_random_exponential(multiplier=0.1, max=2),
        stop=stop_after_delay(seconds),
        reraise=True,
    )
