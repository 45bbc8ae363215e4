"""Numbering feeds, and noticing when the database goes back to numbers it has given out before."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from gateway.events import set_within
from gateway.sdk.errors import ServiceUnavailableError
from gateway.store import Pool, Rounds, StoreUnavailableError, acquired

WATCH_SECONDS = 1.0

NEXT = "SELECT nextval('feed_no')"

NEXT_SEVERAL = "SELECT nextval('feed_no') FROM generate_series(1, $1)"

LAST = "SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM feed_no"


class DatabaseWentBackError(ServiceUnavailableError):
    """PostgreSQL is older than this process has seen it: a copy was put back, and the gateway has to start again."""

    passes = False


class FeedNumbers:
    """The one source of feed numbers in a process.

    A database that was put back under a running process gives numbers again that the topics know already, and holds
    less than the process remembers. Nothing is numbered from then on, and the process ends: starting again, it numbers
    above everything that Kafka holds, and remembers nothing that is not so.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._highest = 0
        self._went_back = asyncio.Event()
        self._rounds = Rounds(self._give)

    async def next(self) -> int:
        """A number higher than every one before. Raises DatabaseWentBackError, and StoreUnavailableError."""
        if self._went_back.is_set():
            raise DatabaseWentBackError
        return await self._rounds.ask(None)

    async def _give(self, asked: Sequence[None]) -> list[int]:
        """One for each, ascending."""
        given = self._highest
        async with acquired(self._pool) as connection:
            numbers: list[int] = [row[0] for row in await connection.fetch(NEXT_SEVERAL, len(asked))]
        for number in numbers:
            self._see(number, more_than=given)
        return numbers

    async def watch(self) -> None:
        """Look every second, for ever. Raises DatabaseWentBackError: end the process."""
        while True:
            if await set_within(self._went_back, WATCH_SECONDS):
                raise DatabaseWentBackError
            given = self._highest
            with suppress(StoreUnavailableError):
                async with acquired(self._pool) as connection:
                    last: int = await connection.fetchval(LAST)
                self._see(last, more_than=given - 1)

    def _see(self, number: int, *, more_than: int) -> None:
        """Take note of a number that has been given out. more_than: what was known before it was asked for."""
        if number <= more_than:
            self._went_back.set()
            raise DatabaseWentBackError
        self._highest = max(self._highest, number)
