"""Orders and lanes as operators see them: what is there, how it came there, and what would resolve it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from gateway.relay import operator_queries as queries
from gateway.relay.advice import (
    DECIDABLE,
    OF_ANOTHER_RELEASE,
    Unanswered,
    advice,
    describe_state,
    describe_step,
    shown_state,
    summary,
)
from gateway.relay.after_sale_queries import SHOWN as SERVICES
from gateway.relay.commands import Command
from gateway.relay.invoice_queries import OF_ORDER
from gateway.relay.sealed import WORDS
from gateway.relay.states import STOPPED, State
from gateway.relay.store import command_of
from gateway.sdk.errors import GatewayError
from gateway.store import Connection, Pool, Row, acquired, transaction
from gateway.store.audit import record
from gateway.suppliers import SecretBox, SecretUnreadableError

MOST_STEPS = 1_000
"""Steps of an order that are shown, the last ones."""

_GO_ON = frozenset({State.RETRY, State.UNKNOWN})
"""After an outcome that leads here, the next step has its time."""

View = dict[str, Any]
"""Something as JSON."""


class UnansweredFilter(StrEnum):
    """Which commands are listed that vendors acknowledged and have not answered. late: whose deadline has passed."""

    NONE = "none"
    LATE = "late"
    ALL = "all"


class UnknownOrderError(GatewayError):
    """The mall never asked for anything about an order of this number, and no supplier spoke of one."""


class OrderReading:
    """Reads orders for operators."""

    def __init__(self, pool: Pool, box: SecretBox) -> None:
        self._pool = pool
        self._box = box

    async def list(
        self,
        states: Collection[State] = DECIDABLE,
        unanswered: UnansweredFilter = UnansweredFilter.NONE,
        *,
        supplier: str | None = None,
        after: int = 0,
        limit: int = 50,
    ) -> Sequence[View]:
        """Commands that have not ended, and those that vendors acknowledged and have not answered, the oldest first.

        after: `place` of the last one of the page before.
        """
        wanted = [state.value for state in states]
        which = (unanswered is not UnansweredFilter.NONE, unanswered is UnansweredFilter.ALL)
        async with acquired(self._pool) as connection:
            rows = await connection.fetch(queries.LIST, wanted, supplier, after, limit, *which)
        return [_standing(row, _unanswered(row)) for row in rows]

    async def lanes(self, *, supplier: str | None = None, after: int = 0, limit: int = 50) -> Sequence[View]:
        """Lanes that wait behind a command, the oldest first; `followers` wait behind it. after: as in `list`."""
        async with acquired(self._pool) as connection:
            rows = await connection.fetch(queries.LANES, supplier, [state.value for state in STOPPED], after, limit)
        return [_lane(row) for row in rows]

    async def show(self, order_no: str, *, words_for: str | None = None) -> View:
        """All that is known of an order, at each supplier. words_for: who reads the suppliers' own words, None: nobody.

        That somebody read them is in the audit: they may name people. Raises UnknownOrderError.
        """
        async with transaction(self._pool) as connection:
            commands = _plain(await connection.fetch(queries.COMMANDS, order_no))
            orders = {row["supplier"]: row for row in await connection.fetch(queries.ORDERS, order_no)}
            steps = _plain(reversed(await connection.fetch(queries.STEPS, order_no, MOST_STEPS + 1)))
            if not commands and not orders:
                raise UnknownOrderError
            suppliers = sorted({row["supplier"] for row in commands} | orders.keys())
            numbers = await connection.fetch(queries.NUMBERS, suppliers, order_no)
            contracts = await connection.fetch(queries.CONTRACTS, order_no)
            invoices = await connection.fetch(OF_ORDER, order_no)
            services = await connection.fetch(SERVICES, order_no)
            if words_for is not None:
                await self._note_reading(connection, words_for, order_no)
        views = [
            self._order(
                supplier,
                orders.get(supplier),
                [row for row in commands if row["supplier"] == supplier],
                [row for row in steps[-MOST_STEPS:] if row["supplier"] == supplier],
                words=words_for is not None,
            )
            | {"numbers": [_number(row) for row in numbers if row["supplier"] == supplier]}
            | {"contracts": [_contract(row, commands) for row in contracts if row["supplier"] == supplier]}
            | {"invoices": [_application(row) for row in invoices if row["supplier"] == supplier]}
            | {"after_sales": [_after_sale(row) for row in services if row["supplier"] == supplier]}
            for supplier in suppliers
        ]
        return {"order_no": order_no, "orders": views, "left_off": len(steps) > MOST_STEPS}

    async def _note_reading(self, connection: Connection, actor: str, order_no: str) -> None:
        await record(connection, actor, "order.read_words", target=order_no)

    def _order(
        self, supplier: str, order: Row | None, commands: Sequence[View], steps: Sequence[View], *, words: bool
    ) -> View:
        of_command: defaultdict[str | None, list[View]] = defaultdict(list)
        for step in steps:
            of_command[step["command_id"]].append(step)
        return {
            "supplier": supplier,
            "state": None if order is None else order["state"],
            "before": None if order is None else order["before"],
            "supplier_order_no": None if order is None else order["supplier_order_no"],
            "commands": [_command(row, of_command[row["command_id"]]) for row in commands],
            "lane": _lane_of([row for row in commands if row["contract_no"] is None]),
            "timeline": timeline(commands, steps, [self._words(step) if words else None for step in steps]),
        }

    def _words(self, step: View) -> str | None:
        if step["words"] is None:
            return None
        try:
            return self._box.open(step["supplier"], WORDS, step["words"]).decode()
        except SecretUnreadableError as error:
            return str(error)


def timeline(commands: Sequence[View], steps: Sequence[View], words: Sequence[str | None]) -> list[View]:
    """What happened to an order, in order, each with the seconds since the one before. words: of each step.

    A command was received before anything was done about it, whatever the clock of the mall core says.
    """
    operations = {row["command_id"]: row["operation"] for row in commands}
    first: dict[str | None, datetime] = {}
    for step in steps:
        first[step["command_id"]] = min(step["at"], first.get(step["command_id"], step["at"]))
    placed = [
        (min(row["received_at"], first.get(row["command_id"], row["received_at"])), _received(row)) for row in commands
    ]
    placed += [
        (step["at"], _step(step, operations.get(step["command_id"]), text))
        for step, text in zip(steps, words, strict=True)
    ]
    entries = [entry for _, entry in sorted(placed, key=lambda each: each[0])]
    before = [None, *(entry["at"] for entry in entries)]
    return [
        {**entry, "seconds": None if was is None else max(0.0, (entry["at"] - was).total_seconds())}
        for was, entry in zip(before, entries, strict=False)
    ]


def _step(step: View, operation: str | None, text: str | None) -> View:
    return {
        "at": step["at"],
        "kind": step["kind"],
        "command_id": step["command_id"],
        "operation": operation,
        "text": describe_step(step["kind"], step["facts"]),
        "due_at": step["facts"].get("due_at") if step["facts"].get("state") in _GO_ON else None,
        "has_words": step["words"] is not None,
        "words": text,
    }


def _received(row: View) -> View:
    return {
        "at": row["received_at"],
        "kind": "received",
        "command_id": row["command_id"],
        "operation": row["operation"],
        "text": f"received from {row['topic']}, partition {row['partition']}, offset {row['offset']}",
        "due_at": None,
        "has_words": False,
        "words": None,
    }


def _command(row: View, steps: Sequence[View]) -> View:
    command, unanswered = _read(row), _unanswered(row)
    return {
        **_standing(row, unanswered),
        "summary": OF_ANOTHER_RELEASE if command is None else summary(command, steps, unanswered),
        "topic": row["topic"],
        "partition": row["partition"],
        "offset": row["offset"],
        "received_at": row["received_at"],
        "ended_at": row["ended_at"],
    }


def _unanswered(row: Row | View) -> Unanswered | None:
    """Of a command that its vendor acknowledged; one that a person, or its deadline, has ended since is no more it."""
    acknowledged_at: datetime | None = row["acknowledged_at"]
    if acknowledged_at is None or row["state"] != State.CONFIRMED:
        return None
    return Unanswered(acknowledged_at, late=row["deadline"] <= datetime.now(UTC))


def _standing(row: Row | View, unanswered: Unanswered | None = None) -> View:
    command = _read(row)
    names = ("place", "command_id", "supplier", "order_no", "contract_no", "operation", "revision", "reason")
    return {
        **{name: row[name] for name in names},
        "state": row["state"] if command is None else shown_state(command, unanswered),
        "stands": OF_ANOTHER_RELEASE if command is None else describe_state(command, unanswered),
        "advice": "" if command is None else advice(command, unanswered),
        "since": row["since"],
        "due_at": row["due_at"],
        "deadline": row["deadline"],
        "attempts": row["attempt"],
    }


def _read(row: Row | Mapping[str, Any]) -> Command | None:
    """The command of a row; None: its state is one that another release has."""
    try:
        return command_of(row)
    except ValueError:
        return None


def _lane(row: Row) -> View:
    return {**_standing(row), "followers": row["followers"]}


def _lane_of(commands: Sequence[View]) -> View | None:
    """The lane of an order at a supplier; None: everything has ended."""
    waiting = [row for row in commands if row["ended_at"] is None]
    if not waiting:
        return None
    return {**_standing(waiting[0]), "followers": len(waiting) - 1}


def _contract(row: Row, commands: Sequence[View]) -> View:
    """A contract of an order; lane: of its commands."""
    names = ("contract_no", "state", "announcement", "filing", "answer", "revision", "changed_at")
    key = (row["supplier"], row["contract_no"])
    own = [each for each in commands if (each["supplier"], each["contract_no"]) == key]
    return {**{name: row[name] for name in names}, "lane": _lane_of(own)}


def _plain(rows: Iterable[Row]) -> Sequence[View]:
    return [dict(row) for row in rows]


def _application(row: Row) -> View:
    """An application for invoices, and what was made out."""
    return {name: row[name] for name in ("mark_id", "state", "asked", "invoices", "changed_at")}


def _after_sale(row: Row) -> View:
    names = ("service_no", "kind", "state", "lines", "supplier_service_no", "created_at", "changed_at")
    return {**{name: row[name] for name in names}, "supplier_order_no": row["supplier_order_no"] or None}


def _number(row: Row) -> View:
    return {name: row[name] for name in ("supplier_order_no", "state", "superseded")}
