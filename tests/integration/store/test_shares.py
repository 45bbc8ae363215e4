"""Questions of one owner never take more than its share of a pool, whatever becomes of them."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from gateway.store import Pool, ShareBusyError, SharedPool


async def test_who_asks_for_much_waits_behind_itself_alone(pool: Pool) -> None:
    shared = SharedPool(pool, share=2, turn_seconds=0.2)
    async with AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(shared.acquired("greedy"))
        with pytest.raises(ShareBusyError):
            await stack.enter_async_context(shared.acquired("greedy"))
        async with shared.acquired("other") as connection, shared.acquired(None):
            assert await connection.fetchval("SELECT 1") == 1
    async with shared.acquired("greedy") as connection:
        assert await connection.fetchval("SELECT 1") == 1


async def test_a_share_is_had_again_after_whatever_ends_its_use(pool: Pool) -> None:
    shared = SharedPool(pool, share=1, turn_seconds=0.2)

    async def use(seconds: float) -> None:
        async with shared.acquired("one") as connection:
            await connection.fetchval("SELECT pg_sleep($1)", seconds)

    with pytest.raises(ZeroDivisionError):
        async with shared.acquired("one"):
            raise ZeroDivisionError
    hanging = asyncio.create_task(use(60))
    with pytest.raises(ShareBusyError):
        await asyncio.gather(use(0), use(0))
    hanging.cancel()
    await asyncio.wait([hanging])
    await use(0)
    assert shared._turns == {}
