"""Commands in PostgreSQL: lanes as they stand, and moves of commands that are still as they were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from gateway.relay import command_queries as queries
from gateway.relay.commands import Command, Role
from gateway.relay.lanes import Lane
from gateway.relay.received import ROLES
from gateway.relay.states import ENDED, State
from gateway.store import Connection, Row
from schemas.orders import Operation

LANES = 10_000
"""Lanes of one supplier that are looked at together, those that wait longest first."""

_FACTS = [name.strip() for name in queries.FACTS.split(",")]


def command_of(row: Row | Mapping[str, Any]) -> Command:
    """The facts of a command in a row that has their columns. One that was no use may name no operation of ours."""
    facts = {name: row[name] for name in _FACTS}
    plain = {**facts, "content": facts["content"].hex(), "state": State(facts["state"])}
    return Command(**plain, role=ROLES.get(row["operation"], Role.CHANGES))


async def open_lanes(connection: Connection, supplier: str, *, most: int = LANES) -> list[Lane]:
    """The lanes of a supplier in which something has not ended, the one that waits longest first."""
    rows = await connection.fetch(queries.OPEN_LANES, supplier, most, Operation.SUBMIT.value)
    grouped = [list(lane) for _, lane in groupby(rows, key=lambda row: row["order_no"])]
    return [Lane([command_of(row) for row in lane], ordered=lane[0]["ordered"]) for lane in grouped]


async def move(connection: Connection, moves: Sequence[tuple[Command, Command]]) -> set[str]:
    """Move commands, each from what it was to what it is now; the ids of those that were still so.

    Within the transaction in which the lease was fenced: what another owner has moved meanwhile is left alone.
    """
    if not moves:
        return set()
    found = await connection.fetch(queries.MOVE, *zip(*(_move(*each) for each in moves), strict=True))
    return {row["command_id"] for row in found}


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
    )
