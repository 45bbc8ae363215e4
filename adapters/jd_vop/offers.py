"""Prices, stock and listing: from rows by sku to the mall's words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from adapters.jd_vop import areas
from adapters.jd_vop.replies import Answer
from adapters.jd_vop.rows import Row, answer_of, not_answered, rows_of
from gateway import sdk
from schemas.catalog import ListingFacts, PriceBasis, PriceFacts, Quote, Shelf, StockFacts, StockState

STATES: Mapping[str, StockState] = {
    "33": StockState.IN_STOCK,
    "39": StockState.IN_TRANSIT,
    "40": StockState.ALLOCATABLE,
    "36": StockState.PRESALE,
    "34": StockState.OUT,
    "99": StockState.BOOKABLE,
}
"""`stockStateId`."""

SHELVES: Mapping[str, Shelf] = {"1": Shelf.ON, "0": Shelf.OFF}
"""`state` of skuState, `saleState` of check: 1 is on here, unlike elsewhere."""

RESTRICTED: Mapping[str, bool] = {"true": True, "false": False, "1": True, "0": False}
"""`isAreaRestrict`."""

TRUSTED, ECHOED = 50, 100
"""Asked for as many or more: `remainNum` is -1; it repeats what was asked."""

ROUNDING = Decimal("0.02")
"""What two amounts of one price may differ by, each rounded for itself."""

ROUNDED_TAX = 1
"""Rate times tax up to which a tax, rounded to 0.01, does not tell of which of the two prices it is."""

UNSALEABLE, NOT_OFFERED = "不可售", "无购买权限"

_DAYS = re.compile(r"([0-9]{1,3})\s*天?")


def prices(exchange: sdk.Exchange, basis: PriceBasis) -> Iterator[sdk.Item | sdk.Refusal]:
    """What each sku costs; one without a row has no price."""
    answer = answer_of(exchange, "get_sell_price")
    rows = rows_of(exchange, "get_sell_price", answer)
    strange = not rows.keys() <= set(exchange.skus)  # a row of goods that nobody asked about may be anybody's
    for sku in exchange.skus:
        if (sku not in rows and strange) or (answer.nothing and not answer.bars(sku, exchange.skus)):
            yield not_answered(sku, "get_sell_price")
            continue
        row = rows.get(sku) or Row({}, ("replies", "get_sell_price"))
        facts = _price(sku, row, basis)
        yield sdk.Refusal(sku, tuple(row.issues)) if row.issues else sdk.Item(facts)


def _price(sku: str, row: Row, basis: PriceBasis) -> PriceFacts:
    price, gross = row.amount("price"), basis is PriceBasis.GROSS
    quoted = price or None  # 0 is no price
    net, tax_rate, tax_amount = row.amount("nakedPrice"), row.percent("tax"), row.amount("taxPrice")
    quoted_basis = _basis(quoted, net=net, rate=tax_rate, tax=tax_amount)
    if quoted_basis not in (None, basis):
        expected = f"as options.price_basis {basis} has it; it looks {quoted_basis}"
        row.refuse("contract_error", "price" if net is None else "nakedPrice", expected)
    return PriceFacts(
        sku=sku,
        quote=Quote.QUOTED if quoted else Quote.NO_QUOTE,
        agreement_price=quoted if gross else None,
        net_price=net if gross else quoted,
        tax_rate=tax_rate,
        tax_amount=tax_amount,
        market_price=row.amount("marketPrice"),
        public_price=row.amount("jdPrice"),
        basis=basis,
    )


def _basis(
    price: Decimal | None, *, net: Decimal | None, rate: Decimal | None, tax: Decimal | None
) -> PriceBasis | None:
    """Which price the contract fixes, as the other numbers have it; None where they leave it open."""
    if net and rate:
        tax = net * rate / 100
    elif rate and tax and rate * tax > ROUNDED_TAX:
        net = tax * 100 / rate
    if not price or not net or not tax or tax <= ROUNDING:
        return None
    return PriceBasis.NET if abs(price - net) < abs(price - net - tax) else PriceBasis.GROSS


def stock(exchange: sdk.Exchange) -> Iterator[sdk.Item | sdk.Refusal]:
    """Whether each sku can be had in the area that was asked about."""
    found, limits = answer_of(exchange, "get_new_stock_by_id"), answer_of(exchange, "check_area_limit")
    states = rows_of(exchange, "get_new_stock_by_id", found)
    restricted = rows_of(exchange, "check_area_limit", limits)
    area, num, skus = _question(exchange.asked)
    for sku in exchange.skus:
        if _barred(sku, exchange.skus, found, limits):
            yield sdk.Item(StockFacts(sku=sku, area=area, state=StockState.OUT, asked_quantity=Decimal(num)))
        elif sku not in states or sku not in restricted:
            yield not_answered(sku, "check_area_limit" if sku in states else "get_new_stock_by_id")
        else:
            counted = _counted(states[sku], num, skus)
            yield _stock(sku, states[sku], restricted[sku], area=area, num=num, counted=counted)


def _question(asked: Mapping[str, Any]) -> tuple[str, int, int]:
    """Area, pieces of each sku, and number of skus that were asked about."""
    match asked:
        case {"area": str(area), "num": int(num), "skus": int(skus)} if re.fullmatch(r"[0-9_]{1,64}", area):
            return areas.bare(area), max(num, 0), skus
        case _:
            raise sdk.InvalidMessageError(sdk.Issue("validation_failed", "/asked", expected="area, num and skus"))


def _counted(row: Row, num: int, skus: int) -> Decimal | None:
    """Pieces on hand; None where the number tells nothing.

    Asked is the number of pieces of each sku, by VOP's newer documents; the older could mean the number of skus.
    """
    left = row.count("remainNum")
    return left if num < TRUSTED and not (skus >= ECHOED and left == skus) else None


def _stock(sku: str, row: Row, limit: Row, *, area: str, num: int, counted: Decimal | None) -> sdk.Item | sdk.Refusal:
    state = row.word("stockStateId", STATES)
    restricted = limit.word("isAreaRestrict", RESTRICTED)
    area_id = row.get("areaId")
    if area_id not in (None, "") and (not isinstance(area_id, str) or areas.bare(area_id.strip()) != area):
        row.refuse("contract_error", "areaId", area)
    if row.issues or limit.issues or state is None:
        return sdk.Refusal(sku, (*row.issues, *limit.issues))
    facts = StockFacts(
        sku=sku,
        area=area,
        state=StockState.OUT if restricted else state,
        quantity=None if restricted else counted,
        asked_quantity=Decimal(num),
        lead_days=_days(row) if state is StockState.BOOKABLE and not restricted else None,
    )
    return sdk.Item(facts)


def _days(row: Row) -> int | None:
    """Days until goods that are bookable arrive: their description is that number."""
    found = _DAYS.fullmatch(str(row.get("stockStateDesc")).strip())
    return int(found[1]) if found else None


def listing(exchange: sdk.Exchange) -> Iterator[sdk.Item | sdk.Refusal]:
    """Whether each sku is offered: on the shelf, and saleable under this contract."""
    shelf, sale = answer_of(exchange, "sku_state"), answer_of(exchange, "check")
    shelves, sales = rows_of(exchange, "sku_state", shelf), rows_of(exchange, "check", sale)
    for sku in exchange.skus:
        if words := _barred(sku, exchange.skus, shelf, sale):
            yield sdk.Item(ListingFacts(sku=sku, shelf=Shelf.OFF, reason=words))
        elif sku not in shelves or sku not in sales:
            yield not_answered(sku, "check" if sku in shelves else "sku_state")
        else:
            yield _listing(sku, shelves[sku], sales[sku])


def _listing(sku: str, shelf: Row, sale: Row) -> sdk.Item | sdk.Refusal:
    on, saleable = shelf.word("state", SHELVES), sale.word("saleState", SHELVES)
    if on is None or saleable is None or shelf.issues or sale.issues:
        return sdk.Refusal(sku, (*shelf.issues, *sale.issues))
    reason = UNSALEABLE if on is Shelf.ON and saleable is Shelf.OFF else None
    return sdk.Item(ListingFacts(sku=sku, shelf=Shelf.OFF if reason else on, reason=reason))


def _barred(sku: str, skus: Sequence[str], *answers: Answer) -> str:
    """The supplier's words where one of its answers says that a sku is not offered to us; else ""."""
    return next((answer.words or NOT_OFFERED for answer in answers if answer.bars(sku, skus)), "")
