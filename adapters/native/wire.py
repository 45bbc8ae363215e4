"""The gateway's own push format: the canonical facts under the names and spellings that README.md explains."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, Strict, TypeAdapter

from gateway.sdk import Count, Moment, Money, PositiveCount, Rate
from schemas.base import Line, Text
from schemas.catalog import (
    Attribute,
    Label,
    ListingFacts,
    PriceBasis,
    PriceFacts,
    ProductFacts,
    PurchaseCode,
    Shelf,
    StockFacts,
    StockState,
    WebAddress,
)

_NAMED = TypeAdapter(dict[Label, Annotated[Text, Field(max_length=2000)]])


def _listed(attributes: Any) -> Any:
    """Attributes as a list of name and value, also where they came as one object."""
    if not isinstance(attributes, dict):
        return attributes
    return [{"name": name, "value": value} for name, value in _NAMED.validate_python(attributes, strict=True).items()]


class PriceRecord(PriceFacts):
    """A row of a price feed; `quote` is derived from `price`."""

    agreement_price: Money | None = Field(None, validation_alias="price")
    net_price: Money | None = None
    tax_rate: Rate | None = None
    tax_amount: Money | None = None
    market_price: Money | None = None
    public_price: Money | None = None
    basis: Annotated[PriceBasis, Strict(False)] = PriceBasis.GROSS


class StockRecord(StockFacts):
    """A row of a stock feed."""

    state: Annotated[StockState, Strict(False)]
    quantity: Count = None
    asked_quantity: Count = None


class ListingRecord(ListingFacts):
    """A row of a listing feed."""

    shelf: Annotated[Shelf, Strict(False)]
    at: Moment | None = None


class ProductRecord(ProductFacts):
    """A row of a product feed."""

    brand_raw: Line | None = Field(None, validation_alias="brand")
    category_path: Annotated[tuple[Label, ...], Strict(False), Field(max_length=10)] = Field(
        (), validation_alias="category"
    )
    purchase_code: Annotated[PurchaseCode, Strict(False)] | None = None
    attributes: Annotated[tuple[Attribute, ...], Strict(False), Field(max_length=500), BeforeValidator(_listed)] = ()
    images: Annotated[tuple[WebAddress, ...], Strict(False), Field(max_length=100)] = ()
    minimum_order_quantity: PositiveCount = Decimal(1)
