"""Events of orders that vendors send, taken: once per key, judged under the order's lock, told to the mall core."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, cast

import orjson
import structlog

from gateway.deadletters import DeadLetter
from gateway.deadletters import record as record_letters
from gateway.evidence import body_of
from gateway.relay import mailbox_queries as queries
from gateway.relay.after_sales import lock_services
from gateway.relay.commands import Command, Origin
from gateway.relay.ends import STAGE
from gateway.relay.goods import accepted_goods
from gateway.relay.lane_ends import Change
from gateway.relay.lane_store import close_letters, origins
from gateway.relay.mailbox import Clock, utc_now
from gateway.relay.orders import News, Order, judge_news, lock_orders, publish_news, still_submitted
from gateway.relay.steps import Kind as StepKind
from gateway.relay.steps import Step
from gateway.relay.store import command_of, move, open_command
from gateway.relay.vendor_answers import (
    Fit,
    after_answer,
    allowed_next,
    answered,
    as_mismatch,
    completed,
    fit,
    is_repeated,
    is_still_submitted,
    mismatch_fact,
    sum_faults,
)
from gateway.relay.vendor_events import (
    RefundedByVendor,
    ServiceVendorEvent,
    ValueRefusedError,
    VendorEvent,
    core_event,
)
from gateway.relay.vendor_invoices import (
    InvoiceEventResult,
    InvoiceVendorEvent,
    ReceivedInvoiceEvent,
    apply_invoice_event,
    is_invoice_event,
)
from gateway.relay.vendor_keys import keep_answer, message_by, take_key
from gateway.relay.vendor_services import allowed_of_service, commands_of_services, fit_service
from gateway.sdk.errors import GatewayError, Issue
from gateway.store import Connection, SharedPool
from gateway.suppliers import SecretBox
from gateway.telemetry.failpoints import failpoint
from schemas.orders import Kind, Operation, ServiceState, SubmitOrder
from schemas.orders import State as OrderState
from schemas.orders.events import Cause, OrderSplit, SupplierMessage
from schemas.orders.invoice_sums import order_facts
from schemas.orders.payloads import StatedOrder

log = structlog.get_logger(__name__)


class UnknownOrderError(GatewayError):
    """The supplier was given no such order."""


class UnknownServiceError(UnknownOrderError):
    """The supplier was given no such after-sale service of the order."""


class OutOfStateError(GatewayError):
    """The order, or a service of it, does not stand where this could be said of it. allowed: what can be."""

    def __init__(self, state: OrderState | ServiceState, allowed: Sequence[str]) -> None:
        super().__init__(f"it is {state}")
        self.state = state
        self.allowed = allowed


@dataclass(frozen=True, slots=True)
class SentVendorEvent:
    """What a vendor says of an order.

    key: his own name for it; content: digest of what he says, 32 bytes; body: what he sent, kept as evidence.
    """

    supplier: str
    order_no: str
    key: str
    content: bytes
    event: VendorEvent
    traceparent: str | None = None
    body: bytes = b""

    @property
    def message(self) -> SupplierMessage:
        """By which he says so."""
        return message_by(self.event.event, self.key)


@dataclass(frozen=True, slots=True)
class VendorEventReceipt:
    """An event that was taken.

    event: what the core was told, which is another than was said where sums do not hold; None: it knew that already.
    answers: ids of the commands that it answers; repeated: it was taken before, under the same key.
    """

    event: Kind | None
    state: OrderState
    answers: tuple[str, ...]
    held: bool
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class LateVendorEvent:
    """An event of an order that is over: it is kept for people, and told nobody. state: how it ended."""

    state: OrderState | None


_Judged: TypeAlias = tuple[VendorEventReceipt | LateVendorEvent, Sequence[Change], Sequence[News]]


class VendorEventService:
    """Takes vendors' events. pool: each supplier has its share; box: opens what was ordered."""

    def __init__(self, pool: SharedPool, box: SecretBox, clock: Clock = utc_now) -> None:
        self._pool = pool
        self._box = box
        self._clock = clock

    async def take(self, sent: SentVendorEvent) -> VendorEventReceipt | LateVendorEvent:
        """Take an event; the same under the same key comes to the same.

        Raises UnknownOrderError, KeyReusedError, OutOfStateError and ValueRefusedError: nothing was taken;
        StoreUnavailableError: nothing was, or all of it.
        """
        async with self._pool.acquired(sent.supplier) as connection, connection.transaction():
            rows = await connection.fetch(queries.LOCK_UNANSWERED, sent.supplier, sent.order_no)
            unanswered = [command_of(row) for row in rows]
            repeated = await self._repeated(connection, sent)
            if repeated is not None:
                return repeated
            order = await _locked_order(connection, sent, unanswered)
            letters: Sequence[DeadLetter] = ()
            if is_invoice_event(sent.event):
                word = await self._apply_to_invoices(connection, sent, order, unanswered, origins(rows))
                taken, changes, news = _receipt(sent, order, word)
                letters = word.letters
            else:
                taken, changes, news = await self._judged(connection, sent, order, unanswered, origins(rows))
            await move(connection, [(each.was, each.now) for each in changes if each.was != each.now])
            await connection.execute(queries.ANSWERED, [each.was.command_id for each in changes])
            if isinstance(taken, VendorEventReceipt):
                news = [await _whole_set(connection, each) for each in news]
            await publish_news(connection, self._box, news, readable=False, steps=[_answered(sent, taken)])
            await keep_answer(connection, sent.supplier, sent.key, _receipt_row(taken))
            await record_letters(connection, letters)
            await close_letters(connection, [each.was for each in changes], f"the vendor said {sent.event.event}")
            failpoint("word.before_commit")
        failpoint("word.after_commit")
        log.info("order.said", supplier=sent.supplier, order_no=sent.order_no, said=sent.event.event)
        return taken

    async def _apply_to_invoices(
        self,
        connection: Connection,
        sent: SentVendorEvent,
        order: Order,
        unanswered: Sequence[Command],
        known: Mapping[str, Origin],
    ) -> InvoiceEventResult:
        """What a word about an application for invoices comes to."""
        received = ReceivedInvoiceEvent(
            cast(InvoiceVendorEvent, sent.event), order, sent.message, self._clock(), sent.traceparent
        )
        ordered = await self._ordered(connection, sent, ())
        return await apply_invoice_event(connection, self._box, received, unanswered, known, ordered)

    async def _repeated(
        self, connection: Connection, sent: SentVendorEvent
    ) -> VendorEventReceipt | LateVendorEvent | None:
        """What the event came to before; None: it is new, and its key is taken."""
        kept = await take_key(connection, sent.supplier, sent.key, sent.content)
        return None if kept is None else _stored_receipt(kept.row)

    async def _judged(
        self,
        connection: Connection,
        sent: SentVendorEvent,
        order: Order,
        unanswered: Sequence[Command],
        known: Mapping[str, Origin],
    ) -> _Judged:
        """What the event comes to. Raises OutOfStateError."""
        if isinstance(sent.event, ServiceVendorEvent):
            return await self._judged_service(connection, sent, sent.event, order, unanswered, known)
        ordered = await self._ordered(connection, sent, answered(sent.event, unanswered))
        event = completed(sent.event, ordered)
        found = fit(event, order.status, unanswered, ordered)
        if found.refused:
            raise OutOfStateError(order.status.state, allowed_next(order.status))
        if found.late:
            return LateVendorEvent(order.status.state), [], self._news(sent, event, found, order, known)
        if is_repeated(event, found):
            return VendorEventReceipt(None, order.status.state, (), held=False), [], []
        faults = sum_faults(event, ordered)
        if faults:
            found = Fit(mismatch_fact(order.status), None, found.answers)
            event = as_mismatch(event, faults, ordered)
        news = self._news(sent, event, found, order, known)
        if found.answers and is_still_submitted(found.answers, unanswered):
            news = [*news, still_submitted(sent.supplier, sent.order_no, order.tenant)]
        changes = [Change(each, after_answer(each, event)) for each in found.answers]
        answers = tuple(each.command_id for each in found.answers)
        return (
            VendorEventReceipt(Kind(event.event), _afterwards(order, news), answers, held=bool(faults)),
            changes,
            news,
        )

    async def _judged_service(
        self,
        connection: Connection,
        sent: SentVendorEvent,
        event: ServiceVendorEvent,
        order: Order,
        unanswered: Sequence[Command],
        known: Mapping[str, Origin],
    ) -> _Judged:
        """What an event about an after-sale service comes to. Raises UnknownServiceError, OutOfStateError,
        ValueRefusedError.
        """
        services = await lock_services(connection, sent.supplier, sent.order_no)
        serving = await commands_of_services(connection, self._box, sent.supplier, unanswered)
        found = fit_service(event, services, serving)
        if found is None:
            raise UnknownServiceError
        if found.refused:
            raise OutOfStateError(found.service.state, allowed_of_service(found.service))
        await self._check_refund(connection, sent, event)
        fit_of_order = Fit(None, None, found.answers)
        if found.late:
            return LateVendorEvent(order.status.state), [], self._news(sent, event, fit_of_order, order, known)
        if found.is_repeated:
            return VendorEventReceipt(None, order.status.state, (), held=False), [], []
        changes = [Change(each, after_answer(each, event)) for each in found.answers]
        answers = tuple(each.command_id for each in found.answers)
        news = self._news(sent, event, fit_of_order, order, known)
        return VendorEventReceipt(Kind(event.event), order.status.state, answers, held=False), changes, news

    async def _check_refund(self, connection: Connection, sent: SentVendorEvent, event: ServiceVendorEvent) -> None:
        """Raises ValueRefusedError for more money than the whole order came to."""
        if not isinstance(event, RefundedByVendor):
            return
        ordered = await self._ordered(connection, sent, ())
        accepted = await accepted_goods(connection, sent.supplier, sent.order_no)
        most = order_facts(None if ordered is None else ordered.payload, accepted=accepted).gross
        if most is not None and event.payload.amount > most:
            raise ValueRefusedError("/payload/amount", f"at most {most}, which the order comes to")

    def _news(
        self, sent: SentVendorEvent, vendor_event: VendorEvent, found: Fit, order: Order, known: Mapping[str, Origin]
    ) -> Sequence[News]:
        """One piece for each command that is answered; without any, one for the vendor's own message."""
        now = self._clock()
        stated = vendor_event.supplier_order_nos if isinstance(vendor_event.payload, StatedOrder) else ()
        causes = [Cause(command_id=each.command_id) for each in found.answers] or [Cause(message=sent.message)]
        news = []
        for position, cause in enumerate(causes):
            origin = known.get(cause.command_id or "", Origin(order.tenant, sent.traceparent))
            event = core_event(
                vendor_event,
                supplier=sent.supplier,
                order_no=sent.order_no,
                tenant=origin.tenant or order.tenant,
                cause=cause,
                now=now,
            )
            news.append(
                News(
                    sent.supplier,
                    sent.order_no,
                    found.fact if position == 0 else None,
                    event,
                    event.tenant,
                    supplier_order_no=stated[0] if stated else None,
                    traceparent=origin.traceparent,
                )
            )
        return news

    async def _ordered(
        self, connection: Connection, sent: SentVendorEvent, answers: Sequence[Command]
    ) -> SubmitOrder | None:
        """What the supplier was last given as the order, up to what he answers; None: it is not kept any more, or
        cannot be read.

        The vendor's event is taken all the same; a dead letter has a person compare it with what was ordered.
        """
        place = answers[0].place if answers else None
        row = await connection.fetchrow(queries.LAST_SUBMIT, sent.supplier, sent.order_no, place)
        if row is None:
            return None
        found = open_command(self._box, sent.supplier, Operation.SUBMIT, row)
        if isinstance(found, SubmitOrder):
            return found
        log.error("order.unreadable", command=row["command_id"], error=type(found).__name__)
        await record_letters(connection, [_unread_letter(sent, row["command_id"], type(found).__name__)])
        return None


