"""Orders reread at their supplier, because a message named them or because something did not fit.

A row of `order_rereads` waits until its order was read and what the reading tells is on its way, in one transaction; it
stays where the order was asked about again meanwhile, or where a command moved the order. One order is read by one
worker at a time. An order whose command is under way is read a little later: the answer tells the same, as an answer.
"""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

import orjson
import structlog

from gateway.calls.exchange import Exchange, Observer
from gateway.deadletters import DeadLetter
from gateway.deadletters import record as record_letters
from gateway.evidence import orders_of
from gateway.relay import reread_store as store
from gateway.relay.after_sale_readings import read_services, service_news
from gateway.relay.order_number_owners import numbers_in, order_with_number, other_order
from gateway.relay.orders import News, publish_news
from gateway.relay.policy import backoff
from gateway.relay.readings import UNDECIDED, Number, Reading, StoredOrder, compare, tracks_wanted
from gateway.relay.reread_store import DueReread
from gateway.relay.steps import Kind, Step, exchange_step, write_steps
from gateway.sdk.after_sales import SupplierAfterSale
from gateway.sdk.errors import ContractError, GatewayError, Issue, RateLimitError, RejectedError, SupplierError
from gateway.sdk.http import Http
from gateway.sdk.orders import OrderTree, ReadsOrders, SupplierOrder, Track
from gateway.sdk.storable import storable
from gateway.store import Connection, Lease, Pool, acquired
from gateway.store.outage import retry_while_unavailable
from gateway.suppliers import SecretBox
from gateway.telemetry.failpoints import failpoint

log = structlog.get_logger(__name__)

STAGE = "order_rereads"
"""Stage of the dead letters of what could not be read, and of orders that are none of ours."""

LOOK_SECONDS = 1.0
"""How often orders are looked for that are due by now, or that a doubt asks about."""

AT_ONCE = 4
"""Orders that are read at once."""

MOST_PUT_OFF = 8
"""How often an order is put off because a command is under way; one that nobody decides is read all the same."""

PAUSE_SECONDS = 1.0
"""After a call that did not come through, before this worker makes the next one."""

CODE = re.compile(r"(?!.*[0-9]{7})[0-9A-Za-z_.-]{1,40}")
"""A supplier's code that is one: no words, and no number by which somebody can be called."""

MOST_PARENTS = 3
"""Steps from a child up to the whole order."""


class ObservedHttp(Http, Protocol):
    """The way to a supplier, on which exchanges can be observed."""

    def observed(self, observe: Observer) -> Http:
        """The same way; `observe` is told of each exchange."""
        ...


@dataclass(frozen=True, slots=True)
class RereadContext:
    """What reading a supplier's orders stands on.

    calls: the way to it; draining: whether nothing more is to be begun; report_health: shows operators how it
    fares, None for well; wait: until there may be something to read, or for so many seconds.
    """

    supplier: str
    adapter: ReadsOrders
    calls: ObservedHttp
    lease: Lease
    pool: Pool
    box: SecretBox
    draining: Callable[[], bool]
    report_health: Callable[[str | None], None]
    wait: Callable[[float], Awaitable[None]]

    def transaction(self) -> AbstractAsyncContextManager[Connection]:
        """A transaction that only the supplier's owner can have. Raises LeaseLostError, StoreUnavailableError."""
        return self.lease.transaction()


class _FaultError(Exception):
    """A fault of an adapter, or of ours, that an order shows."""

    def __init__(self, fault: Exception) -> None:
        super().__init__(type(fault).__name__)
        self.fault = fault


@contextmanager
def _faults_shown() -> Iterator[None]:
    """What is raised within and no error of the gateway is a fault that the order shows: it would come each time."""
    try:
        yield
    except GatewayError:
        raise
    except Exception as error:
        raise _FaultError(error) from error


