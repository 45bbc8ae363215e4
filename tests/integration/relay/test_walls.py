"""What one order suffers reaches no other: rows of another release, or of no sense, stop their own order alone."""

from __future__ import annotations

import pytest

from gateway.relay import mailbox as mailbox_module
from gateway.relay import overdue
from gateway.relay.inbox import Inbox
from gateway.relay.mailbox import Acknowledgement
from gateway.relay.overdue import OverdueCommands
from gateway.relay.reading import OrderReading
from gateway.relay.sealed import sealed_as
from gateway.relay.vendor_event_service import VendorEventReceipt
from gateway.store import Pool
from schemas.orders import Kind, Operation, State
from schemas.orders.examples import ORDER_NO, SUPPLIER
from tests.eventually import eventually
from tests.integration.relay.desk import DAY, Desk
from tests.integration.relay.test_inbox import BOX, inbox

__all__ = ["inbox"]

ANY_STATE = "ALTER TABLE commands DROP CONSTRAINT commands_check"

MERGED = "UPDATE commands SET state = 'merged', attempt = 1, ended_at = now() WHERE command_id = $1"
"""A state of a newer release, in which nothing more happens to a command."""


@pytest.fixture
def desk(inbox: Inbox, pool: Pool) -> Desk:
    return Desk(pool, inbox)


async def poison(desk: Desk, kind: str, command: str) -> None:
    """Make a row of the order `A` one that this release cannot read, or can do nothing with."""
    match kind:
        case "operation":
            await desk.rows("UPDATE commands SET operation = 'order.amend' WHERE command_id = $1", command)
        case "follower":
            later = await desk.comes(90, Operation.CONFIRM, order_no="A")
            await desk.rows(ANY_STATE)
            await desk.rows("UPDATE commands SET state = 'scheduled' WHERE command_id = $1", later)
        case "order":
            query = "INSERT INTO orders (supplier, order_no, state) VALUES ($1, 'A', 'of_a_newer_release')"
            await desk.rows(query, SUPPLIER)
        case "deadline":
            await desk.rows("UPDATE commands SET deadline = NULL WHERE command_id = $1", command)
        case "content":
            sealed = BOX.seal(SUPPLIER, sealed_as(command), b"{oops")
            await desk.rows("UPDATE commands SET sealed = $2 WHERE command_id = $1", command, sealed)
        case _:
            raise ValueError(kind)


@pytest.mark.parametrize("kind", ["operation", "follower", "order", "deadline", "content"])
async def test_a_command_that_cannot_be_given_keeps_no_other_order_from_its_vendor(desk: Desk, kind: str) -> None:
    mailbox = desk.mailbox
    broken, *sound = [await desk.comes(number, order_no=name) for number, name in enumerate("ABC", start=1)]
    await poison(desk, kind, broken)
    given = [each.id for _ in range(2) for each in await mailbox.fetch(SUPPLIER, 20)]
    assert given == sound
    assert dict(await desk.states())[broken] == "waiting"
    shown = [str(aside).partition(",")[0] for aside in mailbox.supervisor.set_aside()]
    assert [each.rpartition(":")[0] for each in shown] == [f"mailbox_orders: order {SUPPLIER}/A"] * (kind != "content")


async def test_as_many_as_a_vendor_asks_for_that_cannot_be_given_hide_no_other(desk: Desk) -> None:
    mailbox = desk.mailbox
    for number in range(3):
        await poison(desk, "operation", await desk.comes(number, order_no=f"A-{number}"))
    sound = await desk.comes(9, order_no="B")
    given: list[str] = []

    async def is_given() -> bool:
        given.extend([each.id for each in await mailbox.fetch(SUPPLIER, 3)])
        return given == [sound]

    await eventually(is_given)


@pytest.mark.parametrize("kind", ["follower", "order", "deadline"])
async def test_an_order_that_cannot_be_ended_keeps_no_other_open(desk: Desk, kind: str) -> None:
    mailbox = desk.mailbox
    broken, sound = [await desk.comes(number, order_no=name) for number, name in ((1, "A"), (2, "B"))]
    await poison(desk, kind, broken)
    if kind == "deadline":  # what cancels it has it looked at
        await desk.comes(3, Operation.CANCEL, order_no="A")
    desk.clock.now += DAY
    await mailbox.end_due(SUPPLIER)
    assert [dict(await desk.states())[each] for each in (broken, sound)] == ["waiting", "expired"]


