"""Waiting for feeds to finish: told of those that finish here, asking about the others, one question for all.

What a waiting request costs must not grow with the number of those that wait: the longer feeds took, the more the
questions would keep them from finishing.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress

from gateway.events import set_within
from gateway.sdk.errors import ServiceUnavailableError
from gateway.store import Pool, acquired

LOOK_SECONDS = 0.05

FINISHED_OF = "SELECT feed_no FROM feeds WHERE feed_no = ANY($1::bigint[]) AND finished_at IS NOT NULL"


class Waits:
    """Who waits for which feed."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._waiting: dict[int, set[asyncio.Event]] = {}
        self._wake = asyncio.Event()

    async def finished(self, feed_no: int, seconds: float) -> None:
        """Return once the feed is finished, or when the time is over."""
        ended = asyncio.Event()
        self._waiting.setdefault(feed_no, set()).add(ended)
        self._wake.set()
        try:
            await set_within(ended, seconds)
        finally:
            self._forget(feed_no, ended)

    def end(self, feed_no: int) -> None:
        """The feed is finished: whoever waits for it goes on."""
        for ended in self._waiting.get(feed_no, ()):
            ended.set()

    async def run(self) -> None:
        """Look for as long as anyone waits, for ever. While PostgreSQL is away the waits just go on."""
        while True:
            await self._wake.wait()
            if self._waiting:
                with suppress(ServiceUnavailableError):
                    await self._look()
                await asyncio.sleep(LOOK_SECONDS)
            else:
                self._wake.clear()

    async def _look(self) -> None:
        async with acquired(self._pool) as connection:
            rows = await connection.fetch(FINISHED_OF, list(self._waiting))
        for row in rows:
            self.end(row["feed_no"])

    def _forget(self, feed_no: int, ended: asyncio.Event) -> None:
        waiting = self._waiting[feed_no]
        waiting.discard(ended)
        if not waiting:
            del self._waiting[feed_no]
