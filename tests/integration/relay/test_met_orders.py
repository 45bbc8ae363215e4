"""Orders are made as they are met, and locked: two that meet the same one at once both have it, one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from gateway.relay.orders import Key, Order, lock_orders
from gateway.store import Pool, acquired, transaction
from schemas.orders.states import State
from tests.eventually import eventually

KNOWN, NEW = ("jd", "A-1"), ("jd", "B-1")

WAITING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


async def met(pool: Pool, *keys: Key) -> Sequence[Order]:
    async with transaction(pool) as connection:
        found = await lock_orders(connection, [(key, "t1") for key in keys])
    assert set(found) == set(keys)
    return [found[key] for key in keys]


async def test_what_is_new_is_a_draft_and_what_is_known_is_as_it_was(pool: Pool) -> None:
    await met(pool, KNOWN)
    async with acquired(pool) as connection:
        await connection.execute("UPDATE orders SET state = 'reserved', supplier_order_no = 'S-1'")
    known, new = await met(pool, KNOWN, NEW)
    assert (known.status.state, known.supplier_order_no, known.tenant) == (State.RESERVED, "S-1", "t1")
    assert (new.status.state, new.supplier_order_no, new.tenant) == (State.DRAFT, None, "t1")


async def test_an_order_that_another_makes_meanwhile_is_waited_for(pool: Pool) -> None:
    async def is_waiting() -> bool:
        async with acquired(pool) as connection:
            return bool(await connection.fetchval(WAITING))

    async with transaction(pool) as first:
        await lock_orders(first, [(NEW, None)])
        second = asyncio.create_task(met(pool, KNOWN, NEW))
        await eventually(is_waiting)
    assert [each.key for each in await second] == [KNOWN, NEW]
