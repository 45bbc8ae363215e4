"""Whether the sums that somebody states are the sums of what he states: of lines, of children, of net and tax.

Nothing is computed for others to use. A part (gross, net, tax) is compared where both sides state it. Freight stands
apart. A sum is right when it equals the exact one, or that one rounded half up to fen, because prices may have more
decimals than money has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Literal, Protocol

from schemas.catalog import PriceBasis
from schemas.orders.parts import StatedLine, Sums, Totals, UnitPrice

Part = Literal["gross", "net", "tax"]
PARTS: tuple[Part, ...] = ("gross", "net", "tax")

SUM_MISMATCH = "sum_mismatch"
"""Type of the error of a message whose amounts do not add up."""

EXACT = Context(prec=80)
"""In which sums lose no digit."""
_FEN = Decimal("0.01")
_UNSTATED = Sums()


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A stated number that is not the sum it should be.

    where: `line 3` (by position, from 1), `order` or `children`; what: the part, `freight`, or `quantity of SKU`;
    stated, None where the number is missing; computed: the exact sum of the other numbers that were stated.
    """

    where: str
    what: str
    stated: Decimal | None
    computed: Decimal

    def __str__(self) -> str:
        return f"{self.what} of {self.where}: stated {self.stated}, sum {self.computed}"


class PricedLine(Protocol):
    """A line with a quantity and a price."""

    @property
    def quantity(self) -> Decimal: ...
    @property
    def price(self) -> UnitPrice: ...


class StatedParts(Protocol):
    """An order or child with its lines and totals."""

    @property
    def lines(self) -> tuple[StatedLine, ...]: ...
    @property
    def totals(self) -> Totals: ...


def order_mismatches(lines: Sequence[PricedLine], totals: Totals, basis: PriceBasis) -> tuple[Mismatch, ...]:
    """What does not hold between lines and totals of one order.

    basis: which unit price the contract fixes. In that part every line has to follow from price and quantity; the
    other part of a unit may be rounded, so a line's own sum counts where it has one. What is wrong against the lines
    and against net and tax alike is one mismatch.
    """
    found = [
        *_line_mismatches(lines, basis),
        *(each for part in PARTS for each in _total_mismatches(lines, totals, part)),
        *_net_and_tax("order", totals, _goods(totals)),
    ]
    return tuple(dict.fromkeys(found))


def split_mismatches(parent: StatedParts, children: Sequence[StatedParts]) -> tuple[Mismatch, ...]:
    """What does not hold between an order and the children that are its whole set now, superseded ones left out."""
    found: list[Mismatch] = []
    stated: tuple[Part | Literal["freight"], ...] = (*PARTS, "freight")
    for part in stated:
        whole, parts = _of(parent.totals, part), [_of(child.totals, part) for child in children]
        known = [each for each in parts if each is not None]
        if whole is not None and len(known) == len(parts):
            found += _compared("children", part, whole, _sum(known))
    return (*found, *_quantity_mismatches(parent, children))


def _of(totals: Totals, part: Part | Literal["freight"]) -> Decimal | None:
    if part == "gross":
        return _goods(totals)
    return totals.freight if part == "freight" else _stated(totals, part)


def _quantity_mismatches(parent: StatedParts, children: Sequence[StatedParts]) -> Iterator[Mismatch]:
    if not parent.lines or not all(child.lines for child in children):
        return
    whole = _quantities(parent.lines)
    parts = _quantities([line for child in children for line in child.lines])
    for sku in sorted(whole.keys() | parts.keys()):
        if whole.get(sku, 0) != parts.get(sku, 0):
            yield Mismatch("children", f"quantity of {sku}", whole.get(sku), parts.get(sku, Decimal(0)))


def _quantities(lines: Sequence[StatedLine]) -> Mapping[str, Decimal]:
    found: dict[str, Decimal] = {}
    for line in lines:
        found[line.sku] = EXACT.add(found.get(line.sku, Decimal(0)), line.quantity)
    return found


def _line_mismatches(lines: Sequence[PricedLine], basis: PriceBasis) -> Iterator[Mismatch]:
    part: Part = basis.value
    for number, line in enumerate(lines, 1):
        sums = _sums_of(line)
        stated, price = _stated(sums, part), _stated(line.price, part)
        if stated is not None and price is not None:
            yield from _compared(f"line {number}", part, stated, EXACT.multiply(price, line.quantity))
        yield from _net_and_tax(f"line {number}", sums, sums.gross)


def _total_mismatches(lines: Sequence[PricedLine], totals: Totals, part: Part) -> Iterator[Mismatch]:
    total = _of(totals, part)
    if total is None:
        return
    summands = [_line_sum(line, part) for line in lines]
    known = [each for each in summands if each is not None]
    if known and len(known) == len(summands):
        yield from _compared("order", part, total, _sum(known))


def _net_and_tax(where: str, sums: Sums, gross: Decimal | None) -> Iterator[Mismatch]:
    """An invoice has to print these three, and they add up on every one."""
    if gross is not None and sums.net is not None and sums.tax is not None:
        yield from _compared(where, "gross", gross, _sum([sums.net, sums.tax]))


def _line_sum(line: PricedLine, part: Part) -> Decimal | None:
    stated, price = _stated(_sums_of(line), part), _stated(line.price, part)
    if stated is not None:
        return stated
    return None if price is None else EXACT.multiply(price, line.quantity)


def _sums_of(line: PricedLine) -> Sums:
    sums: Sums = getattr(line, "sums", _UNSTATED)  # asked by isinstance, a model that is none costs ten times that
    return sums


def _stated(amounts: UnitPrice | Sums, part: Part) -> Decimal | None:
    match part:
        case "gross":
            return amounts.gross
        case "net":
            return amounts.net
        case "tax":
            return amounts.tax


def _goods(totals: Totals) -> Decimal | None:
    """The stated gross without the freight, which is in it at some suppliers; for comparing alone."""
    if totals.gross is None or totals.freight is None or not totals.freight_in_gross:
        return totals.gross
    return EXACT.subtract(totals.gross, totals.freight)


def rounded(amount: Decimal) -> Decimal:
    """An amount in whole fen, half up."""
    return amount.quantize(_FEN, ROUND_HALF_UP, context=EXACT)


def _compared(where: str, what: str, stated: Decimal, computed: Decimal) -> Iterator[Mismatch]:
    if stated != computed and stated != rounded(computed):
        yield Mismatch(where, what, stated, computed)


def _sum(amounts: Sequence[Decimal]) -> Decimal:
    total = Decimal(0)
    for amount in amounts:
        total = EXACT.add(total, amount)
    return total
