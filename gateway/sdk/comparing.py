"""Whether what a supplier has is what was ordered: line by line, in its amounts, in its receiver. Pure.

Used for every answer to a submit and for every look-up: a supplier that says "I have this order already" may have
another one under the number. Nothing here repeats personal data.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext

from gateway.sdk.orders import Standing, StatedReceiver, SupplierOrder
from schemas.catalog import PriceBasis
from schemas.orders import PriceMode, SubmitMode, SubmitOrder, order_mismatches
from schemas.orders.commands import Submission
from schemas.orders.parts import LineKind, Receiver, StatedLine, Totals, UnitPrice
from schemas.orders.payloads import StatedOrder

WANTED: Mapping[SubmitMode, Standing] = {SubmitMode.RESERVE: Standing.RESERVED, SubmitMode.DIRECT: Standing.PLACED}
"""What an order is once it was submitted."""

_EXACT = Context(prec=80, rounding=ROUND_HALF_UP)
_FEN = Decimal("0.01")


def differences(order: SubmitOrder, found: SupplierOrder) -> tuple[str, ...]:
    """In what a supplier's order is another than the one that was sent, each in words; () in nothing."""
    wanted = WANTED[order.payload.mode]
    standing = () if found.standing is wanted else (f"it is {found.standing}, not {wanted}",)
    number = () if found.order_no in (None, order.order_no) else (f"it has the number {found.order_no}",)
    with localcontext(_EXACT):
        stated = tuple(_of_goods(order.payload, found.stated))
    return (*number, *standing, *stated, *_of_receiver(order.payload.receiver, found.receiver))


def _of_goods(ordered: Submission, stated: StatedOrder) -> Iterator[str]:
    if stated.price_basis is not ordered.price_basis:
        yield f"its prices are {stated.price_basis}, not {ordered.price_basis}"
        return
    yield from _of_lines(ordered, [line for line in stated.lines if _is_goods(line)])
    yield from map(str, order_mismatches(stated.lines, stated.totals, stated.price_basis))
    if ordered.price_mode is PriceMode.REFUSE:
        yield from _of_totals(ordered, stated.totals)


def _is_goods(line: StatedLine) -> bool:
    """Whether somebody may have ordered a line: what comes with an article for nothing, nobody did."""
    return line.kind is LineKind.GOODS or any(each for each in (line.price.gross, line.price.net))


def _of_lines(ordered: Submission, lines: Sequence[StatedLine]) -> Iterator[str]:
    wanted, there = _quantities(ordered.lines), _quantities(lines)
    for sku in sorted(wanted.keys() | there.keys()):
        if wanted[sku] != there[sku]:
            yield f"quantity of {sku}: {wanted[sku]} ordered, {there[sku]} there"
    if ordered.price_mode is PriceMode.ACCEPT:
        return
    basis = ordered.price_basis
    asked: dict[str, set[Decimal | None]] = defaultdict(set)
    for line in ordered.lines:
        asked[line.sku].add(_part(line.price, basis))
    for each in lines:
        price = _part(each.price, basis)
        if each.sku in asked and price not in asked[each.sku]:
            yield f"{basis} price of {each.sku}: {_listed(asked[each.sku])} ordered, {price} there"


def _quantities(lines: Sequence[StatedLine] | Sequence[object]) -> defaultdict[str, Decimal]:
    found: defaultdict[str, Decimal] = defaultdict(Decimal)
    for line in lines:
        found[line.sku] += line.quantity  # type: ignore[attr-defined]
    return found


def _listed(prices: set[Decimal | None]) -> str:
    return " or ".join(sorted(map(str, prices)))


def _part(price: UnitPrice | Totals, basis: PriceBasis) -> Decimal | None:
    return price.net if basis is PriceBasis.NET else price.gross


def _of_totals(ordered: Submission, totals: Totals) -> Iterator[str]:
    """The sum in the part that the contract fixes; the other part of a unit is rounded, and each rounds otherwise."""
    basis = ordered.price_basis
    there, prices = _part(totals, basis), [_part(line.price, basis) for line in ordered.lines]
    if there is None or None in prices:
        return
    if basis is PriceBasis.GROSS and totals.freight_in_gross:
        there -= totals.freight or Decimal(0)
    due = sum((price * line.quantity for price, line in zip(prices, ordered.lines, strict=True) if price), Decimal(0))
    if there not in (due, due.quantize(_FEN)):
        yield f"{basis} sum: {due} ordered, {there} there"


def _of_receiver(ordered: Receiver, stated: StatedReceiver | None) -> Iterator[str]:
    if stated is None:
        return
    if stated.name is not None and _plain(stated.name) != _plain(ordered.name):
        yield "the receiver has another name"
    if stated.mobile is not None and _plain(stated.mobile) not in map(_plain, filter(None, _numbers(ordered))):
        yield "the receiver has another telephone"


def _numbers(receiver: Receiver) -> tuple[str | None, str | None]:
    return receiver.mobile, receiver.phone


def _plain(text: str) -> str:
    """Without what people and systems put between characters."""
    return "".join(each for each in text.casefold() if each.isalnum())
