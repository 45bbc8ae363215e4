"""Keeps a Kafka client alive: builds it, throws it away when it is dead or stalled, builds it again, counts that.

aiokafka's clients can end up in states they do not leave (a dead background task, brokers known by addresses that are
no more); a fresh one always starts from the bootstrap names.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import structlog
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_delay,
    stop_never,
    wait_random_exponential,
)

from gateway.kafka.errors import AWAY, translate
from gateway.telemetry import metrics

log = structlog.get_logger(__name__)

C = TypeVar("C")

ATTEMPT_SECONDS = 30.0
"""How long one attempt to build a client may take: a consumer joins its group meanwhile."""

STOP_SECONDS = 5.0
"""How long a client may take to stop; with brokers away aiokafka would wait for them."""


def reconnecting(seconds: float | None = None) -> AsyncRetrying:
    """The one policy of reconnecting to Kafka: full jitter up to 5 s; seconds: seconds in all, None for ever."""
    return AsyncRetrying(
        retry=retry_if_exception_type(AWAY),
        wait=wait_random_exponential(multiplier=0.1, max=5.0),
        stop=stop_never if seconds is None else stop_after_delay(seconds),
        reraise=True,
    )


class Supervised(Generic[C]):
    """One client and whoever comes after it.

    build: makes a started client, raising what aiokafka raises; discard: frees everything of a client, however broken.
    """

    def __init__(self, name: str, build: Callable[[], Awaitable[C]], discard: Callable[[C], Awaitable[None]]) -> None:
        self._name = name
        self._build = build
        self._discard = discard
        self._building: asyncio.Task[C] | None = None
        self._discarding: set[asyncio.Task[None]] = set()
        self._closed = False
        self.failure: BaseException | None = None
        """Why the client could not be built at the last attempt; None once it could."""

    async def get(self) -> C:
        """The client, once there is one; waits for ever while Kafka is away, so give it a deadline."""
        if self._building is None:
            self._building = asyncio.create_task(self._built(), name=f"build {self._name}")
        # Shielded: one caller's deadline must not end what all others wait for.
        return await asyncio.shield(self._building)

    def condemn(self, client: C, reason: str) -> None:
        """Throw this client away, unless that has happened; the next one is being built when this returns."""
        if self._current() is client and not self._closed:
            self._replace(client, reason)

    def condemn_current(self, reason: str) -> None:
        """Throw away whichever client there is."""
        client = self._current()
        if client is not None and not self._closed:
            self._replace(client, reason)

    def _replace(self, client: C, reason: str) -> None:
        metrics.kafka_rebuilds_total.labels(client=self._name).inc()
        log.warning("kafka_client.rebuilt", client=self._name, reason=reason)
        discarding = asyncio.create_task(self._discarded(client), name=f"discard {self._name}")
        self._discarding.add(discarding)
        discarding.add_done_callback(self._discarding.discard)
        self._building = asyncio.create_task(self._built(), name=f"build {self._name}")

    async def close(self) -> None:
        """Stop the client permanently, in bounded time."""
        self._closed = True
        client = self._current()
        if self._building is not None and client is None:
            self._building.cancel()
            await asyncio.gather(self._building, return_exceptions=True)
        if client is not None:
            await self._discarded(client)
        await asyncio.gather(*self._discarding)

    def _current(self) -> C | None:
        task = self._building
        done = task is not None and task.done() and not task.cancelled() and task.exception() is None
        return task.result() if task is not None and done else None

    async def _built(self) -> C:
        async def attempt() -> C:
            async with asyncio.timeout(ATTEMPT_SECONDS):
                return await self._build()

        def note(state: RetryCallState) -> None:
            self.failure = state.outcome.exception() if state.outcome else None
            if state.attempt_number == 1:
                log.warning("kafka_client.unreachable", client=self._name, error=repr(self.failure))

        client: C = await reconnecting().copy(before_sleep=note)(attempt)
        self.failure = None
        return client

    async def _discarded(self, client: C) -> None:
        try:
            async with asyncio.timeout(2 * STOP_SECONDS):
                await self._discard(client)
        except AWAY as error:
            log.debug("kafka_client.discarded", client=self._name, error=repr(error))


async def first_connection(build: Callable[[], Awaitable[C]], seconds: float) -> C:
    """Build what everything stands on, giving up after `seconds` seconds. Raises KafkaUnavailableError."""

    async def attempt() -> C:  # tenacity awaits only what is declared async
        return await build()

    with translate():
        return await reconnecting(seconds)(attempt)
