"""The mailbox: commands of suppliers without an API, which their vendors fetch and acknowledge.

No process owns such a supplier. Whoever looks at its lanes locks their rows, so that several processes deliver each
command once at a time and in its order's order. A delivery is durable before the answer that holds it leaves. Orders
are looked at together; one that cannot be, as where another release wrote it, is set aside alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from functools import partial
from secrets import token_bytes

import orjson
import structlog

from gateway.evidence import body_of
from gateway.relay import mailbox_queries as queries
from gateway.relay.after_sales import open_services, refused
from gateway.relay.commands import Command, Origin, Role
from gateway.relay.contract_ends import contract_delivered
from gateway.relay.documents import DocumentLinks, signatures_by
from gateway.relay.lane_ends import Change
from gateway.relay.lane_store import LockedLanes, close_letters, lock_lanes, origins, settle, step_of
from gateway.relay.mailbox_lanes import VISIBILITY, acknowledged, decide_lane, delivered
from gateway.relay.order_batches import OrderBatches
from gateway.relay.orders import News, publish_news
from gateway.relay.sealed import sealed_as
from gateway.relay.states import State
from gateway.relay.steps import Kind, Step
from gateway.relay.store import command_of, move
from gateway.relay.transitions import moved
from gateway.store import Connection, Row, SharedPool
from gateway.suppliers import SecretBox, SecretUnreadableError, lease_of
from gateway.telemetry.failpoints import failpoint
from schemas.base import read
from schemas.contracts import ContractOperation
from schemas.orders import COMMANDS, AfterSaleCommand, Operation
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
    order_no: str
    """Its lane."""
    operation: Operation | ContractOperation
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


def utc_now() -> datetime:
    """The time."""
    return datetime.now(UTC)


class Mailbox:
    """Of all suppliers whose vendors fetch. pool: each supplier has its share; box: opens what commands say; links:
    makes the addresses of documents; without them, such as nobody can use.

    Methods raise StoreUnavailableError: nothing was done, or all of it.
    """

    def __init__(
        self, pool: SharedPool, box: SecretBox, clock: Clock = utc_now, links: DocumentLinks | None = None
    ) -> None:
        self._pool = pool
        self._box = box
        self._clock = clock
        self.links = links or DocumentLinks(signatures_by(token_bytes(32)))
        self._batches = OrderBatches("mailbox_orders")
        self.supervisor = self._batches.supervisor

    async def fetch(self, supplier: str, most: int) -> Sequence[Message]:
        """Deliver the first commands of orders, that which waits longest first, of each order one at a time."""
        now = self._clock()
        asked = (supplier, now, now - VISIBILITY, most, self._batches.set_aside(supplier))
        async with self._pool.acquired(supplier) as connection:
            rows = await connection.fetch(queries.FETCHABLE, *asked)
        return await self.hand_out(supplier, [row["order_no"] for row in rows])

    def aside(self, supplier: str) -> Sequence[str]:
        """Orders of a supplier of which nothing can be delivered for now, by a fault of their own."""
        return self._batches.set_aside(supplier)

    async def hand_out(self, supplier: str, orders: Sequence[str]) -> Sequence[Message]:
        """Deliver the first commands of these orders, where they may be delivered."""
        now = self._clock()
        messages = await self._batches.work(supplier, orders, partial(self._deliver, supplier, now), _fill_an_answer)
        if messages:
            failpoint("fetch.after_commit")
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
            await self._publish_acknowledged(connection, [each.now for each in changes], origins(rows))
            await close_letters(connection, [each.was for each in changes], "the vendor acknowledged it")
            failpoint("ack.before_commit")
        failpoint("ack.after_commit")
        taken = {each.was.command_id for each in changes}
        results = {each.command_id: _acknowledgement_of(each, taken) for each in commands}
        return {each: results.get(each, Acknowledgement.UNKNOWN) for each in ids}

    async def _publish_acknowledged(
        self, connection: Connection, taken: Sequence[Command], known: Mapping[str, Origin]
    ) -> None:
        """A command about a contract ends so; one about an order waits for what its vendor says of it."""
        ended = [each for each in taken if each.contract_no is not None]
        await connection.execute(queries.ANSWERED, [each.command_id for each in ended])
        steps, now = [step_of(each, Kind.ACKNOWLEDGED) for each in taken], self._clock()
        news = [contract_delivered(each, known[each.command_id], now) for each in ended]
        await publish_news(connection, self._box, news, readable=False, steps=steps)

    async def end_due(self, supplier: str) -> int:
        """End what ends by time, or was cancelled before it was fetched; in how many orders something did."""
        now = self._clock()
        orders = partial(self._ending, supplier, now)
        return await self._batches.process_pages(
            supplier, orders, partial(self._end, supplier, now), at_once=ENDED_AT_ONCE
        )

    async def _ending(self, supplier: str, now: datetime, behind: str) -> Sequence[str]:
        """behind: only orders whose numbers come after this one."""
        async with self._pool.acquired(supplier) as connection:
            owned = await _is_owned(connection, supplier)
            asked = (supplier, now, now - VISIBILITY, behind, ENDED_AT_ONCE, owned, self._batches.set_aside(supplier))
            rows = await connection.fetch(queries.ENDING, *asked)
        return [row["order_no"] for row in rows]

    async def forget_keys(self) -> None:
        """Forget keys of vendors' answers whose time is over."""
        async with self._pool.acquired(None) as connection:
            await connection.execute(queries.FORGET_KEYS)

    async def _deliver(self, supplier: str, now: datetime, orders: Sequence[str]) -> Sequence[Message]:
        async with self._pool.acquired(supplier) as connection, connection.transaction():
            locked = await lock_lanes(connection, supplier, orders)
            looks = [decide_lane(lane, now, owned=True) for lane in locked.lanes]
            ready = [each.ready for each in looks if each.ready is not None]
            opened = await self._opened(connection, [each.was.command_id for each in ready])
            refused = await self._refused(connection, ready, opened)
            goes_on = [each for each in ready if each.was.command_id not in refused]
            changes = [_after_fetch(each, opened, now) for each in goes_on]
            ended = [*(each for look in looks for each in look.changes), *refused.values()]
            await self._keep(connection, locked, ended, changes, opened, now)
            sent = {each.now.command_id: each.now for each in changes if each.now.state is State.SENDING}
            messages = [
                _message(sent[each], value) for each, value in opened.items() if value is not None and each in sent
            ]
            if messages:
                failpoint("fetch.before_commit")
            return messages

    async def _end(self, supplier: str, now: datetime, orders: Sequence[str]) -> Sequence[str]:
        async with self._pool.acquired(supplier) as connection, connection.transaction():
            owned = await _is_owned(connection, supplier)
            locked = await lock_lanes(connection, supplier, orders)
            changes = [each for lane in locked.lanes for each in decide_lane(lane, now, owned=owned).changes]
            await settle(connection, self._box, locked, changes, now)
        return orders

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

    async def _refused(
        self, connection: Connection, ready: Sequence[Change], opened: Mapping[str, bytes | None]
    ) -> Mapping[str, Change]:
        """Commands about services whose preconditions do not hold, by id: they are not handed out."""
        found: dict[str, Change] = {}
        for each in ready:
            command = None if each.now.attempt else _service_command(each.now, opened)
            refusal = None if command is None else await refused(connection, self._box, command)
            if refusal is not None:
                found[each.was.command_id] = Change(each.was, moved(each.now, State.REFUSED, reason=refusal))
        return found

    async def _keep(
        self,
        connection: Connection,
        locked: LockedLanes,
        changes: Sequence[Change],
        fetched: Sequence[Change],
        opened: Mapping[str, bytes | None],
        now: datetime,
    ) -> None:
        """Keep what was fetched and what changed beside it, and tell the core."""
        sent = [each.now for each in fetched if each.now.state is State.SENDING]
        await move(connection, [(each.was, each.now) for each in fetched if each.was != each.now])
        if sent:
            keys = ((each.command_id, each.supplier, each.order_no) for each in sent)
            await connection.execute(queries.UNANSWERED, *zip(*keys, strict=True))
        await open_services(connection, [each for one in sent if (each := _service_command(one, opened)) is not None])
        steps = [_delivered(each, opened[each.command_id]) for each in sent]
        first = [each for each in sent if each.attempt == 1 and each.contract_no is None]
        news = [_first_sent(each, locked.origin(each)) for each in first]
        await settle(connection, self._box, locked, changes, now, steps=steps, news=news)


