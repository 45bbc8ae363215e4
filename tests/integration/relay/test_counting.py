"""What waits at suppliers, as the metrics tell it."""

from __future__ import annotations

import pytest

from gateway.relay.counting import OrderCounts
from gateway.relay.inbox import Inbox
from gateway.relay.reread_store import request_again
from gateway.store import Pool, acquired
from gateway.telemetry import metrics
from schemas.orders.events import SupplierMessage
from tests.integration.relay.test_inbox import PARTITION, SUBMIT, identity, inbox, record

__all__ = ["inbox"]

SUPPLIER = SUBMIT.supplier
NEW_SUPPLIER = "INSERT INTO suppliers (supplier, revision, state, config) VALUES ($1, 1, 'active', '{}')"


def value(name: str) -> float:
    found = metrics.REGISTRY.get_sample_value(f"mallgate_{name}", {"supplier": SUPPLIER})
    assert found is not None
    return found


@pytest.fixture
async def counts(pool: Pool) -> OrderCounts:
    async with acquired(pool) as connection:
        await connection.execute(NEW_SUPPLIER, SUPPLIER)
    return OrderCounts(pool)


async def test_orders_that_wait_to_be_read_are_counted_from_when_they_were_asked_for_first(
    counts: OrderCounts, pool: Pool
) -> None:
    async with acquired(pool) as connection:
        await connection.execute(
            """
            INSERT INTO order_rereads (supplier, supplier_order_no, asked_at, due_at, failures)
            VALUES ($1, '100', now() - interval '2 hours', now() + interval '10 minutes', 9),
                   ($1, '200', now(), now(), 0)
            """,
            SUPPLIER,
        )
        for number in ("100", "200"):
            await request_again(connection, SUPPLIER, [number], SupplierMessage(type="5", id="m1"))
    await counts.count()
    assert value("order_rereads_waiting") == 2
    assert 7200 <= value("order_rereads_oldest_seconds") < 7300
    async with acquired(pool) as connection:
        await connection.execute("DELETE FROM order_rereads")
    await counts.count()
    assert [value(name) for name in ("order_rereads_waiting", "order_rereads_oldest_seconds")] == [0, 0]


async def test_what_a_vendor_fetched_is_counted_until_it_is_answered(
    counts: OrderCounts, inbox: Inbox, pool: Pool
) -> None:
    await inbox.take(PARTITION, [record(at, command_id=identity(at)) for at in range(3)], stands=0)
    async with acquired(pool) as connection:
        await connection.execute(
            """
            INSERT INTO commands_unanswered (command_id, supplier, order_no, delivered_at, acknowledged_at)
            VALUES ($1, $4, 'A', now() - interval '1 hour', now()),
                   ($2, $4, 'A', now(), NULL),
                   ($3, $4, 'B', now(), NULL)
            """,
            *map(identity, range(3)),
            SUPPLIER,
        )
    await counts.count()
    assert (value("mailbox_unacknowledged"), value("mailbox_unanswered")) == (2, 1)
    assert 3600 <= value("mailbox_oldest_seconds") < 3700
    async with acquired(pool) as connection:
        await connection.execute("DELETE FROM commands_unanswered")
    await counts.count()
    assert [value(f"mailbox_{name}") for name in ("unacknowledged", "unanswered", "oldest_seconds")] == [0, 0, 0]
