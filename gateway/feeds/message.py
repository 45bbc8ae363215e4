"""The catalog records that a chunk publishes: facts stamped with who, which version and until when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

from gateway.feeds.chunk import ChunkHead
from gateway.feeds.decide import Key, Publication
from gateway.kafka import CATALOG_TOPIC, Message
from schemas.base import written
from schemas.catalog import Facet
from schemas.envelope import ItemHeaders, key_of

PERISHABLE = frozenset({Facet.PRICE, Facet.STOCK})
"""Facets whose facts count as unconfirmed after a while."""


def expiry_of(facet: Facet, observed_at: datetime, period: timedelta | None) -> datetime | Literal[False] | None:
    """When facts count as unconfirmed: twice the declared period after they were observed; False: this facet never."""
    if facet not in PERISHABLE:
        return False
    return None if period is None else observed_at + 2 * period


def catalog_key(supplier: str, facet: Facet, key: Key) -> bytes:
    """Kafka key of one sku, with its area where the facet has areas."""
    sku, area = key
    return key_of(supplier, sku, area if facet in PERISHABLE else None)


class Stamper:
    """Adds to canonical facts who said so, which version it is, when it was observed and until when it holds.

    period: as the supplier declares it for the facet. The items of a chunk were mostly observed at one instant, so what
    is said of that is written once.
    """

    def __init__(self, facet: Facet, supplier: str, period: timedelta | None) -> None:
        self._facet = facet
        self._period = period
        self._supplier = b',"supplier":"%b","version":' % supplier.encode()
        self._observed_at: datetime | None = None
        self._times = b""

    def stamp(self, content: bytes, version: int, observed_at: datetime) -> bytes:
        """The value of a catalog record."""
        if observed_at is not self._observed_at:
            self._observed_at, self._times = observed_at, self._written(observed_at)
        return b"%b%b%d%b" % (content[:-1], self._supplier, version, self._times)

    def _written(self, observed_at: datetime) -> bytes:
        expires_at = expiry_of(self._facet, observed_at, self._period)
        expiry = b"" if expires_at is False else b',"expires_at":' + _instant(expires_at)
        return b',"observed_at":%b%b}' % (_instant(observed_at), expiry)


def _instant(at: datetime | None) -> bytes:
    return b"null" if at is None else b'"%b"' % written(at).encode()


def catalog_messages(head: ChunkHead, publications: Sequence[Publication], period: timedelta | None) -> list[Message]:
    """The records to send, in order."""
    headers = ItemHeaders(
        head.facet, head.supplier, feed_no=head.feed_no, time=head.received_at, traceparent=head.traceparent
    )
    topic, stamper = CATALOG_TOPIC[head.facet], Stamper(head.facet, head.supplier, period)
    messages = []
    for publication in publications:
        item, version = publication.item, publication.version
        key = catalog_key(head.supplier, head.facet, publication.key)
        value = stamper.stamp(item.content, version, item.observed_at)
        messages.append(Message(topic, key, value, headers.state(key, version, item.hash)))
    return messages
