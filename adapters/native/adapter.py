"""The adapter of suppliers that push in the gateway's own format."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from adapters.native.wire import ListingRecord, NoPriceRecord, PriceRecord, ProductRecord, StockRecord
from gateway import sdk
from schemas.catalog import Facet, ListingFacts, PriceFacts, ProductFacts, StockFacts

# Prices that say there is none, as strings or as numbers.
_NO_PRICE = re.compile(r"|(-1|0)(\.0{1,2})?")


class _PriceReader(sdk.Reader):
    """Reads rows that quote a price; leaves those without one to their own wire model."""

    def read_members(self, record: sdk.Record, given: dict[str, Any]) -> sdk.Item:
        price = given.get("price")
        if price is not None and not _NO_PRICE.fullmatch(str(price)):
            return super().read_members(record, given)
        given.pop("price", None)
        return _NO_QUOTE.read_members(record, given)


_NO_QUOTE = sdk.Reader(PriceFacts, NoPriceRecord, plain=True)

READERS: Mapping[Facet, sdk.Reader] = {
    Facet.PRODUCT: sdk.Reader(ProductFacts, ProductRecord, plain=True),
    Facet.PRICE: _PriceReader(PriceFacts, PriceRecord, plain=True),
    Facet.STOCK: sdk.Reader(StockFacts, StockRecord, plain=True),
    Facet.LISTING: sdk.Reader(ListingFacts, ListingRecord, plain=True),
}


class Adapter(sdk.Adapter):
    """Takes feeds of all four facets; it has no options."""

    def normalise(self, record: sdk.Record) -> Iterable[sdk.Item]:
        """The one item of a record."""
        return (READERS[record.facet].read(record),)