class OrderRereads:
    """The orders of one supplier that have to be read."""

    def __init__(self, context: RereadContext) -> None:
        self._context = context
        self._looking = asyncio.Lock()
        self._orders: set[str] = set()
        self._numbers: set[str] = set()

    async def run(self) -> None:
        """Until drained, several orders at once."""
        async with asyncio.TaskGroup() as group:
            for number in range(AT_ONCE):
                group.create_task(self._work(), name=f"reread orders {number}")

    async def _work(self) -> None:
        while not self._context.draining():
            async with self._next() as due:
                if due is not None:
                    await self._take(due)

    @asynccontextmanager
    async def _next(self) -> AsyncIterator[DueReread | None]:
        """What is to be read next, this worker's until the block ends; None once there was nothing for a while."""
        async with self._looking:
            due = None if self._context.draining() else await retry_while_unavailable(self._due)
            if due is None and not self._context.draining():
                await self._context.wait(LOOK_SECONDS)
        try:
            yield due
        finally:
            if due is not None:
                self._orders.discard(due.order_no or "")
                self._numbers -= due.numbers

    async def _due(self) -> DueReread | None:
        async with acquired(self._context.pool) as connection:
            due = await store.next_due(connection, self._context.supplier, orders=self._orders, numbers=self._numbers)
        if due is not None and due.order_no is None:
            self._numbers |= due.numbers
        elif due is not None:
            self._orders.add(due.order_no or "")
        return due

    async def _take(self, due: DueReread) -> None:
        """Read what is due, or put it off; what cannot be read is a dead letter.

        An order of which our own rows cannot be read or written waits alone: another release may have written them.
        """
        seen: list[Exchange] = []
        calls = self._context.calls.observed(seen.append)
        try:
            if due.order_no is None:
                await self._identify(due, calls, seen)
            else:
                await self._read(due, due.order_no, calls, seen)
        except (RejectedError, ContractError) as error:
            await retry_while_unavailable(self._give_up, due, error, seen)
        except SupplierError as error:
            self._context.report_health(named_fault(error))
            asked = error.retry_after if isinstance(error, RateLimitError) else None
            await retry_while_unavailable(self._put_off, due, backoff(due.failures, random.random, asked), seen)
            await self._context.wait(PAUSE_SECONDS)
        except _FaultError as error:
            log.exception("order.unread", supplier=self._context.supplier)
            await retry_while_unavailable(self._give_up, due, error.fault, seen)
        except GatewayError:  # the lease is lost, or the work is to end
            raise
        except Exception as error:
            log.exception("order.set_aside", supplier=self._context.supplier, numbers=sorted(due.numbers))
            self._context.report_health(f"a fault of the gateway: {type(error).__name__}")
            await retry_while_unavailable(self._put_off, due, backoff(due.failures, random.random))
        else:
            self._context.report_health(None)

    async def _identify(self, due: DueReread, calls: Http, seen: Sequence[Exchange]) -> None:
        """Find out whose number it is; once that is known it is read as all others are."""
        with _faults_shown():
            tree, first = await self._whole(calls, due.asked[0].number)
        stated = tree.order.order_no or first.order_no
        await retry_while_unavailable(self._assign, due, stated, tree.order.supplier_order_no, seen)

    async def _assign(self, due: DueReread, stated: str | None, root: str, seen: Sequence[Exchange]) -> None:
        """Keep whose number it is; a dead letter where it is nobody's, or of a second order under a number of ours.

        stated: our number as the supplier repeats it. Where it does not, the order of a submit that is under way cannot
        be told from somebody else's yet.
        """
        context = self._context
        async with context.transaction() as connection:
            open_submits = stated is None and await store.has_undecided_submit(connection, context.supplier)
            order_no = await store.find_owner(connection, context.supplier, root, stated)
            if order_no is not None and stated in (None, order_no):
                known = await store.load_order(connection, context.box, context.supplier, order_no)
                if known.order.supplier_order_no in (None, root):
                    new = {root, *due.numbers} - known.numbers.keys()
                    await store.store_numbers(connection, known.order, [Number(each) for each in sorted(new)])
                    await self._keep(connection, order_no, seen)
                    return
            elif order_no is None and open_submits and due.failures < MOST_PUT_OFF:
                wait = backoff(due.failures, random.random)
                await store.postpone(connection, context.supplier, due.asked, wait)
                return
            await store.delete_requests(connection, context.supplier, due.asked)
            what = f"{root}, which has the number {stated}" if stated else f"{root}, which has no number of the mall"
            await record_letters(connection, [_foreign(context.supplier, due, what)])

    async def _read(self, due: DueReread, order_no: str, calls: Http, seen: Sequence[Exchange]) -> None:
        known = await retry_while_unavailable(self._known, order_no)
        if known.order.status.state in UNDECIDED and due.failures < MOST_PUT_OFF:
            await retry_while_unavailable(self._put_off, due, backoff(due.failures, random.random))
            return
        with _faults_shown():
            tree, _ = await self._whole(calls, known.order.supplier_order_no or due.asked[-1].number)
            tracks, letters = await self._tracks(due, calls, tracks_wanted(known, tree, due.numbers))
            services, unread = await self._services(due, calls, known, tree.order.supplier_order_no)
        reading = Reading(tree, tracks, due.cause, datetime.now(UTC), services)
        failpoint("order.read")
        await retry_while_unavailable(self._settle, due, known, reading, [*letters, *unread], seen)

    async def _known(self, order_no: str) -> StoredOrder:
        async with self._context.transaction() as connection:
            return await store.load_order(connection, self._context.box, self._context.supplier, order_no)

    async def _whole(self, calls: Http, number: str) -> tuple[OrderTree, SupplierOrder]:
        """The whole order that a number is of, and what bears the number."""
        tree = await self._context.adapter.read_order(calls, number)
        first = order_with_number(tree, number)
        for _ in range(MOST_PARENTS):
            parent = tree.order.parent_no
            if parent is None or parent == tree.order.supplier_order_no:
                break
            tree = await self._context.adapter.read_order(calls, parent)
            order_with_number(tree, parent)
        return tree, first

    async def _tracks(
        self, due: DueReread, calls: Http, numbers: Iterable[str]
    ) -> tuple[Mapping[str, Track], list[DeadLetter]]:
        """The tracks of numbers; one that cannot be read keeps no other fact of the order back."""
        found: dict[str, Track] = {}
        letters: list[DeadLetter] = []
        for number in numbers:
            try:
                found[number] = await self._context.adapter.read_track(calls, number)
            except (RejectedError, ContractError) as error:
                letters.append(_letter(self._context.supplier, due, error, track=number))
        return found, letters

    async def _services(
        self, due: DueReread, calls: Http, known: StoredOrder, root: str
    ) -> tuple[Mapping[str, Sequence[SupplierAfterSale]], list[DeadLetter]]:
        """The after-sale services; those that cannot be read keep no fact of the order back."""
        try:
            return await read_services(self._context.adapter, calls, known, root), []
        except (RejectedError, ContractError) as error:
            return {}, [_letter(self._context.supplier, due, error, part="after-sale services")]

    async def _settle(
        self,
        due: DueReread,
        before: StoredOrder,
        reading: Reading,
        letters: Sequence[DeadLetter],
        seen: Sequence[Exchange],
    ) -> None:
        """Tell what the reading tells, unless a command moved the order since: then it is read again.

        One that speaks of another order of ours tells nothing, of neither of the two.
        """
        context, order_no = self._context, before.order.order_no
        async with context.transaction() as connection:
            known = await store.load_order(connection, context.box, context.supplier, order_no)
            if known.order.status != before.order.status:
                await self._keep(connection, order_no, seen)
                return
            if (other := await self._other_order(connection, order_no, reading.tree)) is not None:
                await store.delete_requests(connection, context.supplier, due.asked)
                await self._keep(connection, order_no, seen)
                await record_letters(connection, [_foreign(context.supplier, due, other)])
                return
            with _faults_shown():
                comparison = compare(known, reading)
                news = [*comparison.news, *service_news(known, reading)]
            await store.lock_requests(connection, context.supplier, due.asked)
            await publish_news(connection, context.box, news, steps=self._exchanges(order_no, seen))
            await store.store_numbers(connection, known.order, comparison.numbers)
            await write_steps(connection, context.box, [_step(context.supplier, order_no, reading, news)])
            await store.delete_requests(connection, context.supplier, due.asked)
            await record_letters(connection, letters)
        failpoint("order.told")

    async def _other_order(self, connection: Connection, order_no: str, tree: OrderTree) -> str | None:
        named = [number for each in (tree.order, *tree.children) for number in numbers_in(each)]
        return other_order(tree, order_no, await orders_of(connection, self._context.supplier, named))

    async def _put_off(self, due: DueReread, wait: timedelta, seen: Sequence[Exchange] = ()) -> None:
        async with self._context.transaction() as connection:
            await store.postpone(connection, self._context.supplier, due.asked, wait)
            await self._keep(connection, due.order_no, seen)

    async def _give_up(self, due: DueReread, error: Exception, seen: Sequence[Exchange]) -> None:
        """Make what is due a dead letter; what the supplier said of it is in the story of the order, sealed."""
        context = self._context
        async with context.transaction() as connection:
            await store.delete_requests(connection, context.supplier, due.asked)
            if due.order_no is not None:
                unread = _unread(context.supplier, due.order_no, due, error)
                await write_steps(connection, context.box, [unread, *self._exchanges(due.order_no, seen)])
            await record_letters(connection, [_letter(context.supplier, due, error)])

    async def _keep(self, connection: Connection, order_no: str | None, seen: Sequence[Exchange]) -> None:
        """Keep what went over the wire as evidence of the order; None: it is not known yet which that is."""
        if order_no is not None:
            await write_steps(connection, self._context.box, self._exchanges(order_no, seen))

    def _exchanges(self, order_no: str, seen: Sequence[Exchange]) -> list[Step]:
        return [exchange_step(self._context.supplier, order_no, None, each) for each in seen]


