"""Message pools: fetch, remember with what has to follow in one transaction, then have the supplier delete.

A pool delivers at least once: what was remembered before is only deleted again. What says something odd becomes a dead
letter first and is deleted too, so that no message stalls the pool. A message of a type that the adapter does not know
is somebody else's: it becomes a dead letter once and stays where it is, until an adapter knows it or an operator
discards the letter.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import structlog
from pydantic import TypeAdapter, ValidationError

from gateway.deadletters import DeadLetter
from gateway.deadletters import record as record_letters
from gateway.evidence import Entry, append, body_of, orders_of
from gateway.pulls import queries
from gateway.pulls.backoff import Backoff
from gateway.pulls.context import AREAS, INVOICES, ORDERS, SupplierContext
from gateway.sdk.adapter import FollowUp, Message, PollsMessages, Reread, RereadAreas, RereadInvoices, RereadOrder
from gateway.sdk.errors import (
    ContractError,
    InvalidMessageError,
    Issue,
    RejectedError,
    SupplierError,
    UnknownMessageError,
)
from gateway.sdk.invoices import RequestsInvoices
from gateway.sdk.orders import ReadsOrders
from gateway.sdk.storable import storable
from gateway.sdk.wire import shown
from gateway.store import Connection, Row
from gateway.store.outage import retry_while_unavailable
from gateway.suppliers import SecretBox
from gateway.telemetry import metrics
from gateway.telemetry.failpoints import failpoint
from schemas.base import valid_sku
from schemas.orders.events import SupplierMessage
from schemas.orders.parts import Reference

log = structlog.get_logger(__name__)

STAGE = "pool"
"""Where a message was not understood; a replay reads it again with the adapter of today."""

FORGET_SECONDS = 3600.0
"""How often messages are forgotten that came so long ago that no pool brings them again."""

MOST_CHARACTERS = 128
"""Of a message's id or type, and of an area; a sku has a type of its own."""

MOST_TOGETHER = 200
"""Messages that are understood and remembered at once; a pool may bring any number."""

_REFERENCE: TypeAdapter[str] = TypeAdapter(Reference)

Key = tuple[str, str, bytes]
"""Type, id and digest of a message: ids are reused."""


@dataclass(frozen=True, slots=True)
class Understood:
    """What messages ask for. subjects: (subject, key) of re-reads, each once; letters: those that ask for nothing.

    unknown: letters of those that have to stay at the supplier, by the message's key; orders: the supplier's numbers of
    orders to read, and the mall's of applications for invoices, each with the last message that asked; about: all that
    ask, each with what it is about, as subject and number.
    """

    subjects: frozenset[tuple[str, str]]
    letters: Sequence[DeadLetter]
    unknown: Mapping[Key, DeadLetter]
    orders: Mapping[str, SupplierMessage] = field(default_factory=dict)
    invoices: Mapping[str, SupplierMessage] = field(default_factory=dict)
    about: Sequence[tuple[tuple[str, str], Message]] = ()

    @property
    def asked(self) -> frozenset[tuple[str, str]]:
        """All that is reread, orders too."""
        numbers = {(ORDERS, number) for number in self.orders} | {(INVOICES, number) for number in self.invoices}
        return self.subjects | numbers


