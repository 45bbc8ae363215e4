"""The mailbox on PostgreSQL: each command is given in its order's order until it is acknowledged, and never lost."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import orjson
import pytest

from gateway.relay import mailbox
from gateway.relay.inbox import Inbox
from gateway.relay.mailbox import MOST_BYTES, Acknowledgement
from gateway.relay.mailbox_lanes import VISIBILITY
from gateway.store import Lease, Pool
from gateway.suppliers import lease_of
from schemas.orders import Operation
from schemas.orders.examples import AT, ORDER_NO, SUPPLIER
from tests.integration.relay.desk import DAY, HOUR, Desk
from tests.integration.relay.test_inbox import identity, inbox

__all__ = ["inbox"]

CONFIRM, CANCEL = Operation.CONFIRM, Operation.CANCEL
WHOLE = {"scope": "order", "reason": "不要了"}
ACKNOWLEDGED, UNKNOWN, WITHDRAWN = Acknowledgement
SOON = VISIBILITY - timedelta(seconds=1)


@pytest.fixture
def desk(inbox: Inbox, pool: Pool) -> Desk:
    return Desk(pool, inbox)


async def test_a_command_is_given_until_it_is_acknowledged(desk: Desk) -> None:
    command = await desk.comes(1)
    [message] = await desk.fetch()
    assert (message.id, message.operation, message.delivery) == (command, Operation.SUBMIT, 1)
    assert orjson.loads(message.value)["payload"]["receiver"]["name"] == "王芳"
    assert await desk.order() == "submitting"
    desk.clock.now += SOON
    assert await desk.fetch() == []
    desk.clock.now = message.visible_again_at
    [again] = await desk.fetch()
    assert (again.id, again.value, again.delivery) == (command, message.value, 2)
    assert await desk.ack(command) == {command: ACKNOWLEDGED}
    desk.clock.now += DAY
    assert await desk.fetch() == []
    assert await desk.ack(command) == {command: ACKNOWLEDGED}
    assert await desk.states() == [(command, "confirmed")]
    assert await desk.steps() == ["delivered", "delivered", "acknowledged"]
    assert (await desk.told(), await desk.letters()) == ([], [])


async def test_a_delivery_that_is_not_acknowledged_spends_nothing(desk: Desk) -> None:
    await desk.comes(1, deadline="2026-12-23T09:30:00+08:00")
    for delivery in range(1, 20):
        [message] = await desk.fetch()
        assert message.delivery == delivery
        desk.clock.now += VISIBILITY
    [row] = await desk.rows("SELECT spent, failures, attempt FROM commands")
    assert tuple(row) == (0, 0, 19)


async def test_of_each_order_one_is_given_at_a_time_and_who_waits_longest_comes_first(desk: Desk) -> None:
    b1, a1 = await desk.comes(9, order_no="B"), await desk.comes(8, order_no="A")
    b2, c1 = await desk.comes(7, CONFIRM, order_no="B"), await desk.comes(6, order_no="C")
    assert await desk.fetched(most=2) == [b1, a1]
    assert await desk.fetched() == [c1]
    assert await desk.ack(c1, b1) == {c1: ACKNOWLEDGED, b1: ACKNOWLEDGED}
    assert await desk.fetched() == [b2]


async def test_many_that_fetch_at_once_are_given_each_command_once_and_in_order(desk: Desk) -> None:
    orders = [f"N-{number}" for number in range(12)]
    for number, order_no in enumerate(orders * 2):
        await desk.comes(number, (Operation.SUBMIT, CONFIRM)[number // 12], order_no=order_no)
    given: list[int] = []
    for _ in range(2):
        found = [each.id for one in await asyncio.gather(*(desk.fetch(12) for _ in range(6))) for each in one]
        given += sorted(int(each[-12:]) for each in found)
        await asyncio.gather(*(desk.ack(*found) for _ in range(3)))
    assert given == list(range(24))


async def test_acknowledgements_of_foreign_unknown_and_unfetched_messages_are_told_alike(desk: Desk) -> None:
    foreign = await desk.comes(1, supplier="somebody-else")
    await desk.mailbox.fetch("somebody-else", 5)
    unfetched = await desk.comes(2, order_no="X-2")
    assert await desk.ack(foreign, unfetched, "nonsense") == {foreign: UNKNOWN, unfetched: UNKNOWN, "nonsense": UNKNOWN}
    assert await desk.states() == [(foreign, "sending"), (unfetched, "waiting")]
    assert await desk.fetched() == [unfetched]


async def test_what_was_never_fetched_ends_at_its_deadline_and_its_order_with_it(desk: Desk) -> None:
    submit, confirm = await desk.comes(1), await desk.comes(2, CONFIRM, deadline="2026-12-23T09:30:00+08:00")
    desk.clock.now += DAY
    assert await desk.mailbox.end_due(SUPPLIER) == 1
    assert await desk.told() == [("order.expired", submit)]
    assert (await desk.last())["payload"]["operation"] == "order.submit"
    assert await desk.order() == "expired"
    assert await desk.fetched() == [confirm]
    assert await desk.mailbox.end_due(SUPPLIER) == 0


async def test_an_order_that_was_never_fetched_and_its_cancel_end_without_the_vendor(desk: Desk) -> None:
    submit, cancel = await desk.comes(1), await desk.comes(2, CANCEL, payload=WHOLE)
    assert await desk.mailbox.end_due(SUPPLIER) == 1
    assert await desk.states() == [(submit, "cancelled_unsent"), (cancel, "cancelled_unsent")]
    assert await desk.told() == [("order.cancelled", submit), ("order.cancelled", cancel)]
    assert (await desk.order(), await desk.fetch()) == ("cancelled", [])


async def test_a_cancel_of_what_was_fetched_is_for_the_vendor(desk: Desk) -> None:
    submit, cancel = await desk.comes(1), await desk.comes(2, CANCEL)
    await desk.rows(
        "UPDATE commands SET state = 'confirmed', ended_at = now(), attempt = 1 WHERE command_id = $1", submit
    )
    assert await desk.fetched() == [cancel]
    await desk.mailbox.end_due(SUPPLIER)
    assert await desk.told() == []


async def test_cancels_that_wait_for_their_vendor_hide_no_order_that_ends(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailbox, "ENDED_AT_ONCE", 2)
    far = "2026-12-23T09:30:00+08:00"
    for number in range(3):
        await desk.comes(number, order_no=f"A-{number}")
    await desk.ack(*await desk.fetched())
    waiting = [await desk.comes(5 + number, CANCEL, order_no=f"A-{number}", deadline=far) for number in range(3)]
    late = [await desk.comes(10 + number, order_no=f"Z-{number}") for number in range(5)]
    desk.clock.now += DAY
    assert await desk.mailbox.end_due(SUPPLIER) == 5
    assert await desk.told() == [("order.expired", each) for each in late]
    assert await desk.fetched() == waiting


async def test_what_an_operator_parked_ends_at_its_deadline_as_at_suppliers_with_an_api(desk: Desk) -> None:
    unsent, doubtful = await desk.comes(1, order_no="A"), await desk.comes(2, order_no="B")
    await desk.rows("UPDATE commands SET state = 'parked', reason = 'by_operator'")
    await desk.rows("UPDATE commands SET attempt = 1, doubt_since = now() WHERE command_id = $1", doubtful)
    await desk.mailbox.end_due(SUPPLIER)
    assert await desk.told() == []
    desk.clock.now += DAY
    await desk.mailbox.end_due(SUPPLIER)
    assert await desk.states() == [(unsent, "expired"), (doubtful, "dead")]
    assert await desk.told() == [("order.expired", unsent), ("order.parked", doubtful)]


async def test_a_cancel_that_was_never_fetched_in_time_is_refused_as_at_suppliers_with_an_api(desk: Desk) -> None:
    for number, order_no in ((0, "A"), (2, "B")):
        await desk.comes(number, order_no=order_no)
    await desk.ack(*await desk.fetched())
    scope = {"scope": "children", "children": ["V-1-1"], "reason": "too many"}
    for number, order_no in ((1, "A"), (3, "B")):
        deadline = (AT + DAY).isoformat()
        await desk.comes(number, CANCEL, order_no=order_no, payload=scope, deadline=deadline)
    await desk.rows("UPDATE commands SET sealed = '\\x00' WHERE command_id = $1", identity(3))
    desk.clock.now += DAY
    await desk.mailbox.end_due(SUPPLIER)
    assert await desk.told() == [("order.cancel_refused", identity(1)), ("order.expired", identity(3))]
    [refused, unread] = [orjson.loads(row["value"]) for row in await desk.rows("SELECT value FROM outbox ORDER BY id")]
    assert refused["payload"] == {
        "scope": "children",
        "children": ["V-1-1"],
        "by": "time_out",
        "code_class": "too_late",
    }
    assert unread["payload"]["operation"] == "order.cancel"
    assert await desk.order("A") == "submitting"


async def test_an_order_that_is_held_is_not_told_as_cancelled_before_the_vendor_has_cancelled_it(desk: Desk) -> None:
    held, newer = await desk.comes(1), await desk.comes(2, revision=2)
    cancel = await desk.comes(3, CANCEL, revision=2, payload=WHOLE)
    await desk.rows(
        "UPDATE commands SET state = 'held', attempt = 1, epoch = 4, doubt_since = now() WHERE command_id = $1", held
    )
    await desk.rows("INSERT INTO orders (supplier, order_no, state) VALUES ($1, $2, 'held')", SUPPLIER, ORDER_NO)
    await desk.mailbox.end_due(SUPPLIER)
    assert await desk.states() == [(held, "superseded"), (newer, "cancelled_unsent"), (cancel, "waiting")]
    assert (await desk.told(), await desk.order()) == ([("order.refused", newer)], "held")


async def test_what_was_fetched_and_never_acknowledged_is_for_a_person_at_its_deadline(desk: Desk) -> None:
    submit, confirm = await desk.comes(1), await desk.comes(2, CONFIRM)
    assert await desk.fetched() == [submit]
    desk.clock.now += DAY
    await desk.mailbox.end_due(SUPPLIER)
    await desk.mailbox.end_due(SUPPLIER)
    assert await desk.states() == [(submit, "dead"), (confirm, "expired")]
    assert await desk.told() == [("order.expired", confirm), ("order.parked", submit)]
    assert await desk.letters() == [("relay", "command_undecided")]
    assert await desk.order() == "unknown"
    late = await desk.comes(3, CONFIRM, deadline="2026-12-23T09:30:00+08:00")
    assert await desk.fetch() == []
    assert await desk.ack(submit) == {submit: ACKNOWLEDGED}
    assert await desk.fetched() == [late]


@pytest.mark.parametrize("state", ["looking_up", "sending", "unknown"])
async def test_what_was_sent_before_its_vendor_began_to_fetch_is_for_a_person(desk: Desk, state: str) -> None:
    submit, confirm = await desk.comes(1), await desk.comes(2, CONFIRM)
    lease = Lease(desk.pool, lease_of(SUPPLIER), "owner", term=60.0)
    assert await lease.take()
    await desk.rows(
        "UPDATE commands SET state = $2, attempt = 1, epoch = 1, sent_at = now() WHERE command_id = $1", submit, state
    )
    assert (await desk.mailbox.end_due(SUPPLIER), await desk.fetch()) == (0, [])
    await lease.release()
    assert (await desk.mailbox.end_due(SUPPLIER), await desk.fetch()) == (1, [])
    assert await desk.states() == [(submit, "dead"), (confirm, "waiting")]
    assert (await desk.told(), await desk.letters()) == ([("order.parked", submit)], [("relay", "command_undecided")])
    assert await desk.mailbox.end_due(SUPPLIER) == 0


async def test_what_is_acknowledged_and_never_answered_can_be_found(desk: Desk) -> None:
    submit = await desk.comes(1)
    await desk.fetch()
    await desk.ack(submit)
    desk.clock.now += 30 * DAY
    await desk.mailbox.end_due(SUPPLIER)
    [row] = await desk.rows("SELECT * FROM commands_unanswered")
    assert (row["command_id"], row["order_no"]) == (submit, ORDER_NO)
    assert row["acknowledged_at"] is not None
    assert (await desk.order(), await desk.told()) == ("submitting", [])


async def test_a_command_that_cannot_be_opened_keeps_no_other_waiting(desk: Desk) -> None:
    broken, sound = await desk.comes(1, order_no="A"), await desk.comes(2, order_no="B")
    await desk.rows("UPDATE commands SET sealed = '\\x00' WHERE command_id = $1", broken)
    assert await desk.fetched(most=1) == []
    assert await desk.fetched(most=1) == [sound]
    assert await desk.states() == [(broken, "waiting"), (sound, "sending")]


async def test_large_commands_come_a_few_at_a_time(desk: Desk) -> None:
    for number in range(8):
        remark = {"reason": "x" * 500}
        await desk.comes(number, CANCEL, order_no=f"L-{number}", payload={"scope": "order", **remark})
    await desk.rows("UPDATE commands SET sealed = sealed || decode(repeat('00', $1), 'hex')", MOST_BYTES // 3)
    assert await desk.fetch() == []  # none of them can be opened any more
    [row] = await desk.rows("SELECT count(*) FROM commands WHERE reason = 'unreadable'")
    assert row[0] == 2


async def test_what_a_person_withdrew_is_not_taken_as_acknowledged(desk: Desk) -> None:
    submit = await desk.comes(1)
    await desk.fetch()
    await desk.rows("UPDATE commands SET state = 'retry'")
    assert await desk.ack(submit) == {submit: WITHDRAWN}
    desk.clock.now += HOUR
    assert await desk.fetched() == [submit]


async def test_a_vendor_that_is_away_for_a_day_costs_nothing_but_what_expires(desk: Desk) -> None:
    soon, later = "2026-11-23T18:00:00+08:00", "2026-12-23T09:30:00+08:00"
    expires, waits = await desk.comes(1, order_no="A", deadline=soon), await desk.comes(2, order_no="B", deadline=later)
    fetched = await desk.comes(3, order_no="C", deadline=later)
    await desk.rows("UPDATE commands SET due_at = $2 WHERE command_id <> $1", fetched, desk.clock.now + HOUR)
    assert await desk.fetched() == [fetched]
    for _ in range(24):
        desk.clock.now += HOUR
        await desk.mailbox.end_due(SUPPLIER)
    assert await desk.told() == [("order.expired", expires)]
    assert await desk.letters() == []
    assert await desk.states() == [(expires, "expired"), (waits, "waiting"), (fetched, "sending")]
    rows = await desk.rows("SELECT spent, failures FROM commands")
    assert [tuple(row) for row in rows] == [(0, 0)] * 3
    assert await desk.fetched() == [waits, fetched]