def _step(supplier: str, order_no: str, reading: Reading, published: Sequence[News]) -> Step:
    whole = reading.tree.order
    facts = {
        "supplier_order_no": whole.supplier_order_no,
        "standing": whole.standing.value,
        "progress": whole.progress.value if whole.progress else None,
        "children": len(reading.tree.children),
        "asked_by": {"type": reading.cause.type, "id": reading.cause.id},
        "told": [news.event_name for news in published],
    }
    return Step(supplier, order_no, Kind.READ, None, facts)


def _unread(supplier: str, order_no: str, due: DueReread, error: Exception) -> Step:
    facts = {"asked_by": {"type": due.cause.type, "id": due.cause.id}, "fault": named_fault(error)}
    words = str(error) if isinstance(error, SupplierError) else ""
    return Step(supplier, order_no, Kind.READ, None, facts, storable(words))


def _letter(
    supplier: str, due: DueReread, error: Exception, *, track: str | None = None, part: str = "order"
) -> DeadLetter:
    """Of what could not be read. The reply itself is not kept, nor are its words: they may name people."""
    part = part if track is None else f"track of {track}"
    if isinstance(error, SupplierError):
        issue = Issue("contract_error", actual=f"{part}: {named_fault(error)}"[:200])
    else:
        issue = Issue("processing_failed", actual=type(error).__name__)
    return _letter_of(supplier, due, issue, part, due.numbers if track is None else {track})


