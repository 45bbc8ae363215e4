"""Leases on a real PostgreSQL: one owner at a time, and a frozen owner cannot write."""

from __future__ import annotations

import asyncio

import pytest

from gateway.embedded import Engines
from gateway.store import Lease, LeaseLostError, Pool, StoreUnavailableError, acquired, transaction
from tests.eventually import eventually

LONG = 3600.0
EXPIRE = "UPDATE leases SET until = '-infinity' WHERE name = 'outbox'"
OWNER = "SELECT owner FROM leases WHERE name = 'outbox'"


def lease_of(pool: Pool, owner: str, *, term: float = LONG) -> Lease:
    return Lease(pool, "outbox", owner, term=term)


async def expire(pool: Pool) -> None:
    """What time does, at once."""
    async with acquired(pool) as connection:
        await connection.execute(EXPIRE)


async def fence(pool: Pool, lease: Lease) -> None:
    async with transaction(pool) as connection:
        await lease.fence(connection)


async def test_a_lease_has_one_owner(pool: Pool) -> None:
    first, second = lease_of(pool, "first"), lease_of(pool, "second")
    assert await first.take()
    assert not await second.take()
    assert first.held
    assert not second.held


async def test_of_many_that_want_it_at_once_one_gets_it(pool: Pool) -> None:
    assert sum(await asyncio.gather(*(lease_of(pool, f"owner {n}").take() for n in range(8)))) == 1


async def test_a_released_lease_is_free(pool: Pool) -> None:
    first, second = lease_of(pool, "first"), lease_of(pool, "second")
    await first.take()
    await first.release()
    assert not first.held
    assert await second.take()


async def test_a_lease_whose_term_is_over_is_free_and_its_old_owner_cannot_write(pool: Pool) -> None:
    frozen, second = lease_of(pool, "frozen"), lease_of(pool, "second")
    await frozen.take()
    await expire(pool)
    assert await second.take()
    assert frozen.held  # as far as it can know
    with pytest.raises(LeaseLostError):
        await fence(pool, frozen)
    assert not frozen.held
    await fence(pool, second)


async def test_a_lease_that_was_lost_is_not_renewed(pool: Pool) -> None:
    first, second = lease_of(pool, "first"), lease_of(pool, "second")
    await first.take()
    await first.renew()
    await expire(pool)
    await second.take()
    with pytest.raises(LeaseLostError):
        await first.renew()
    assert not first.held


async def test_a_term_that_ran_out_is_not_renewed_even_when_nobody_took_over(pool: Pool) -> None:
    lease = lease_of(pool, "first")
    await lease.take()
    await expire(pool)
    with pytest.raises(LeaseLostError):
        await lease.renew()


async def test_a_takeover_waits_for_the_write_that_holds_the_fence(pool: Pool) -> None:
    first, second = lease_of(pool, "first"), lease_of(pool, "second")
    await first.take()
    await expire(pool)
    async with transaction(pool) as connection:
        await first.fence(connection)
        takeover = asyncio.create_task(second.take())
        await _waits_for_a_lock(pool)
        assert not takeover.done()
    assert await takeover


async def test_renewing_does_not_wait_for_writes_that_hold_the_fence(pool: Pool) -> None:
    lease = lease_of(pool, "first")
    await lease.take()
    async with transaction(pool) as connection:
        await lease.fence(connection)
        await lease.renew()


async def test_held_work_runs_to_its_end_and_gives_the_lease_back(pool: Pool) -> None:
    lease = lease_of(pool, "first")
    owners = []

    async def work() -> None:
        async with acquired(pool) as connection:
            owners.append(await connection.fetchval(OWNER))

    await lease.hold(work)
    assert owners == ["first"]
    assert await lease_of(pool, "second").take()


async def test_work_ends_when_the_lease_is_lost_and_begins_again_when_it_is_had_again(pool: Pool) -> None:
    lease = lease_of(pool, "first", term=0.2)
    begun: asyncio.Queue[int] = asyncio.Queue()
    ended: asyncio.Queue[int] = asyncio.Queue()
    thief = lease_of(pool, "thief")

    async def work() -> None:
        begun.put_nowait(1)
        try:
            await asyncio.Event().wait()
        finally:
            ended.put_nowait(1)

    holding = asyncio.create_task(lease.hold(work))
    await begun.get()
    while not await thief.take():
        await expire(pool)
    await ended.get()
    assert not lease.held
    await thief.release()
    await begun.get()
    holding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await holding


async def test_what_the_work_raises_ends_the_holding(pool: Pool) -> None:
    async def work() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await lease_of(pool, "first").hold(work)


@pytest.mark.crash
async def test_work_goes_on_after_postgresql_was_away(engines: Engines, pool: Pool) -> None:
    lease = lease_of(pool, "first", term=0.5)
    begun: asyncio.Queue[int] = asyncio.Queue()

    async def work() -> None:
        begun.put_nowait(1)
        async with transaction(pool) as connection:
            while True:
                await connection.fetchval("SELECT pg_sleep(0.05)")

    holding = asyncio.create_task(lease.hold(work))
    await begun.get()
    await engines.postgres.stop()
    try:
        with pytest.raises(StoreUnavailableError):
            await lease_of(pool, "second").take()
    finally:
        await engines.postgres.start()
    await begun.get()
    holding.cancel()
    with pytest.raises(asyncio.CancelledError):
        await holding


async def _waits_for_a_lock(pool: Pool) -> None:
    async with acquired(pool) as connection:
        while not await connection.fetchval("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"):
            pass


STANDS = "SELECT until > clock_timestamp() FROM leases WHERE name = 'outbox'"


async def test_work_that_outlasts_outages_goes_on_under_a_term_begun_anew_while_nobody_took_over(pool: Pool) -> None:
    lease, rounds = lease_of(pool, "first", term=1.0), []
    await lease.take()

    async def work() -> None:
        for number in range(3):
            await expire(pool)
            await eventually(stands)
            await lease.until_held()
            await fence(pool, lease)
            rounds.append(number)

    async def stands() -> bool:
        async with acquired(pool) as connection:
            return bool(await connection.fetchval(STANDS))

    assert await lease.keep(work, outlasts_outages=True)
    assert rounds == [0, 1, 2]


async def test_work_that_outlasts_outages_ends_once_another_has_the_lease(pool: Pool) -> None:
    lease, second = lease_of(pool, "first", term=1.0), lease_of(pool, "second")
    await lease.take()
    ended: list[type[BaseException]] = []

    async def work() -> None:
        await expire(pool)
        assert await second.take()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError as error:
            ended.append(type(error))
            raise

    assert not await lease.keep(work, outlasts_outages=True)
    assert ended == [asyncio.CancelledError]
    with pytest.raises(LeaseLostError):
        await lease.until_held()
    assert await second.take() is False
    assert second.held
