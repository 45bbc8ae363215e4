"""A patch keeps the key: whom records name, however they are written, and which patches are another article's."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.feeds.chunk import RawRecord, encode
from gateway.feeds.named_keys import CODE, NamedKeys, compare_keys, named_by, named_by_chunk
from gateway.feeds.normalise import Rejection, Rules, normalise, skus_of
from gateway.registry import Registry
from gateway.sdk.errors import Issue
from gateway.sdk.exchange import Exchange
from gateway.sdk.wire import MAX_RECORD, MAX_VALUES
from schemas.catalog import Facet
from schemas.directories import CategoryMap
from tests.integration.feeds.workshop import NOON

NATIVE = Registry().adapter("native", {})
RULES = Rules(Facet.PRICE, NOON, CategoryMap({}))


def named(raw: bytes) -> NamedKeys:
    """What a native price record names."""
    return named_by(raw, normalise(NATIVE, RawRecord(1, raw), RULES), *skus_of(raw, pulled=False)[:1])  # type: ignore[arg-type]


def asked(skus: tuple[str, ...], rows: bytes = b"<html>", **context: str) -> NamedKeys:
    raw = Exchange(skus, {"rows": rows}, context).encode()
    return named_by(raw, Rejection((Issue("contract_error"),), skus))


BAD = b'{"sku": "S-010", "price": "1,5"}'
OTHER = b'{"sku": "S-011", "price": "0.01"}'


@pytest.mark.parametrize(
    "original",
    [
        BAD,
        b'{"sku": "S-010", "price": NaN}',
        b'{"sku" : "S-010", "price": 1.5',
        b"{'sku': 'S-010', 'price': 1.5}",
        b'{sku: "S-010", price: "1,5"}',
        b'{"sku":"S-\\u0030\\u0031\\u0030","price":',
        b'{"sku": "S-010", "price": "1\xff"}',
        b'{"price": "1,5", "sku": "S-010"}',
        b'{"sku": "S-010", "price": ' + b"9" * 6000 + b"}",
        b'{"sku": "S-010", "price": "12.00"}',
    ],
)
def test_a_patch_that_names_another_article_is_refused_with_both_names(original: bytes) -> None:
    verdict = compare_keys(named(original), named(OTHER))
    assert verdict.issue == Issue(CODE, actual="S-011", expected="S-010")
    assert compare_keys(named(original), named(b'{"sku": "S-010", "price": "1.5"}')).issue is None


@pytest.mark.parametrize(
    "original",
    [b"<html>", b'{"sku": 17, "price": "1.5"}', b'{"sku": " S-010", "price": "1.5"}', b'{"price": "1.5"}', b"[]", b""],
)
def test_where_the_originals_article_cannot_be_read_the_patch_may_name_one_and_it_is_said(original: bytes) -> None:
    verdict = compare_keys(named(original), named(OTHER))
    assert verdict.issue is None
    assert verdict.summary == "The original names no article that can be read; the patch names S-011."


def test_a_doubled_member_may_be_mended_to_either_of_its_values_and_to_no_third() -> None:
    original = named(b'{"sku": "S-010", "price": "1.5", "sku": "S-011"}')
    for sku in ("S-010", "S-011"):
        assert compare_keys(original, named(OTHER.replace(b"S-011", sku.encode()))).issue is None
    assert compare_keys(original, named(OTHER.replace(b"S-011", b"S-012"))).issue is not None


def test_the_nested_article_of_a_part_is_not_the_records() -> None:
    original = named(b'{"parts": [{"sku": "S-011"}], "sku": "S-010"}')
    assert compare_keys(original, named(OTHER)).issue is not None


@pytest.mark.parametrize("quoted", [b"'sku': 'S-011'", b'sku:\\"S-011\\"', b"'sku':'S-011', 'sku':'S-012'"])
def test_an_article_that_a_text_speaks_of_is_not_the_records(quoted: bytes) -> None:
    original = named(b'{"reason": "see %s", "sku": "S-010", "price": 1.5.0}' % quoted.split(b",")[0])
    assert compare_keys(original, named(OTHER)).issue is not None


@pytest.mark.parametrize(
    ("original", "patch", "kept"),
    [
        (b'"price": "1,5"', b'"price": "1.5"', True),
        (b'"price": "1,5"', b'"price": "1.5", "area": "*"', True),
        (b'"price": "1,5"', b'"price": "1.5", "area": "19"', False),
        (b'"price": "1,5", "area": "19"', b'"price": "1.5", "area": "19"', True),
        (b'"price": "1,5", "area": "19"', b'"price": "1.5", "area": "20"', False),
        (b'"price": "1,5", "area": "19"', b'"price": "1.5"', False),
        (b'"price": "1.5", "area": "19"', b'"price": "1.5"', False),
        (b'"price": "1,5", "area": "1 9"', b'"price": "1.5", "area": "19"', True),
    ],
)
def test_a_patch_keeps_the_area_as_far_as_the_original_tells_it(original: bytes, patch: bytes, *, kept: bool) -> None:
    verdict = compare_keys(named(b'{"sku": "S-010", %s}' % original), named(b'{"sku": "S-010", %s}' % patch))
    assert (verdict.issue is None) is kept


def test_an_area_that_only_the_patch_names_is_said() -> None:
    original, patch = b'{"sku": "S-010", "area": 19, "price": "1.5"}', b'{"sku": "S-010", "area": "19", "price": "1.5"}'
    assert compare_keys(named(original), named(patch)).summary == (
        "The original names no area that can be read; the patch names S-010 in area 19."
    )


def test_an_exchange_keeps_what_it_was_asked_about() -> None:
    original = asked(("A", "B"), area="19")
    assert compare_keys(original, asked(("B", "A"), b"{}", area="19")).issue is None
    for other in (asked(("A",), area="19"), asked(("A", "B", "C"), area="19"), asked(("A", "B"), area="20")):
        assert compare_keys(original, other).issue is not None
    assert compare_keys(original, named(OTHER)).issue is not None
    assert compare_keys(named(BAD), asked(("S-010",))).issue is not None


def test_of_what_is_no_record_no_name_is_read() -> None:
    for crowd in (b'"a":[%b1]' % (b"[]," * MAX_VALUES), b'"a":"%b"' % (b"x" * MAX_RECORD)):
        assert named_by(b'{"sku":"S-010",%b}' % crowd, Rejection((), ())).keys == {}
        assert set(named_by(b'{"sku":"S-010",%b}' % crowd, Rejection((), ()), "S-010").keys) == {"S-010"}


@pytest.mark.parametrize(
    ("raw", "sku"),
    [
        (b"{sku:'A'", "A"),
        (b'{"sku" : "B\\u0043",}', "BC"),
        ("{汉sku:'A', sku: '汉'".encode(), "汉"),
        (b"{xsku:'A'", ""),
    ],
)
def test_the_name_of_what_is_no_json_is_looked_for(raw: bytes, sku: str) -> None:
    assert str(named_by(raw, Rejection((), ()))) == sku


def test_the_records_of_a_chunk_keep_their_articles() -> None:
    chunk = encode([RawRecord(1, BAD), RawRecord(2, OTHER)])
    assert compare_keys(named_by_chunk(chunk), named_by_chunk(chunk.replace(b"1,5", b"1.5"))).issue is None
    for original in (chunk, chunk[:-1]):
        assert (
            compare_keys(named_by_chunk(original), named_by_chunk(chunk.replace(b"S-010", b"S-012"))).issue is not None
        )
    assert compare_keys(named_by_chunk(b"?"), named_by_chunk(chunk)).summary.endswith("names S-010, S-011.")


SKUS = st.text("AB-1é\"\\' ", min_size=1, max_size=6)


@given(SKUS, SKUS)
def test_of_two_readable_articles_only_the_same_one_is_kept(one: str, other: str) -> None:
    original, patch = (named(orjson.dumps({"sku": sku, "price": price})) for sku, price in ((one, "x"), (other, "1.5")))
    if original.keys and patch.keys:
        assert (compare_keys(original, patch).issue is None) is (one == other)


@given(st.binary(max_size=80), st.binary(max_size=80))
def test_whatever_bytes_are_compared_there_is_a_verdict(original: bytes, patch: bytes) -> None:
    verdict = compare_keys(named(original), named(patch))
    assert verdict.issue is None or not verdict.summary
    named_by_chunk(original)