def named_fault(error: Exception) -> str:
    """What went wrong, without a word of the supplier but a code that can name nobody."""
    if not isinstance(error, SupplierError):
        return type(error).__name__
    kind = "refused" if isinstance(error, RejectedError) else type(error).__name__
    code = error.supplier_code if CODE.fullmatch(error.supplier_code) else ""
    return " ".join(filter(None, (f"{error.operation}:" if error.operation else "", kind, code)))


def _foreign(supplier: str, due: DueReread, what: str) -> DeadLetter:
    issue = Issue("unknown_order", actual=what[:200], expected="the order that was asked about, of the mall")
    return _letter_of(supplier, due, issue, "order", due.numbers)


def _letter_of(supplier: str, due: DueReread, issue: Issue, part: str, numbers: Collection[str]) -> DeadLetter:
    """What fails once more after it was asked once more is another letter."""
    named = {
        "read": part,
        "supplier_order_no": ", ".join(sorted(due.numbers)),
        "message_type": due.cause.type,
        "message_id": due.cause.id,
        "asked": str(max(each.seq for each in due.asked)),
    }
    return DeadLetter(
        stage=STAGE,
        issues=(issue,),
        original=orjson.dumps({**named, "numbers": sorted(numbers)}),
        supplier=supplier,
        key="|".join(named.values()).encode(),
    )
