"""The short way of reading a record and the long way: one result, whatever the record."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Annotated

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import Field, Strict

from adapters.native.adapter import READERS
from gateway.sdk import Derived, InvalidMessageError, Issue, Item, Money, Rate, Reader, Record, Stamps, members
from gateway.sdk.wire import MAX_ISSUES, MAX_RECORD
from schemas.base import SHANGHAI
from schemas.catalog import Facet, ListingFacts, PriceBasis, PriceFacts, Quote

AT = datetime(2026, 5, 1, 12, tzinfo=SHANGHAI)


class PriceRow(PriceFacts, Stamps):
    """A supplier's price row."""

    quote: Derived[Quote] = Quote.QUOTED
    agreement_price: Money = Field(validation_alias="price")
    net_price: Money | None = Field(None, validation_alias="net")
    tax_rate: Rate | None = None
    tax_amount: Money | None = None
    market_price: Money | None = None
    public_price: Money | None = None
    basis: Annotated[PriceBasis, Strict(False)] = PriceBasis.GROSS


READER = Reader(PriceFacts, PriceRow, plain=True)


def record(raw: bytes | str) -> Record:
    return Record(Facet.PRICE, raw.encode() if isinstance(raw, str) else raw, AT)


def long_way(row: Record) -> Item:
    return READER.read_members(row, members(row.raw))


def test_the_facts_are_canonical_and_the_stamps_are_the_items():
    item = long_way(record('{"sku":"A","price":"5","version":3,"observed_at":"2026-05-01T11:00:00"}'))
    assert type(item.facts) is PriceFacts
    assert item.facts == PriceFacts(sku="A", quote=Quote.QUOTED, agreement_price=Decimal(5))
    assert item.source_version == 3
    assert item.observed_at == datetime(2026, 5, 1, 11, tzinfo=SHANGHAI)
    assert list(vars(item.facts)) == list(PriceFacts.model_fields)


@pytest.mark.parametrize(
    "raw",
    [
        '{"sku":"A","price":"5"}',
        '{"sku": "A", "price": "5", "net": 4}',
        '{"sku":"A","price":5,"version":3,"observed_at":"2026-05-01T11:00:00","basis":"net","area":"1_2"}',
        '{"sku":"\\u4ef7","price":"5"}',
        '{"sku":"{[","price":"5"}',
        '{"sku" : "A",\n\t"price":"5"}\r\n',
    ],
)
def test_a_plain_record_is_read_the_short_way(raw: str):
    assert READER._read_plain(record(raw)) == long_way(record(raw))


@pytest.mark.parametrize(
    "raw",
    [
        '{"sku":"A","price":5.50}',
        '{"sku" :"A","price":"5","observed_at":"2026-05-01T11:00:00"}',
        '{"sku":":A","price":"5"}',
        '{"sku":"\\":A","price":"5"}',
    ],
)
def test_a_record_that_raises_a_doubt_is_left_to_the_long_way(raw: str):
    assert READER._read_plain(record(raw)) is None
    assert READER.read(record(raw)) == long_way(record(raw))


@pytest.mark.parametrize(
    "raw",
    [
        '{"sku":"A","price":"5","price":"6"}',
        '{"sku":"A","price" :"5","price":"6"}',
        '{"sku":"A","price"\n:"5","price":"6"}',
        '{"sku":":A","price" : "5","price":"6"}',
        '{"sku":"A","price":"5","pri\\u0063e":"6"}',
        '{"sku":"A","price":"5","quote":"no_quote"}',
        '{"sku":"A","price":"5","supplier":"B"}',
        '{"sku":"A","agreement_price":"5"}',
        '{"sku":"A","price":"5","source_version":1}',
        '{"sku":"A","price":1e3}',
        '{"sku":"A","price":"1e3"}',
        '{"sku":"A","price":true}',
        '{"sku":"A\\u0000","price":"5"}',
        '{"sku":"A","price":"5","version":1.0}',
        '{"sku":"A","price":"5","version":"1"}',
        '{"sku":"A","price":"5","observed_at":"2026-05-02T00:00:00"}',
        '{"sku":"A","price":"5"}{}',
        '{"sku":"A","price":"5","net":NaN}',
        '{"sku":"A","price":"5"' + " " * MAX_RECORD + "}",
        "[]",
        "",
    ],
)
def test_what_the_long_way_refuses_the_short_way_never_takes(raw: str):
    assert READER._read_plain(record(raw)) is None
    with pytest.raises(InvalidMessageError):
        long_way(record(raw))


