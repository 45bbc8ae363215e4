"""A pool of which nobody has more than a share: who asks for much waits behind himself, not before the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext

from gateway.sdk.errors import OverloadedError
from gateway.store.pool import Connection, Pool, acquired

TURN_SECONDS = 10.0
"""Seconds, as long as anybody waits for a connection at all."""

RETRY_AFTER = 1.0
"""Seconds after which who had no turn may ask again."""


class ShareBusyError(OverloadedError):
    """The caller has as many questions under way as it may have; wait for their answers."""


class SharedPool:
    """Connections of a pool, of which each owner has at most `share` at a time; None: as many as there are.

    patience: seconds that an owner waits for a turn of its own.
    """

    def __init__(self, pool: Pool, *, share: int | None, turn_seconds: float = TURN_SECONDS) -> None:
        self._pool = pool
        self._share = share
        self._turn_seconds = turn_seconds
        self._turns: dict[str, _Turns] = {}

    @asynccontextmanager
    async def acquired(self, owner: str | None) -> AsyncIterator[Connection]:
        """A connection without a transaction. owner: None for who is nobody's customer and has no share.

        Raises ShareBusyError when the owner's share stays taken, StoreUnavailableError as `acquired` does.
        """
        bound = nullcontext() if owner is None or self._share is None else self._turn(owner, self._share)
        async with bound, acquired(self._pool) as connection:
            yield connection

    @asynccontextmanager
    async def _turn(self, owner: str, share: int) -> AsyncIterator[None]:
        turns = self._turns.setdefault(owner, _Turns(share))
        turns.users += 1
        try:
            await turns.take(self._turn_seconds)
            try:
                yield
            finally:
                turns.free.release()
        finally:
            turns.users -= 1
            if not turns.users:
                del self._turns[owner]


class _Turns:
    """Of one owner. users: those that have a turn or wait for one; without any it is forgotten."""

    def __init__(self, share: int) -> None:
        self.free = asyncio.Semaphore(share)
        self.users = 0

    async def take(self, turn_seconds: float) -> None:
        try:
            async with asyncio.timeout(turn_seconds):
                await self.free.acquire()
        except TimeoutError:
            raise ShareBusyError(retry_after=RETRY_AFTER) from None
