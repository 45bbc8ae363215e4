"""Applications for invoices in PostgreSQL: which there are, where they stand, which have to be read."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TypeAlias

import orjson
from pydantic import TypeAdapter, ValidationError

from gateway.relay import invoice_queries as queries
from gateway.relay.goods import accepted_goods
from gateway.relay.invoices import Application
from gateway.store import Connection, Row
from schemas.orders import InvoiceState, RequestInvoice, StateVerdict
from schemas.orders.commands import Submission
from schemas.orders.events import (
    InvoiceExpiredEvent,
    InvoiceRefusedEvent,
    InvoiceRequestedEvent,
    OrderEvent,
    SupplierMessage,
)
from schemas.orders.invoice_states import judge_invoice
from schemas.orders.invoice_sums import OrderFacts, order_facts
from schemas.orders.invoices import InvoiceAmounts, IssuedInvoice

Key: TypeAlias = tuple[str, str]
"""A supplier and the mall's number of an application."""

_INVOICES: TypeAdapter[tuple[IssuedInvoice, ...]] = TypeAdapter(tuple[IssuedInvoice, ...])


@dataclass(frozen=True, slots=True)
class DueApplication:
    """An application that has to be read. seq: another one each time it is asked."""

    mark_id: str
    seq: int
    failures: int
    message: SupplierMessage


async def insert_applications(connection: Connection, asked: Sequence[RequestInvoice]) -> Collection[Key]:
    """Keep applications that are new; the keys of those that were another one before."""
    if not asked:
        return ()
    rows = {_key(each): _row(each) for each in reversed(asked)}
    await connection.execute(queries.INSERT, *zip(*(rows[key] for key in sorted(rows)), strict=True))
    found = await connection.fetch(queries.CONTENTS, *zip(*rows, strict=True))
    contents = {(row["supplier"], row["mark_id"]): row["content"] for row in found}
    return {_key(each) for each in asked if contents[_key(each)] != content_of(each)}


def content_of(asked: RequestInvoice) -> bytes:
    """Digest of what an application asks for."""
    return hashlib.sha256(asked.order_no.encode() + b"\n" + asked.payload.model_dump_json().encode()).digest()


async def lock_applications(connection: Connection, keys: Iterable[Key]) -> Mapping[Key, Application]:
    """Those of these applications that there are, locked."""
    wanted = sorted(set(keys))
    if not wanted:
        return {}
    rows = await connection.fetch(queries.LOCK, *zip(*wanted, strict=True))
    return {(row["supplier"], row["mark_id"]): application_of(row) for row in rows}


async def keep(connection: Connection, applications: Sequence[Application]) -> None:
    """Keep where applications stand. The caller has locked them."""
    if applications:
        await connection.execute(queries.KEEP, *zip(*map(_kept, applications), strict=True))


async def facts_of_order(connection: Connection, known: Application, ordered: Submission | None) -> OrderFacts:
    """What the order of an application comes to, as far as it is known. ordered: None where that cannot be read."""
    elsewhere = await connection.fetchval(queries.ELSEWHERE, known.supplier, known.order_no, known.mark_id)
    return order_facts(ordered, elsewhere, await accepted_goods(connection, known.supplier, known.order_no))


async def note_answers(connection: Connection, events: Iterable[OrderEvent]) -> None:
    """Move the applications whose commands have come to their end. What another command did stays as it is."""
    ends = {key: state for event in events for key, state in _ends(event)}
    known = await lock_applications(connection, ends)
    await keep(connection, [replace(each, state=ends[key]) for key, each in known.items() if _ends_in(each, ends[key])])


async def ask(connection: Connection, supplier: str, marks: Mapping[str, SupplierMessage]) -> None:
    """Have applications read, once each, for the message that asked last."""
    if marks:
        in_order = sorted(marks)
        messages = [marks[mark_id].model_dump_json() for mark_id in in_order]
        await connection.execute(queries.ASK, supplier, in_order, messages)


async def next_due(connection: Connection, supplier: str) -> DueApplication | None:
    """The application that is due longest."""
    row = await connection.fetchrow(queries.DUE, supplier)
    if row is None:
        return None
    message = SupplierMessage.model_validate(row["asked_by"], extra="ignore")
    return DueApplication(row["mark_id"], row["seq"], row["failures"], message)


async def done(connection: Connection, supplier: str, due: DueApplication) -> None:
    """Forget that it was asked, unless it was asked again since."""
    await connection.execute(queries.DONE, supplier, due.mark_id, due.seq)


async def postpone(connection: Connection, supplier: str, due: DueApplication, wait: timedelta) -> None:
    """Have it wait, unless it was asked again since."""
    await connection.execute(queries.LATER, supplier, due.mark_id, due.seq, wait)


def application_of(row: Row) -> Application:
    """The application of a row; what another release wrote of its amounts is not known."""
    return Application(
        supplier=row["supplier"],
        mark_id=row["mark_id"],
        order_no=row["order_no"],
        state=InvoiceState(row["state"]),
        tenant=row["tenant"],
        asked=_amounts(row["asked"]),
        invoices=_INVOICES.validate_json(orjson.dumps(row["invoices"])),
    )


def _amounts(amounts: object) -> InvoiceAmounts | None:
    try:
        return InvoiceAmounts.model_validate_json(orjson.dumps(amounts))
    except ValidationError:
        return None


def _key(asked: RequestInvoice) -> Key:
    return asked.supplier, asked.payload.mark_id


def _row(asked: RequestInvoice) -> tuple[object, ...]:
    amounts = asked.payload.amounts.model_dump_json()
    return (*_key(asked), asked.order_no, asked.tenant, content_of(asked), amounts)


def _kept(known: Application) -> tuple[object, ...]:
    invoices = orjson.dumps([each.model_dump(mode="json", exclude={"url"}) for each in known.invoices]).decode()
    return known.supplier, known.mark_id, known.state.value, invoices, known.gross


def _ends(event: OrderEvent) -> Iterator[tuple[Key, InvoiceState]]:
    """Where an event that ends a command leaves its application."""
    match event:
        case InvoiceRequestedEvent(payload=payload, supplier=supplier):
            yield (supplier, payload.mark_id), InvoiceState.REQUESTED
        case (
            InvoiceRefusedEvent(payload=refused, supplier=supplier)
            | InvoiceExpiredEvent(payload=refused, supplier=supplier)
        ) if event.cause.command_id is not None and refused.mark_id is not None:
            yield (supplier, refused.mark_id), InvoiceState.REFUSED
        case _:
            pass


def _ends_in(known: Application, state: InvoiceState) -> bool:
    if state is InvoiceState.REFUSED and known.state is not InvoiceState.DRAFT:
        return False
    return judge_invoice(known.state, state).verdict is StateVerdict.MOVES
