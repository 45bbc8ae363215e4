"""What vendors say of applications for invoices: which commands it answers, and what it comes to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TypeAlias, get_args

from gateway.deadletters import DeadLetter
from gateway.relay import invoice_store as store
from gateway.relay.commands import Command, Origin
from gateway.relay.invoices import (
    KINDS,
    Application,
    ApplicationProgress,
    apply_states,
    late_letter,
    merged,
    mismatch_letter,
)
from gateway.relay.orders import News, Order
from gateway.relay.store import OpenedCommand, opened
from gateway.relay.vendor_events import (
    InvoiceIssuedByVendor,
    InvoiceMailedByVendor,
    InvoicePartlyIssuedByVendor,
    InvoiceRedByVendor,
    InvoiceRefusedByVendor,
    InvoiceRequestedByVendor,
    InvoiceVoidedByVendor,
    ValueRefusedError,
    VendorEvent,
    core_event,
)
from gateway.sdk.errors import GatewayError
from gateway.sdk.invoices import StatedInvoices
from gateway.store import Connection
from gateway.suppliers import SecretBox
from schemas.base import Model
from schemas.orders import InvoiceState, Kind, Operation, RequestInvoice, StateVerdict, SubmitOrder
from schemas.orders.events import Cause, SupplierMessage
from schemas.orders.invoice_states import judge_invoice
from schemas.orders.invoices import MAX_INVOICES, InvoiceProgress, InvoiceRequested
from schemas.orders.payloads import InvoiceRefused

InvoiceVendorEvent: TypeAlias = (
    InvoiceRequestedByVendor
    | InvoiceRefusedByVendor
    | InvoicePartlyIssuedByVendor
    | InvoiceIssuedByVendor
    | InvoiceMailedByVendor
    | InvoiceVoidedByVendor
    | InvoiceRedByVendor
)

INVOICE_EVENTS = get_args(InvoiceVendorEvent)

STATES: Mapping[Kind, InvoiceState] = {
    Kind.INVOICE_REQUESTED: InvoiceState.REQUESTED,
    **{kind: state for state, kind in KINDS.items()},
}
"""Where each word has an application stand."""


class UnknownInvoiceError(GatewayError):
    """The supplier was given no such application."""


class InvoiceOutOfStateError(GatewayError):
    """The application does not stand where this could be said of it. allowed: what can be."""

    def __init__(self, state: InvoiceState) -> None:
        super().__init__(f"the application is {state}")
        self.state = state
        self.allowed = [kind for kind, stated in STATES.items() if judge_invoice(state, stated).holds]


@dataclass(frozen=True, slots=True)
class ReceivedInvoiceEvent:
    """A vendor's word, who says it of which order, and when it was heard."""

    event: InvoiceVendorEvent
    order: Order
    message: SupplierMessage
    now: datetime
    traceparent: str | None = None


@dataclass(frozen=True, slots=True)
class InvoiceEventResult:
    """What a word came to. answers: commands that it answers; late: it is told nobody."""

    outcome: ApplicationProgress
    answers: Sequence[Command] = ()
    news: Sequence[News] = ()
    letters: Sequence[DeadLetter] = ()

    @property
    def event(self) -> Kind | None:
        """What the core was told; None: it knew that already."""
        events = [each.event.event for each in self.news if each.event is not None]
        return Kind(events[-1]) if events else None


