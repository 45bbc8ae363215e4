"""The adapter of suppliers that push in the gateway's own format."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from adapters.native.wire import ListingRecord, NoPriceRecord, PriceRecord, ProductRecord, StockRecord
from gateway import sdk
from schemas.catalog import Facet, ListingFacts, PriceFacts, ProductFacts, StockFacts

# Prices that say there is none, as strings or as numbers.
_NO_PRICE = re.compile(r"|(-1|0)(\.0{1,2})?")

_PRICE = sdk.Reader(PriceFacts, PriceRecord)
_NO_QUOTE = sdk.Reader(PriceFacts, NoPriceRecord)
_STOCK = sdk.Reader(StockFacts, StockRecord)
_LISTING = sdk.Reader(ListingFacts, ListingRecord)
_PRODUCT = sdk.Reader(ProductFacts, ProductRecord)


def _read_price(record: sdk.Record) -> sdk.Item:
    return _PRICE.read_plain(record) or _read_any_price(record)


def _read_any_price(record: sdk.Record) -> sdk.Item:
    members = sdk.members(record.raw)
    price = members.get("price")
    if price is not None and not _NO_PRICE.fullmatch(str(price)):
        return _PRICE.read(record, members)
    members.pop("price", None)
    return _NO_QUOTE.read(record, members)


def _read_stock(record: sdk.Record) -> sdk.Item:
    return _STOCK.read_plain(record) or _STOCK.read(record, sdk.members(record.raw))


def _read_listing(record: sdk.Record) -> sdk.Item:
    return _LISTING.read_plain(record) or _LISTING.read(record, sdk.members(record.raw))


def _read_product(record: sdk.Record) -> sdk.Item:
    return _PRODUCT.read(record, sdk.members(record.raw))


READERS: Mapping[Facet, Callable[[sdk.Record], sdk.Item]] = {
    Facet.PRODUCT: _read_product,
    Facet.PRICE: _read_price,
    Facet.STOCK: _read_stock,
    Facet.LISTING: _read_listing,
}


class Adapter(sdk.Adapter):
    """Takes feeds of all four facets; it has no options."""

    def normalise(self, record: sdk.Record) -> Iterable[sdk.Item]:
        """The one item of a record."""
        return (READERS[record.facet](record),)
