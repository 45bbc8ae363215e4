"""Whatever an adapter says, the bytes on the topic fit the published schema and read back as its message."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from gateway.feeds.chunk import RawRecord
from gateway.feeds.message import Stamper
from gateway.feeds.normalise import NormalisedItem, Rules, normalise
from gateway.sdk.adapter import Item, Record
from schemas.base import read
from schemas.catalog import (
    MESSAGES,
    Attribute,
    Facet,
    Facts,
    ListingFacts,
    PriceFacts,
    ProductFacts,
    Quote,
    Shelf,
    StockFacts,
    StockState,
)
from schemas.directories import CategoryMap
from schemas.money import parse_decimal
from schemas.published import json_schema
from tests.conformance.messages import AT


class Says:
    """An adapter that has one thing to say."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts

    def normalise(self, record: Record) -> Iterable[Item]:
        return [Item(self._facts)]


def published(facts: Facts, period: timedelta | None) -> bytes:
    rules = Rules(facts.facet, AT, CategoryMap({"耗材": "硒鼓"}))
    items = normalise(Says(facts), RawRecord(1, b"{}"), rules)
    assert isinstance(items, list)
    [item] = items
    assert isinstance(item, NormalisedItem)
    return Stamper(facts.facet, "acme", period).stamp(item.content, 7, item.observed_at)


def amounts(places: int) -> st.SearchStrategy[object]:
    written = st.from_regex(rf"(0|[1-9][0-9]{{0,11}})(\.[0-9]{{1,{places}}})?", fullmatch=True)
    return st.none() | written.map(lambda text: parse_decimal(text, places=places))


lines = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=40)
texts = st.text(st.characters(exclude_categories=["Cc", "Cs"]) | st.sampled_from("\t\r\n<>&\"'"), max_size=80)
skus = st.from_regex(r"[0-9A-Za-z硒鼓:/%+ -]{0,30}[0-9A-Z]", fullmatch=True).map(str.strip)
areas = st.just("*") | st.from_regex(r"[0-9]{1,4}(_[0-9]{1,4}){0,3}", fullmatch=True)

products = st.builds(
    ProductFacts,
    sku=skus,
    name=lines | st.sampled_from(["惠普 硒鼓", "复印机 硒鼓"]),
    brand_raw=st.none() | lines,
    category_path=st.lists(lines | st.sampled_from(["耗材", "订书机"]), max_size=4).map(tuple),
    attributes=st.lists(st.builds(Attribute, name=lines, value=texts), max_size=3).map(tuple),
    description=st.none() | texts,
    barcode=st.none() | st.from_regex(r"[0-9]{8,14}", fullmatch=True),
    warranty=st.none() | texts,
)
prices = st.builds(
    PriceFacts,
    sku=skus,
    area=areas,
    quote=st.sampled_from(Quote),
    agreement_price=amounts(6),
    net_price=amounts(6),
    tax_rate=st.none() | st.sampled_from([parse_decimal("13", places=4), parse_decimal("1.5", places=4)]),
)
stocks = st.builds(
    StockFacts, sku=skus, area=areas, state=st.sampled_from(StockState), quantity=amounts(3), lead_days=st.none()
)
listings = st.builds(ListingFacts, sku=skus, shelf=st.sampled_from(Shelf), reason=st.none() | lines)


@pytest.fixture(scope="module")
def validators() -> dict[Facet, Draft202012Validator]:
    return {facet: Draft202012Validator(json_schema(facet)) for facet in Facet}


@given(facts=products | prices | stocks | listings, period=st.sampled_from([None, timedelta(hours=24)]))
def test_what_is_published_fits_its_schema_and_reads_back(
    validators: dict[Facet, Draft202012Validator], facts: Facts, period: timedelta | None
) -> None:
    value = published(facts, period)
    validators[facts.facet].validate(json.loads(value))
    message = read(MESSAGES[facts.facet], value)
    assert (message.supplier, message.version, message.sku, message.observed_at) == ("acme", 7, facts.sku, AT)
