"""One attempt at a command, or one look-up: which method of the adapter is asked, and what it came to.

Nothing here decides or stores: what an attempt came to is classified elsewhere, whatever was raised on the way.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias, cast

from gateway.relay.after_sale_calls import Preconditions, look_up_service, serve, unchecked
from gateway.relay.answers import answer_to_look_up, answer_to_write
from gateway.relay.order_number_owners import FindForeignNumbers, no_foreign_numbers, numbers_in, order_with_number
from gateway.relay.outcomes import AdapterAnswer, Write
from gateway.sdk.adapter import Adapter
from gateway.sdk.after_sales import SupplierAfterSale
from gateway.sdk.errors import ContractError, OrderRefusedError, OutcomeUnknownError, Sent, SupplierError
from gateway.sdk.http import Http, Reply, Request
from gateway.sdk.invoices import RequestsInvoices
from gateway.sdk.manifest import OPERATION_OF, Manifest, OrderTask, OrderWrite
from gateway.sdk.orders import CancelsOrders, ConfirmsOrders, FindsOrders, ReadsOrders, SubmitsOrders, SupplierOrder
from schemas.orders import (
    CancelAfterSale,
    CancelOrder,
    CancelScope,
    ConfirmOrder,
    OrderCommand,
    RefusalClass,
    RequestAfterSale,
    RequestInvoice,
    SubmitOrder,
)

TASKS: Mapping[str, OrderTask] = {operation: task for task, operation in OPERATION_OF.items()}
"""What a manifest calls each operation."""

WholeOrderCommand: TypeAlias = SubmitOrder | ConfirmOrder | CancelOrder
"""A command that makes, changes or ends an order."""

NumberedCommand: TypeAlias = WholeOrderCommand | RequestInvoice
"""A command that is carried out by the supplier's numbers of an order or of its children."""

AnswerOrError: TypeAlias = AdapterAnswer | BaseException
"""What an adapter returned or raised."""


@dataclass(frozen=True, slots=True)
class AttemptResult:
    """What an attempt came to.

    returned: the order as the supplier stated it; cancelled: of a cancel of children, those that are; service: of an
    after-sale command, as the supplier has it; probe: the call was the one by which an open breaker finds out whether
    the supplier is back.
    """

    answer: AnswerOrError
    write: Write
    returned: SupplierOrder | None = None
    cancelled: tuple[str, ...] = ()
    probe: bool = False
    service: SupplierAfterSale | None = None


@dataclass(frozen=True, slots=True)
class LookUpResult:
    """What a look-up came to; None: the supplier says that the command has not taken effect."""

    answer: AnswerOrError | None
    found: SupplierOrder | None = None
    service: SupplierAfterSale | None = None


class WatchedHttp:
    """The way to a supplier, which notes how much of the one write of an attempt has left."""

    def __init__(self, http: Http, operation: str) -> None:
        self._http = http
        self.write = Write(operation, Sent.NOTHING)

    async def call(self, request: Request) -> Reply:
        """As `Http.call`."""
        if request.operation != self.write.operation:
            return await self._http.call(request)
        try:
            reply = await self._http.call(request)
        except SupplierError as error:
            if error.operation in ("", request.operation):  # else it never came to the write: a token was refused
                self._note(Sent.NOTHING if error.sent is None and error.status is None else error.sent or Sent.ALL)
            raise
        except BaseException:
            self._note(Sent.SOME)
            raise
        self._note(Sent.ALL)
        return reply

    def _note(self, sent: Sent) -> None:
        """What has left stays gone: of several calls, as of the children of an order, the most counts."""
        if self.write.sent is Sent.NOTHING:
            self.write = Write(self.write.operation, sent)


def order_write(manifest: Manifest, operation: str) -> OrderWrite | None:
    """What the manifest declares of an operation; None: the adapter cannot do it."""
    return manifest.orders.get(TASKS[operation]) if operation in TASKS else None


