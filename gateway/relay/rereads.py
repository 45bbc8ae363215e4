"""Orders read anew at their supplier, because a message named them or because something did not fit.

A row of `order_rereads` waits until its order was read and what the reading tells is on its way, in one transaction; it
stays where the order was asked about again meanwhile, or where a command moved the order. One order is read by one
worker at a time. An order whose command is under way is read a little later: the answer tells the same, as an answer.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import orjson
import structlog

from gateway.deadletters import DeadLetter
from gateway.deadletters import record as record_letters
from gateway.relay import reread_store as store
from gateway.relay.orders import tell
from gateway.relay.policy import backoff
from gateway.relay.readings import UNDECIDED, Number, Reading, ReadingResult, StoredOrder, compare, tracks_wanted
from gateway.relay.reread_store import DueReread
from gateway.relay.steps import Kind, Step, write_steps
from gateway.sdk.errors import ContractError, GatewayError, Issue, RateLimitError, RejectedError, SupplierError
from gateway.sdk.http import Http
from gateway.sdk.orders import OrderTree, ReadsOrders, SupplierOrder, Track
from gateway.store import Connection, Lease, Pool, acquired
from gateway.store.outage import retry_while_unavailable
from gateway.suppliers import SecretBox
from gateway.telemetry.faults import reached

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

MOST_PARENTS = 3
"""Steps from a child up to the whole order."""


@dataclass(frozen=True, slots=True)
class RereadContext:
    """What reading a supplier's orders stands on.

    calls: the way to it; draining: whether nothing more is to be begun; report_health: shows operators how it
    fares, None for well; wait: until there may be something to read, or for so many seconds.
    """

    supplier: str
    adapter: ReadsOrders
    calls: Http
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
        try:
            if due.order_no is None:
                await self._identify(due)
            else:
                await self._read(due, due.order_no)
        except (RejectedError, ContractError) as error:
            await retry_while_unavailable(self._give_up, due, _letter(self._context.supplier, due, error))
        except SupplierError as error:
            self._context.report_health(f"{type(error).__name__}: {error}")
            asked = error.retry_after if isinstance(error, RateLimitError) else None
            await retry_while_unavailable(self._put_off, due, backoff(due.failures, random.random, asked))
            await self._context.wait(PAUSE_SECONDS)
        except _FaultError as error:
            log.exception("order.unread", supplier=self._context.supplier)
            await retry_while_unavailable(self._give_up, due, _letter(self._context.supplier, due, error.fault))
        except GatewayError:  # the lease is lost, or the work is to end
            raise
        except Exception as error:
            log.exception("order.set_aside", supplier=self._context.supplier, numbers=sorted(due.numbers))
            self._context.report_health(f"a fault of the gateway: {type(error).__name__}")
            await retry_while_unavailable(self._put_off, due, backoff(due.failures, random.random))
        else:
            self._context.report_health(None)

    async def _identify(self, due: DueReread) -> None:
        """Find out whose number it is; once that is known it is read as all others are."""
        with _faults_shown():
            tree, first = await self._whole(due.asked[0].number)
        stated = tree.order.order_no or first.order_no
        await retry_while_unavailable(self._assign, due, stated, tree.order.supplier_order_no)

    async def _assign(self, due: DueReread, stated: str | None, root: str) -> None:
        """Keep whose number it is; a dead letter where it is nobody's, or of a second order under a number of ours.

        stated: our number as the supplier repeats it. Where it does not, the order of a submit that is under way cannot
        be told from somebody else's yet.
        """
        context = self._context
        async with context.transaction() as connection:
            open_submits = stated is None and await store.has_undecided_submit(connection, context.supplier)
            order_no = await store.find_owner(connection, context.supplier, root, stated)
            if order_no is not None:
                known = await store.load_order(connection, context.box, context.supplier, order_no)
                if known.order.supplier_order_no in (None, root):
                    new = {root, *due.numbers} - known.numbers.keys()
                    await store.store_numbers(connection, known.order, [Number(each) for each in sorted(new)])
                    return
            elif open_submits and due.failures < MOST_PUT_OFF:
                wait = backoff(due.failures, random.random)
                await store.postpone(connection, context.supplier, due.asked, wait)
                return
            await store.delete_requests(connection, context.supplier, due.asked)
            await record_letters(connection, [_foreign(context.supplier, due, stated, root)])

    async def _read(self, due: DueReread, order_no: str) -> None:
        known = await retry_while_unavailable(self._known, order_no)
        if known.order.status.state in UNDECIDED and due.failures < MOST_PUT_OFF:
            await retry_while_unavailable(self._put_off, due, backoff(due.failures, random.random))
            return
        with _faults_shown():
            tree, _ = await self._whole(known.order.supplier_order_no or due.asked[-1].number)
            tracks, letters = await self._tracks(due, tracks_wanted(known, tree, due.numbers))
        reading = Reading(tree, tracks, due.cause, datetime.now(UTC))
        reached("order.read")
        await retry_while_unavailable(self._settle, due, known, reading, letters)

    async def _known(self, order_no: str) -> StoredOrder:
        async with self._context.transaction() as connection:
            return await store.load_order(connection, self._context.box, self._context.supplier, order_no)

    async def _whole(self, number: str) -> tuple[OrderTree, SupplierOrder]:
        """The whole order that a number is of, and what bears the number."""
        tree = await self._context.adapter.read_order(self._context.calls, number)
        first = tree.order
        for _ in range(MOST_PARENTS):
            parent = tree.order.parent_no
            if parent is None or parent == tree.order.supplier_order_no:
                break
            tree = await self._context.adapter.read_order(self._context.calls, parent)
        return tree, first

    async def _tracks(self, due: DueReread, numbers: Iterable[str]) -> tuple[Mapping[str, Track], list[DeadLetter]]:
        """The tracks of numbers; one that cannot be read keeps no other fact of the order back."""
        found: dict[str, Track] = {}
        letters: list[DeadLetter] = []
        for number in numbers:
            try:
                found[number] = await self._context.adapter.read_track(self._context.calls, number)
            except (RejectedError, ContractError) as error:
                letters.append(_letter(self._context.supplier, due, error, track=number))
        return found, letters

    async def _settle(self, due: DueReread, seen: StoredOrder, reading: Reading, letters: Sequence[DeadLetter]) -> None:
        """Tell what the reading tells, unless a command moved the order since: then it is read again."""
        context, order_no = self._context, seen.order.order_no
        async with context.transaction() as connection:
            known = await store.load_order(connection, context.box, context.supplier, order_no)
            if known.order.status != seen.order.status:
                return
            with _faults_shown():
                comparison = compare(known, reading)
            await store.lock_requests(connection, context.supplier, due.asked)
            await tell(connection, context.box, comparison.news)
            await store.store_numbers(connection, known.order, comparison.numbers)
            await write_steps(connection, context.box, [_step(context.supplier, order_no, reading, comparison)])
            await store.delete_requests(connection, context.supplier, due.asked)
            await record_letters(connection, letters)
        reached("order.told")

    async def _put_off(self, due: DueReread, wait: timedelta) -> None:
        async with self._context.transaction() as connection:
            await store.postpone(connection, self._context.supplier, due.asked, wait)

    async def _give_up(self, due: DueReread, letter: DeadLetter) -> None:
        async with self._context.transaction() as connection:
            await store.delete_requests(connection, self._context.supplier, due.asked)
            await record_letters(connection, [letter])


def _step(supplier: str, order_no: str, reading: Reading, comparison: ReadingResult) -> Step:
    whole = reading.tree.order
    facts = {
        "supplier_order_no": whole.supplier_order_no,
        "standing": whole.standing.value,
        "progress": whole.progress.value if whole.progress else None,
        "children": len(reading.tree.children),
        "asked_by": {"type": reading.cause.type, "id": reading.cause.id},
        "told": [news.event_name for news in comparison.news],
    }
    return Step(supplier, order_no, Kind.READ, None, facts)


def _letter(supplier: str, due: DueReread, error: Exception, *, track: str | None = None) -> DeadLetter:
    """Of what could not be read. The reply itself is not kept: it names whoever takes the goods."""
    part = "order" if track is None else f"track of {track}"
    match error:
        case RejectedError():  # in the supplier's words, which may name people
            issue = Issue("contract_error", actual=f"{error.operation or part}: refused {error.supplier_code}"[:200])
        case SupplierError():
            code = f" ({error.supplier_code})" if error.supplier_code else ""
            issue = Issue("contract_error", actual=f"{error.operation or part}: {error}{code}"[:200])
        case _:
            issue = Issue("processing_failed", actual=type(error).__name__)
    return _letter_of(supplier, due, issue, part, due.numbers if track is None else {track})


def _foreign(supplier: str, due: DueReread, order_no: str | None, root: str) -> DeadLetter:
    actual = f"{root}, which has the number {order_no}" if order_no else f"{root}, which has no number of the mall"
    issue = Issue("unknown_order", actual=actual[:200], expected="an order of the mall")
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
