"""Invoices at suppliers, as adapters speak of them: an application as it stands there, and what may be asked of it.

Amounts are as the supplier states them. No adapter decides whether they are right: the gateway compares what all of
them return with what was asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, TypeAlias, runtime_checkable

from gateway.sdk.http import Http
from schemas.catalog import Label
from schemas.orders import InvoiceState, RequestInvoice
from schemas.orders.invoices import IssuedInvoice, MarkId
from schemas.orders.parts import Reference

Numbers: TypeAlias = tuple[Reference, ...]
"""The supplier's numbers of what is invoiced: those that the command names, else that of the whole order."""


@dataclass(frozen=True, slots=True)
class StatedInvoices:
    """An application as a supplier has it.

    state: as far as it says; one with red invoices, or of which all are void, need not say so; invoices: every one that
    there is; waybill: the carrier's number, where paper was mailed.
    """

    mark_id: MarkId
    state: InvoiceState
    invoices: tuple[IssuedInvoice, ...] = ()
    carrier: Label | None = None
    waybill: Reference | None = None


@runtime_checkable
class RequestsInvoices(Protocol):
    """Applies for invoices, and reads what was made out."""

    async def request_invoice(self, http: Http, request: RequestInvoice, supplier_order_nos: Numbers) -> None:
        """Have the supplier take an application, under `request.payload.mark_id`; once where it had it before.

        Makes one write call, the one that `[orders.invoice]` of the manifest names. Raises OrderRefusedError.
        """
        ...

    async def read_invoices(self, http: Http, mark_id: MarkId) -> StatedInvoices | None:
        """An application as it stands; None only where the supplier says that it has none under this number."""
        ...
