"""The mailbox: commands of suppliers without an API, which their vendors fetch and acknowledge.

No process owns such a supplier. Whoever looks at its lanes locks their rows, so that several processes deliver each
command once at a time and in its order's order. A delivery is durable before the answer that holds it leaves. Orders
are looked at together; one that cannot be, as where another release wrote it, is set aside alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial
from itertools import groupby
from typing import NamedTuple, TypeAlias

import orjson
import structlog

from gateway.deadletters import record as record_letters
from gateway.relay import mailbox_queries as queries
from gateway.relay.commands import Command
from gateway.relay.ends import Origin, ending_news, undecided_letter, undecided_news
from gateway.relay.lanes import Lane
from gateway.relay.mailbox_lanes import VISIBILITY, Change, Look, acknowledged, delivered, look
from gateway.relay.orders import News, tell
from gateway.relay.sealed import sealed_as
from gateway.relay.states import ENDED, State
from gateway.relay.steps import Kind, Step, write_steps
from gateway.relay.store import command_of, move
from gateway.sdk.errors import OverloadedError, ServiceUnavailableError
from gateway.store import Connection, Row, SharedPool
from gateway.suppliers import SecretBox, SecretUnreadableError
from gateway.telemetry.supervise import Supervisor
from schemas.orders import Operation
from schemas.orders.facts import SENT

log = structlog.get_logger(__name__)

MOST_BYTES = 2 * 1024 * 1024
"""Of the commands of one answer; a larger one comes alone."""

UNREADABLE_WAIT = timedelta(seconds=60)
"""After so long a command that cannot be opened is tried again; the other orders go on meanwhile."""

ENDED_AT_ONCE = 500
"""Lanes that are looked at in one transaction for what ends by time."""

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Message:
    """A command that a vendor fetched. value: the command as JSON; delivery: from 1, how often it was fetched."""

    id: str
    operation: Operation
    value: bytes
    delivery: int
    visible_again_at: datetime


class Acknowledgement(StrEnum):
    """What became of the acknowledgement of one message.

    unknown: the supplier was not given such a message; withdrawn: it was, and is not to act on it any more.
    """

    ACKNOWLEDGED = "acknowledged"
    UNKNOWN = "unknown"
    WITHDRAWN = "withdrawn"


class OrderOf(NamedTuple):
    """An order of a supplier, as it is named where it is set aside."""

    supplier: str
    order_no: str

    def __str__(self) -> str:
        return f"{self.supplier}/{self.order_no}"


Work: TypeAlias = Callable[[Sequence[str]], Awaitable[Sequence[Message]]]
"""What is done for some orders of a supplier in one transaction, and what is delivered by it."""


def utc_now() -> datetime:
    """The time."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class _Found:
    """Lanes that are locked, as they were looked at, and where their commands came from."""

    looks: Sequence[Look]
    origins: Mapping[str, Origin]

    def of(self, command: Command) -> Origin:
        """Where a command came from."""
        return self.origins[command.command_id]


