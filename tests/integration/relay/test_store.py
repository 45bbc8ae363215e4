"""Commands in PostgreSQL come back as they went in, lane by lane, and move only from what they were."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from gateway.kafka import ORDER_COMMANDS, Partition, Record
from gateway.relay.commands import Command, Role
from gateway.relay.inbox import Inbox
from gateway.relay.lanes import Lane
from gateway.relay.policy import PARKED_BY_OPERATOR
from gateway.relay.states import ENDED, State
from gateway.relay.store import Bounds, due_orders, lanes, move
from gateway.store import Connection, Pool, acquired, transaction
from schemas.orders import Operation
from schemas.orders.examples import COMMAND_EXAMPLES, command_headers
from tests.integration.relay.test_inbox import PARTITION, SUBMIT, identity, inbox, record

__all__ = ["inbox"]

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
CANCEL = COMMAND_EXAMPLES[Operation.CANCEL]
WHOLE = {"scope": "order", "reason": "不要了"}
CHILDREN = {"scope": "children", "children": ["A-1"], "reason": "少一件"}


async def open_lanes(connection: Connection, supplier: str, most: int = 10) -> Sequence[Lane]:
    """Lanes of everything that is due at the last moment of the commands."""
    last = SUBMIT.deadline - timedelta(seconds=1)
    due = await due_orders(connection, supplier, last, [], most)
    return (await lanes(connection, supplier, [each.order_no for each in due])).found


@pytest.fixture
async def taken(inbox: Inbox, pool: Pool) -> Sequence[Command]:
    """Six commands of three orders, in the order of their records."""
    orders = ["B", "A", "B", "C", "A", "B"]
    read = [record(at, command_id=identity(9 - at), order_no=f"ORDER-{name}") for at, name in enumerate(orders)]
    await inbox.take(PARTITION, read, stands=0)
    async with acquired(pool) as connection:
        found = await open_lanes(connection, SUBMIT.supplier)
    return [command for lane in found for command in lane.commands]


async def test_lanes_are_whole_in_order_and_those_that_wait_longest_come_first(
    taken: Sequence[Command], pool: Pool
) -> None:
    assert [(each.order_no, each.command_id) for each in taken] == [
        ("ORDER-B", identity(9)),
        ("ORDER-B", identity(7)),
        ("ORDER-B", identity(4)),
        ("ORDER-A", identity(8)),
        ("ORDER-A", identity(5)),
        ("ORDER-C", identity(6)),
    ]
    assert {each.state for each in taken} == {State.WAITING}
    assert {each.role for each in taken} == {Role.MAKES}
    async with acquired(pool) as connection:
        assert [len(lane.commands) for lane in await open_lanes(connection, SUBMIT.supplier, most=2)] == [3, 2]
        assert await open_lanes(connection, "somebody-else") == []


async def test_every_fact_comes_back_as_it_was_moved(taken: Sequence[Command], pool: Pool) -> None:
    was = taken[0]
    now = replace(
        was,
        state=State.UNKNOWN,
        reason="owner_lost",
        attempt=3,
        spent=2,
        failures=4,
        epoch=7,
        due_at=NOW,
        sent_at=NOW + timedelta(seconds=1),
        doubt_since=NOW + timedelta(seconds=2),
        absent_at=NOW + timedelta(seconds=3),
        refusal="3008",
    )
    async with acquired(pool) as connection:
        assert await move(connection, [(was, now)]) == {was.command_id}
        [lane, *_] = (await lanes(connection, SUBMIT.supplier, [was.order_no])).found
    assert lane.commands[0] == now


@pytest.mark.parametrize("other", [{"state": State.RETRY}, {"attempt": 1}, {"epoch": 5}], ids=str)
async def test_what_another_owner_has_moved_is_left_alone(
    taken: Sequence[Command], pool: Pool, other: dict[str, object]
) -> None:
    was = taken[0]
    elsewhere = replace(was, **other)  # type: ignore[arg-type] # fields of a command
    async with acquired(pool) as connection:
        assert await move(connection, [(was, elsewhere)]) == {was.command_id}
        late = replace(was, state=State.SENDING, attempt=1, epoch=4)
        mine = (taken[3], replace(taken[3], state=State.SENDING, attempt=1, epoch=4))
        assert await move(connection, [(was, late), mine]) == {taken[3].command_id}
        [lane] = (await lanes(connection, SUBMIT.supplier, [was.order_no])).found
        assert lane.commands[0] == elsewhere


@pytest.mark.parametrize("state", sorted(ENDED))
async def test_what_has_ended_is_in_no_lane_and_says_whether_there_is_an_order(
    taken: Sequence[Command], pool: Pool, state: State
) -> None:
    was, doubt = taken[0], NOW if state is State.SUPERSEDED else None
    async with acquired(pool) as connection:
        await move(connection, [(was, replace(was, state=state, doubt_since=doubt))])
        found = {lane.commands[0].order_no: lane for lane in await open_lanes(connection, SUBMIT.supplier)}
    assert [each.command_id for each in found["ORDER-B"].commands] == [identity(7), identity(4)]
    assert found["ORDER-B"].ordered is (state in (State.CONFIRMED, State.SUPERSEDED))
    assert not found["ORDER-A"].ordered


async def test_a_partition_of_the_topic_that_is_made_anew_keeps_the_order_of_lanes(inbox: Inbox, pool: Pool) -> None:
    later = Partition(ORDER_COMMANDS, 5)
    await inbox.take(PARTITION, [record(700, command_id=identity(1))], stands=0)
    await inbox.take(later, [record(0, command_id=identity(2), partition=later)], stands=0)
    async with acquired(pool) as connection:
        [lane] = await open_lanes(connection, SUBMIT.supplier)
    assert [each.command_id for each in lane.commands] == [identity(1), identity(2)]
    assert {each.operation for each in lane.commands} == {Operation.SUBMIT}


@pytest.mark.parametrize(
    ("doubt", "scope", "due"), [(None, WHOLE, ["ORDER-A"]), (None, CHILDREN, []), (NOW, WHOLE, [])], ids=str
)
async def test_what_an_operator_parked_unsent_is_ended_by_a_cancel_behind_it_and_nothing_else(
    inbox: Inbox, pool: Pool, doubt: datetime | None, scope: dict[str, Any], due: list[str]
) -> None:
    changes = {**orjson.loads(CANCEL.model_dump_json()), "supplier": SUBMIT.supplier, "order_no": "ORDER-A"}
    changes |= {"command_id": identity(2), "payload": scope}
    submit = record(0, command_id=identity(1), order_no="ORDER-A", deadline=changes["deadline"])
    await inbox.take(PARTITION, [submit, record(1, headers=command_headers(CANCEL), **changes)], stands=0)
    async with acquired(pool) as connection:
        [lane] = (await lanes(connection, SUBMIT.supplier, ["ORDER-A"])).found
        parked = replace(lane.commands[0], state=State.PARKED, reason=PARKED_BY_OPERATOR, doubt_since=doubt)
        assert await move(connection, [(lane.commands[0], parked)])
        early = lane.commands[0].deadline - timedelta(hours=1)
        found = await due_orders(connection, SUBMIT.supplier, early, [], 10)
        assert [each.order_no for each in found] == due


PLENTY = 2**30
TODAY = datetime.now(UTC)
LATE, LATER = (TODAY - timedelta(minutes=1)).isoformat(), (TODAY + timedelta(days=1)).isoformat()


def cancel(at: int, scope: dict[str, Any] = WHOLE) -> Record:
    said = {**orjson.loads(CANCEL.model_dump_json()), "supplier": SUBMIT.supplier, "deadline": LATER, "payload": scope}
    return record(at, headers=command_headers(CANCEL), **{**said, "order_no": "ORDER-A", "command_id": identity(at)})


def submit(at: int, **changes: Any) -> Record:
    return record(at, command_id=identity(at), **{"order_no": "ORDER-A", "deadline": LATER, **changes})


async def read(
    pool: Pool, orders: Sequence[str], bounds: Bounds
) -> tuple[list[list[int]], list[int | None], list[str]]:
    """The numbers of the commands of each lane, behind how many each lane is cut, and the orders that are left."""
    async with transaction(pool) as connection:
        found = await lanes(connection, SUBMIT.supplier, orders, bounds)
    numbers = [[int(each.command_id[-12:]) for each in lane.commands] for lane in found.found]
    return numbers, [lane.cut for lane in found.found], list(found.left)


async def test_of_a_long_lane_its_beginning_is_read_and_what_decides_about_it_from_behind(
    inbox: Inbox, pool: Pool
) -> None:
    records = [submit(at) for at in range(5)]
    records += [submit(5, deadline=LATE), cancel(6, CHILDREN), cancel(7), cancel(8)]
    records += [submit(9, revision=SUBMIT.revision + 1), submit(10, revision=SUBMIT.revision + 2)]
    records += [submit(at, deadline=LATE) for at in (11, 12, 13, 14)]
    await inbox.take(PARTITION, records, stands=0)
    assert await read(pool, ["ORDER-A"], Bounds(4, PLENTY, PLENTY)) == (
        [[0, 1, 2, 3, 5, 7, 9, 11, 12, 13]],
        [4],
        [],
    )
    assert await read(pool, ["ORDER-A"], Bounds(15, PLENTY, PLENTY)) == ([list(range(15))], [None], [])
    async with acquired(pool) as connection:
        size: int = await connection.fetchval("SELECT max(octet_length(sealed)) FROM commands")
    beginning, _, _ = await read(pool, ["ORDER-A"], Bounds(4, PLENTY, 3 * size))
    assert beginning == [[0, 1, 2, 5, 7, 9, 11, 12]]
    assert await read(pool, ["ORDER-A"], Bounds(4, PLENTY, 1)) == ([[0, 1, 5, 7, 9]], [2], [])


async def test_what_lanes_read_together_is_bounded_and_the_others_are_left_for_later(inbox: Inbox, pool: Pool) -> None:
    orders = [f"ORDER-{name}" for name in "CABDE"]
    await inbox.take(PARTITION, [submit(at, order_no=orders[at // 2]) for at in range(10)], stands=0)
    assert await read(pool, orders, Bounds(9, 5, PLENTY)) == ([[0, 1], [2, 3]], [None, None], orders[2:])
    assert await read(pool, orders, Bounds(9, 1, PLENTY)) == ([[0, 1]], [None], orders[1:])
    assert await read(pool, orders, Bounds(9, PLENTY, 1)) == ([[0, 1]], [None], orders[1:])
    assert await read(pool, ["NONE", *orders[3:]], Bounds(9, 4, PLENTY)) == ([[6, 7], [8, 9]], [None, None], [])
    assert await read(pool, ["NONE"], Bounds(9, 4, PLENTY)) == ([], [], [])