async def attempt(
    adapter: Adapter,
    http: Http,
    call: str,
    command: OrderCommand,
    number: str | None,
    strangers: FindForeignNumbers = no_foreign_numbers,
    preconditions: Preconditions = unchecked,
) -> AttemptResult:
    """Have a supplier carry a command out. call: the operation that does it; number: the supplier's of the order.

    A command that names a number of another order is refused before anything is sent. Raises CancelledError where the
    attempt itself is cancelled; whatever else ends it is what it came to.
    """
    watched = WatchedHttp(http, call)
    returned, cancelled, service = None, tuple[str, ...](), None
    answer: AnswerOrError
    try:
        if isinstance(command, RequestAfterSale | CancelAfterSale):
            await preconditions(command)
            service, answer = await serve(adapter, watched, command, number), AdapterAnswer()
        else:
            await _refuse_strangers(command, number, strangers)
            returned, cancelled = await _carry_out(adapter, watched, command, number, strangers)
            answer = AdapterAnswer() if isinstance(command, RequestInvoice) else answer_to_write(command, returned)
    except (Exception, asyncio.CancelledError) as error:  # whatever it is, what it means is decided elsewhere
        if _is_cancelled(error):
            raise
        answer = error
    probe = isinstance(answer, SupplierError) and answer.probe
    return AttemptResult(answer, watched.write, returned, cancelled, probe, service)


async def look_up(
    adapter: Adapter,
    http: Http,
    command: OrderCommand,
    number: str | None,
    strangers: FindForeignNumbers = no_foreign_numbers,
) -> LookUpResult:
    """Ask whether a command has taken effect. Raises as `attempt`."""
    try:
        if isinstance(command, RequestAfterSale | CancelAfterSale):
            return LookUpResult(*await look_up_service(adapter, http, command, number))
        await _refuse_strangers(command, number, strangers)
        if isinstance(command, CancelOrder) and command.payload.scope is CancelScope.CHILDREN:
            return LookUpResult(await _look_at_children(adapter, http, command))
        if isinstance(command, RequestInvoice):
            return LookUpResult(await _look_at_application(adapter, http, command))
        found = await _as_it_stands(adapter, http, command, number)
        return LookUpResult(answer_to_look_up(command, found), found)
    except (Exception, asyncio.CancelledError) as error:
        if _is_cancelled(error):
            raise
        return LookUpResult(error)


def _is_cancelled(error: BaseException) -> bool:
    """Whether the call itself is cancelled, by its owner. Where something that it waits for was, its owner goes on: a
    call that ended without a word would hold its place, and its order, for as long as the supplier is owned.
    """
    task = asyncio.current_task()
    return isinstance(error, asyncio.CancelledError) and task is not None and task.cancelling() > 0


async def _carry_out(
    adapter: Adapter, http: Http, command: NumberedCommand, number: str | None, strangers: FindForeignNumbers
) -> tuple[SupplierOrder | None, tuple[str, ...]]:
    """The order as the supplier then states it, None: it does not; and of a cancel of children those that are."""
    match command:
        case SubmitOrder():
            return await cast(SubmitsOrders, adapter).submit_order(http, command), ()
        case ConfirmOrder():
            known = await _number(adapter, http, command, command.payload.supplier_order_no or number, strangers)
            returned = await cast(ConfirmsOrders, adapter).confirm_order(http, command, known)
            _expect(returned, known)
            return returned, ()
        case CancelOrder(payload=payload) if payload.scope is CancelScope.CHILDREN:
            return None, await _cancel_children(adapter, http, command)
        case CancelOrder():
            known = await _number(adapter, http, command, number, strangers)
            await cast(CancelsOrders, adapter).cancel_order(http, command, known)
            return None, ()
        case RequestInvoice(payload=payload):
            of = payload.children or (await _number(adapter, http, command, number, strangers),)
            await cast(RequestsInvoices, adapter).request_invoice(http, command, of)
            return None, ()


