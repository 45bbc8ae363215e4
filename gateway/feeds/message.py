"""The catalog records that a chunk publishes: facts stamped with who, which version and until when."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Literal

from gateway.feeds.chunk import ChunkHead
from gateway.feeds.decide import Key, Publication
from gateway.kafka import CATALOG_TOPIC, Message
from schemas.catalog import Facet
from schemas.envelope import ItemHeaders, key_of

PERISHABLE = frozenset({Facet.PRICE, Facet.STOCK})
"""Facets whose facts count as unconfirmed after a while."""


def stamp(
    content: bytes, *, supplier: str, version: int, observed_at: datetime, expires_at: datetime | Literal[False] | None
) -> bytes:
    """Canonical facts with the gateway's members added. expires_at: False leaves the member out."""
    expiry = b"" if expires_at is False else b',"expires_at":%b' % _instant(expires_at)
    return b'%b,"supplier":"%b","version":%d,"observed_at":%b%b}' % (
        content[:-1],
        supplier.encode(),
        version,
        _instant(observed_at),
        expiry,
    )


def _instant(at: datetime | None) -> bytes:
    return b'"%b"' % at.isoformat().encode() if isinstance(at, datetime) else b"null"


def expiry_of(facet: Facet, observed_at: datetime, period: timedelta | None) -> datetime | Literal[False] | None:
    """When facts count as unconfirmed: twice the declared period after they were observed; False: this facet never."""
    if facet not in PERISHABLE:
        return False
    return None if period is None else observed_at + 2 * period


def catalog_key(supplier: str, facet: Facet, key: Key) -> bytes:
    """Kafka key of one sku, with its area where the facet has areas."""
    sku, area = key
    return key_of(supplier, sku, area if facet in PERISHABLE else None)


def catalog_messages(head: ChunkHead, publications: Sequence[Publication], period: timedelta | None) -> list[Message]:
    """The records to send, in order."""
    headers = ItemHeaders(
        head.facet, head.supplier, feed_no=head.feed_no, time=head.received_at, traceparent=head.traceparent
    )
    topic = CATALOG_TOPIC[head.facet]
    messages = []
    for publication in publications:
        item, key = publication.item, catalog_key(head.supplier, head.facet, publication.key)
        value = stamp(
            item.content,
            supplier=head.supplier,
            version=publication.version,
            observed_at=item.observed_at,
            expires_at=expiry_of(head.facet, item.observed_at, period),
        )
        messages.append(Message(topic, key, value, headers.state(key, publication.version, item.hash)))
    return messages