class Pool:
    """One message pool of one supplier. box: seals what messages say of orders."""

    def __init__(self, context: SupplierContext, name: str, box: SecretBox) -> None:
        self._context = context
        self._box = box
        self._name = name
        self._adapter = cast(PollsMessages, context.adapter)
        self._read = {AREAS, *context.facets}
        self._signalled = {*self._read, ORDERS, INVOICES}

    async def run(self) -> None:
        """Look, as often as the supplier's row says. Raises DrainingError between two looks."""
        backoff, forgot_at = Backoff(self._context, f"pool {self._name}"), float("-inf")
        while True:
            self._context.drain.check()
            if time.monotonic() - forgot_at >= FORGET_SECONDS:
                forgot_at = time.monotonic()
                async with self._context.transaction() as connection:
                    await connection.execute(queries.FORGET_MESSAGES, self._context.supplier.id)
            try:
                while await self.cycle():
                    backoff.well()
                    self._context.drain.check()
            except SupplierError as error:
                await backoff.wait(error)
            else:
                backoff.well()
                await self._context.drain.rest(self._context.supplier.config.messages)

    async def cycle(self) -> bool:
        """Take what waits; False when nothing does that was not taken before. Raises SupplierError."""
        messages = await self._adapter.fetch(self._context.urgent, self._name)
        if not messages:
            return False
        failpoint("pool.fetched")
        news = unknown = 0
        for start in range(0, len(messages), MOST_TOGETHER):
            new, strange = await self._take(messages[start : start + MOST_TOGETHER])
            news, unknown = news + new, unknown + strange
        flaw = f"{unknown} of unknown types wait at the supplier" if unknown else None
        self._context.report_health(f"messages of {self._name}", flaw)
        return news > 0

    async def _take(self, messages: Sequence[Message]) -> tuple[int, int]:
        """Take some of what waits; how many are new, and how many of unknown types."""
        news, settled, unknown = await retry_while_unavailable(self._remember, messages)
        failpoint("pool.remembered")
        if settled:
            await self._delete(settled)
        failpoint("pool.acknowledged")
        metrics.pool_messages_total.labels(supplier=self._context.supplier.id, pool=self._name).inc(news)
        return news, unknown

    async def _delete(self, messages: Sequence[Message]) -> None:
        """Have them deleted; one that the supplier does not delete keeps no other. Raises TransientError, AuthError."""
        try:
            await self._adapter.acknowledge(self._context.urgent, self._name, messages)
        except (ContractError, RejectedError) as error:
            if len(messages) == 1:
                log.warning(
                    "message.not_deleted", supplier=self._context.supplier.id, pool=self._name, reason=str(error)
                )
                return
            for message in messages:
                await self._delete([message])

    async def _remember(self, messages: Sequence[Message]) -> tuple[int, Sequence[Message], int]:
        """Keep what is new, with what has to follow from it.

        How many are new, those that may be deleted, and how many are of unknown types.
        """
        supplier = self._context.supplier.id
        by_key = {key_of(message): message for message in messages}
        async with self._context.transaction() as connection:
            keys = (supplier, self._name, *_columns(by_key))
            taken = {_key(row) for row in await connection.fetch(queries.TAKE_MESSAGES, *keys)}
            waiting = {_key(row) for row in await connection.fetch(queries.WAITING_MESSAGES, *keys)}
            understood = understand(self._adapter, [by_key[key] for key in sorted(taken | waiting)], supplier)
            unknown = await _undecided(connection, understood.unknown)
            await _mark(connection, supplier, self._name, {key: key in unknown for key in taken | waiting})
            # A pool tells of everything; what the supplier does not feed nobody would ever read.
            subjects = [each for each in understood.subjects if each[0] in self._read]
            await ask_rereads(connection, supplier, subjects)
            await ask_orders(connection, supplier, understood.orders)
            await ask_invoices(connection, supplier, understood.invoices)
            await self._keep_evidence(connection, understood.about)
            new_letters = [letter for key, letter in understood.unknown.items() if key in taken]
            await record_letters(connection, [*understood.letters, *new_letters])
        for subject in {subject for subject, _ in (*subjects, *understood.asked) if subject in self._signalled}:
            self._context.signals[subject].set()
        settled = [message for key, message in by_key.items() if key not in unknown]
        return len(taken), settled, len(unknown)

    async def _keep_evidence(self, connection: Connection, about: Sequence[tuple[tuple[str, str], Message]]) -> None:
        """Keep messages as evidence of the orders that they are about, as far as it is known which these are."""
        if not about:
            return
        supplier = self._context.supplier.id
        orders = await _orders_of(connection, supplier, {subject for subject, _ in about})
        entries = [
            Entry(
                supplier,
                orders[subject],
                "message",
                facts={"pool": self._name, **_log_fields(subject), **_asking(message).model_dump(mode="json")},
                private={"message": body_of(message.raw)},
            )
            for subject, message in about
            if subject in orders
        ]
        await append(connection, self._box, entries)


