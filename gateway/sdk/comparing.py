"""Whether what a supplier has is what was ordered: line by line, in its amounts, in its receiver. Pure.

Used for every answer to a submit and for every look-up: a supplier that says "I have this order already" may have
another one under the number. Nothing here repeats personal data.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal

from gateway.sdk.orders import Standing, StatedReceiver, SupplierOrder
from schemas.catalog import PriceBasis
from schemas.orders import PriceMode, SubmitMode, SubmitOrder, order_mismatches
from schemas.orders.commands import OrderedLine, Submission
from schemas.orders.parts import LineKind, Receiver, StatedLine, Totals, UnitPrice
from schemas.orders.payloads import StatedOrder

WANTED: Mapping[SubmitMode, Standing] = {SubmitMode.RESERVE: Standing.RESERVED, SubmitMode.DIRECT: Standing.PLACED}
"""What an order is once it was submitted."""

MAX_DIFFERENCES = 100
MAX_DIFFERENCE_LENGTH = 500
"""Differences of one event, and characters of each."""

LOCAL_DIGITS = 7
"""Digits of the shortest telephone number that needs no code before it."""


def differences(order: SubmitOrder, found: SupplierOrder) -> tuple[str, ...]:
    """In what a supplier's order is another than the one that was sent, each in words; () in nothing."""
    return tuple(_differences(order, found))


def limit_differences(found: Sequence[str]) -> tuple[str, ...]:
    """Differences as an event holds them."""
    return tuple(each[:MAX_DIFFERENCE_LENGTH] for each in found[:MAX_DIFFERENCES])


def _differences(order: SubmitOrder, found: SupplierOrder) -> Iterator[str]:
    wanted, stated = WANTED[order.payload.mode], found.stated
    if found.order_no not in (None, order.order_no):
        yield f"it has the number {found.order_no}"
    if found.standing is not wanted:
        yield f"it is {found.standing}, not {wanted}"
    if stated.price_basis is not order.payload.price_basis:
        yield f"its prices are {stated.price_basis}, not {order.payload.price_basis}"
    else:
        yield from _of_goods(order.payload, stated)
    yield from map(str, order_mismatches(stated.lines, stated.totals, stated.price_basis))
    yield from _of_receiver(order.payload.receiver, found.receiver)


def _of_goods(ordered: Submission, stated: StatedOrder) -> Iterator[str]:
    """At the price of the day no price is compared; the pieces always are."""
    total = _part(stated.totals, ordered.price_basis)
    if stated.lines:
        yield from _of_quantities(ordered.lines, stated.lines)
    elif total is None:
        yield "it states neither lines nor a sum"
    if ordered.price_mode is PriceMode.REFUSE:
        yield from _of_prices(ordered, stated.lines, summed=total is not None)
        yield from _of_sum(ordered, stated.totals)


def _of_quantities(ordered: Sequence[OrderedLine], stated: Sequence[StatedLine]) -> Iterator[str]:
    wanted = _quantities(ordered)
    there = _quantities([line for line in stated if _counts(line)])
    for sku in sorted(wanted.keys() | there.keys()):
        if wanted.get(sku, 0) != there.get(sku, 0):
            yield f"quantity of {sku}: {wanted.get(sku, 0)} ordered, {there.get(sku, 0)} there"


def _counts(line: StatedLine) -> bool:
    """Whether somebody has to have ordered a line: not what comes with an article for nothing."""
    return line.kind is LineKind.GOODS or bool(line.price.gross or line.price.net)


def _quantities(lines: Sequence[OrderedLine] | Sequence[StatedLine]) -> Mapping[str, Decimal]:
    found: dict[str, Decimal] = {}
    for line in lines:
        found[line.sku] = found.get(line.sku, Decimal(0)) + line.quantity
    return found


def _of_prices(ordered: Submission, stated: Sequence[StatedLine], *, summed: bool) -> Iterator[str]:
    """Unit prices in the part that the contract fixes: the other part is rounded, and everybody rounds otherwise.

    Rates of tax too, where both sides state them: a rate that has changed since is another offer at the same price.
    summed: the supplier states a sum, which says enough of lines whose prices it does not state.
    """
    basis = ordered.price_basis
    asked: dict[str, list[UnitPrice]] = {}
    for line in ordered.lines:
        asked.setdefault(line.sku, []).append(line.price)
    for each in stated:
        if each.kind is not LineKind.GOODS or each.sku not in asked:
            continue
        price, rate = _part(each.price, basis), each.price.tax_rate
        prices = {_part(wanted, basis) for wanted in asked[each.sku]}
        rates = {wanted.tax_rate for wanted in asked[each.sku]}
        if price not in prices and not (price is None and summed):
            yield f"{basis} price of {each.sku}: {_listed(prices)} ordered, {price} there"
        if rate is not None and None not in rates and rate not in rates:
            yield f"tax rate of {each.sku}: {_listed(rates)} ordered, {rate} there"


def _listed(amounts: Collection[Decimal | None]) -> str:
    return " or ".join(sorted(map(str, amounts)))


def _of_sum(ordered: Submission, stated: Totals) -> Iterator[str]:
    """Whether the sum is that of the lines that were ordered, in the same part; there is no tolerance."""
    fixed = Totals(gross=stated.gross, freight=stated.freight, freight_in_gross=stated.freight_in_gross)
    if ordered.price_basis is PriceBasis.NET:
        fixed = Totals(net=stated.net)
    for each in order_mismatches(ordered.lines, fixed, ordered.price_basis):
        yield f"{ordered.price_basis} sum: {each.computed} ordered, {each.stated} there"


def _part(amounts: UnitPrice | Totals, basis: PriceBasis) -> Decimal | None:
    return amounts.net if basis is PriceBasis.NET else amounts.gross


def _of_receiver(ordered: Receiver, stated: StatedReceiver | None) -> Iterator[str]:
    """Compared where the supplier says it in clear."""
    if stated is None:
        return
    if stated.name is not None and _plain(stated.name) != _plain(ordered.name):
        yield "the receiver has another name"
    numbers = [number for number in (ordered.mobile, ordered.phone) if number is not None]
    if stated.mobile is not None and not any(_same_number(stated.mobile, number) for number in numbers):
        yield "the receiver has another telephone"


def _same_number(one: str, other: str) -> bool:
    """Whether two telephone numbers are the same; the code of the country or town may stand before one of them."""
    shorter, longer = sorted((_plain(one), _plain(other)), key=len)
    return longer == shorter or (len(shorter) >= LOCAL_DIGITS and longer.endswith(shorter))


def _plain(text: str) -> str:
    """Without what people and systems put between characters."""
    return "".join(each for each in text.casefold() if each.isalnum())