def _receipt(sent: SentVendorEvent, order: Order, word: InvoiceEventResult) -> _Judged:
    """A word about an application, as any other is taken: the order stays as it is."""
    if word.outcome.late:
        return LateVendorEvent(order.status.state), [], []
    answers = tuple(each.command_id for each in word.answers)
    receipt = VendorEventReceipt(word.event, order.status.state, answers, held=bool(word.outcome.differences))
    return receipt, [Change(each, after_answer(each, sent.event)) for each in word.answers], word.news


def _afterwards(order: Order, news: Sequence[News]) -> OrderState:
    for each in news:
        order = judge_news(order, each).order
    return order.status.state


def _unread_letter(sent: SentVendorEvent, command_id: str, error: str) -> DeadLetter:
    """One for each submit, whatever the vendor says of it. Only what names the order: the rest may name people."""
    named = {"command_id": command_id, "supplier": sent.supplier, "order_no": sent.order_no}
    wanted = "a submit that can be read: what the vendor says of it was compared with nothing"
    return DeadLetter(
        stage=STAGE,
        issues=(Issue("processing_failed", "", error, wanted),),
        original=orjson.dumps(named),
        supplier=sent.supplier,
        key=command_id.encode(),
    )


async def _locked_order(connection: Connection, sent: SentVendorEvent, unanswered: Sequence[Command]) -> Order:
    """The order, locked. One that the supplier was never given is not known to him, and is not made by his event."""
    state = await connection.fetchval(queries.ORDER_STATE, sent.supplier, sent.order_no)
    if state is None or (state == OrderState.DRAFT and not unanswered):
        raise UnknownOrderError
    key = (sent.supplier, sent.order_no)
    return (await lock_orders(connection, [(key, None)]))[key]


