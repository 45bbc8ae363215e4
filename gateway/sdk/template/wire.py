"""What this interface sends: the canonical facts under its own names and spellings.

to-do: give every field the supplier's name, add a model for each further facet, then take this line out.
"""

from __future__ import annotations

from pydantic import Field

from gateway.sdk import Derived, Money, PositiveMoney, Rate, Stamps
from schemas.base import Sku
from schemas.catalog import PriceFacts, Quote


class PriceRecord(PriceFacts, Stamps):
    """A row of a price feed."""

    sku: Sku = Field(validation_alias="goodsId")
    quote: Derived[Quote] = Quote.QUOTED
    agreement_price: PositiveMoney = Field(validation_alias="sellPrice")
    net_price: Money | None = Field(None, validation_alias="nakedPrice")
    tax_rate: Rate | None = Field(None, validation_alias="taxRate")
