"""Files: one that cannot be read is refused whole, one bad record in a readable file harms only itself."""

from __future__ import annotations

import pytest

from gateway.feeds.chunk import MAX_CARRIED, MAX_RECORD
from tests.integration.bad_input.conftest import NOTHING, House, Shop

JSON = "application/json"
NDJSON = "application/x-ndjson"
GOOD = b'{"sku":"A-1","price":"9.90"}'
MIB = 1024 * 1024


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("text/csv", b"sku,price\r\nA-1,9.90\r\n"),
        ("application/xml", b"<feed/>"),
        ("text/plain", GOOD),
        ("application/octet-stream", GOOD),
        ("application/json-seq", GOOD),
        ("json", GOOD),
        ("", GOOD),
        ("application/json; charset=utf-7", GOOD),
        ("application/x-ndjson; charset=gbk", GOOD),
        ("application/json; charset=utf-16", b"[%b]" % GOOD),
    ],
)
async def test_a_format_that_was_not_agreed_is_not_guessed_at(shop: Shop, content_type: str, body: bytes) -> None:
    assert (await shop.push(body, content_type=content_type)).problem == (415, "unsupported_media_type")
    assert await shop.left() == NOTHING


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'[{"sku":"A-1","price":NaN}]', "malformed_json"),
        (b'[{"sku":"A-1","price":-Infinity}]', "malformed_json"),
        (b"[%b,]" % GOOD, "malformed_json"),
        (GOOD + GOOD, "malformed_json"),
        (b"[%b]\n[%b]" % (GOOD, GOOD), "malformed_json"),
        (b"[%b" % GOOD, "malformed_json"),
        (b"", "malformed_json"),
        (b" \r\n\t", "malformed_json"),
        (b"\xef\xbb\xbf[%b]" % GOOD, "malformed_json"),
        ("[{}]".encode("utf-16"), "malformed_json"),
        (b'[{"sku":"\xff","price":"9.90"}]', "malformed_json"),
        (b'[{"sku":"\xed\xa0\x80","price":"9.90"}]', "malformed_json"),
        (b"[%b] %b" % (GOOD, b"// a comment"), "malformed_json"),
        (b"'A-1'", "malformed_json"),
        (b"[" * 1_000_000, "json_too_deep"),
        (b'{"a":' * 200_000, "json_too_deep"),
    ],
    ids=[
        "NaN",
        "infinity",
        "trailing comma",
        "two objects",
        "two arrays",
        "not closed",
        "empty",
        "blank",
        "byte order mark",
        "UTF-16",
        "raw 0xFF",
        "raw surrogate",
        "comment",
        "quotes",
        "a million brackets",
        "deep objects",
    ],
)
async def test_a_document_that_cannot_be_read_is_not_half_ingested(shop: Shop, body: bytes, code: str) -> None:
    assert (await shop.push(body, content_type=JSON)).problem == (400, code)
    assert await shop.left() == NOTHING


@pytest.mark.parametrize(
    "body",
    [b"", b"\r\n \n\t\n", b"\xef\xbb\xbf" + GOOD, GOOD.decode().encode("utf-16")],
    ids=["empty", "blank", "byte order mark", "UTF-16"],
)
async def test_lines_that_hold_no_feed_are_not_one(shop: Shop, body: bytes) -> None:
    assert (await shop.push(body)).problem == (400, "malformed_json")
    assert await shop.left() == NOTHING


def deep(levels: int) -> bytes:
    """A record nested so deep."""
    return b'{"sku":"A-2","price":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


UNREADABLE = {
    "beyond double": (b'{"sku":"A-2","price":1e400}', "malformed_json"),
    "lone surrogate": (b'{"sku":"\\ud800","price":"1"}', "malformed_json"),
    "65 levels": (deep(65), "json_too_deep"),
    "a number": (b"17", "validation_failed"),
    "null": (b"null", "validation_failed"),
    "an array": (b"[]", "validation_failed"),
    "longer than a record": (b'{"sku":"A-2","price":"%b"}' % (b"1" * MAX_RECORD), "line_too_long"),
}
"""Records that a readable document can hold, and what is wrong with them."""

UNREADABLE_LINES = {
    **UNREADABLE,
    "nonsense": (b"nonsense", "malformed_json"),
    "NaN": (b'{"sku":"A-2","price":NaN}', "malformed_json"),
    "trailing comma": (b'{"sku":"A-2","price":"1",}', "malformed_json"),
    "two documents": (GOOD + GOOD, "malformed_json"),
    "byte order mark": (b"\xef\xbb\xbf" + GOOD, "malformed_json"),
    "raw 0xFF": (b'{"sku":"\xff","price":"1"}', "malformed_json"),
    "cut off": (b'{"sku":"A-2","price":"1', "malformed_json"),
    "NUL behind": (b'{"sku":"A-2","price":"1"}\x00', "malformed_json"),
    "NUL within": (b'{"sku":"A\x00-2","price":"1"}', "malformed_json"),
    "1,025 levels": (deep(1_025), "json_too_deep"),
    "a million brackets": (b"[" * 1_000_000, "json_too_deep"),
    "three times a record": (b"x" * MAX_CARRIED, "line_too_long"),
}
"""The same of lines, which nobody has read before."""


@pytest.mark.parametrize(
    ("content_type", "unreadable"), [(JSON, UNREADABLE), (NDJSON, UNREADABLE_LINES)], ids=["elements", "lines"]
)
async def test_a_bad_record_takes_no_good_one_with_it(
    shop: Shop, content_type: str, unreadable: dict[str, tuple[bytes, str]]
) -> None:
    bad = {name: raw for name, (raw, _) in unreadable.items()}
    found = await shop.refused(bad, b'"price":"9.90"', content_type=content_type)
    assert {name: [code for code, _ in issues] for name, issues in found.items()} == {
        name: [code] for name, (_, code) in unreadable.items()
    }


async def test_empty_lines_and_odd_line_ends_are_no_records(shop: Shop) -> None:
    lines = [GOOD.replace(b"A-1", b"A-%d" % number) for number in range(4)]
    feed = await shop.done(await shop.push(lines[0] + b"\r\n\n \t\r\n" + lines[1] + b"\nnonsense\r\n\n" + lines[2]))
    assert feed["items"] == {"normalized": 3, "rejected": 1}
    (row,) = await shop.report(feed)
    assert (row["record"], row["line"], row["issues"][0]["code"]) == (2, 5, "malformed_json")
    assert [letter["original"] for letter in (await shop.left()).letters] == [b"nonsense"]


@pytest.mark.parametrize(
    ("content_type", "start"), [(JSON, b'[%b,\n{"sku":"' % GOOD), (NDJSON, b'%b\n{"sku":"' % GOOD)]
)
async def test_a_line_without_end_is_refused_long_before_it_fills_the_disk(
    house: House, shop: Shop, content_type: str, start: bytes
) -> None:
    """Of the 64 MiB that are announced, little more than the longest record is read."""
    head = shop.head("Transfer-Encoding: chunked", content_type=content_type)
    answer = await house.send(head, b"%x\r\n%b" % (64 * MIB, start), b"x" * (4 * MIB))
    assert answer.problem == (413, "line_too_long")
    assert answer.json["row"] == 2
    assert await shop.left() == NOTHING