async def apply_invoice_event(
    connection: Connection,
    box: SecretBox,
    received: ReceivedInvoiceEvent,
    unanswered: Sequence[Command],
    known: Mapping[str, Origin],
    ordered: SubmitOrder | None,
) -> InvoiceEventResult:
    """Judge a word under the application's lock, and keep where it stands then.

    unanswered: commands of the order that he may have; known: where they came from. Raises UnknownInvoiceError,
    ValueRefusedError and InvoiceOutOfStateError: nothing was taken.
    """
    supplier, mark_id = received.order.supplier, received.event.payload.mark_id or ""
    found = (await store.lock_applications(connection, [(supplier, mark_id)])).get((supplier, mark_id))
    if found is None or found.order_no != received.order.order_no:
        raise UnknownInvoiceError
    answers = await _answered(connection, box, supplier, mark_id, unanswered)
    if answers and found.state is InvoiceState.REFUSED:  # it is applied for again
        found = replace(found, state=InvoiceState.DRAFT)
    facts = await store.facts_of_order(connection, found, None if ordered is None else ordered.payload)
    state, stated = STATES[Kind(received.event.event)], _stated(received.event, found)
    if judge_invoice(found.state, state).verdict is StateVerdict.CONTRADICTS and not answers:
        raise InvoiceOutOfStateError(found.state)
    if state in (InvoiceState.REQUESTED, InvoiceState.REFUSED) and answers:
        return InvoiceEventResult(
            ApplicationProgress(found), answers, _answering(received, received.event.payload, answers, known)
        )
    code = received.event.payload.code_class if isinstance(received.event, InvoiceRefusedByVendor) else None
    outcome = apply_states(found, [state], stated, facts, **({} if code is None else {"code_class": code}))
    await store.keep(connection, [outcome.after])
    taken = InvoiceRequested(mark_id=mark_id)
    news = [] if outcome.late else _answering(received, taken, answers, known)
    letters = [late_letter(found, kind, received.message) for kind in outcome.late]
    if outcome.differences:
        letters.append(mismatch_letter(found, outcome.differences, stated.invoices))
    return InvoiceEventResult(
        outcome, () if outcome.late else answers, [*news, *_progress_news(received, outcome)], letters
    )


def _stated(event: InvoiceVendorEvent, known: Application) -> StatedInvoices:
    """What the vendor has said of an application by now."""
    payload, state = event.payload, STATES[Kind(event.event)]
    if not isinstance(payload, InvoiceProgress):
        return StatedInvoices(known.mark_id, state, known.invoices)
    invoices = merged(known, payload.invoices)
    if len(invoices) > MAX_INVOICES:
        most = f"at most {MAX_INVOICES} invoices of one application, with those told before"
        raise ValueRefusedError("/payload/invoices", most)
    return StatedInvoices(known.mark_id, state, invoices, payload.carrier, payload.waybill)


async def _answered(
    connection: Connection, box: SecretBox, supplier: str, mark_id: str, unanswered: Sequence[Command]
) -> Sequence[Command]:
    """The commands that ask for this application."""
    asked = [each for each in unanswered if each.operation == Operation.REQUEST_INVOICE]
    found = await opened(connection, box, supplier, [each.command_id for each in asked]) if asked else {}
    return [each for each in asked if _mark_of(found.get(each.command_id)) == mark_id]


def _mark_of(found: OpenedCommand | Exception | None) -> str | None:
    command = found.command if isinstance(found, OpenedCommand) else None
    return command.payload.mark_id if isinstance(command, RequestInvoice) else None


def _answering(
    received: ReceivedInvoiceEvent,
    payload: InvoiceRequested | InvoiceRefused | InvoiceProgress,
    answers: Sequence[Command],
    known: Mapping[str, Origin],
) -> list[News]:
    """Of each command that a word answers: it was taken, or refused."""
    kind = Kind.INVOICE_REFUSED if isinstance(payload, InvoiceRefused) else Kind.INVOICE_REQUESTED
    return [
        _news(received, kind, payload, Cause(command_id=each.command_id), known[each.command_id]) for each in answers
    ]


def _progress_news(received: ReceivedInvoiceEvent, outcome: ApplicationProgress) -> list[News]:
    origin = Origin(outcome.after.tenant or received.order.tenant, received.traceparent)
    return [_news(received, kind, payload, Cause(message=received.message), origin) for kind, payload in outcome.events]


def _news(received: ReceivedInvoiceEvent, kind: Kind, payload: Model, cause: Cause, origin: Origin) -> News:
    event = core_event(
        received.event,
        supplier=received.order.supplier,
        order_no=received.order.order_no,
        tenant=origin.tenant or received.order.tenant,
        cause=cause,
        now=received.now,
        replacement=(kind, payload),
    )
    return News(
        received.order.supplier, received.order.order_no, None, event, event.tenant, traceparent=origin.traceparent
    )


def is_invoice_event(event: VendorEvent) -> bool:
    """Whether a word is of an application for invoices, not of the order itself."""
    return isinstance(event, INVOICE_EVENTS)
