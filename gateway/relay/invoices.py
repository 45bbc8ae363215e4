"""What becomes of applications for invoices: what is said of one is judged against where it stands, and its sums. Pure.

What a supplier made out is told the core only where it adds up and comes to what was asked for. Anything else holds the
application: the core is told what does not hold, and a dead letter has a person speak with the supplier.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TypeAlias

import orjson

from gateway.deadletters import DeadLetter
from gateway.sdk.errors import Issue
from gateway.sdk.invoices import StatedInvoices
from schemas.orders import Kind, RefusalClass, StateVerdict
from schemas.orders.events import SupplierMessage
from schemas.orders.invoice_states import judge_invoice
from schemas.orders.invoice_sums import OrderFacts, counted_gross, invoice_mismatches
from schemas.orders.invoices import (
    InvoiceAmounts,
    InvoiceMismatch,
    InvoiceProgress,
    InvoiceStanding,
    InvoiceState,
    IssuedInvoice,
)
from schemas.orders.payloads import InvoiceRefused

STAGE = "invoices"
"""Stage of the dead letters of invoices that do not add up or come too late, and of applications that were not read."""

READ_AGAIN = "reread"
"""Type of the message of a reading that an operator asked for."""

KINDS: Mapping[InvoiceState, Kind] = {
    InvoiceState.PARTLY_ISSUED: Kind.INVOICE_PARTLY_ISSUED,
    InvoiceState.ISSUED: Kind.INVOICE_ISSUED,
    InvoiceState.MAILED: Kind.INVOICE_MAILED,
    InvoiceState.VOIDED: Kind.INVOICE_VOIDED,
    InvoiceState.RED: Kind.INVOICE_RED,
    InvoiceState.REFUSED: Kind.INVOICE_REFUSED,
}
"""The event by which each progress is told."""

COMPLETE = frozenset({InvoiceState.ISSUED, InvoiceState.MAILED})
"""Where everything that was asked for is made out."""

Payload: TypeAlias = InvoiceProgress | InvoiceRefused | InvoiceMismatch


@dataclass(frozen=True, slots=True)
class Application:
    """An application as the gateway knows it. asked: None where another release wrote it."""

    supplier: str
    mark_id: str
    order_no: str
    state: InvoiceState
    tenant: str | None = None
    asked: InvoiceAmounts | None = None
    invoices: tuple[IssuedInvoice, ...] = ()

    @property
    def gross(self) -> Decimal:
        """What its invoices come to that count; of one that is held nothing is taken back yet."""
        is_held = self.state is InvoiceState.HELD
        return counted_gross([each for each in self.invoices if not (is_held and each.standing is InvoiceStanding.RED)])


@dataclass(frozen=True, slots=True)
class ApplicationProgress:
    """What was said of an application came to.

    after: the application then; events: events for the core, in order; differences: what does not hold, which is told
    instead; late: successes of an application that is over.
    """

    after: Application
    events: Sequence[tuple[Kind, Payload]] = ()
    differences: tuple[str, ...] = ()
    late: Sequence[Kind] = ()


def apply_states(
    application: Application,
    states: Sequence[InvoiceState],
    stated: StatedInvoices,
    order: OrderFacts,
    code_class: RefusalClass = RefusalClass.OTHER,
) -> ApplicationProgress:
    """What it comes to that an application stands in these states, one after the other. Total.

    stated: with every invoice of it that there is.
    """
    late = [KINDS[state] for state in states if judge_invoice(application.state, state).verdict is StateVerdict.LATE]
    if late:
        return ApplicationProgress(application, late=late)
    complete = not COMPLETE.isdisjoint(states)
    differences = invoice_mismatches(application.asked, stated.invoices, order, whole=complete)
    if InvoiceState.RED in states and all(each.standing is not InvoiceStanding.RED for each in stated.invoices):
        differences = (*differences, "no red invoice is stated")
    if differences:
        return _held(application, states[-1], stated, differences[:MOST_DIFFERENCES])
    events, state = [], application.state
    for each in states:
        if _is_news(application, state, each, stated):
            events.append((KINDS[each], _payload(each, stated, code_class)))
        state = _after(state, each, stated)
    return ApplicationProgress(replace(application, state=state, invoices=stated.invoices), events)


MOST_DIFFERENCES = 100
"""Differences that are told."""


def states_of(application: Application, stated: StatedInvoices) -> Sequence[InvoiceState]:
    """In which states an application has been, that was read: each that follows from what there is."""
    return tuple(_states_of(application, stated))


def _states_of(application: Application, stated: StatedInvoices) -> Iterator[InvoiceState]:
    standings = {each.standing for each in stated.invoices}
    if InvoiceStanding.NORMAL in standings:
        yield InvoiceState.ISSUED if stated.state is InvoiceState.MAILED else stated.state
        if stated.state is InvoiceState.MAILED:
            yield InvoiceState.MAILED
    elif stated.state is InvoiceState.REFUSED:
        yield InvoiceState.VOIDED if application.invoices else InvoiceState.REFUSED
    if InvoiceStanding.RED in standings:
        yield InvoiceState.RED
    if InvoiceStanding.VOID in standings or stated.state is InvoiceState.VOIDED:
        yield InvoiceState.VOIDED


def merged(application: Application, stated: Sequence[IssuedInvoice]) -> tuple[IssuedInvoice, ...]:
    """All invoices of an application, those told now in the place of what was known of them."""
    found = {each.key: each for each in application.invoices}
    return tuple({**found, **{each.key: each for each in stated}}.values())


def mismatch_letter(
    application: Application, differences: Sequence[str], invoices: Sequence[IssuedInvoice]
) -> DeadLetter:
    """The dead letter of invoices that do not hold; the same invoices once more are the same letter."""
    digest = hashlib.sha256(b"\n".join(each.model_dump_json().encode() for each in invoices)).hexdigest()
    issue = Issue("invoice_mismatch", "/invoices", "; ".join(differences)[:200], "invoices that come to what was asked")
    return _letter(issue, _named(application), application.supplier, digest)


def late_letter(application: Application, kind: Kind, message: SupplierMessage) -> DeadLetter:
    """The dead letter of a success of an application that is over."""
    named = {"event": kind.value, **_named(application), "message_type": message.type, "message_id": message.id}
    wanted = f"news of an application that is not {application.state}"
    return _letter(Issue("late_event", "", kind.value, wanted), named, application.supplier, message.id)


def unread_letter(supplier: str, mark_id: str, message: SupplierMessage, issue: Issue, asked: int) -> DeadLetter:
    """The dead letter of an application that could not be read, or that is none of ours."""
    named = {"mark_id": mark_id, "message_type": message.type, "message_id": message.id}
    return _letter(issue, named, supplier, f"{message.type}|{message.id}|{asked}")


def _letter(issue: Issue, named: Mapping[str, str], supplier: str, key: str) -> DeadLetter:
    """Only what names the application: the rest may name people."""
    original = orjson.dumps({**named, "supplier": supplier})
    return DeadLetter(
        stage=STAGE,
        issues=(issue,),
        original=original,
        supplier=supplier,
        key=f"{named['mark_id']}|{key}".encode(),
    )


def _named(application: Application) -> dict[str, str]:
    return {"order_no": application.order_no, "mark_id": application.mark_id}


def _held(
    application: Application, stated_state: InvoiceState, stated: StatedInvoices, differences: tuple[str, ...]
) -> ApplicationProgress:
    after = replace(application, state=InvoiceState.HELD, invoices=stated.invoices)
    if application.state is InvoiceState.HELD and _invoice_keys(application.invoices) == _invoice_keys(stated.invoices):
        return ApplicationProgress(after)
    mismatch = InvoiceMismatch(
        mark_id=application.mark_id,
        told=stated_state,
        expected=application.asked,
        invoices=stated.invoices,
        differences=tuple(each[:500] for each in differences),
    )
    return ApplicationProgress(after, [(Kind.INVOICE_MISMATCH, mismatch)], differences)


def _payload(state: InvoiceState, stated: StatedInvoices, code_class: RefusalClass) -> Payload:
    if state is InvoiceState.REFUSED:
        return InvoiceRefused(mark_id=stated.mark_id, code_class=code_class)
    return InvoiceProgress(
        mark_id=stated.mark_id, invoices=stated.invoices, carrier=stated.carrier, waybill=stated.waybill
    )


def _is_news(application: Application, state: InvoiceState, stated_state: InvoiceState, stated: StatedInvoices) -> bool:
    """Whether the core does not know it: another state, or the same with other invoices of that kind."""
    if stated_state not in KINDS:
        return False
    concerned = _CONCERNED.get(stated_state, InvoiceStanding.NORMAL)
    changed = _invoice_keys(application.invoices, concerned) != _invoice_keys(stated.invoices, concerned)
    if stated_state is state or (stated_state is InvoiceState.VOIDED and not _all_void(stated)):
        return changed
    return judge_invoice(state, stated_state).holds


def _after(state: InvoiceState, stated_state: InvoiceState, stated: StatedInvoices) -> InvoiceState:
    if stated_state is InvoiceState.VOIDED and not _all_void(stated):
        return state
    return judge_invoice(state, stated_state).state


_CONCERNED: Mapping[InvoiceState, InvoiceStanding] = {
    InvoiceState.RED: InvoiceStanding.RED,
    InvoiceState.VOIDED: InvoiceStanding.VOID,
}


def _all_void(stated: StatedInvoices) -> bool:
    return all(each.standing is InvoiceStanding.VOID for each in stated.invoices)


def _invoice_keys(invoices: Sequence[IssuedInvoice], standing: InvoiceStanding | None = None) -> frozenset[str]:
    """Invoices as they are compared: all, or those of one standing."""
    kept = (each for each in invoices if standing in (None, each.standing))
    return frozenset(each.model_dump_json(exclude={"url"}) for each in kept)