def _log_fields(subject: tuple[str, str]) -> Mapping[str, str]:
    kind, number = subject
    return {"mark_id" if kind == INVOICES else "supplier_order_no": number}


async def _orders_of(
    connection: Connection, supplier: str, subjects: Iterable[tuple[str, str]]
) -> Mapping[tuple[str, str], str]:
    """Of which orders of ours these are, as far as that is known."""
    numbers: dict[str, set[str]] = {ORDERS: set(), INVOICES: set()}
    for kind, number in subjects:
        numbers[kind].add(number)
    orders = await orders_of(connection, supplier, numbers[ORDERS])
    rows = await connection.fetch(queries.ORDERS_OF_INVOICES, supplier, sorted(numbers[INVOICES]))
    invoices = {(INVOICES, row["mark_id"]): str(row["order_no"]) for row in rows}
    return {(ORDERS, number): order_no for number, order_no in orders.items()} | invoices


def key_of(message: Message) -> Key:
    """What makes it the same message when it comes again."""
    return _kept(message.type), _kept(message.id), hashlib.sha256(message.raw).digest()


def _kept(text: str) -> str:
    """A text as its column can hold it: one that is too long, or has what no column holds, as its digest."""
    if len(text) <= MOST_CHARACTERS and storable(text) == text:
        return text
    return f"sha256:{hashlib.sha256(text.encode(errors='surrogatepass')).hexdigest()}"


def _key(row: Row) -> Key:
    return row["type"], row["id"], row["sha256"]


async def _undecided(connection: Connection, unknown: Mapping[Key, DeadLetter]) -> set[Key]:
    """Those whose letter nobody has decided about."""
    rows = await connection.fetch(queries.DECIDED_LETTERS, [letter.id for letter in unknown.values()])
    decided = {row["id"] for row in rows}
    return {key for key, letter in unknown.items() if letter.id not in decided}


async def _mark(connection: Connection, supplier: str, pool: str, waits: Mapping[Key, bool]) -> None:
    in_order = sorted(waits)
    await connection.execute(
        queries.MARK_WAITING, supplier, pool, *_columns(in_order), [waits[key] for key in in_order]
    )


def _columns(keys: Iterable[Key]) -> tuple[list[str], list[str], list[bytes]]:
    in_order = sorted(keys)
    return [key[0] for key in in_order], [key[1] for key in in_order], [key[2] for key in in_order]


def understand(adapter: PollsMessages, messages: Iterable[Message], supplier: str) -> Understood:
    """What follows from messages. Pure, whatever the adapter raises."""
    subjects: set[tuple[str, str]] = set()
    letters: list[DeadLetter] = []
    unknown: dict[Key, DeadLetter] = {}
    numbered: dict[str, dict[str, SupplierMessage]] = {ORDERS: {}, INVOICES: {}}
    about: list[tuple[tuple[str, str], Message]] = []
    able = {ORDERS: isinstance(adapter, ReadsOrders), INVOICES: isinstance(adapter, RequestsInvoices)}
    for message in messages:
        asked: set[tuple[str, str]] = set()
        try:
            for follow_up in adapter.follow_ups(message):
                asked |= subjects_of(follow_up, able)
            subjects |= {each for each in asked if each[0] not in numbered}
            for kind, number in (each for each in asked if each[0] in numbered):
                numbered[kind][number] = _asking(message)
                about.append(((kind, number), message))
        except UnknownMessageError as error:
            issue = Issue("unknown_message", actual=f"type {message.type}: {error}")
            unknown[key_of(message)] = _letter(message, supplier, issue)
        except (ContractError, InvalidMessageError) as error:
            letters.append(_letter(message, supplier, Issue("unknown_message", actual=f"type {message.type}: {error}")))
        except Exception as error:
            log.exception("message.failed", supplier=supplier, type=message.type)
            letters.append(_letter(message, supplier, Issue("processing_failed", actual=type(error).__name__)))
    return Understood(frozenset(subjects), letters, unknown, numbered[ORDERS], numbered[INVOICES], about)