@pytest.mark.parametrize("kind", ["follower", "order"])
async def test_an_order_that_cannot_be_ended_keeps_none_behind_it_open(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(mailbox_module, "ENDED_AT_ONCE", 1)
    mailbox = desk.mailbox
    broken, *sound = [await desk.comes(number, order_no=name) for number, name in enumerate("ABC", start=1)]
    await poison(desk, kind, broken)
    desk.clock.now += DAY
    assert [await mailbox.end_due(SUPPLIER) for _ in range(2)] == [2, 0]
    states = dict(await desk.states())
    assert [states[each] for each in (broken, *sound)] == ["waiting", "expired", "expired"]


@pytest.mark.parametrize("at_once", [1, 200])
@pytest.mark.parametrize("kind", ["follower", "order"])
async def test_an_order_that_cannot_be_ended_keeps_no_other_from_ending_without_an_owner(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, kind: str, at_once: int
) -> None:
    monkeypatch.setattr(overdue, "ENDED_AT_ONCE", at_once)
    broken, *sound = [await desk.comes(number, order_no=name) for number, name in enumerate("ABC", start=1)]
    await poison(desk, kind, broken)
    before = {each: state for each, state in await desk.states() if each not in sound}
    desk.clock.now += DAY
    job = OverdueCommands(desk.pool, BOX, desk.clock)
    for _ in range(2):
        await job.look()
    states = dict(await desk.states())
    assert [states[each] for each in sound] == ["expired", "expired"]
    assert {each: states[each] for each in before} == before
    assert await desk.told() == [("order.expired", each) for each in sound]
    shown = [str(each) for one in job.supervisors for each in one.set_aside()]
    assert [each.rpartition(":")[0] for each in (one.partition(",")[0] for one in shown)] == [
        f"overdue orders: order {SUPPLIER}/A"
    ]


async def test_a_message_of_another_release_keeps_no_other_from_being_acknowledged(desk: Desk) -> None:
    first, second = [await desk.comes(number, order_no=name) for number, name in ((1, "A"), (2, "B"))]
    assert await desk.fetched() == [first, second]
    await desk.rows(MERGED, first)
    assert await desk.ack(first, second) == {
        first: Acknowledgement.UNKNOWN,
        second: Acknowledgement.ACKNOWLEDGED,
    }
    assert await desk.states() == [(first, "merged"), (second, "confirmed")]


async def test_what_is_said_of_an_order_that_cannot_be_read_is_taken(desk: Desk) -> None:
    submit = await desk.comes(1)
    await desk.fetch()
    sealed = BOX.seal(SUPPLIER, sealed_as(submit), b'{"operation":"order.submit","payload":"of a newer release"}')
    await desk.rows("UPDATE commands SET sealed = $1", sealed)
    taken = await desk.says(Kind.CONFIRMED, supplier_order_nos=["V-1"])
    assert taken == VendorEventReceipt(Kind.CONFIRMED, State.CONFIRMED, (submit,), held=False)


async def test_operators_are_shown_the_commands_of_another_release_among_the_others(desk: Desk) -> None:
    first, second = await desk.comes(1), await desk.comes(2, Operation.CONFIRM)
    other, _ = await desk.comes(3, order_no="B"), await desk.comes(4, Operation.CONFIRM, order_no="B")
    await desk.rows(ANY_STATE)
    await desk.rows("UPDATE commands SET state = 'scheduled' WHERE command_id = $1", first)
    await desk.rows(MERGED, second)
    third = await desk.comes(5, Operation.CANCEL)
    reading = OrderReading(desk.pool, BOX)
    lanes = await reading.lanes()
    assert [(each["command_id"], each["state"]) for each in lanes] == [(first, "scheduled"), (other, "waiting")]
    assert "another release" in lanes[0]["stands"]
    [shown] = (await reading.show(ORDER_NO))["orders"]
    found = {each["command_id"]: each["state"] for each in shown["commands"]}
    assert found == {first: "scheduled", second: "merged", third: "waiting"}
    assert (shown["lane"]["command_id"], shown["lane"]["followers"]) == (first, 1)
