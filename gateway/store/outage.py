"""How work waits while Kafka or PostgreSQL is away: loops that give nothing up, and readers that do in the end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

from tenacity import AsyncRetrying, retry_if_exception, stop_after_delay, wait_random_exponential

from gateway.sdk.errors import OverloadedError, ServiceUnavailableError

P = ParamSpec("P")
T = TypeVar("T")


def retrying_while_unavailable() -> AsyncRetrying:
    """Try again until both are back, full jitter up to 2 s. Nothing is skipped and nothing is given up meanwhile."""
    return AsyncRetrying(retry=retry_if_exception(_passes), wait=wait_random_exponential(multiplier=0.1, max=2))


def retrying_for(seconds: float) -> AsyncRetrying:
    """For an answer that has begun, which could only be cut off: try again for so long, for a turn of one's own too."""
    return AsyncRetrying(
        retry=retry_if_exception(lambda error: isinstance(error, OverloadedError) or _passes(error)),
        wait=wait_random_exponential(multiplier=0.1, max=2),
        stop=stop_after_delay(seconds),
        reraise=True,
    )


def _passes(error: BaseException) -> bool:
    return isinstance(error, ServiceUnavailableError) and error.passes


async def retry_while_unavailable(act: Callable[P, Awaitable[T]], *arguments: P.args, **named: P.kwargs) -> T:
    """What a coroutine function comes to, called again while Kafka or PostgreSQL is away. Raises all else it raises."""
    result: T = await retrying_while_unavailable()(act, *arguments, **named)
    return result
