"""An order as the supplier keeps it, and the arithmetic of its amounts. Money is in cents."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import accumulate, pairwise
from typing import Any

from contrib.simulators.jd_vop.clock import local
from contrib.simulators.jd_vop.world import yuan

GOODS, ACCESSORY, GIFT = 0, 1, 2
FREE_FROM, FREIGHT = 9_900, 600


@dataclass(frozen=True, slots=True)
class Line:
    """Goods of an order. price: with tax, naked: without; tax: percent; type: GOODS, ACCESSORY or GIFT; oid: the sku
    that accessories and gifts belong to, 0 for goods.
    """

    sku: int
    num: int
    name: str
    category: int
    price: int
    naked: int
    tax: int
    type: int = GOODS
    oid: int = 0


@dataclass(frozen=True, slots=True)
class Amounts:
    """Sums of an order. gross and naked leave the freight out, as the supplier does."""

    gross: int
    naked: int
    freight: int

    @property
    def tax(self) -> int:
        """The tax in the gross sum."""
        return self.gross - self.naked


@dataclass(frozen=True, slots=True)
class Step:
    """What happens to an order after its confirmation. jd_state: the supplier's jdOrderState then, None for no other;
    state: 1 delivered, 2 rejected; message: the type that tells of it; words: what its tracking says.
    """

    jd_state: int | None
    words: str
    state: int | None = None
    message: int | None = None


STEPS: Mapping[str, Step] = {
    "payment_failed": Step(4, "您的订单支付失败", message=14),
    "print": Step(7, "您的订单已经打印完毕"),
    "leave_store": Step(8, "您的订单已经拣货完成"),
    "pack": Step(9, "打包成功"),
    "ship": Step(10, "您的订单已发往下一分拣中心"),
    "await_receipt": Step(16, "您的订单正在配送途中，请您准备签收", message=18),
    "deliver": Step(18, "您的订单已签收", state=1, message=5),
    "finish": Step(19, "您的订单已完成", message=31),
    "return": Step(17, "您的订单正在退回", message=23),
    "reject": Step(None, "您的订单已拒收", state=2, message=5),
}
DELIVERED: Sequence[str] = ("print", "leave_store", "pack", "ship", "await_receipt", "deliver", "finish")
REJECTED: Sequence[str] = ("print", "leave_store", "pack", "ship", "await_receipt", "return", "reject")
IN_PRODUCTION = 8
"""From this jdOrderState on an order can no longer be cancelled."""


@dataclass(slots=True)
class Order:
    """One order: a parent, a child, or an order that was never split, which is its own child.

    parent: the order that it was split from, 0 for none; children: those that stand now; superseded: a later split has
    replaced this child; place: which step of its way comes next; tracks: when what was told of its way, and by whom.
    """

    id: int
    third: str
    lines: tuple[Line, ...]
    freight: int
    created: float
    confirmed: bool
    parent: int = 0
    cancelled: bool = False
    superseded: bool = False
    state: int = 0
    jd_state: int = 1
    place: int = 0
    children: list[int] = field(default_factory=list)
    tracks: list[tuple[float, str, str]] = field(default_factory=list)

    @property
    def amounts(self) -> Amounts:
        """The exact sums of the lines."""
        return amounts(self.lines, self.freight)

    def track(self, at: float, words: str, operator: str = "系统") -> None:
        """Write down what its tracking says from now on."""
        self.tracks.append((at, words, operator))

    def truth(self) -> dict[str, Any]:
        """The order, plainly: ids as text, money in yuan as text."""
        return {
            "jdOrderId": str(self.id),
            "thirdOrder": self.third,
            "parent": str(self.parent) if self.parent else None,
            "children": [str(child) for child in self.children],
            "confirmed": self.confirmed,
            "cancelled": self.cancelled,
            "superseded": self.superseded,
            "state": self.state,
            "jdOrderState": self.jd_state,
            "created": local(self.created),
            "lines": [line_entry(line) for line in self.lines],
            "amounts": amounts_entry(self.amounts),
        }


def amounts(lines: Sequence[Line], freight: int) -> Amounts:
    """The exact sums of lines."""
    gross = sum(line.price * line.num for line in lines)
    return Amounts(gross, sum(line.naked * line.num for line in lines), freight)


def freight_of(lines: Sequence[Line]) -> int:
    """What the delivery of an order costs: nothing from 99 yuan on, else 6."""
    return 0 if amounts(lines, 0).gross >= FREE_FROM else FREIGHT


def prorated(amount: int, weights: Sequence[int]) -> list[int]:
    """An amount in parts that are as large as their weights, and whose sum is the amount exactly."""
    counted = weights if sum(weights) else [1] * len(weights)
    total = sum(counted)
    edges = [amount * upto // total for upto in accumulate(counted, initial=0)]
    return [end - start for start, end in pairwise(edges)]


def divided(lines: Sequence[Line], into: int) -> list[tuple[Line, ...]]:
    """Lines over so many children at most, each line in one of them, so that a gift may come apart from its goods.

    A single line is divided by its quantity. Empty when nothing can be divided.
    """
    if len(lines) > 1:
        return [tuple(lines[place::into]) for place in range(min(into, len(lines)))] if into > 1 else []
    parts = min(into, lines[0].num)
    if parts < 2:
        return []
    return [(replace(lines[0], num=num),) for num in prorated(lines[0].num, [1] * parts)]


def line_entry(line: Line) -> dict[str, Any]:
    """A line as the ledger has it."""
    return {
        "skuId": str(line.sku),
        "num": line.num,
        "name": line.name,
        "category": line.category,
        "price": yuan(line.price),
        "nakedPrice": yuan(line.naked),
        "taxPrice": yuan(line.price - line.naked),
        "tax": line.tax,
        "type": line.type,
        "oid": str(line.oid),
    }


def line_of(entry: Mapping[str, Any]) -> Line:
    """The line that an entry of the ledger holds."""
    return Line(
        sku=int(entry["skuId"]),
        num=entry["num"],
        name=entry["name"],
        category=entry["category"],
        price=cents(entry["price"]),
        naked=cents(entry["nakedPrice"]),
        tax=entry["tax"],
        type=entry["type"],
        oid=int(entry["oid"]),
    )


def amounts_entry(sums: Amounts) -> dict[str, str]:
    """Sums as the ledger has them."""
    return {
        "orderPrice": yuan(sums.gross),
        "orderNakedPrice": yuan(sums.naked),
        "orderTaxPrice": yuan(sums.tax),
        "freight": yuan(sums.freight),
    }


def cents(value: Any) -> int:
    """Yuan as cents. Raises ValueError for what is no amount, or has more than two decimals."""
    try:
        exact = Decimal(str(value)) * 100
    except ArithmeticError as error:
        raise ValueError(f"{value!r} is no amount") from error
    if not exact.is_finite() or exact != exact.to_integral_value():
        raise ValueError(f"{value!r} is no amount with at most two decimals")
    return int(exact)