class Mailbox:
    """Of all suppliers whose vendors fetch. pool: each supplier has its share; box: opens what commands say.

    Methods raise StoreUnavailableError: nothing was done, or all of it.
    """

    def __init__(self, pool: SharedPool, box: SecretBox, clock: Clock = utc_now) -> None:
        self._pool = pool
        self._box = box
        self._clock = clock
        self.supervisor = Supervisor[OrderOf]("mailbox_orders", "order")

    async def fetch(self, supplier: str, most: int) -> Sequence[Message]:
        """Deliver the first commands of orders, that which waits longest first, of each order one at a time."""
        now = self._clock()
        asked = (supplier, now, now - VISIBILITY, most, self._aside(supplier))
        async with self._pool.acquired(supplier) as connection:
            rows = await connection.fetch(queries.FETCHABLE, *asked)
        messages = await self._each_alone(supplier, rows, partial(self._deliver, supplier, now))
        if messages:
            log.info("mailbox.fetched", supplier=supplier, messages=len(messages))
        return messages

    async def acknowledge(self, supplier: str, ids: Collection[str]) -> Mapping[str, Acknowledgement]:
        """What the vendor says he has. One said before is acknowledged again and changes nothing."""
        async with self._pool.acquired(supplier) as connection, connection.transaction():
            rows = await connection.fetch(queries.LOCK_DELIVERED, supplier, list(ids))
            commands = _readable(rows)
            changes = [Change(each, after) for each in commands if (after := acknowledged(each)) is not None]
            await move(connection, [(each.was, each.now) for each in changes])
            await connection.execute(queries.ACKNOWLEDGED, [each.was.command_id for each in changes])
            await write_steps(connection, self._box, [_step(each.now, Kind.ACKNOWLEDGED) for each in changes])
        taken = {each.was.command_id for each in changes}
        told = {each.command_id: _told(each, taken) for each in commands}
        return {each: told.get(each, Acknowledgement.UNKNOWN) for each in ids}

    async def end_due(self, supplier: str) -> int:
        """End what ends by time, or was cancelled before it was fetched; how many orders were looked at."""
        now = self._clock()
        async with self._pool.acquired(supplier) as connection:
            rows = await connection.fetch(queries.ENDING, supplier, now, ENDED_AT_ONCE, self._aside(supplier))
        await self._each_alone(supplier, rows, partial(self._end, supplier, now))
        return len(rows)

    async def forget_keys(self) -> None:
        """Forget keys of vendors' answers whose time is over."""
        async with self._pool.acquired(None) as connection:
            await connection.execute(queries.FORGET_KEYS)

    def _aside(self, supplier: str) -> list[str]:
        return [order.order_no for order in self.supervisor.not_due() if order.supplier == supplier]

    async def _each_alone(self, supplier: str, rows: Sequence[Row], work: Work) -> Sequence[Message]:
        """Work on the orders of rows together; after a fault on each alone: the one at fault is set aside."""
        orders = [str(row["order_no"]) for row in rows]
        try:
            return await work(orders) if orders else []
        except (OverloadedError, ServiceUnavailableError):
            raise
        except Exception as error:  # noqa: BLE001 -- of which order it is a fault is found out below, and told there
            log.warning("mailbox.fault", supplier=supplier, orders=len(orders), error=type(error).__name__)
        messages: list[Message] = []
        for order_no in orders:
            if sum(len(each.value) for each in messages) >= MOST_BYTES:
                break
            messages += await self.supervisor.run(OrderOf(supplier, order_no), partial(work, [order_no])) or ()
            self.supervisor.raise_outage()
        return messages

    async def _deliver(self, supplier: str, now: datetime, orders: Sequence[str]) -> Sequence[Message]:
        async with self._pool.acquired(supplier) as connection, connection.transaction():
            found = await self._locked(connection, supplier, orders, now)
            ready = [look.ready for look in found.looks if look.ready is not None]
            opened = await self._opened(connection, [each.was.command_id for each in ready])
            changes = [_after_fetch(each, opened, now) for each in ready]
            await self._settle(connection, found, changes, now)
            sent = {each.now.command_id: each.now for each in changes if each.now.state is State.SENDING}
            return [_message(sent[each], value) for each, value in opened.items() if value is not None]

    async def _end(self, supplier: str, now: datetime, orders: Sequence[str]) -> Sequence[Message]:
        async with self._pool.acquired(supplier) as connection, connection.transaction():
            await self._settle(connection, await self._locked(connection, supplier, orders, now), [], now)
        return []

    async def _locked(self, connection: Connection, supplier: str, orders: Sequence[str], now: datetime) -> _Found:
        rows = await connection.fetch(queries.LOCK_LANES, supplier, orders)
        ordered = {row["order_no"] for row in await connection.fetch(queries.ORDERED, supplier, orders)}
        lanes = [
            Lane([command_of(row) for row in lane], order_no in ordered)
            for order_no, lane in groupby(rows, key=lambda row: str(row["order_no"]))
        ]
        return _Found([look(lane, now) for lane in lanes], origins(rows))

    async def _opened(self, connection: Connection, ids: Sequence[str]) -> Mapping[str, bytes | None]:
        """What commands say, of those that fit into one answer; None: it cannot be opened."""
        if not ids:
            return {}
        rows = await connection.fetch(queries.SEALED_UP_TO, ids, MOST_BYTES)
        return {row["command_id"]: self._open(row) for row in rows}

    def _open(self, row: Row) -> bytes | None:
        try:
            value = self._box.open(row["supplier"], sealed_as(row["command_id"]), row["sealed"])
            orjson.loads(value)  # it becomes a part of an answer with others
        except (SecretUnreadableError, orjson.JSONDecodeError):
            log.exception("mailbox.unreadable", command=row["command_id"])
            return None
        return value

    async def _settle(self, connection: Connection, found: _Found, fetched: Sequence[Change], now: datetime) -> None:
        """Keep what the looks came to and what was fetched, and tell the core."""
        ended = [(each.now, look.ordered) for look in found.looks for each in look.changes if each.now.state in ENDED]
        died = [each.now for look in found.looks for each in look.changes if each.now.state is State.DEAD]
        sent = [each.now for each in fetched if each.now.state is State.SENDING]
        changes = [*(each for look in found.looks for each in look.changes), *fetched]
        await move(connection, [(each.was, each.now) for each in changes if each.was != each.now])
        if sent:
            keys = ((each.command_id, each.supplier, each.order_no) for each in sent)
            await connection.execute(queries.UNANSWERED, *zip(*keys, strict=True))
        await connection.execute(queries.ANSWERED, [each.command_id for each, _ in ended])
        await write_steps(connection, self._box, [_step(each, Kind.DELIVERED) for each in sent])
        await write_steps(connection, self._box, [_step(each, Kind.ENDED) for each, _ in ended])
        await write_steps(connection, self._box, [_step(each, Kind.STOPPED) for each in died])
        news = [_first_sent(each, found) for each in sent if each.attempt == 1]
        news += [each for command, ordered in ended for each in ending_news(command, found.of(command), now, ordered)]
        news += [undecided_news(each, found.of(each), now) for each in died]
        await tell(connection, self._box, news, readable=False)
        await record_letters(connection, [undecided_letter(each) for each in died])


