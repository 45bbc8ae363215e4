"""Commands in PostgreSQL: lanes as they stand, what commands say, and moves of those that are still as they were."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from gateway.relay import command_queries as queries
from gateway.relay.commands import Command
from gateway.relay.lanes import Lane
from gateway.relay.received import role_of
from gateway.relay.sealed import sealed_as
from gateway.relay.states import ENDED, State
from gateway.store import Connection, Row
from gateway.suppliers import SecretBox
from schemas.base import read
from schemas.orders import COMMANDS, Operation, OrderCommand, SubmitOrder

_FACTS = [name for each in queries.FACTS.split(",") if (name := each.strip()) != "scope"]


@dataclass(frozen=True, slots=True)
class OpenedCommand:
    """What a command says, and the trace of whoever wrote it."""

    command: OrderCommand
    traceparent: str | None


def command_of(row: Row | Mapping[str, Any]) -> Command:
    """The facts of a command in a row that has their columns. One that was no use may name no operation of ours."""
    facts = {name: row[name] for name in _FACTS}
    plain = {**facts, "content": facts["content"].hex(), "state": State(facts["state"])}
    return Command(**plain, role=role_of(row["operation"], row["scope"]))


@dataclass(frozen=True, slots=True)
class DueOrder:
    """An order in whose lane something may be done, and where its first command stands among all that are due."""

    order_no: str
    due_at: datetime
    place: int


async def due_orders(
    connection: Connection,
    supplier: str,
    now: datetime | None,
    shut: Collection[str],
    most: int,
    behind: DueOrder | None = None,
) -> Sequence[DueOrder]:
    """Orders in whose lanes something may be done now, the one that waits longest first.

    now: None for the time of the transaction, or of the statement; shut: operations that are not worth calling for now;
    what ends by its deadline ends all the same. behind: of the look before, where to go on.
    """
    submit, cancel = Operation.SUBMIT.value, Operation.CANCEL.value
    place = (None, None) if behind is None else (behind.due_at, behind.place)
    rows = await connection.fetch(queries.DUE, supplier, now, cancel, list(shut), submit, most, *place)
    return [DueOrder(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much of lanes is read at once.

    lane: commands of one; commands: of all together; bytes: of what these say, of one and of all together.
    """

    lane: int = 200
    commands: int = 2_000
    bytes: int = 16 * 1024 * 1024


BOUNDS = Bounds()
"""Of a turn."""


@dataclass(frozen=True, slots=True)
class Lanes:
    """Lanes as they were read. left: orders whose lanes had no place beside these, in the order given."""

    found: Sequence[Lane]
    left: Sequence[str] = ()


async def lanes(connection: Connection, supplier: str, order_nos: Sequence[str], bounds: Bounds = BOUNDS) -> Lanes:
    """The lanes of these orders in which something has not ended, in the order given; what is read stays locked."""
    submit, cancel = Operation.SUBMIT.value, Operation.CANCEL.value
    limits = (bounds.lane, bounds.commands, bounds.bytes)
    rows = await connection.fetch(queries.LANES, supplier, list(order_nos), submit, *limits, cancel)
    found = {key: _lane(list(group)) for key, group in groupby(rows, key=lambda row: row["order_no"])}
    left: Sequence[str] = ()
    if rows and rows[0]["more"]:
        left = order_nos[1 + max(number for number, each in enumerate(order_nos) if each in found) :]
    return Lanes([found[order_no] for order_no in order_nos if order_no in found], left)


async def busy(connection: Connection, supplier: str) -> Sequence[Command]:
    """Commands of which a call is under way, or was when its process died."""
    return [command_of(row) for row in await connection.fetch(queries.BUSY, supplier)]


async def opened(
    connection: Connection, box: SecretBox, supplier: str, command_ids: Collection[str]
) -> Mapping[str, OpenedCommand | Exception]:
    """What commands say; of one that cannot be read, why: its key is lost, or another release wrote it."""
    rows = await connection.fetch(queries.SEALED, list(command_ids))
    return {row["command_id"]: _asked(box, supplier, row) for row in rows}


def open_command(box: SecretBox, supplier: str, operation: str, row: Row) -> OrderCommand | Exception:
    """What a row's command says, by `command_id` and `sealed`; else why it cannot be read."""
    try:
        content = box.open(supplier, sealed_as(row["command_id"]), row["sealed"])
        return read(COMMANDS[Operation(operation)], content, sums_hold=True)
    except Exception as error:  # noqa: BLE001 -- whatever is wrong with it, it is wrong with this command alone
        return error


async def submitted(
    connection: Connection, box: SecretBox, supplier: str, order_nos: Collection[str]
) -> Mapping[str, SubmitOrder]:
    """What was ordered, of orders whose submit took effect and can be read."""
    if not order_nos:
        return {}
    rows = await connection.fetch(queries.SUBMITTED, supplier, list(order_nos), Operation.SUBMIT.value)
    found = {row["order_no"]: open_command(box, supplier, Operation.SUBMIT, row) for row in rows}
    return {order_no: order for order_no, order in found.items() if isinstance(order, SubmitOrder)}


async def numbers(connection: Connection, supplier: str, order_nos: Collection[str]) -> Mapping[str, str]:
    """The supplier's numbers of whole orders, where they are known."""
    if not order_nos:
        return {}
    rows = await connection.fetch(queries.NUMBERS, supplier, list(order_nos))
    return {row["order_no"]: row["supplier_order_no"] for row in rows}


async def move(connection: Connection, moves: Sequence[tuple[Command, Command]]) -> set[str]:
    """Move commands, each from what it was to what it is now; the ids of those that were still so.

    Within the transaction in which the lease was fenced: what another owner has moved meanwhile is left alone.
    """
    if not moves:
        return set()
    found = await connection.fetch(queries.MOVE, *zip(*(_move(*each) for each in moves), strict=True))
    return {row["command_id"] for row in found}


def _asked(box: SecretBox, supplier: str, row: Row) -> OpenedCommand | Exception:
    found = open_command(box, supplier, row["operation"], row)
    return found if isinstance(found, Exception) else OpenedCommand(found, row["traceparent"])


def _lane(rows: Sequence[Row]) -> Lane:
    cut = sum(not row["is_behind"] for row in rows) if rows[0]["is_cut"] else None
    commands, first = [command_of(row) for row in rows], rows[0]
    return Lane(commands, bool(first["ordered"]), cut, first["submitted"], first["unserved"])


def _move(was: Command, now: Command) -> tuple[object, ...]:
    return (
        was.command_id,
        was.state.value,
        was.attempt,
        was.epoch,
        now.state.value,
        now.reason,
        now.attempt,
        now.spent,
        now.failures,
        now.epoch,
        now.due_at,
        now.sent_at,
        now.doubt_since,
        now.absent_at,
        now.refusal,
        now.state in ENDED,
        now.sent_to,
    )
