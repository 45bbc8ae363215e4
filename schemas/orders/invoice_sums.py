"""Whether the invoices of an application are what was asked for, and add up. Nothing is computed for others to use."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from schemas.catalog import PriceBasis
from schemas.orders.commands import Submission
from schemas.orders.invoices import InvoiceAmounts, InvoiceStanding, IssuedInvoice
from schemas.orders.sums import EXACT, PARTS, Mismatch, Part, rounded

FEN = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class OrderFacts:
    """The known state of the order that is invoiced.

    rates: of its lines, percent, empty where none is stated; lines: how many it has; gross: what it comes to with
    freight, None where that is not stated; elsewhere: what other applications of it have been invoiced, less what was
    taken back.
    """

    rates: frozenset[Decimal] = frozenset()
    lines: int = 1
    gross: Decimal | None = None
    elsewhere: Decimal = Decimal(0)


UNKNOWN_ORDER = OrderFacts()


def order_facts(
    order: Submission | None, elsewhere: Decimal = Decimal(0), accepted: Mapping[str, Decimal] | None = None
) -> OrderFacts:
    """What the core ordered, as far as it says so.

    accepted: sales units by sku of an order that the supplier cut; None: what was ordered.
    """
    if order is None:
        return OrderFacts(elsewhere=elsewhere)
    rates = [line.price.tax_rate for line in order.lines]
    known = frozenset(rate for rate in rates if rate is not None) if None not in rates else frozenset()
    return OrderFacts(known, len(order.lines), _gross(order, accepted), elsewhere)


def invoice_mismatches(
    asked: InvoiceAmounts | None, invoices: Sequence[IssuedInvoice], order: OrderFacts, *, whole: bool
) -> tuple[str, ...]:
    """What does not hold, in words. whole: the supplier says that everything asked for is made out.

    asked: None where the application is not known any more. A void invoice counts for nothing. Tax of an invoice may
    differ from its rate by a fen for each line of the order, which suppliers round one by one.
    """
    live = [invoice for invoice in invoices if invoice.standing is not InvoiceStanding.VOID]
    normal = [invoice for invoice in live if invoice.standing is InvoiceStanding.NORMAL]
    found = [
        *(str(each) for invoice in live for each in _of_one(invoice)),
        *(each for invoice in live for each in _wrong_rate(invoice, order)),
        *(each for invoice in live for each in _without_original(invoice, invoices)),
        *(str(each) for each in _of_all(asked, normal, whole=whole)),
        *_beyond_order(invoices, order),
    ]
    return tuple(dict.fromkeys(found))


def _of_one(invoice: IssuedInvoice) -> Iterator[Mismatch]:
    computed = EXACT.add(invoice.net, invoice.tax)
    if computed != invoice.gross:
        yield Mismatch(f"invoice {invoice.number}", "gross", invoice.gross, computed)


def _wrong_rate(invoice: IssuedInvoice, order: OrderFacts) -> Iterator[str]:
    if invoice.rate is None:
        return
    if order.rates and invoice.rate not in order.rates:
        known = ", ".join(str(rate) for rate in sorted(order.rates))
        yield f"rate of invoice {invoice.number}: stated {invoice.rate}, ordered {known}"
    computed = EXACT.divide(EXACT.multiply(invoice.net, invoice.rate), Decimal(100))
    if abs(EXACT.subtract(invoice.tax, computed)) > FEN * order.lines:
        yield f"tax of invoice {invoice.number}: stated {invoice.tax}, by its rate {rounded(computed)}"


def counted_gross(invoices: Collection[IssuedInvoice]) -> Decimal:
    """What invoices come to: a void one counts for nothing, a red one takes back what one that is not void came to."""
    void = {each.key for each in invoices if each.standing is InvoiceStanding.VOID}
    total = Decimal(0)
    for each in invoices:
        if each.standing is InvoiceStanding.NORMAL:
            total += each.gross
        elif each.standing is InvoiceStanding.RED and (each.original is None or each.original.key not in void):
            total -= each.gross
    return max(total, Decimal(0))


def _without_original(invoice: IssuedInvoice, invoices: Collection[IssuedInvoice]) -> Iterator[str]:
    """Red invoices that name no original take back any of them."""
    if invoice.standing is not InvoiceStanding.RED:
        return
    named = invoice.original
    red = [each for each in invoices if each.standing is InvoiceStanding.RED]
    before = [
        each.gross
        for each in invoices
        if each.standing is not InvoiceStanding.RED and (named is None or each.key == named.key)
    ]
    together = sum((each.gross for each in red if named is None or each.original == named), Decimal(0))
    if not before or max(before) < invoice.gross:
        yield f"red invoice {invoice.number}: no original of {invoice.gross} or more"
    elif together > sum(before):
        yield f"red invoice {invoice.number}: {together} is taken back of {sum(before)}"


def _of_all(asked: InvoiceAmounts | None, normal: Sequence[IssuedInvoice], *, whole: bool) -> Iterator[Mismatch]:
    if asked is None:
        return
    wrong: Callable[[Decimal, Decimal], bool] = Decimal.__ne__ if whole else Decimal.__gt__
    for part in PARTS:
        total = sum((_part(invoice, part) for invoice in normal), Decimal(0))
        wanted = _part(asked, part)
        if wrong(total, wanted):
            yield Mismatch("all invoices", part, total, wanted)


def _beyond_order(invoices: Collection[IssuedInvoice], order: OrderFacts) -> Iterator[str]:
    gross = counted_gross(invoices)
    total = gross + order.elsewhere
    if order.gross is not None and gross and total > order.gross:
        yield f"gross of all invoices of the order: {total}, the order comes to {order.gross}"


def _part(amounts: InvoiceAmounts | IssuedInvoice, part: Part) -> Decimal:
    match part:
        case "gross":
            return amounts.gross
        case "net":
            return amounts.net
        case "tax":
            return amounts.tax


def _gross(order: Submission, accepted: Mapping[str, Decimal] | None) -> Decimal | None:
    """What an order comes to, goods and freight; by its lines where the supplier cut it or it states no total."""
    totals = order.totals
    freight = totals.freight or Decimal(0)
    if totals.gross is not None and accepted is None:
        return totals.gross if totals.freight_in_gross else EXACT.add(totals.gross, freight)
    if order.price_basis is not PriceBasis.GROSS:
        return None
    goods = sum((EXACT.multiply(gross, quantity) for gross, quantity in _priced(order, accepted)), Decimal(0))
    return EXACT.add(rounded(goods), freight)


def _priced(order: Submission, accepted: Mapping[str, Decimal] | None) -> Iterator[tuple[Decimal, Decimal]]:
    """Price and quantity of each line; of lines of one sku the dearest are accepted first."""
    left = None if accepted is None else dict(accepted)
    for line in sorted(order.lines, key=lambda line: line.price.gross, reverse=True):
        quantity = line.quantity
        if left is not None:
            quantity = min(quantity, left.get(line.sku, Decimal(0)))
            left[line.sku] = left.get(line.sku, Decimal(0)) - quantity
        yield line.price.gross, quantity
