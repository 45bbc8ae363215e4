"""The gateway's own push format: the canonical facts under the names and spellings that README.md explains."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from pydantic import Field, Strict, TypeAdapter

from gateway.sdk import Count, Derived, Moment, Money, PositiveCount, PositiveMoney, Rate, Reshaped, Stamps
from schemas.base import Line, Markup
from schemas.catalog import (
    Attribute,
    Label,
    ListingFacts,
    PriceBasis,
    PriceFacts,
    ProductFacts,
    PurchaseCode,
    Quote,
    Shelf,
    StockFacts,
    StockState,
    WebAddress,
)

_NAMED = TypeAdapter(dict[Label, Annotated[Markup, Field(max_length=2000)]])


def _listed(attributes: Any) -> Any:
    """Attributes as a list of name and value, also where they came as one object."""
    if not isinstance(attributes, dict):
        return attributes
    return [{"name": name, "value": value} for name, value in _NAMED.validate_python(attributes, strict=True).items()]


class Amounts(PriceFacts, Stamps):
    """What the rows of a price feed have in common."""

    net_price: Money | None = None
    tax_rate: Rate | None = None
    tax_amount: Money | None = None
    market_price: Money | None = None
    public_price: Money | None = None
    basis: Annotated[PriceBasis, Strict(False)] = PriceBasis.GROSS


class PriceRecord(Amounts):
    """A row that quotes a price."""

    quote: Derived[Quote] = Quote.QUOTED
    agreement_price: PositiveMoney = Field(validation_alias="price")


class NoPriceRecord(Amounts):
    """A row without a price, once null and the numbers that mean as much are taken out."""

    quote: Derived[Quote] = Quote.NO_QUOTE
    agreement_price: Derived[Decimal | None] = None


class StockRecord(StockFacts, Stamps):
    """A row of a stock feed."""

    state: Annotated[StockState, Strict(False)]
    quantity: Count = None
    asked_quantity: Count = None


class ListingRecord(ListingFacts, Stamps):
    """A row of a listing feed."""

    shelf: Annotated[Shelf, Strict(False)]
    at: Moment | None = None


class ProductRecord(ProductFacts, Stamps):
    """A row of a product feed."""

    brand_raw: Line | None = Field(None, validation_alias="brand")
    category_path: Annotated[tuple[Label, ...], Strict(False), Field(max_length=10)] = Field(
        (), validation_alias="category"
    )
    purchase_code: Annotated[PurchaseCode, Strict(False)] | None = None
    attributes: Annotated[tuple[Attribute, ...], Strict(False), Field(max_length=500), Reshaped(_listed)] = ()
    images: Annotated[tuple[WebAddress, ...], Strict(False), Field(max_length=100)] = ()
    minimum_order_quantity: PositiveCount = Decimal(1)
