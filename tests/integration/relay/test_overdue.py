"""Commands whose time is over at suppliers for which nobody works, on PostgreSQL: each has one end, told once."""

from __future__ import annotations

import asyncio

import orjson
import pytest

from gateway.relay import overdue
from gateway.relay.inbox import Inbox
from gateway.relay.overdue import OVERDUE_AFTER, OverdueCommands
from gateway.store import Lease, Pool, acquired
from gateway.suppliers import lease_of
from schemas.orders import Operation
from schemas.orders.examples import AT, SUPPLIER
from tests.eventually import eventually
from tests.integration.relay.desk import DAY, Desk
from tests.integration.relay.test_inbox import BOX, inbox

__all__ = ["inbox"]

CONFIRM, CANCEL = Operation.CONFIRM, Operation.CANCEL
SOON, FAR = (AT + DAY).isoformat(), "2026-12-23T09:30:00+08:00"


@pytest.fixture
def desk(inbox: Inbox, pool: Pool) -> Desk:
    return Desk(pool, inbox)


async def look(desk: Desk) -> None:
    await OverdueCommands(desk.pool, BOX, desk.clock).look()


async def sent(desk: Desk, command: str, state: str = "unknown", epoch: int = 1) -> None:
    """An owner has sent it, and its answer is not known."""
    await desk.rows(
        "UPDATE commands SET state = $2, attempt = 1, epoch = $3, sent_at = now(),"
        " doubt_since = CASE WHEN $2 = 'sending' THEN NULL ELSE now() END WHERE command_id = $1",
        command,
        state,
        epoch,
    )


async def test_what_was_never_sent_expires_though_nobody_works_for_its_supplier(desk: Desk) -> None:
    submit, confirm, kept = await desk.comes(1), await desk.comes(2, CONFIRM), await desk.comes(3, CONFIRM, "B")
    await desk.rows("UPDATE commands SET deadline = $2 WHERE command_id = $1", kept, desk.clock.now + 9 * DAY)
    desk.clock.now += DAY
    await look(desk)
    await look(desk)
    assert await desk.states() == [(submit, "expired"), (confirm, "expired"), (kept, "waiting")]
    assert await desk.told() == [("order.expired", submit), ("order.expired", confirm)]
    assert (await desk.order(), await desk.letters(), await desk.steps()) == (
        "expired",
        [],
        ["ended", "ended", "event", "event"],
    )


async def test_a_cancel_is_refused_by_time_out(desk: Desk) -> None:
    submit, cancel = await desk.comes(1, deadline=FAR), await desk.comes(2, CANCEL, deadline=SOON)
    await sent(desk, submit)
    desk.clock.now += DAY
    await look(desk)
    assert await desk.states() == [(submit, "unknown"), (cancel, "expired")]
    assert await desk.told() == [("order.cancel_refused", cancel)]
    assert (await desk.last())["payload"]["by"] == "time_out"


@pytest.mark.parametrize("state", ["unknown", "sending", "looking_up"])
async def test_what_may_have_taken_effect_is_for_a_person(desk: Desk, state: str) -> None:
    submit, confirm = await desk.comes(1), await desk.comes(2, CONFIRM, deadline=FAR)
    await sent(desk, submit, state)
    desk.clock.now += DAY
    await look(desk)
    await look(desk)
    assert await desk.states() == [(submit, "dead"), (confirm, "waiting")]
    assert (await desk.told(), await desk.letters()) == ([("order.parked", submit)], [("relay", "command_undecided")])
    assert (await desk.last())["payload"] == {"operation": "order.submit", "reason": "gave_up"}


async def test_whoever_works_for_a_supplier_has_time_to_end_it_himself(desk: Desk) -> None:
    submit = await desk.comes(1)
    [row] = await desk.rows("SELECT deadline FROM commands")
    desk.clock.now = row["deadline"] + OVERDUE_AFTER - OVERDUE_AFTER / 100
    await look(desk)
    assert await desk.states() == [(submit, "waiting")]
    desk.clock.now = row["deadline"] + OVERDUE_AFTER
    await look(desk)
    assert await desk.states() == [(submit, "expired")]


async def test_a_call_of_the_owner_of_today_is_his_and_one_of_a_former_owner_nobodys(desk: Desk) -> None:
    ours, theirs = await desk.comes(1, order_no="A"), await desk.comes(2, order_no="B")
    lease = Lease(desk.pool, lease_of(SUPPLIER), "owner", term=60.0)
    for _ in range(2):
        assert await lease.take()
        await lease.release()
    assert await lease.take()
    await sent(desk, ours, "sending", lease.epoch)
    await sent(desk, theirs, "sending", lease.epoch - 1)
    desk.clock.now += DAY
    await look(desk)
    assert await desk.states() == [(ours, "sending"), (theirs, "dead")]
    await lease.release()
    await look(desk)
    assert await desk.states() == [(ours, "dead"), (theirs, "dead")]


async def test_an_owner_that_is_just_writing_comes_first(desk: Desk) -> None:
    submit = await desk.comes(1)
    desk.clock.now += DAY
    lease = Lease(desk.pool, lease_of(SUPPLIER), "owner", term=60.0)
    assert await lease.take()

    async def waited_for() -> bool:
        return bool(await desk.rows("SELECT FROM pg_locks WHERE NOT granted"))

    async with lease.transaction() as connection:
        looking = asyncio.create_task(look(desk))
        await eventually(waited_for)
        await connection.execute(
            "UPDATE commands SET state = 'sending', attempt = 1, sent_at = now(), epoch = $2 WHERE command_id = $1",
            submit,
            lease.epoch,
        )
    await looking
    assert (await desk.states(), await desk.told()) == ([(submit, "sending")], [])
    await lease.renew()


async def test_what_cannot_be_ended_hides_nothing_behind_it(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overdue, "ENDED_AT_ONCE", 2)
    commands = [await desk.comes(number, order_no=f"A-{number}") for number in range(5)]
    lease = Lease(desk.pool, lease_of(SUPPLIER), "owner", term=60.0)
    assert await lease.take()
    for command in commands[:2]:
        await sent(desk, command, "sending", lease.epoch)
    await desk.rows("UPDATE commands SET operation = 'order.of_another_release' WHERE command_id = $1", commands[2])
    desk.clock.now += DAY
    await look(desk)
    assert [state for _, state in await desk.states()] == ["sending", "sending", "waiting", "expired", "expired"]


async def test_what_cannot_be_read_ends_all_the_same(desk: Desk) -> None:
    submit, cancel = await desk.comes(1, order_no="A"), await desk.comes(2, CANCEL, order_no="B", deadline=SOON)
    async with acquired(desk.pool) as connection:
        await connection.execute("UPDATE commands SET sealed = '\\x00'")
    desk.clock.now += DAY
    await look(desk)
    assert await desk.told() == [("order.expired", submit), ("order.expired", cancel)]
    values = [orjson.loads(row["value"]) for row in await desk.rows("SELECT value FROM outbox ORDER BY id")]
    assert [each["order_no"] for each in values] == ["A", "B"]
