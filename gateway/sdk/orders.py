"""Orders at suppliers, as adapters speak of them: an order as it stands there, its track, and what may be asked.

Amounts are as the supplier states them. No adapter decides whether an order is the one that was sent:
`gateway.sdk.comparing` does, of what all of them return.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, runtime_checkable

from gateway.sdk.http import Http
from schemas.catalog import Label
from schemas.orders import CancelOrder, ConfirmOrder, SubmitOrder
from schemas.orders.parts import OrderNo, PersonalLine, Reference
from schemas.orders.payloads import StatedOrder, TrackStep


class Standing(StrEnum):
    """What an order is at the supplier. reserved: the goods are held for a confirm; placed: it is on its way."""

    RESERVED = "reserved"
    PLACED = "placed"
    CANCELLED = "cancelled"


class Progress(StrEnum):
    """How far the goods of an order have come."""

    NOT_SHIPPED = "not_shipped"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    REJECTED = "rejected"


@dataclass(frozen=True, slots=True)
class StatedReceiver:
    """Who takes the goods, as far as the supplier says it in clear; None: it does not."""

    name: PersonalLine | None = field(default=None, repr=False)
    mobile: PersonalLine | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class SupplierOrder:
    """An order as a supplier has it.

    order_no: ours, None where its interface repeats none; parent_no: of the order that it was split from; progress:
    None where the supplier has not said.
    """

    supplier_order_no: Reference
    standing: Standing
    stated: StatedOrder
    order_no: OrderNo | None = None
    parent_no: Reference | None = None
    receiver: StatedReceiver | None = None
    progress: Progress | None = None


@dataclass(frozen=True, slots=True)
class OrderTree:
    """An order as it stands. children: every one that there is now; none where it was not split."""

    order: SupplierOrder
    children: tuple[SupplierOrder, ...] = ()


@dataclass(frozen=True, slots=True)
class Parcel:
    """A delivery in a carrier's hands. waybill: the carrier's number."""

    waybill: Reference
    carrier: Label | None = None
    supplier_order_no: Reference | None = None


@dataclass(frozen=True, slots=True)
class Track:
    """What became of the goods of an order. steps: oldest first; empty where nothing is known yet."""

    steps: tuple[TrackStep, ...] = ()
    parcels: tuple[Parcel, ...] = ()


# A method that writes makes one write call, the one that `[orders]` of the manifest names, and may read besides. What
# the interface has no form for (too many lines, too long a name) is an OrderRefusedError before any call.


@runtime_checkable
class SubmitsOrders(Protocol):
    """Places orders."""

    async def submit_order(self, http: Http, order: SubmitOrder) -> SupplierOrder:
        """Have the supplier take an order, under the number `order.order_no`.

        Returns what the supplier then has, also where it says that it had it before. Raises OrderRefusedError.
        """
        ...


@runtime_checkable
class FindsOrders(Protocol):
    """Says whether an order is there, by our number."""

    async def find_order(self, http: Http, order_no: OrderNo) -> SupplierOrder | None:
        """The order that the supplier has under our number; None only where it says that there is none."""
        ...


@runtime_checkable
class ConfirmsOrders(Protocol):
    """Makes reservations orders."""

    async def confirm_order(
        self, http: Http, order: ConfirmOrder, supplier_order_no: Reference
    ) -> SupplierOrder | None:
        """Confirm a reservation; one that is confirmed already is no fault. Raises OrderRefusedError.

        Returns what was confirmed where the supplier states it; None: all of it.
        """
        ...


@runtime_checkable
class CancelsOrders(Protocol):
    """Takes orders back."""

    async def cancel_order(self, http: Http, order: CancelOrder, supplier_order_no: Reference) -> None:
        """Cancel one number: that of the whole order, or of one of the children that the command names, each apart.

        One that is cancelled already is no fault. Raises OrderRefusedError.
        """
        ...


@runtime_checkable
class ReadsOrders(Protocol):
    """Reads orders as they stand."""

    async def read_order(self, http: Http, supplier_order_no: Reference) -> OrderTree:
        """The order, with every child that there is now. Raises OrderRefusedError for one that does not exist."""
        ...

    async def read_track(self, http: Http, supplier_order_no: Reference) -> Track:
        """Where the goods of an order or child are."""
        ...
