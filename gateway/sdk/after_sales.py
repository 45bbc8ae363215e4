"""After-sale services at suppliers, as adapters speak of them: a service as it stands there, and what may be asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Protocol, runtime_checkable

from pydantic import AwareDatetime, Field

from gateway.sdk.http import Http
from schemas.catalog import Label
from schemas.orders import CancelAfterSale, RequestAfterSale, ServiceState
from schemas.orders.aftersales import AuditResult, ReturnAddress, ServiceNo
from schemas.orders.parts import PlainAmount, RawText, Reference


@dataclass(frozen=True, slots=True)
class Refund:
    """Money that went back. credit_note: the supplier's number of the credit note or transfer."""

    amount: Annotated[PlainAmount, Field(gt=0)]
    at: AwareDatetime | None = None
    credit_note: Reference | None = None


@dataclass(frozen=True, slots=True)
class SupplierAfterSale:
    """A service as a supplier has it.

    service_no: ours, None where it is none of ours, or its interface repeats none; new_order_no: of an exchange;
    raw_code: the supplier's own code of where it stands; the others: None where the supplier does not say.
    """

    supplier_service_no: Reference
    state: ServiceState
    service_no: ServiceNo | None = None
    audit: AuditResult | None = None
    audit_code: Label | None = None
    notes: RawText | None = None
    return_address: ReturnAddress | None = None
    new_order_no: Reference | None = None
    raw_code: Label | None = None
    refunds: tuple[Refund, ...] = ()


@runtime_checkable
class HandlesAfterSales(Protocol):
    """Has delivered goods taken back, exchanged, repaired or refunded.

    `supplier_order_no` is that of the child, or of an order that was not split. What the interface has no form for
    (more than one article, a kind that it does not know) is an AfterSaleRefusedError before any call.
    """

    async def apply_after_sale(
        self, http: Http, request: RequestAfterSale, supplier_order_no: Reference
    ) -> SupplierAfterSale | None:
        """Apply for a service, under the number `request.payload.service_no`. Raises AfterSaleRefusedError.

        Returns what the supplier then has, also where it says that it had it before; None: it says no more than that it
        has it.
        """
        ...

    async def cancel_after_sale(self, http: Http, cancel: CancelAfterSale, service: SupplierAfterSale) -> None:
        """Take a service back; one that is cancelled already is no fault. Raises AfterSaleRefusedError."""
        ...

    async def read_after_sales(self, http: Http, supplier_order_no: Reference) -> Sequence[SupplierAfterSale]:
        """Every service of an order or child as it stands now; empty only where the supplier says that there is none.

        Raises AfterSaleRefusedError for an order that does not exist.
        """
        ...