def _readable(rows: Iterable[Row]) -> list[Command]:
    """The commands of rows; one whose state only another release knows is left to that."""
    found = []
    for row in rows:
        try:
            found.append(command_of(row))
        except ValueError:
            log.warning("mailbox.unknown_state", command=row["command_id"], state=row["state"])
    return found


def origins(rows: Iterable[Row]) -> Mapping[str, Origin]:
    """What events about commands repeat of them, by command."""
    return {row["command_id"]: Origin(row["tenant"], row["traceparent"]) for row in rows}


def _after_fetch(ready: Change, opened: Mapping[str, bytes | None], now: datetime) -> Change:
    """A command that was opened is delivered, one that did not fit waits for the next fetch."""
    if ready.was.command_id not in opened:
        return ready
    if opened[ready.was.command_id] is None:
        return Change(ready.was, _later(ready.now, now + UNREADABLE_WAIT))
    return delivered(ready, now)


def _later(command: Command, due_at: datetime) -> Command:
    return replace(command, due_at=due_at, reason="unreadable")


def _message(command: Command, value: bytes) -> Message:
    if command.sent_at is None:
        raise ValueError(f"{command.command_id} was not sent")
    operation = Operation(command.operation)
    return Message(command.command_id, operation, value, command.attempt, command.sent_at + VISIBILITY)


def _first_sent(command: Command, found: _Found) -> News:
    fact = SENT[Operation(command.operation)]
    return News(command.supplier, command.order_no, fact, tenant=found.of(command).tenant)


def _told(command: Command, taken: Collection[str]) -> Acknowledgement:
    if command.command_id in taken or command.state is State.CONFIRMED:
        return Acknowledgement.ACKNOWLEDGED
    return Acknowledgement.WITHDRAWN


def _step(command: Command, kind: Kind) -> Step:
    facts = {"operation": command.operation, "state": command.state.value, "attempt": command.attempt}
    facts |= {"reason": command.reason} if command.reason else {}
    return Step(command.supplier, command.order_no, kind, command.command_id, facts)