NAMES = st.sampled_from(["sku", "price", "net", "basis", "area", "version", "observed_at", "quote", "tax_rate", "x"])
TEXTS = st.sampled_from(["A", "5", "5.5", "1e3", "gross", "", ":", '":', "\x00", "2026-05-01T11:00", '"', "价", "a b"])
NUMBERS = st.sampled_from([b"5", b"5.5", b"0", b"-0", b"-1", b"1e3", b"1e400", b"9007199254740993", b"1" * 40])
VALUES = st.one_of(
    TEXTS.map(orjson.dumps),
    NUMBERS,
    st.sampled_from([b"null", b"true", b"[]", b"{}", b'{"a":1}', b'["a"]', b'"\\u0041"', b'"\\ud800"', b'"\xff"']),
)
GAPS = st.sampled_from([b"", b"", b"", b" ", b"\n", b"\t"])
MEMBERS = st.tuples(GAPS, NAMES.map(orjson.dumps), GAPS, VALUES, GAPS).map(
    lambda parts: b"%b%b%b:%b%b" % (parts[0], parts[1], parts[2], parts[3], parts[4])
)


@given(st.lists(MEMBERS, max_size=6), st.booleans())
@example([b'"price":"6"'], True)
def test_the_short_way_agrees_with_the_long_way_or_is_not_taken(rest: list[bytes], begun: bool):
    start = [b'"sku":"A"', b'"price":"5"'] if begun else []
    row = record(b"{%b}" % b",".join([*start, *rest]))
    item = READER._read_plain(row)
    if item is not None:
        assert item == long_way(row)


PRODUCTS = READERS[Facet.PRODUCT]


def product(member: str) -> Record:
    return Record(Facet.PRODUCT, f'{{"sku":"A","name":"B",{member}}}'.encode(), AT)


@pytest.mark.parametrize(
    "member",
    [
        '"images":["https://a.example/1.jpg"]',
        '"attributes":[{"name":"a","value":"b"},{"value":"d","name":"c"}]',
        '"attributes": [{"name": "a", "value": "b"}], "purchase_code": {"code": "A02", "edition": "2022"}',
        '"description":"<p style=\\"color:red\\">a : b</p>\\n"',
    ],
)
def test_objects_inside_a_plain_record_are_read_the_short_way_too(member: str):
    row = product(member)
    assert PRODUCTS._read_plain(row) == PRODUCTS.read_members(row, members(row.raw))


@pytest.mark.parametrize(
    "member",
    [
        '"attributes":[{"name":"a","value":"b","value":"c"}]',
        '"attributes":[{"name":"a","name" :"b","value":"c"}]',
        '"attributes":[{"name":"a","value":"b"}],"attributes":[]',
        '"attributes":{"a":"b","a":"c"}',
        '"attributes":{"a":"b","c":"d","a":"e","c":"f"}',
        '"purchase_code":{"code":"A02","edition":"2022","code":"A03"}',
        '"description":"a\\u0001"',
        '"description":"a\\u007f"',
        '"minimum_order_quantity":1.0',
    ],
)
def test_what_is_wrong_inside_an_object_never_passes_by_the_short_way(member: str):
    row = product(member)
    assert PRODUCTS._read_plain(row) is None
    with pytest.raises(InvalidMessageError):
        PRODUCTS.read(row)


@given(st.lists(st.lists(MEMBERS | st.sampled_from([b'"name":"a"', b'"value":"b"']), max_size=4), max_size=3))
@example([[b'"name":"a"', b'"value":"b"']])
@example([[b'"name":"a"', b'"value":"b"', b'"name":"a"']])
def test_the_short_way_agrees_with_the_long_way_about_objects_inside(objects: list[list[bytes]]):
    inner = b",".join(b"{%b}" % b",".join(parts) for parts in objects)
    for attributes in (b"[%b]" % inner, inner or b"{}"):
        row = product(f'"attributes":{attributes.decode(errors="replace")}')
        item = PRODUCTS._read_plain(row)
        if item is not None:
            assert item == PRODUCTS.read_members(row, members(row.raw))


@given(st.lists(st.sampled_from(['"5"', "5", "5.5", '"5.50"', "1e3", "null"]), max_size=40))
def test_what_came_before_a_record_changes_nothing_for_it(prices: list[str]):
    reader = Reader(PriceFacts, PriceRow, plain=True)
    for price in prices:
        row = record(f'{{"sku":"A","price":{price}}}')
        assert outcome(reader.read, row) == outcome(long_way, row)


def outcome(read: Callable[[Record], Item], row: Record) -> Item | tuple[Issue, ...]:
    """What reading a record comes to."""
    try:
        return read(row)
    except InvalidMessageError as error:
        return error.issues


def test_all_faults_of_a_record_are_told_up_to_a_readable_number():
    with pytest.raises(InvalidMessageError) as caught:
        long_way(record(orjson.dumps({str(number): 1 for number in range(1_000)})))
    assert len(caught.value.issues) == MAX_ISSUES


def test_a_number_beyond_every_double_makes_the_record_malformed():
    with pytest.raises(InvalidMessageError) as caught:
        long_way(record('{"sku":"A","price":"5","x":[{"y":1e400}],"z":1}'))
    assert [(issue.code, issue.path) for issue in caught.value.issues] == [("malformed_json", "/x/0/y")]


def test_a_wire_model_with_other_fields_than_its_facts_is_refused():
    class Wider(ListingFacts, Stamps):
        colour: str = "red"

    with pytest.raises(TypeError, match="Wider must have the fields of ListingFacts"):
        Reader(ListingFacts, Wider)
