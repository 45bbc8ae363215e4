"""What serves an order that a supplier confirmed: its contract, its invoices, its after-sale.

When the core asks for each, and when nothing more is to be told of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from contrib.mall.orders import CANCEL, Command, Event

if TYPE_CHECKING:
    from contrib.mall.plan import Plan

ISSUE, INVOICE, AFTER_SALE = "contract.issue", "invoice.request", "aftersale.request"
CANCEL_AFTER_SALE = "aftersale.cancel"

ASKED_AFTER: Mapping[str, str] = {
    ISSUE: "order.confirmed",
    INVOICE: "order.confirmed",
    AFTER_SALE: "shipment.delivered",
}
"""The event of the order that each is asked for after."""

_ENDS: Mapping[str, frozenset[str]] = {
    ISSUE: frozenset(
        {
            "contract.signed",
            "contract.refused",
            "contract.repeated",
            "contract.withdrawn",
            "contract.expired",
            "contract.unsupported",
            "contract.parked",
        }
    ),
    INVOICE: frozenset({"invoice.issued", "invoice.mismatch", "invoice.refused", "invoice.expired", "invoice.parked"}),
    AFTER_SALE: frozenset({"aftersale.refused", "aftersale.parked"}),
}
"""Events after which nothing more is waited for; of after-sale also progress to one of SETTLED."""

SETTLED = frozenset({"done", "refused", "cancelled"})
"""Where a service has ended."""


@dataclass(frozen=True, slots=True)
class Serving:
    """At which suppliers each is asked for. documents: below which address the documents of contracts are."""

    contracts: frozenset[str] = frozenset()
    invoices: frozenset[str] = frozenset()
    after_sales: frozenset[str] = frozenset()
    documents: str = ""

    def of(self, supplier: str) -> tuple[str, ...]:
        """What is asked for at a supplier."""
        asked = ((ISSUE, self.contracts), (INVOICE, self.invoices), (AFTER_SALE, self.after_sales))
        return tuple(operation for operation, suppliers in asked if supplier in suppliers)


NOTHING = Serving()


def due_service(plan: Plan, placed: Sequence[Command], events: Sequence[Event]) -> str | None:
    """The operation to place now; None: nothing for now."""
    operations = {command.operation for command in placed}
    kinds = {event.kind for event in events}
    return next((each for each in plan.services if each not in operations and ASKED_AFTER[each] in kinds), None)


def is_served(plan: Plan, placed: Sequence[Command], events: Sequence[Event]) -> bool:
    """Whether nothing more is to be told of what serves an order: it is over for each, or the order is not there."""
    kinds = {event.kind for event in events}
    if "order.confirmed" not in kinds or any(command.operation == CANCEL for command in placed):
        return True
    unsupported = {event.command_id for event in events if event.kind.endswith(".unsupported")}
    ended = {command.operation for command in placed if command.id in unsupported}
    ended |= {operation for operation, ends in _ENDS.items() if ends & kinds}
    if any(event.kind == "aftersale.progress" and event.content["payload"]["state"] in SETTLED for event in events):
        ended.add(AFTER_SALE)
    return ended.issuperset(plan.services)
