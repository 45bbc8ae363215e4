"""Records that cannot be meant: each is rejected with every fault named, none is guessed at or rounded."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from gateway.feeds.chunk import MAX_RECORD
from gateway.sdk.wire import MAX_MEMBERS
from tests.integration.bad_input.conftest import NOTHING, House, Shop, request

PRICE = b'"price":"9.90"'
STOCK = b'"state":"in_stock"'

AMOUNTS = {
    "2^64": (b"18446744073709551616", "number_out_of_range"),
    "40 digits": (b"1" * 40, "number_out_of_range"),
    "40 digits as text": (b'"%b"' % (b"1" * 40), "number_out_of_range"),
    "100,000 digits": (b"9" * 100_000, "number_out_of_range"),
    "100,000 digits as text": (b'"%b"' % (b"9" * 100_000), "number_out_of_range"),
    "1e3": (b"1e3", "invalid_decimal"),
    "1e3 as text": (b'"1e3"', "invalid_decimal"),
    "-0": (b'"-0"', "invalid_decimal"),
    "hexadecimal": (b'"0x10"', "invalid_decimal"),
    "three places": (b"19.999", "invalid_decimal"),
    "full width": ('"１２"'.encode(), "invalid_decimal"),
    "Arabic digits": ('"٤٢"'.encode(), "invalid_decimal"),
    "blank": (b'" 5"', "invalid_decimal"),
    "thousands": (b'"1,000.00"', "invalid_decimal"),
    "currency": ('"¥5"'.encode(), "invalid_decimal"),
    "leading zero": (b'"007"', "invalid_decimal"),
    "negative": (b'"-5"', "invalid_decimal"),
    "boolean": (b"true", "validation_failed"),
    "object": (b'{"amount":"5"}', "validation_failed"),
}


def all_are(names: Iterable[str], code: str, path: str) -> dict[str, list[tuple[str, str]]]:
    """One issue for each name, the same for all."""
    return {name: [(code, path)] for name in names}


async def test_an_amount_that_could_be_misread_is_no_price(shop: Shop) -> None:
    members = ("price", "net_price", "tax_amount", "market_price", "public_price")
    bad = {
        f"{name} as {member}": b'{"sku":"A-1","%b":%b}' % (member.encode(), amount)
        for member in members
        for name, (amount, _) in AMOUNTS.items()
    }
    found = await shop.refused(bad, PRICE)
    assert found == {
        # A number of thousands of digits is not read at all, so nobody knows where it stood.
        f"{name} as {member}": [(code, "" if name == "100,000 digits" else f"/{member}")]
        for member in members
        for name, (_, code) in AMOUNTS.items()
    }


async def test_a_quantity_of_another_type_is_not_coerced(shop: Shop) -> None:
    quantities = {
        "true": b"true",
        "text": b'"5"',
        "1.5": b"1.5",
        "1.0": b"1.0",
        "-1": b"-1",
        "null": b"null",
        "[]": b"[]",
    }
    bad = {name: b'{"sku":"A-1",%b,"quantity":%b}' % (STOCK, quantity) for name, quantity in quantities.items()}
    found = await shop.refused(bad, STOCK, facet="stock")
    assert found == all_are(quantities, "validation_failed", "/quantity")


async def test_every_fault_of_a_record_is_told_at_once_with_its_place(shop: Shop) -> None:
    record = {
        "sku": "",
        "name": 5,
        "images": ["https://a.example/1.png", "javascript:alert(1)"],
        "attributes": [{"name": "重量", "value": "1"}, {"name": "尺寸"}],
        "colour": "red",
        "version": -1,
    }
    found = await shop.refused({"product": orjson.dumps(record)}, b'"name":"x"', facet="product")
    assert sorted(found["product"]) == [
        ("validation_failed", path)
        for path in ("/attributes/1/value", "/colour", "/images/1", "/name", "/sku", "/version")
    ]


async def test_a_member_named_twice_has_no_value(shop: Shop) -> None:
    bad = {
        "same": b'{"sku":"A-1","price":"5","price":"5"}',
        "other": b'{"sku":"A-1","price":"5","price":"6"}',
        "escaped": b'{"sku":"A-1","price":"5","pric\\u0065":"6"}',
        "sku": b'{"sku":"A-1","sku":"A-2","price":"5"}',
        "spaced": b'{"sku":"A-1","price":"5","price" :"6"}',
        "nested": b'{"sku":"A-1","price":{"amount":1,"amount":2}}',
    }
    found = await shop.refused(bad, PRICE)
    assert found == all_are(bad, "duplicate_key", "")


async def test_a_crowd_in_a_record_is_refused_by_its_number(shop: Shop) -> None:
    many = b",".join([b"1"] * (MAX_MEMBERS + 1))
    million = b",".join([b"1"] * 1_000_000)
    unknown = b",".join(b'"%d":1' % number for number in range(MAX_MEMBERS + 1))
    bad = {
        "array": b'{"sku":"A-1","name":"x","images":[%b]}' % many,
        "a million": b'{"sku":"A-1","name":"x","images":[%b]}' % million,
        "unknown members": b'{"sku":"A-1","name":"x",%b}' % unknown,
        "inner object": b'{"sku":"A-1","name":"x","attributes":{%b}}' % unknown,
    }
    found = await shop.refused(bad, b'"name":"x"', facet="product")
    assert found == all_are(bad, "too_many_items", "")


async def test_a_name_of_a_megabyte_is_not_repeated_in_the_answer(shop: Shop) -> None:
    name = b"n" * (MAX_RECORD - 100)
    found = await shop.refused({"name": b'{"sku":"A-1",%b,"%b":1}' % (PRICE, name)}, PRICE)
    assert found == {"name": [("validation_failed", "/" + "n" * 200)]}


async def test_a_million_unknown_members_are_no_record(shop: Shop) -> None:
    body = b'{"sku":"A-1",%b}' % b",".join(b'"%d":1' % number for number in range(400_000))
    assert (await shop.push(body)).problem == (413, "line_too_long")
    assert await shop.left() == NOTHING


@pytest.mark.parametrize(
    ("version", "price", "outcome"), [(4, "1.00", "stale"), (5, "9.90", "unchanged"), (6, "1.00", "normalized")]
)
async def test_an_older_version_of_the_source_never_wins(shop: Shop, version: int, price: str, outcome: str) -> None:
    await shop.done(await shop.push(b'{"sku":"A-1","price":"9.90","version":5}'))
    feed = await shop.done(await shop.push(orjson.dumps({"sku": "A-1", "price": price, "version": version})))
    assert feed["items"] == {outcome: 1}
    items = (await shop.left()).items
    assert [item["agreement_price"] for item in items] == ["9.90", "1.00"][: 2 if outcome == "normalized" else 1]


async def test_one_version_of_the_source_has_one_content(shop: Shop) -> None:
    await shop.done(await shop.push(b'{"sku":"A-1","price":"9.90","version":5}'))
    record = b'{"sku":"A-1","price":"1.00","version":5}'
    feed = await shop.done(await shop.push(record))
    (row,) = await shop.report(feed)
    assert (row["outcome"], row["issues"][0]["code"], row["issues"][0]["path"]) == (
        "rejected",
        "version_conflict",
        "/version",
    )
    left = await shop.left()
    (letter,) = left.letters
    assert (letter["code"], letter["stage"], letter["original"]) == ("version_conflict", "guard", record)
    assert [item["agreement_price"] for item in left.items] == ["9.90"]


async def test_a_clock_that_is_ahead_does_not_outrank_the_future(shop: Shop) -> None:
    now = datetime.now(UTC)
    times = {
        "ten minutes": (now + timedelta(minutes=10)).isoformat(),
        "a year": (now + timedelta(days=366)).isoformat(),
        "year 9999": "9999-12-31T23:59:59Z",
        "no offset, so a Chinese clock": (now + timedelta(hours=9)).replace(tzinfo=None).isoformat(),
    }
    bad = {name: b'{"sku":"A-1",%b,"observed_at":"%b"}' % (PRICE, at.encode()) for name, at in times.items()}
    found = await shop.refused(bad, PRICE)
    assert found == all_are(times, "timestamp_in_future", "/observed_at")


async def test_a_time_that_names_no_moment_is_refused(shop: Shop) -> None:
    times = [
        "yesterday",
        "1760000000",
        "2026-02-30T00:00:00Z",
        "2026-01-01T25:00:00Z",
        "0000-01-01T00:00:00Z",
        "9999-12-31T23:59:59-23:59",
        "2026-01-01T00:00:00+16:00",
        "2026-01-01",
    ]
    bad = {at: b'{"sku":"A-1",%b,"observed_at":"%b"}' % (PRICE, at.encode()) for at in times}
    found = await shop.refused(bad, PRICE)
    assert found == all_are(times, "validation_failed", "/observed_at")


async def test_a_line_break_never_splits_a_header_or_a_log_line(house: House, shop: Shop) -> None:
    """CR LF where a value becomes a Kafka key, a Kafka header or a field of a log line."""
    texts = {
        "sku": rb'{"sku":"A-1\r\nce_id: forged","name":"x"}',
        "name": rb'{"sku":"A-1","name":"x\r\n{\"event\":\"forged\"}"}',
        "brand": rb'{"sku":"A-1","name":"x","brand":"a\nb"}',
        "barcode": rb'{"sku":"A-1","name":"x","barcode":"12345678\r\n"}',
        "attribute": rb'{"sku":"A-1","name":"x","attributes":{"a\r\nb":"c"}}',
        "member": rb'{"sku":"A-1","name":"x","forged\r\nmember":"c"}',
        "line separator at an end": '{"sku":"A-1\u2028","name":"x"}'.encode(),
    }
    found = await shop.refused(texts, b'"name":"x"', facet="product")
    assert {code for issues in found.values() for code, _ in issues} <= {"invalid_text", "validation_failed"}
    assert found["sku"] == [("invalid_text", "/sku")]
    left = await shop.left()
    for entry in left.entries:
        for name, value in entry.headers.items():
            assert not {0x0A, 0x0D} & set(value), (name, value)
        assert not {0x0A, 0x0D} & set(entry.key or b"")
    assert house.program.events("unreadable") == []
    assert [event for event in house.program.log if "forged" in str(event.get("event"))] == []


@pytest.mark.parametrize("header", ["X-Request-Id", "traceparent", "Idempotency-Key", "Prefer", "X-Other"])
@pytest.mark.parametrize("forged", ["a\nInjected: 1", "a\rInjected: 1", "a\x00b", "a\r\n Injected: 1"])
async def test_a_header_that_holds_a_line_break_is_refused(house: House, shop: Shop, header: str, forged: str) -> None:
    answer = await shop.push(b'{"sku":"A-1","price":"9.90"}', f"{header}: {forged}")
    assert answer.problem == (400, "bad_request")
    assert "injected" not in answer.headers
    assert await shop.left() == NOTHING


async def test_a_request_id_that_would_forge_a_log_line_is_replaced(house: House, shop: Shop) -> None:
    forged = 'x","event":"forged'
    headers = (shop.bearer.strip(), f"X-Request-Id: {forged}")
    answer = await house.send(request("GET", "/v1/feeds/999999999%0d%0aforged", headers))
    assert answer.problem == (404, "not_found")
    assert answer.headers["x-request-id"] != forged
    assert (house.program.events("unreadable"), house.program.events("forged")) == ([], [])
