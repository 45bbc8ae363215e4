"""The relay of a supplier that has nothing to do looks at it without a transaction, and begins one once there is."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from typing import cast

from gateway.calls.calls import Calls
from gateway.registry import Registry
from gateway.relay.context import RelayContext
from gateway.relay.inbox import Inbox
from gateway.relay.relay import Relay
from gateway.store import Connection, Lease, Pool
from gateway.suppliers import lease_of
from schemas.orders.examples import SUPPLIER
from tests.eventually import eventually
from tests.integration.relay.desk import DAY, Desk
from tests.integration.relay.test_cut_off_calls import Line, Willing, owned_supplier
from tests.integration.relay.test_inbox import BOX, inbox

__all__ = ["inbox"]


class CountedLease(Lease):
    """Counts the looks and the transactions of its owner."""

    looks = 0
    transactions = 0

    def reading(self) -> AbstractAsyncContextManager[Connection]:
        """As its base."""
        self.looks += 1
        return super().reading()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """As its base."""
        self.transactions += 1
        async with super().transaction() as connection:
            yield connection


async def test_an_idle_relay_begins_no_transaction_until_something_is_due(inbox: Inbox, pool: Pool) -> None:
    desk, draining = Desk(pool, inbox), asyncio.Event()
    first, supplier = await owned_supplier(pool)
    await first.release()
    lease = CountedLease(pool, lease_of(SUPPLIER), "tests")
    assert await lease.take()
    context = RelayContext(
        supplier=lambda: supplier,
        adapter=Willing(),
        manifest=Registry().load("jd_vop").manifest,
        calls=cast(Calls, Line()),
        lease=lease,
        box=BOX,
        draining=draining.is_set,
        report_health=lambda _: None,
    )

    async def has_looked(times: int) -> bool:
        return lease.looks >= times

    async with asyncio.TaskGroup() as group:
        group.create_task(Relay(context).run())
        await eventually(lambda: has_looked(3))
        assert lease.transactions == 1  # the one that looked for calls of a former owner
        command = await desk.comes(1, deadline=(datetime.now(UTC) + DAY).isoformat())

        async def is_done() -> bool:
            return await desk.states() == [(command, "confirmed")]

        await eventually(is_done)
        draining.set()
    assert lease.transactions == 3  # the call was noted in one, and settled in the other
    assert await desk.told() == [("order.accepted", command)]
