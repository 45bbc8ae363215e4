"""The adapter of this interface: which wire model reads which facet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gateway import sdk
from gateway.sdk.template.wire import PriceRecord
from schemas.catalog import Facet, PriceFacts

READERS: Mapping[Facet, sdk.Reader] = {
    Facet.PRICE: sdk.Reader(PriceFacts, PriceRecord, plain=True),
}


class Adapter(sdk.Adapter):
    """Takes feeds; it has no options."""

    def normalise(self, record: sdk.Record) -> Iterable[sdk.Item]:
        """The one item of a record."""
        return (READERS[record.facet].read(record),)
