"""The adapter of suppliers that push in the gateway's own format."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from adapters.native.wire import ListingRecord, PriceRecord, ProductRecord, StockRecord
from gateway import sdk
from schemas.catalog import Facet, ListingFacts, PriceFacts, ProductFacts, Quote, StockFacts

NOT_QUOTED = frozenset({"", "0", "0.0", "0.00", "-1", "-1.0", "-1.00"})
"""Prices that say there is none, written as a string or a number; so do null and a missing price."""

_PRICE = sdk.Reader(PriceFacts, PriceRecord)
_STOCK = sdk.Reader(StockFacts, StockRecord)
_LISTING = sdk.Reader(ListingFacts, ListingRecord)
_PRODUCT = sdk.Reader(ProductFacts, ProductRecord)


def _read_price(record: sdk.Record, members: dict[str, Any]) -> sdk.Item:
    price = members.get("price")
    if price is not None and str(price) not in NOT_QUOTED:
        return _PRICE.read(record, members, quote=Quote.QUOTED)
    members["price"] = None
    return _PRICE.read(record, members, quote=Quote.NO_QUOTE)


READERS: Mapping[Facet, Callable[[sdk.Record, dict[str, Any]], sdk.Item]] = {
    Facet.PRODUCT: _PRODUCT.read,
    Facet.PRICE: _read_price,
    Facet.STOCK: _STOCK.read,
    Facet.LISTING: _LISTING.read,
}


class Adapter(sdk.Adapter):
    """Takes feeds of all four facets; it has no options."""

    def normalise(self, record: sdk.Record) -> Iterable[sdk.Item]:
        """The one item of a record."""
        return (READERS[record.facet](record, sdk.members(record.raw)),)
