"""How the feeds stage waits while Kafka or PostgreSQL is away: the one retry policy of its loops."""

from __future__ import annotations

from tenacity import AsyncRetrying, retry_if_exception_type, wait_random_exponential

from gateway.sdk.errors import ServiceUnavailableError


def patiently() -> AsyncRetrying:
    """Try again until both are back, full jitter up to 2 s. Nothing is skipped and nothing is given up meanwhile."""
    return AsyncRetrying(
        retry=retry_if_exception_type(ServiceUnavailableError), wait=wait_random_exponential(multiplier=0.1, max=2)
    )
