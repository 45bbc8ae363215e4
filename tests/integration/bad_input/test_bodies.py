"""Bodies that are too large, cut off, or not encoded as they say: refused whole, and nothing of them is taken."""

from __future__ import annotations

import gzip
import itertools
import zlib

import pytest

from tests.integration.bad_input.conftest import MAX_BODY, NOTHING, House, Shop

LINES = b"".join(b'{"sku":"A-%d","price":"9.90"}\n' % number for number in range(2_000))
GZIPPED = gzip.compress(LINES)
MIB = 1024 * 1024


def bomb() -> bytes:
    """200 MiB of records in about 200 KiB."""
    packer = zlib.compressobj(wbits=31)
    piece = b'{"sku":"A-1","price":"9.90"}\n'.ljust(MIB)
    return b"".join(packer.compress(piece) for _ in range(200)) + packer.flush()


def members(count: int) -> bytes:
    """A gzip file of that many members."""
    return gzip.compress(b'{"sku":"A-1","price":"9.90"}\n') * count


@pytest.mark.parametrize(
    ("body", "encoding", "problem"),
    [
        (bomb(), "gzip", (413, "decompressed_too_large")),
        (gzip.compress(GZIPPED), "gzip, gzip", (415, "unsupported_encoding")),
        (members(65), "gzip", (400, "malformed_encoding")),
        (GZIPPED[: len(GZIPPED) // 2], "gzip", (400, "malformed_encoding")),
        (GZIPPED[:-8], "gzip", (400, "malformed_encoding")),
        (GZIPPED[:-8] + bytes(4) + GZIPPED[-4:], "gzip", (400, "malformed_encoding")),
        (GZIPPED + b"garbage", "gzip", (400, "malformed_encoding")),
        (zlib.compress(LINES), "gzip", (400, "malformed_encoding")),
        (LINES, "gzip", (400, "malformed_encoding")),
        (b"", "gzip", (400, "malformed_encoding")),
        (GZIPPED, "br", (415, "unsupported_encoding")),
        (GZIPPED, "zstd", (415, "unsupported_encoding")),
        (zlib.compress(LINES), "deflate", (415, "unsupported_encoding")),
        (LINES, "unknown", (415, "unsupported_encoding")),
    ],
    ids=[
        "bomb",
        "twice",
        "65 members",
        "half",
        "no trailer",
        "checksum",
        "garbage behind",
        "zlib",
        "plain",
        "empty",
        "br",
        "zstd",
        "deflate",
        "unknown",
    ],
)
async def test_a_damaged_upload_is_not_half_ingested(
    shop: Shop, body: bytes, encoding: str, problem: tuple[int, str]
) -> None:
    assert (await shop.push(body, f"Content-Encoding: {encoding}")).problem == problem
    assert await shop.left() == NOTHING


async def test_a_whole_upload_of_several_members_is_taken(shop: Shop) -> None:
    feed = await shop.done(await shop.push(members(64), "Content-Encoding: x-gzip"))
    assert feed["items"] == {"normalized": 1, "unchanged": 63}


async def test_a_declared_length_above_the_limit_is_refused_before_a_byte_is_sent(house: House, shop: Shop) -> None:
    answer = await house.send(shop.head(f"Content-Length: {MAX_BODY + 1}"))
    assert answer.problem == (413, "payload_too_large")
    assert await shop.left() == NOTHING


async def test_an_endless_body_is_refused_where_it_passes_the_limit(house: House, shop: Shop) -> None:
    line = LINES[: LINES.index(b"\n")].ljust(MIB - 1) + b"\n"
    chunk = b"%x\r\n%b\r\n" % (len(line), line)
    wire = await house.connect()
    await wire.send(shop.head("Transfer-Encoding: chunked"), *itertools.repeat(chunk, MAX_BODY // MIB + 1))
    assert (await wire.answer()).problem == (413, "payload_too_large")
    await wire.close()
    assert await shop.left() == NOTHING


async def test_an_encoded_body_is_measured_decoded(shop: Shop) -> None:
    """Random enough to be no bomb by its ratio."""
    body = b"\n".join(b'{"sku":"%d","price":"9.90"}' % number for number in range(300_000))
    assert len(body) > MAX_BODY > len(gzip.compress(body, 1))
    assert (await shop.push(gzip.compress(body, 1), "Content-Encoding: gzip")).problem == (
        413,
        "decompressed_too_large",
    )
    assert await shop.left() == NOTHING


async def test_a_form_of_many_parts_is_refused_unread(house: House, shop: Shop) -> None:
    answer = await house.send(
        shop.head(f"Content-Length: {MAX_BODY}", content_type="multipart/form-data; boundary=x"), b"--x\r\n\r\n\r\n" * 9
    )
    assert answer.problem == (415, "unsupported_media_type")
    assert await shop.left() == NOTHING


@pytest.mark.parametrize(
    ("length", "sent"),
    [
        ("Content-Length: 1000000", LINES),
        ("Transfer-Encoding: chunked", b"%x\r\n%b\r\n" % (len(LINES), LINES)),
        ("Transfer-Encoding: chunked", b"%x\r\n%b" % (len(LINES) + 1, LINES)),
    ],
    ids=["less than declared", "no last chunk", "half a chunk"],
)
async def test_an_upload_that_breaks_off_is_not_half_ingested(
    house: House, shop: Shop, length: str, sent: bytes
) -> None:
    wire = await house.connect()
    await wire.send(shop.head(length), sent)
    await wire.end()
    assert (await wire.answer()).problem == (400, "truncated_body")
    assert await wire.closed() == b""
    await wire.close()
    assert await shop.left() == NOTHING


async def test_a_client_that_vanishes_leaves_nothing(house: House, shop: Shop) -> None:
    wire = await house.connect()
    await wire.send(shop.head("Content-Length: 1000000"), LINES)
    wire.abort()
    await wire.close()
    feed = await shop.done(await shop.push(b'{"sku":"B-1","price":"1.00"}'))
    assert feed["items"] == {"normalized": 1}
    assert [item["sku"] for item in (await shop.left()).items] == ["B-1"]
