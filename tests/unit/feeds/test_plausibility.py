"""What is taken with a doubt, and what is refused for it."""

import re
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from adapters.native import Adapter
from gateway.feeds.chunk import RawRecord
from gateway.feeds.normalise import Mixed, NormalisedItem, Rejection, Rules, normalise
from gateway.sdk.adapter import Options
from gateway.sdk.problems import PROBLEMS
from gateway.suppliers.config import PriceMismatch
from schemas.catalog import Facet
from schemas.directories import CategoryMap

AT = datetime(2026, 11, 23, 12, tzinfo=UTC)


def result(facet: Facet, *, price_mismatch: PriceMismatch = "warn", **members: Any) -> NormalisedItem | Rejection:
    record = RawRecord(1, orjson.dumps({"sku": "A-1", **members}))
    found = normalise(Adapter(Options()), record, Rules(facet, AT, CategoryMap({"耗材": "硒鼓"}), price_mismatch))
    assert not isinstance(found, Mixed)
    return found[0] if isinstance(found, list) else found


def codes(facet: Facet, **members: Any) -> list[str]:
    found = result(facet, **members)
    assert isinstance(found, NormalisedItem)
    return [warning.code for warning in found.warnings]


@pytest.mark.parametrize("rate", ["0.13", "0.06", "0.0001", 0.13, "0.9999"])
def test_a_rate_that_is_a_fraction_is_refused_with_the_percentage_that_was_meant(rate: object) -> None:
    found = result(Facet.PRICE, price="113", net_price="100", tax_rate=rate)
    assert isinstance(found, Rejection)
    [issue] = found.issues
    assert (issue.code, issue.path) == ("tax_rate_fraction", "/tax_rate")
    if str(rate) == "0.13":
        assert issue.expected == "13 for 13 %"


def test_a_fraction_is_refused_where_there_is_no_price_too() -> None:
    assert isinstance(result(Facet.PRICE, price=None, tax_rate="0.13"), Rejection)


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"price": "113.00", "net_price": "100.00", "tax_rate": "13"}, []),
        ({"price": "99.99", "net_price": "88.49", "tax_rate": 13}, []),
        ({"price": "0.01", "net_price": "0.01", "tax_rate": "13"}, []),
        ({"price": "113.00"}, []),
        ({"price": "113.00", "tax_rate": "0"}, []),
        ({"price": "100.00", "net_price": "100.00", "tax_rate": "0"}, []),
        ({"price": "99", "net_price": "150"}, ["price_mismatch"]),
        ({"price": "100", "net_price": "100", "tax_rate": "13"}, ["price_mismatch"]),
        ({"price": "11300", "net_price": "100", "tax_rate": "13"}, ["price_mismatch"]),
        ({"price": "113.03", "net_price": "100", "tax_rate": "13"}, ["price_mismatch"]),
        ({"price": "113", "net_price": "100", "tax_amount": "13"}, []),
        ({"price": "113", "net_price": "100", "tax_amount": "16"}, ["price_mismatch"]),
        ({"price": "113", "net_price": "100", "tax_rate": "13", "tax_amount": "13"}, []),
        ({"price": "113", "net_price": "100", "tax_rate": "13", "tax_amount": "99"}, ["price_mismatch"]),
        ({"price": "113", "net_price": "100", "tax_rate": "13", "tax_amount": "0"}, ["price_mismatch"]),
        ({"price": "113", "tax_rate": "13", "tax_amount": "13"}, []),
        ({"price": "99.99", "tax_rate": "13", "tax_amount": "11.50"}, []),
        ({"price": "113", "tax_rate": "13", "tax_amount": "14.69"}, ["price_mismatch"]),
        ({"price": "113", "tax_rate": "0", "tax_amount": "13"}, ["price_mismatch"]),
        ({"price": "113", "tax_amount": "13"}, []),
        ({"price": "116", "net_price": "100", "tax_rate": "16"}, ["odd_tax_rate"]),
        ({"price": "117", "tax_rate": "17.5"}, ["odd_tax_rate"]),
        ({"price": None}, ["no_price"]),
        ({}, ["no_price"]),
        ({"price": 0}, ["no_price"]),
        ({"price": "-1"}, ["no_price"]),
        ({"price": ""}, ["no_price"]),
    ],
)
def test_what_is_odd_about_a_price_is_told(members: dict[str, Any], expected: list[str]) -> None:
    assert codes(Facet.PRICE, **members) == expected


def test_a_supplier_s_row_has_contradictions_rejected() -> None:
    contradiction = {"price": "100", "net_price": "100", "tax_rate": "13"}
    found = result(Facet.PRICE, price_mismatch="reject", **contradiction)
    assert isinstance(found, Rejection)
    assert found.issues[0].code == "price_mismatch"
    assert isinstance(result(Facet.PRICE, price_mismatch="reject", price="116", tax_rate="16"), NormalisedItem)


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"category": ["耗材"], "barcode": "6901028075763"}, []),
        ({"category": ["耗材"], "barcode": "6901028075764"}, ["barcode_invalid"]),
        ({"category": ["耗材"], "barcode": "6901028075"}, ["barcode_invalid"]),
        ({"category": ["别的"]}, ["no_directory_item"]),
        ({"category": ["耗材"], "description": "<p>ok</p>"}, []),
        ({"category": ["耗材"], "description": "<script>x</script>"}, ["markup_removed"]),
    ],
)
def test_what_is_odd_about_a_product_is_told(members: dict[str, Any], expected: list[str]) -> None:
    assert codes(Facet.PRODUCT, name="甲", **members) == expected


@pytest.mark.parametrize(
    ("facet", "members", "code"),
    [
        (Facet.PRICE, {"price": "1.001"}, "invalid_decimal"),
        (Facet.PRICE, {"price": "113", "tax_rate": "13.12345"}, "invalid_decimal"),
        (Facet.PRODUCT, {"name": "甲", "attributes": dict.fromkeys(map(str, range(2_001)), "x")}, "too_many_items"),
        (Facet.PRODUCT, {"name": "甲", "images": [["x"] * 100] * 25}, "too_many_items"),
    ],
)
def test_where_the_limit_differs_the_sentence_names_none_and_the_issue_does(
    facet: Facet, members: dict[str, Any], code: str
) -> None:
    found = result(facet, **members)
    assert isinstance(found, Rejection)
    [issue] = found.issues
    assert issue.code == code
    assert re.search(r"\d", issue.expected)
    assert not re.search(r"\d|two|两", PROBLEMS[code].en + PROBLEMS[code].zh)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("barcode_invalid", "length or check digit"),
        ("odd_tax_rate", "in force"),
        ("no_directory_item", "single row"),
        ("malformed_json", "beyond what JSON readers can hold"),
    ],
)
def test_a_sentence_holds_for_everything_that_its_code_is_told_of(code: str, words: str) -> None:
    """A barcode of ten digits has no check digit, 17 % was a rate, a name may mean several rows, 1e400 is JSON."""
    assert words in PROBLEMS[code].en