def _service_command(command: Command, opened: Mapping[str, bytes | None]) -> AfterSaleCommand | None:
    """What a command about a service says; None for any other, and for one that cannot be read."""
    value = opened.get(command.command_id)
    if value is None or command.role is not Role.SERVES:
        return None
    read_command = read(COMMANDS[Operation(command.operation)], value)
    return read_command if isinstance(read_command, AfterSaleCommand) else None


def _readable(rows: Iterable[Row]) -> list[Command]:
    """The commands of rows; one whose state only another release knows is left to that."""
    found = []
    for row in rows:
        try:
            found.append(command_of(row))
        except ValueError:
            log.warning("mailbox.unknown_state", command=row["command_id"], state=row["state"])
    return found


def _fill_an_answer(messages: Sequence[Message]) -> bool:
    return sum(len(each.value) for each in messages) >= MOST_BYTES


async def _is_owned(connection: Connection, supplier: str) -> bool:
    owned: bool = await connection.fetchval(queries.OWNED, lease_of(supplier))
    return owned


def _after_fetch(ready: Change, opened: Mapping[str, bytes | None], now: datetime) -> Change:
    """A command that was opened is delivered, one that did not fit waits for the next fetch."""
    if ready.was.command_id not in opened:
        return ready
    if opened[ready.was.command_id] is None:
        return Change(ready.was, _later(ready.now, now + UNREADABLE_WAIT))
    return delivered(ready, now)


def _later(command: Command, due_at: datetime) -> Command:
    return replace(command, due_at=due_at, reason="unreadable")


def _delivered(command: Command, value: bytes | None) -> Step:
    """That a vendor was given a command, with what he was given."""
    return replace(step_of(command, Kind.DELIVERED), evidence={"message": body_of(value)})


def _message(command: Command, value: bytes) -> Message:
    if command.sent_at is None:
        raise ValueError(f"{command.command_id} was not sent")
    operation = operation_named(command.operation)
    return Message(
        command.command_id, command.order_no, operation, value, command.attempt, command.sent_at + VISIBILITY
    )


def operation_named(name: str) -> Operation | ContractOperation:
    """What a command asks for, of an order or of a contract. Raises ValueError for what is none of ours."""
    return ContractOperation(name) if name.startswith("contract.") else Operation(name)


def _first_sent(command: Command, origin: Origin) -> News:
    fact = SENT.get(Operation(command.operation))
    return News(command.supplier, command.order_no, fact, tenant=origin.tenant)


def _acknowledgement_of(command: Command, taken: Collection[str]) -> Acknowledgement:
    if command.command_id in taken or command.state is State.CONFIRMED:
        return Acknowledgement.ACKNOWLEDGED
    return Acknowledgement.WITHDRAWN