async def _cancel_children(adapter: Adapter, http: Http, command: CancelOrder) -> tuple[str, ...]:
    """Cancel them one by one; those that are. Raises the refusal where all are refused, and what is no refusal.

    Once one is cancelled, what comes to another does not undo it: nobody may take the command for one without effect.
    """
    done: list[str] = []
    refusals: list[OrderRefusedError] = []
    for child in command.payload.children:
        try:
            await cast(CancelsOrders, adapter).cancel_order(http, command, child)
            done.append(child)
        except OrderRefusedError as error:
            refusals.append(error)
        except SupplierError as error:
            if not done:
                raise
            raise OutcomeUnknownError(f"{len(done)} children are cancelled, then: {type(error).__name__}") from error
    if refusals and not done:
        raise refusals[0]
    return tuple(done)


async def _look_at_children(adapter: Adapter, http: Http, command: CancelOrder) -> AdapterAnswer | None:
    for child in command.payload.children:
        tree = await cast(ReadsOrders, adapter).read_order(http, child)
        answer = answer_to_look_up(command, order_with_number(tree, child))
        if answer is None or answer.differs:
            return answer
    return AdapterAnswer()


async def _look_at_application(adapter: Adapter, http: Http, command: RequestInvoice) -> AdapterAnswer | None:
    mark_id = command.payload.mark_id
    found = await cast(RequestsInvoices, adapter).read_invoices(http, mark_id)
    if found is not None and found.mark_id != mark_id:
        raise ContractError("another application than the one that was asked about")
    return None if found is None else AdapterAnswer()


async def _as_it_stands(
    adapter: Adapter, http: Http, command: WholeOrderCommand, number: str | None
) -> SupplierOrder | None:
    if isinstance(command, ConfirmOrder):
        number = command.payload.supplier_order_no or number
    if number is not None and not isinstance(command, SubmitOrder) and isinstance(adapter, ReadsOrders):
        return order_with_number(await adapter.read_order(http, number), number)
    return await cast(FindsOrders, adapter).find_order(http, command.order_no)


async def _refuse_strangers(command: NumberedCommand, number: str | None, strangers: FindForeignNumbers) -> None:
    """Raises OrderRefusedError where a command names a number that is not of its order. number: which surely is."""
    named: set[str | None] = set()
    match command:
        case ConfirmOrder(payload=payload):
            named = {payload.supplier_order_no}
        case CancelOrder(payload=payload) if payload.scope is CancelScope.CHILDREN:
            named = set(payload.children)
        case RequestInvoice(payload=payload):
            named = set(payload.children)
        case _:
            pass
    asked = [each for each in named if each not in (None, number)]
    if asked and await strangers(command.order_no, [each for each in asked if each]):
        raise OrderRefusedError("It names a number of another order.", code_class=RefusalClass.NO_SUCH_ORDER)


def _expect(returned: SupplierOrder | None, number: str) -> None:
    """Raises ContractError where a supplier answers about another number than was asked about."""
    if returned is not None and number not in numbers_in(returned):
        raise ContractError("an answer about another order than was asked about")


async def _number(
    adapter: Adapter, http: Http, command: NumberedCommand, known: str | None, strangers: FindForeignNumbers
) -> str:
    """The supplier's number of the order, asked for where it is not known.

    Raises OrderRefusedError: there is none; ContractError: what was found is another order.
    """
    if known is None and isinstance(adapter, FindsOrders):
        found = await adapter.find_order(http, command.order_no)
        known = None if found is None else found.supplier_order_no
        if found is not None and (
            found.order_no not in (None, command.order_no)
            or await strangers(command.order_no, [found.supplier_order_no])
        ):
            raise ContractError("another order than the one that was asked about")
    if known is None:
        raise OrderRefusedError("There is no such order.", code_class=RefusalClass.NO_SUCH_ORDER)
    return known
