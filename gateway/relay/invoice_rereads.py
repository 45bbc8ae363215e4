"""Applications for invoices reread at their supplier, because a message named them.

A row of `invoice_rereads` waits until its application was read and what the reading tells is on its way, in one
transaction. What a message says beside the number is not believed. An application of which no answer is known yet is
read a little later.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import UTC, datetime

import structlog

from gateway.calls.exchange import Exchange
from gateway.deadletters import DeadLetter
from gateway.deadletters import record as record_letters
from gateway.relay import invoice_store as store
from gateway.relay.invoice_store import DueApplication
from gateway.relay.invoices import (
    Application,
    ApplicationProgress,
    apply_states,
    late_letter,
    mismatch_letter,
    states_of,
    unread_letter,
)
from gateway.relay.orders import News, publish_news
from gateway.relay.policy import backoff
from gateway.relay.reread_store import load_order
from gateway.relay.rereads import MOST_PUT_OFF, PAUSE_SECONDS, RereadContext, named_fault
from gateway.relay.steps import Kind, Step, exchange_step, write_steps
from gateway.sdk.errors import ContractError, GatewayError, Issue, RateLimitError, RejectedError, SupplierError
from gateway.sdk.invoices import RequestsInvoices, StatedInvoices
from gateway.store import Connection, acquired
from gateway.store.outage import retry_while_unavailable
from gateway.telemetry.failpoints import failpoint
from schemas.orders import EVENTS, InvoiceState
from schemas.orders.events import Cause

log = structlog.get_logger(__name__)

LOOK_SECONDS = 1.0
"""How often applications are looked for that are due by now."""


class InvoiceRereads:
    """The applications of one supplier that have to be read, one after the other."""

    def __init__(self, context: RereadContext, adapter: RequestsInvoices) -> None:
        self._context = context
        self._adapter = adapter

    async def run(self) -> None:
        """Until drained."""
        while not self._context.draining():
            due = await retry_while_unavailable(self._due)
            if due is None:
                await self._context.wait(LOOK_SECONDS)
            else:
                await self._take(due)

    async def _due(self) -> DueApplication | None:
        async with acquired(self._context.pool) as connection:
            return await store.next_due(connection, self._context.supplier)

    async def _take(self, due: DueApplication) -> None:
        """Read what is due, or put it off; what cannot be read is a dead letter."""
        seen: list[Exchange] = []
        try:
            await self._read(due, seen)
        except (RejectedError, ContractError) as error:
            issue = Issue("contract_error", actual=f"invoices: {named_fault(error)}"[:200])
            await retry_while_unavailable(self._give_up, due, issue, seen)
        except SupplierError as error:
            self._context.report_health(named_fault(error))
            asked = error.retry_after if isinstance(error, RateLimitError) else None
            await self._put_off(due, seen, asked)
            await self._context.wait(PAUSE_SECONDS)
        except GatewayError:  # the lease is lost, or the work is to end
            raise
        except Exception as error:
            log.exception("invoices.unread", supplier=self._context.supplier, mark_id=due.mark_id)
            issue = Issue("processing_failed", actual=type(error).__name__)
            await retry_while_unavailable(self._give_up, due, issue, seen)
        else:
            self._context.report_health(None)

    async def _read(self, due: DueApplication, seen: list[Exchange]) -> None:
        known = await retry_while_unavailable(self._known, due)
        if known is None:
            issue = Issue("unknown_invoice", actual=due.mark_id[:200], expected="an application of the mall")
            await retry_while_unavailable(self._give_up, due, issue, seen)
            return
        if known.state is InvoiceState.DRAFT and due.failures < MOST_PUT_OFF:
            await self._put_off(due, seen)
            return
        stated = await self._adapter.read_invoices(self._context.calls.observed(seen.append), due.mark_id)
        if stated is None or stated.mark_id != due.mark_id:
            raise ContractError("no application under the number that was asked about")
        failpoint("invoice.read")
        await retry_while_unavailable(self._settle, due, stated, seen)
        failpoint("invoice.told")

    async def _known(self, due: DueApplication) -> Application | None:
        async with self._context.transaction() as connection:
            key = (self._context.supplier, due.mark_id)
            return (await store.lock_applications(connection, [key])).get(key)

    async def _settle(self, due: DueApplication, stated: StatedInvoices, seen: Sequence[Exchange]) -> None:
        """Tell what the reading tells, under the locks of the order and of the application."""
        context, key = self._context, (self._context.supplier, due.mark_id)
        async with context.transaction() as connection:
            order_no = (await store.lock_applications(connection, [key]))[key].order_no
        async with context.transaction() as connection:
            order = await load_order(connection, context.box, context.supplier, order_no)
            known = (await store.lock_applications(connection, [key]))[key]
            ordered = None if order.submit is None else order.submit.payload
            facts = await store.facts_of_order(connection, known, ordered)
            came = apply_states(known, states_of(known, stated), stated, facts)
            steps = [*self._exchanges(order_no, seen), _step(due, known, stated, came)]
            await publish_news(connection, context.box, self._news(due, known, came), readable=False, steps=steps)
            await store.keep(connection, [came.after])
            await store.done(connection, context.supplier, due)
            await record_letters(connection, _letters(due, known, came, stated))

    def _news(self, due: DueApplication, known: Application, came: ApplicationProgress) -> list[News]:
        now = datetime.now(UTC)
        common = {
            "order_no": known.order_no,
            "tenant": known.tenant,
            "supplier": known.supplier,
            "cause": Cause(message=due.message),
            "occurred_at": now,
        }
        events = [EVENTS[kind].model_validate({**common, "payload": payload}) for kind, payload in came.events]
        return [News(known.supplier, known.order_no, None, event, known.tenant) for event in events]

    async def _put_off(self, due: DueApplication, seen: Sequence[Exchange], asked: float | None = None) -> None:
        wait = backoff(due.failures, random.random, asked)

        async def later() -> None:
            async with self._context.transaction() as connection:
                await store.postpone(connection, self._context.supplier, due, wait)
                await self._keep(connection, due, seen)

        await retry_while_unavailable(later)

    async def _give_up(self, due: DueApplication, issue: Issue, seen: Sequence[Exchange]) -> None:
        async with self._context.transaction() as connection:
            await store.done(connection, self._context.supplier, due)
            await self._keep(connection, due, seen)
            letter = unread_letter(self._context.supplier, due.mark_id, due.message, issue, due.seq)
            await record_letters(connection, [letter])

    async def _keep(self, connection: Connection, due: DueApplication, seen: Sequence[Exchange]) -> None:
        """Keep what went over the wire as evidence of the order."""
        key = (self._context.supplier, due.mark_id)
        known = (await store.lock_applications(connection, [key])).get(key)
        if known is not None:
            await write_steps(connection, self._context.box, self._exchanges(known.order_no, seen))

    def _exchanges(self, order_no: str, seen: Sequence[Exchange]) -> list[Step]:
        return [exchange_step(self._context.supplier, order_no, None, each) for each in seen]


def _letters(
    due: DueApplication, known: Application, came: ApplicationProgress, stated: StatedInvoices
) -> list[DeadLetter]:
    letters = [late_letter(known, kind, due.message) for kind in came.late]
    return letters + ([mismatch_letter(known, came.differences, stated.invoices)] if came.differences else [])


def _step(due: DueApplication, known: Application, stated: StatedInvoices, came: ApplicationProgress) -> Step:
    facts = {
        "mark_id": due.mark_id,
        "standing": stated.state.value,
        "invoices": len(stated.invoices),
        "state": came.after.state.value,
        "asked_by": due.message.model_dump(mode="json"),
        "told": [kind.value for kind, _ in came.events],
        "late": [kind.value for kind in came.late],
    }
    return Step(known.supplier, known.order_no, Kind.READ, None, facts)
