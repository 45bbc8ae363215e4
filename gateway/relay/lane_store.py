"""Lanes that are looked at without an owner of the supplier: locked as a whole, and what they came to kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from gateway.deadletters import discard_letter
from gateway.deadletters import record as record_letters
from gateway.deadletters import settle as settle_groups
from gateway.relay import mailbox_queries as queries
from gateway.relay.commands import Command, Origin, Role
from gateway.relay.ends import ending_news, undecided_letter, undecided_news
from gateway.relay.lane_ends import Change
from gateway.relay.lanes import NOT_MADE, Lane
from gateway.relay.orders import News, publish_news, still_submitted
from gateway.relay.states import ENDED, State
from gateway.relay.steps import Kind, Step
from gateway.relay.store import OpenedCommand, command_of, move, opened
from gateway.store import Connection, Row
from gateway.suppliers import SecretBox
from schemas.orders import Operation, OrderCommand


@dataclass(frozen=True, slots=True)
class LockedLanes:
    """Lanes whose commands stay locked, and where their commands came from."""

    lanes: Sequence[Lane]
    origins: Mapping[str, Origin]

    def origin(self, command: Command) -> Origin:
        """Where a command came from."""
        return self.origins[command.command_id]


async def lock_lanes(connection: Connection, supplier: str, orders: Sequence[str]) -> LockedLanes:
    """What has not ended of these orders, locked until the transaction ends.

    Raises ValueError where another release gave a command a state that is not known here: its lane is left to that.
    """
    if not orders:
        return LockedLanes([], {})
    rows = await connection.fetch(queries.LOCK_LANES, supplier, orders)
    ordered = {row["order_no"] for row in await connection.fetch(queries.ORDERED, supplier, orders)}
    unserved = {row["order_no"]: row["unserved"] for row in await connection.fetch(queries.UNSERVED, supplier, orders)}
    lanes = [
        Lane([command_of(row) for row in lane], order_no in ordered, unserved=unserved.get(order_no, NOT_MADE))
        for order_no, lane in groupby(rows, key=lambda row: str(row["order_no"]))
    ]
    return LockedLanes(lanes, origins(rows))


def origins(rows: Iterable[Row]) -> Mapping[str, Origin]:
    """What events about commands repeat of them, by command."""
    return {row["command_id"]: Origin(row["tenant"], row["traceparent"]) for row in rows}


async def settle(
    connection: Connection,
    box: SecretBox,
    locked: LockedLanes,
    changes: Sequence[Change],
    now: datetime,
    *,
    steps: Sequence[Step] = (),
    news: Sequence[News] = (),
) -> None:
    """Keep what commands came to without a call, and tell the core. steps, news: of other moves, which come first."""
    await move(connection, [(each.was, each.now) for each in changes])
    ended = [each for each in changes if each.now.state in ENDED]
    died = [each.now for each in changes if each.now.state is State.DEAD]
    await connection.execute(queries.ANSWERED, [each.now.command_id for each in ended])
    all_steps = [
        *steps,
        *(step_of(each.now, Kind.ENDED) for each in ended),
        *(step_of(each, Kind.STOPPED) for each in died),
    ]
    asked = await _read_for_their_ends(connection, box, [*(each.now for each in ended), *died])
    endings = _endings(locked, ended, asked, now)
    endings += await others_submitted(connection, [each.now for each in ended])
    undecided = [undecided_news(each, locked.origin(each), now, asked.get(each.command_id)) for each in died]
    await publish_news(connection, box, [*news, *endings, *undecided], readable=False, steps=all_steps)
    await record_letters(connection, [undecided_letter(each) for each in died])


async def others_submitted(connection: Connection, ended: Sequence[Command]) -> Sequence[News]:
    """Of orders whose vendors have another submit than those that ended: their orders go on by it."""
    tried = [each for each in ended if each.attempt and each.contract_no is None]
    if not tried:
        return []
    numbers = sorted({each.order_no for each in tried})
    rows = await connection.fetch(queries.STILL_SUBMITTED, tried[0].supplier, numbers)
    return [still_submitted(tried[0].supplier, row["order_no"], None) for row in rows]


async def close_letters(connection: Connection, commands: Sequence[Command], reason: str) -> None:
    """Close the dead letters of those that nobody could decide. commands: as they were. Last of a transaction."""
    closed: list[str] = []
    for each in commands:
        if each.state is State.DEAD:
            closed += await discard_letter(connection, undecided_letter(each).id, reason=reason)
    if closed:
        await settle_groups(connection, closed)


def step_of(command: Command, kind: Kind, failure: str = "") -> Step:
    """What happened to a command, as its order's story tells it."""
    facts = {"operation": command.operation, "state": command.state.value, "attempt": command.attempt}
    facts |= {"reason": command.reason} if command.reason else {}
    facts |= {"failure": failure} if failure else {}
    facts |= {"contract_no": command.contract_no} if command.contract_no else {}
    return Step(command.supplier, command.about, kind, command.command_id, facts)


def _endings(
    locked: LockedLanes, ended: Sequence[Change], asked: Mapping[str, OrderCommand], now: datetime
) -> list[News]:
    """Of commands that ended without a call."""
    news: list[News] = []
    for each in ended:
        command = asked.get(each.now.command_id)
        news += ending_news(each.now, locked.origin(each.now), now, alone=each.alone, asked=command)
    return news


async def _read_for_their_ends(
    connection: Connection, box: SecretBox, commands: Sequence[Command]
) -> Mapping[str, OrderCommand]:
    """What cancels and commands that serve an order say, by id: what ends one says of what it was."""
    wanted = [each for each in commands if each.operation == Operation.CANCEL or each.role is Role.SERVES]
    if not wanted:
        return {}
    found = await opened(connection, box, wanted[0].supplier, [each.command_id for each in wanted])
    return {name: each.command for name, each in found.items() if isinstance(each, OpenedCommand)}