async def _whole_set(connection: Connection, news: News) -> News:
    """News of a split, with the children told before that are gone."""
    if not isinstance(news.event, OrderSplit):
        return news
    split = news.event.payload
    numbers = [child.supplier_order_no for child in split.children]
    gone = await connection.fetch(queries.VANISHED, *news.key, numbers)
    await connection.execute(queries.CHILDREN, *news.key, numbers)
    payload = split.model_copy(update={"superseded": tuple(sorted(row["supplier_order_no"] for row in gone))})
    return replace(news, event=news.event.model_copy(update={"payload": payload}))


def _answered(sent: SentVendorEvent, taken: VendorEventReceipt | LateVendorEvent) -> Step:
    """What the vendor sent, and the receipt that he is given, as evidence."""
    receipt = _receipt_row(taken) or {"late": True, "state": taken.state}
    facts = {"said": sent.event.event, "message": sent.message.model_dump(mode="json"), "receipt": receipt}
    evidence = {"key": sent.key, "body": body_of(sent.body)}
    return Step(sent.supplier, sent.order_no, StepKind.ANSWERED, None, facts, evidence=evidence)


def _receipt_row(taken: VendorEventReceipt | LateVendorEvent) -> dict[str, Any] | None:
    if isinstance(taken, LateVendorEvent):
        return None
    return {"event": taken.event, "state": taken.state, "answers": list(taken.answers), "held": taken.held}


def _stored_receipt(kept: Mapping[str, Any] | None) -> VendorEventReceipt | LateVendorEvent:
    if kept is None:
        return LateVendorEvent(None)
    event = None if kept["event"] is None else Kind(kept["event"])
    return VendorEventReceipt(event, OrderState(kept["state"]), tuple(kept["answers"]), kept["held"], repeated=True)
