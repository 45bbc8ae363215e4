"""What was taken with a doubt: a warning for the vendor, never a reason to refuse, unless the supplier's row says so.

Pure functions over facts; the codes and their words stand in `gateway.sdk.problems`.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from gateway.sdk.errors import InvalidMessageError, Issue
from schemas.catalog import BarcodeCheck, PriceFacts, Quote

RATES: Mapping[Decimal, Decimal] = {
    Decimal(rate): 1 + Decimal(rate) / 100 for rate in ("0", "1", "1.5", "3", "5", "6", "9", "13")
}
"""Rates of value added tax in force in China, percent, and what they make of a net price."""

TOLERANCE = Decimal("0.02")
"""Yuan by which net price, tax and gross price may miss each other: each of them is rounded for itself."""


def price_warnings(facts: PriceFacts) -> tuple[Issue, ...]:
    """What is odd about a price. Raises InvalidMessageError for a rate that is a fraction: percent was meant."""
    rate, net, gross, tax = facts.tax_rate, facts.net_price, facts.agreement_price, facts.tax_amount
    if _is_consistent(rate, net, gross, tax):  # nearly always
        return ()
    if facts.quote is Quote.NO_QUOTE:
        return (Issue("no_price", "/price"), *_rate_warnings(rate))
    if rate is None and net is None:
        return ()
    found = _rate_warnings(rate)
    if net is not None and gross is not None:
        expected = _gross(net, rate, tax)
        if net > gross + TOLERANCE or (expected is not None and abs(expected - gross) > TOLERANCE):
            words = f"a net price of at most {gross}" if expected is None else f"about {expected.normalize():f}"
            return (*found, Issue("price_mismatch", "/price", f"{gross} gross, {net} net", words))
    return found if tax is None or rate is None else (*found, *_tax_warnings(tax, rate, net=net, gross=gross))


def _is_consistent(rate: Decimal | None, net: Decimal | None, gross: Decimal | None, tax: Decimal | None) -> bool:
    """Whether all that a price needs is told and fits; False says nothing."""
    if rate is None or net is None or gross is None:
        return False
    factor = RATES.get(rate)
    if factor is None:
        return False
    expected = net * factor
    return abs(expected - gross) <= TOLERANCE and (tax is None or abs(expected - net - tax) <= TOLERANCE)


def _rate_warnings(rate: Decimal | None) -> tuple[Issue, ...]:
    if rate is None or rate in RATES:
        return ()
    if rate < 1:
        percent = f"{rate * 100:f}".rstrip("0").rstrip(".")
        raise InvalidMessageError(Issue("tax_rate_fraction", "/tax_rate", f"{rate:f}", f"{percent} for {percent} %"))
    return (Issue("odd_tax_rate", "/tax_rate", f"{rate:f}", ", ".join(map(str, RATES))),)


def _gross(net: Decimal, rate: Decimal | None, tax: Decimal | None) -> Decimal | None:
    """The price with tax that a net price makes, None where nothing says how much tax there is."""
    if rate is not None:
        return net * (RATES.get(rate) or 1 + rate / 100)
    return None if tax is None else net + tax


def _tax_warnings(tax: Decimal, rate: Decimal, *, net: Decimal | None, gross: Decimal | None) -> tuple[Issue, ...]:
    """Whether the tax is what the price holds at its rate."""
    if net is not None:
        expected = net * rate / 100
    elif gross is not None:
        expected = gross * rate / (100 + rate)
    else:
        return ()
    if abs(expected - tax) <= TOLERANCE:
        return ()
    return (Issue("price_mismatch", "/tax_amount", f"{tax:f}", f"about {expected:.2f} at {rate:f} %"),)


def product_warnings(barcode: str | None, check: BarcodeCheck, no_directory_reason: str | None) -> tuple[Issue, ...]:
    """What is odd about a product: a barcode with a wrong check digit, no row of a purchasing directory."""
    found: list[Issue] = []
    if check is BarcodeCheck.INVALID:
        found.append(Issue("barcode_invalid", "/barcode", barcode or ""))
    if no_directory_reason is not None:
        found.append(Issue("no_directory_item", "/category", no_directory_reason))
    return tuple(found)
