"""Orders that have to be reread, in PostgreSQL: which are due, the known state of them, what a reading leaves."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from pydantic import ValidationError

from gateway.relay import reread_queries as queries
from gateway.relay.after_sales import lock_services
from gateway.relay.orders import Order, lock_orders
from gateway.relay.readings import Number, StoredOrder
from gateway.relay.store import open_command
from gateway.store import Connection, Row
from gateway.suppliers import SecretBox
from schemas.orders import Operation, State, SubmitOrder
from schemas.orders.events import SupplierMessage

OWN_REQUEST = "reread"
"""Type of the message of a reading that no message of the supplier asked for; its id names the number that was read."""


@dataclass(frozen=True, slots=True)
class RereadRequest:
    """A number that has to be read. seq: another one each time it is asked; message: None for a doubt of ours."""

    number: str
    seq: int
    failures: int
    message: SupplierMessage | None

    @property
    def cause(self) -> SupplierMessage:
        """What events of the reading report."""
        return self.message or SupplierMessage(type=OWN_REQUEST, id=f"{self.number[:100]}/{self.seq}")


@dataclass(frozen=True, slots=True)
class DueReread:
    """What is read at once: all that is asked about one order, or one number of nobody knows which order (None)."""

    asked: Sequence[RereadRequest]
    order_no: str | None

    @property
    def numbers(self) -> frozenset[str]:
        """The numbers that are asked about."""
        return frozenset(each.number for each in self.asked)

    @property
    def failures(self) -> int:
        """In a row, of the one that failed least: what is asked again waits no longer than it would alone."""
        return min(each.failures for each in self.asked)

    @property
    def cause(self) -> SupplierMessage:
        """The latest message that asked; a doubt of ours only where no message did."""
        messages = [each for each in self.asked if each.message is not None]
        return (messages or self.asked)[-1].cause


async def next_due(
    connection: Connection, supplier: str, *, orders: Collection[str], numbers: Collection[str]
) -> DueReread | None:
    """What is due longest, but for orders and numbers that are being read already."""
    row = await connection.fetchrow(queries.DUE, supplier, list(orders), list(numbers))
    if row is None:
        return None
    if row["order_no"] is None:
        rows = await connection.fetch(queries.ASKED_NUMBER, supplier, row["supplier_order_no"])
    else:
        rows = await connection.fetch(queries.ASKED_ORDER, supplier, row["order_no"])
    return DueReread([_asked(each) for each in rows], row["order_no"]) if rows else None


async def load_order(connection: Connection, box: SecretBox, supplier: str, order_no: str) -> StoredOrder:
    """All that is known of an order, locked."""
    key = (supplier, order_no)
    order = (await lock_orders(connection, [(key, None)]))[key]
    rows = await connection.fetch(queries.NUMBERS_OF, supplier, order_no)
    numbers = {row["supplier_order_no"]: _number(row) for row in rows}
    services = await lock_services(connection, supplier, order_no)
    return StoredOrder(order, numbers, await _submit(connection, box, order), tuple(services.values()))


async def store_numbers(connection: Connection, order: Order, numbers: Sequence[Number]) -> None:
    """Keep what was told of numbers of an order."""
    rows = [
        (each.supplier_order_no, each.state and each.state.value, each.superseded, "\n".join(sorted(each.reported)))
        for each in numbers
    ]
    if rows:
        await connection.execute(queries.KEEP_NUMBERS, order.supplier, order.order_no, *zip(*rows, strict=True))


async def find_owner(connection: Connection, supplier: str, number: str, order_no: str | None) -> str | None:
    """The mall's number of an order, by the supplier's number or what the supplier repeats of ours; None: not ours."""
    known: str | None = await connection.fetchval(queries.OWNER_OF, supplier, number)
    if known is not None or order_no is None:
        return known
    return order_no if await connection.fetchval(queries.IS_OURS, supplier, order_no) else None


async def has_undecided_submit(connection: Connection, supplier: str) -> bool:
    """Whether a submit is under way, whose answer will tell the supplier's number of its order."""
    return bool(await connection.fetchval(queries.UNDECIDED, supplier))


async def lock_requests(connection: Connection, supplier: str, asked: Sequence[RereadRequest]) -> None:
    """Have nobody ask for these until the transaction ends: before anything that others lock after them."""
    await connection.fetch(queries.HOLD, supplier, [each.number for each in asked])


async def delete_requests(connection: Connection, supplier: str, asked: Sequence[RereadRequest]) -> None:
    """Forget that these were asked, but for those that were asked again since."""
    await connection.execute(queries.DONE, supplier, *_columns(asked))


async def request_again(
    connection: Connection, supplier: str, numbers: Collection[str], cause: SupplierMessage
) -> None:
    """Have orders read again for what they were read for before: what is told of them then has the ids it had."""
    message = None if cause.type == OWN_REQUEST else cause.model_dump(mode="json")
    await connection.execute(queries.ASK_ONCE_MORE, supplier, list(numbers), message)


async def postpone(connection: Connection, supplier: str, asked: Sequence[RereadRequest], wait: timedelta) -> None:
    """Have these wait, but for those that were asked again since."""
    await connection.execute(queries.LATER, supplier, *_columns(asked), wait)


async def note_cancelled_children(connection: Connection, supplier: str, children: Sequence[tuple[str, str]]) -> None:
    """That a command of ours cancelled these children, which its answer tells: no reading tells it once more.

    children: our number of the order, and the supplier's of the child.
    """
    await connection.execute(queries.CHILDREN_CANCELLED, supplier, *map(list, zip(*children, strict=True)))


def _columns(asked: Sequence[RereadRequest]) -> tuple[list[str], list[int]]:
    return [each.number for each in asked], [each.seq for each in asked]


def _asked(row: Row) -> RereadRequest:
    return RereadRequest(row["supplier_order_no"], row["seq"], row["failures"], _message(row["asked_by"]))


def _message(value: Any) -> SupplierMessage | None:
    """The message that asked; None: none did, or what another release wrote names none that can be told of."""
    try:
        return None if value is None else SupplierMessage.model_validate(value, extra="ignore")
    except ValidationError:
        return None


def _number(row: Row) -> Number:
    state = State(row["state"]) if row["state"] else None
    return Number(row["supplier_order_no"], state, row["superseded"], frozenset(row["told"]))


async def _submit(connection: Connection, box: SecretBox, order: Order) -> SubmitOrder | None:
    row = await connection.fetchrow(queries.SUBMIT_OF, order.supplier, order.order_no, Operation.SUBMIT.value)
    if row is None:
        return None
    submit = open_command(box, order.supplier, Operation.SUBMIT, row)
    return submit if isinstance(submit, SubmitOrder) else None
