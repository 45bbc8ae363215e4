"""What became of the demo's orders, as the separate reader has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gateway.sdk.errors import GatewayError

MEMBERS = (
    "placed",
    "commands",
    "by_state",
    "attempts",
    "lookups_that_prevented_a_duplicate",
    "ledger_effects",
    "refused",
    "duplicates",
    "lost",
    "waiting",
    "answer_ms",
)
"""What the account says of all orders, and of those of one supplier."""

SERVING = ("contracts", "invoices", "aftersales")
"""What serves orders, as the account names it."""


class OrdersAstrayError(GatewayError):
    """Orders, or what serves them, were lost or made twice."""


@dataclass(frozen=True, slots=True)
class OrderAccount:
    """What became of all orders, as the separate reader has it. account: its members are those of
    `contrib.mall.account`.
    """

    account: Mapping[str, Any]

    @property
    def suppliers(self) -> Mapping[str, Mapping[str, Any]]:
        """The same counts of the orders of each supplier."""
        found: Mapping[str, Mapping[str, Any]] = self.account["suppliers"]
        return found

    @property
    def found_again(self) -> Sequence[str]:
        """Numbers of the orders whose answer was lost, and that were looked up instead of made once more."""
        found: Sequence[str] = self.account["found_again"]
        return found

    def require_sound(self) -> None:
        """Raises OrdersAstrayError where anything is lost, was made twice or breaks a rule of the verdict."""
        parts = {"orders": self.account, **{name: self.account[name] for name in SERVING}}
        found = [f"{name}: {each}" for name, part in parts.items() for each in _wrong(part)]
        if found:
            raise OrdersAstrayError("; ".join(found))


def order_summary(ordered: OrderAccount) -> dict[str, Any]:
    """The same for machines."""
    found = {supplier: _members(each) for supplier, each in ordered.suppliers.items()}
    orders = {**_members(ordered.account), "violations": ordered.account["violations"], "suppliers": found}
    return {"orders": orders, **{name: ordered.account[name] for name in SERVING}}


def _wrong(part: Mapping[str, Any]) -> Sequence[str]:
    counted = [f"{part[name]} {name}" for name in ("duplicates", "lost") if part[name]]
    return [*counted, *part["violations"][:5]]


def _members(account: Mapping[str, Any]) -> dict[str, Any]:
    return {name: account[name] for name in MEMBERS}
