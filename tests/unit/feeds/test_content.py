"""The canonical bytes of facts: what pydantic would write, written by the faster hand."""

from datetime import UTC, datetime
from decimal import Decimal

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.feeds.chunk import RawRecord
from gateway.feeds.normalise import NormalisedItem, Rules, normalise
from gateway.registry import Registry
from gateway.sdk.adapter import Item, NormalisesFeeds, Record
from schemas.catalog import MESSAGES, Facet, Product
from schemas.directories import CategoryMap

AT = datetime(2026, 5, 1, 4, tzinfo=UTC)
STAMPS = {"supplier": "acme", "version": 1, "observed_at": AT}

RECORDS: list[tuple[Facet, bytes]] = [
    (Facet.PRICE, b'{"sku":"A","price":"1299.00","tax_rate":13,"net_price":0.10,"area":"1_2"}'),
    (Facet.PRICE, '{"sku":"价格\\"/\\\\","price":null}'.encode()),
    (Facet.STOCK, b'{"sku":"A","state":"in_stock","quantity":12,"lead_days":2}'),
    (Facet.LISTING, b'{"sku":"A","shelf":"off","reason":"x","at":"2026-05-01T03:00:00Z"}'),
    (Facet.LISTING, b'{"sku":"A","shelf":"on","at":"2026-05-01T10:00:00.5"}'),
]


AMOUNTS = st.decimals(0, 10**12 - 1, allow_nan=False, places=2).map(lambda amount: f"{amount:f}")


@given(AMOUNTS, AMOUNTS, st.just(Decimal(0)) | st.decimals(1, 100, places=4))
@example("0.00", "0.01", Decimal(0))
def test_amounts_are_written_as_they_were_given(price: str, tax: str, rate: Decimal):
    raw = orjson.dumps({"sku": "A", "price": price, "tax_amount": tax, "tax_rate": f"{rate:f}"})
    told = orjson.loads(normalised(Facet.PRICE, raw).content)
    assert (told["tax_amount"], told["tax_rate"]) == (tax, f"{rate:f}")
    assert told["agreement_price"] == (price if Decimal(price) else None)


def native() -> NormalisesFeeds:
    """The adapter of the gateway's own format."""
    adapter = Registry().adapter("native", {})
    assert isinstance(adapter, NormalisesFeeds)
    return adapter


def normalised(facet: Facet, raw: bytes) -> NormalisedItem:
    """The one item of a record in the native format."""
    result = normalise(native(), RawRecord(1, raw), Rules(facet, AT, CategoryMap({})))
    assert isinstance(result, list)
    return result[0]


@pytest.mark.parametrize(("facet", "raw"), RECORDS)
def test_facts_are_written_as_pydantic_writes_them(facet: Facet, raw: bytes):
    [item] = native().normalise(Record(facet, raw, AT))
    assert isinstance(item, Item)
    assert normalised(facet, raw).content == item.facts.model_dump_json().encode()


@pytest.mark.parametrize(("facet", "raw"), RECORDS)
def test_content_with_its_stamps_is_the_message(facet: Facet, raw: bytes):
    content = normalised(facet, raw).content
    stamped = orjson.dumps(orjson.loads(content) | STAMPS)
    assert MESSAGES[facet].model_validate_json(stamped)


def test_a_product_keeps_the_order_of_its_message_and_is_sanitised_in_place():
    raw = orjson.dumps(
        {
            "sku": "A",
            "name": "激光打印机",
            "brand": "联想(Lenovo)",
            "category": ["办公设备"],
            "attributes": {"颜色": "白色"},
            "description": '<p onclick="x()">a</p><script>x()</script>',
            "purchase_code": {"code": "A02", "edition": "2022"},
        }
    )
    content = normalised(Facet.PRODUCT, raw).content
    told = orjson.loads(content)
    assert list(told) == [name for name in Product.model_fields if name not in STAMPS]
    assert told["description"] == "<p>a</p>"
    assert told["attributes"] == [{"name": "颜色", "value": "白色"}]
    message = Product.model_validate_json(orjson.dumps(told | STAMPS))
    assert message.model_dump_json(exclude=set(STAMPS)).encode() == content


def test_equal_facts_have_equal_hashes_however_they_are_written():
    compact = normalised(Facet.PRICE, b'{"sku":"A","price":"5","version":1}')
    spaced = normalised(Facet.PRICE, b'{ "price" : 5, "version" : 2, "sku" : "\\u0041" }')
    assert compact.hash == spaced.hash
    assert compact.hash != normalised(Facet.PRICE, b'{"sku":"A","price":"5.0"}').hash
