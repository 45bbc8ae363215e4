"""What a vendor has: orders, contracts, applications for invoices and after-sale services, and what each comes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

Json = Mapping[str, Any]

SERVICE_STEPS: Mapping[str, Mapping[str, str]] = {
    "return": {
        "requested": "approve",
        "approved": "send_goods",
        "goods_returning": "receive",
        "received": "handle",
        "refunding": "refund",
        "refunded": "close",
    },
    "exchange": {
        "requested": "approve",
        "approved": "send_goods",
        "goods_returning": "receive",
        "received": "handle",
        "exchange_shipped": "close",
    },
    "repair": {
        "requested": "approve",
        "approved": "send_goods",
        "goods_returning": "receive",
        "received": "handle",
        "repairing": "close",
    },
    "refund": {"requested": "approve", "approved": "handle", "refunding": "refund", "refunded": "close"},
}
"""What the vendor does next about a service, by what is wanted and where the service stands."""

HANDLED: Mapping[str, str] = {
    "return": "refunding",
    "exchange": "exchange_shipped",
    "repair": "repairing",
    "refund": "refunding",
}
"""Where a service stands once it is handled, by what is wanted."""


@dataclass(slots=True)
class Order:
    """One order. lines: as in the command, a confirmed part of them after a cut."""

    NEXT: ClassVar[Mapping[str, str]] = {"confirmed": "ship", "shipped": "deliver"}
    number: str
    order_no: str
    lines: list[Json]
    state: str

    @property
    def next(self) -> str | None:
        """What the vendor does next by itself."""
        return self.NEXT.get(self.state)


@dataclass(slots=True)
class Contract:
    """One contract, by its newest text. sha256: of the document that was fetched; state: received, signed, refused or
    over.
    """

    contract_no: str
    order_no: str
    revision: int
    sha256: str
    state: str = "received"

    @property
    def next(self) -> str | None:
        """What the vendor does next by itself."""
        return "sign_contract" if self.state == "received" else None


@dataclass(slots=True)
class Application:
    """One application for invoices. invoice: what is made out; state: requested or issued."""

    mark_id: str
    order_no: str
    invoice: Json
    state: str = "requested"

    @property
    def next(self) -> str | None:
        """What the vendor does next by itself."""
        return "invoice_issue" if self.state == "requested" else None


@dataclass(slots=True)
class Service:
    """One after-sale service. kind: what is wanted; refund: yuan that go back where goods or money do."""

    service_no: str
    order_no: str
    number: str
    kind: str
    refund: str
    state: str = "requested"

    @property
    def next(self) -> str | None:
        """What the vendor does next by itself."""
        return SERVICE_STEPS[self.kind].get(self.state)


Subject: TypeAlias = Order | Contract | Application | Service