def subjects_of(follow_up: FollowUp, able: Mapping[str, bool]) -> set[tuple[str, str]]:
    """The re-reads that a follow-up is. Raises InvalidMessageError for a sku, area or order that cannot be one.

    able: of what is read by number, whether the adapter reads it. Raises UnknownMessageError where it does not: the
    message stays at the supplier for whoever does.
    """
    match follow_up:
        case Reread(sku=sku, facets=facets):
            if valid_sku(sku) is None:
                raise InvalidMessageError(Issue("validation_failed", "/sku", sku[:64], "a sku"))
            return {(facet.value, sku) for facet in facets}
        case RereadAreas(parent=parent):
            if _kept(parent) != parent:
                raise InvalidMessageError(Issue("validation_failed", "/parent", parent[:64], "an area"))
            return {(AREAS, parent)}
        case RereadOrder(supplier_order_no=number):
            return {_numbered(ORDERS, number, "/order", "a supplier's number of an order", able)}
        case RereadInvoices(mark_id=number):
            return {_numbered(INVOICES, number, "/mark_id", "the mall's number of an application", able)}


def _numbered(kind: str, number: str, path: str, wanted: str, able: Mapping[str, bool]) -> tuple[str, str]:
    if not able[kind]:
        raise UnknownMessageError(f"about {kind}, and nothing here reads {kind}")
    try:
        return kind, _REFERENCE.validate_python(number)
    except ValidationError as error:
        raise InvalidMessageError(Issue("validation_failed", path, shown(number[:64]), wanted)) from error


def _asking(message: Message) -> SupplierMessage:
    """The message as events name it; a type or id that they cannot hold is told apart by its digest."""
    try:
        return SupplierMessage(type=_kept(message.type), id=_kept(message.id))
    except ValidationError:
        words = (message.type, message.id, message.raw.hex() if not message.id else "")
        digest = hashlib.sha256("\n".join(words).encode(errors="surrogatepass")).hexdigest()
        return SupplierMessage(type="message", id=f"sha256:{digest}")


async def ask_rereads(connection: Connection, supplier: str, subjects: Iterable[tuple[str, str]]) -> None:
    """Have these reread, once each, however many messages ask for it."""
    in_order = sorted(subjects)
    if in_order:
        columns: Mapping[int, list[str]] = {place: [subject[place] for subject in in_order] for place in (0, 1)}
        await connection.execute(queries.ASK_REREADS, supplier, columns[0], columns[1])


async def ask_orders(connection: Connection, supplier: str, orders: Mapping[str, SupplierMessage]) -> None:
    """Have these orders reread, once each, for the message that asked last."""
    if orders:
        messages = [message.model_dump_json() for _, message in sorted(orders.items())]
        await connection.execute(queries.ASK_ORDERS, supplier, sorted(orders), messages)


async def ask_invoices(connection: Connection, supplier: str, marks: Mapping[str, SupplierMessage]) -> None:
    """The same of applications for invoices."""
    if marks:
        messages = [message.model_dump_json() for _, message in sorted(marks.items())]
        await connection.execute(queries.ASK_INVOICES, supplier, sorted(marks), messages)


def _letter(message: Message, supplier: str, issue: Issue) -> DeadLetter:
    return DeadLetter(
        stage=STAGE,
        issues=(Issue(issue.code, issue.path, issue.actual[:200], issue.expected),),
        original=message.raw,
        supplier=supplier,
        key=f"{_kept(message.type)}:{_kept(message.id)}".encode(),
    )
