"""What a chunk publishes: facts, stamps and headers that every repeat makes anew, byte by byte."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from gateway.feeds.chunk import ChunkHead, Lane, Mode
from gateway.feeds.decide import Publication
from gateway.feeds.message import catalog_key, catalog_messages, expiry_of
from gateway.feeds.normalise import NormalisedItem
from gateway.feeds.versions import feed_no_of, record_index_of, version_of
from gateway.kafka import PRICES
from schemas.catalog import Facet, Price
from schemas.envelope import decode

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
DAY = timedelta(days=1)
HEAD = ChunkHead(
    supplier="acme",
    feed_no=7,
    chunk_no=0,
    first_record=0,
    facet=Facet.PRICE,
    mode=Mode.UPSERT,
    lane=Lane.BULK,
    revision=1,
    received_at=NOON,
    traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
)
CONTENT = b'{"sku":"A 1","area":"*","quote":"quoted","agreement_price":"10.00"}'
ITEM = NormalisedItem("A 1", "*", CONTENT, b"\x01" * 16, NOON - timedelta(hours=1), None)
PUBLICATION = Publication(("A 1", "*"), version_of(7, 3), ITEM)


def test_a_message_is_the_item_with_its_stamps() -> None:
    [message] = catalog_messages(HEAD, [PUBLICATION], DAY)
    assert (message.topic, message.key) == (PRICES, b"acme:A%201:*")
    assert message.value is not None
    assert orjson.loads(message.value) == {
        **orjson.loads(CONTENT),
        "supplier": "acme",
        "version": version_of(7, 3),
        "observed_at": "2026-11-23T19:00:00+08:00",
        "expires_at": "2026-11-25T19:00:00+08:00",
    }
    assert Price.model_validate_json(message.value).version == version_of(7, 3)


def test_its_headers_say_whose_state_it_is_and_who_asked_for_it() -> None:
    [message] = catalog_messages(HEAD, [PUBLICATION], None)
    envelope = decode(message.headers)
    assert (envelope.supplier, envelope.feed_no, envelope.version) == ("acme", 7, version_of(7, 3))
    assert (envelope.subject, envelope.time, envelope.traceparent) == ("acme:A%201:*", NOON, HEAD.traceparent)


def test_a_repeat_is_the_same_message() -> None:
    assert catalog_messages(HEAD, [PUBLICATION], DAY) == catalog_messages(HEAD, [PUBLICATION], DAY)


@pytest.mark.parametrize(
    "other",
    [
        PUBLICATION._replace(version=version_of(7, 4)),
        PUBLICATION._replace(item=replace(ITEM, hash=b"\x02" * 16)),
        PUBLICATION._replace(key=("A 1", "2"), item=replace(ITEM, area="2")),
    ],
    ids=["another version", "another content", "another key"],
)
def test_another_message_has_another_id(other: Publication) -> None:
    one, two = catalog_messages(HEAD, [PUBLICATION, other], None)
    assert decode(one.headers).id != decode(two.headers).id


@pytest.mark.parametrize(
    ("facet", "period", "expires_at"),
    [
        (Facet.PRICE, DAY, NOON + 2 * DAY),
        (Facet.STOCK, DAY, NOON + 2 * DAY),
        (Facet.PRICE, None, None),
        (Facet.PRODUCT, DAY, False),
        (Facet.LISTING, None, False),
    ],
)
def test_prices_and_stocks_expire_after_two_periods(
    facet: Facet, period: timedelta | None, expires_at: datetime | bool | None
) -> None:
    assert expiry_of(facet, NOON, period) == expires_at


@pytest.mark.parametrize("facet", Facet)
def test_a_key_has_an_area_where_the_facet_has_areas(facet: Facet) -> None:
    area = "*" if facet in (Facet.PRICE, Facet.STOCK) else ""
    expected = b"acme:A%201:*" if area else b"acme:A%201"
    assert catalog_key("acme", facet, ("A 1", area)) == expected


def test_a_version_orders_feeds_before_records_and_says_both() -> None:
    assert version_of(7, 2**24 - 1) < version_of(8, 0)
    assert (feed_no_of(version_of(7, 3)), record_index_of(version_of(7, 3))) == (7, 3)
