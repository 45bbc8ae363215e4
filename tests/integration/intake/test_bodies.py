"""Bodies on a real socket: all of it is taken, or none of it and the answer says why."""

from __future__ import annotations

import base64
import gzip
import hashlib
import hmac
import itertools
from pathlib import Path

import pytest

from gateway.feeds.chunk import MAX_CARRIED, MAX_CHUNK, MAX_RECORD
from gateway.http.connection import Deadlines
from gateway.intake.body import BodyLimits
from gateway.intake.unverified import UnverifiedLimits
from tests.integration.intake.conftest import SECRET, SIGNED_AT, Gate, Serving, head

NDJSON = b"".join(b'{"sku":"%d","price":"9.90"}\n' % number for number in range(5_000))
JSON = "application/json"
MIB = 1024 * 1024


def chunked(body: bytes, size: int = 65_536) -> bytes:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


async def test_every_record_of_a_feed_arrives_in_order_with_its_line(gate: Gate) -> None:
    answer = await gate.push(NDJSON)
    assert answer.status == 202
    assert gate.desk.taken == [NDJSON.splitlines()]
    assert answer.json["records"] == 5_000
    assert answer.json["size"] == len(NDJSON)
    assert answer.json["sha256"] == hashlib.sha256(NDJSON).hexdigest()
    assert [chunk[:3] for chunk in answer.json["chunks"]] == [[n, n * 1_000, 1_000] for n in range(5)]
    assert answer.json["lines"] == list(range(1, 11))


@pytest.mark.parametrize("encoding", ["identity", "gzip", "x-gzip"])
@pytest.mark.parametrize("framing", ["length", "chunks"])
async def test_encoding_and_transfer_change_nothing(gate: Gate, encoding: str, framing: str) -> None:
    body = NDJSON if encoding == "identity" else gzip.compress(NDJSON[:70_000]) + gzip.compress(NDJSON[70_000:])
    if framing == "length":
        answer = await gate.push(body, Content_Encoding=encoding)
    else:
        lines = f"Content-Encoding: {encoding}\r\nTransfer-Encoding: chunked\r\n"
        answer = await gate.send(head(path="/records", rest=lines), chunked(body))
    assert (answer.status, answer.json["sha256"]) == (202, hashlib.sha256(NDJSON).hexdigest())
    assert gate.desk.taken == [NDJSON.splitlines()]


@pytest.mark.parametrize(
    ("body", "records"),
    [(b'[{"a":1}, 2]', [b'{"a":1}', b"2"]), (b' {"a":1} ', [b'{"a":1}']), (b"[]", [])],
)
@pytest.mark.parametrize("content_type", [JSON, f"{JSON}; charset=utf-8", f'{JSON};charset="UTF-8"'])
async def test_json_is_an_array_or_one_object(gate: Gate, body: bytes, records: list[bytes], content_type: str) -> None:
    assert (await gate.push(body, content_type)).status == 202
    assert gate.desk.taken == [records]


@pytest.mark.parametrize(
    ("body", "content_type", "code"),
    [
        (b'{"a":1},', JSON, "malformed_json"),
        (b'[{"a":1},]', JSON, "malformed_json"),
        (b'[{"a":NaN}]', JSON, "malformed_json"),
        (b'[{"a":Infinity}]', JSON, "malformed_json"),
        (b'{"a":1}{"a":2}', JSON, "malformed_json"),
        (b"", JSON, "malformed_json"),
        (b"\xef\xbb\xbf[]", JSON, "malformed_json"),
        ('{"a":1}'.encode("utf-16"), JSON, "malformed_json"),
        (b'["\xff"]', JSON, "malformed_json"),
        (b"[" * 1_000_000, JSON, "json_too_deep"),
        (b"", "application/x-ndjson", "malformed_json"),
        (b"\r\n \n", "application/jsonl", "malformed_json"),
        (b"\xef\xbb\xbf{}", "application/x-ndjson", "malformed_json"),
    ],
)
async def test_a_file_that_cannot_be_read_is_refused_whole(
    gate: Gate, body: bytes, content_type: str, code: str
) -> None:
    assert (await gate.push(body, content_type)).problem == (400, code)
    assert gate.desk.taken == []


async def test_a_bad_line_is_carried_among_the_good_ones(gate: Gate) -> None:
    answer = await gate.push(b'{"a":1}\r\n\nnonsense \xff\n{"a":NaN}')
    assert answer.json["lines"] == [1, 3, 4]
    assert gate.desk.taken == [[b'{"a":1}', b"nonsense \xff", b'{"a":NaN}']]


async def test_a_record_above_the_limit_travels_alone_and_one_far_above_refuses_the_file(gate: Gate) -> None:
    long = b"x" * (MAX_RECORD + 1)
    answer = await gate.push(b"{}\n" + long + b"\n{}")
    assert [chunk[1:3] for chunk in answer.json["chunks"]] == [[0, 1], [1, 1], [2, 1]]
    assert gate.desk.taken == [[b"{}", long, b"{}"]]
    too_long = b"x" * (MAX_CARRIED + 1)
    refused = await gate.push(b"{}\n" + too_long)
    assert refused.problem == (413, "line_too_long")
    assert refused.json["row"] == 2
    assert (await gate.push(b'["' + too_long + b'"]', JSON)).problem == (413, "line_too_long")


async def test_chunks_stay_within_their_size(gate: Gate) -> None:
    answer = await gate.push(b"\n".join(b"x" * 50_000 for _ in range(100)))
    assert answer.json["records"] == 100
    assert max(chunk[3] for chunk in answer.json["chunks"]) <= MAX_CHUNK


@pytest.mark.parametrize(
    ("content_type", "place"),
    [("text/csv", "text/csv"), ("application/json; charset=utf-7", "utf-7"), ("application/json;charset=gbk", "gbk")],
)
async def test_what_is_not_json_in_utf_8_is_not_taken(gate: Gate, content_type: str, place: str) -> None:
    answer = await gate.push(b"{}", content_type)
    assert answer.problem == (415, "unsupported_media_type")
    assert (answer.json["path"], answer.json["actual"]) == ("Content-Type", place)


async def test_a_body_without_a_type_is_not_guessed_at(gate: Gate) -> None:
    answer = await gate.send("POST /records HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
    assert answer.problem == (415, "unsupported_media_type")


@pytest.mark.parametrize("encoding", ["br", "zstd", "deflate", "unknown", "gzip, gzip", "gzip, identity"])
async def test_other_encodings_are_not_taken(gate: Gate, encoding: str) -> None:
    assert (await gate.push(b"{}", Content_Encoding=encoding)).problem == (415, "unsupported_encoding")


@pytest.mark.parametrize(
    "body",
    [
        gzip.compress(NDJSON)[:-4_000],
        gzip.compress(NDJSON)[:-8],
        gzip.compress(NDJSON)[:-8] + b"\0\0\0\0" + gzip.compress(NDJSON)[-4:],
        gzip.compress(NDJSON) + b"garbage",
        NDJSON,
        b"",
        gzip.compress(b"{}\n") * 65,
    ],
    ids=["half", "no trailer", "checksum", "garbage", "plain", "empty", "65 members"],
)
async def test_a_damaged_gzip_body_is_refused_whole(gate: Gate, body: bytes) -> None:
    assert (await gate.push(body, Content_Encoding="gzip")).problem == (400, "malformed_encoding")
    assert gate.desk.taken == []


async def test_a_bomb_is_refused(gate: Gate) -> None:
    bomb = gzip.compress(b"{}\n" * (70 * MIB))
    assert (await gate.push(bomb, Content_Encoding="gzip")).problem == (413, "decompressed_too_large")


async def test_a_declared_length_above_the_limit_is_refused_before_a_byte_is_read(serving: Serving) -> None:
    async with serving(limits={"max_bytes": MIB}, deadlines=Deadlines(linger=0.1)) as gate:
        wire = await gate.connect()
        await wire.send(head(path="/records", rest=f"Content-Length: {MIB + 1}\r\n"))
        assert (await wire.answer()).problem == (413, "payload_too_large")
        assert await wire.closed() == b""


async def test_a_chunked_body_is_refused_where_it_passes_the_limit(serving: Serving) -> None:
    async with serving(limits={"max_bytes": MIB}) as gate:
        wire = await gate.connect()
        await wire.send(head(path="/records", rest="Transfer-Encoding: chunked\r\n"))
        line = b"%x\r\n%s\r\n" % (65_536, b"x" * 65_535 + b"\n")
        await wire.send(*itertools.repeat(line, 17))
        assert (await wire.answer()).problem == (413, "payload_too_large")
        small = gzip.compress(b"{}\n" * MIB)
        assert (await gate.push(small, Content_Encoding="gzip")).problem == (413, "decompressed_too_large")


async def test_a_signed_body_is_verified_as_it_is_on_the_wire(gate: Gate) -> None:
    body = gzip.compress(NDJSON)
    answer = await gate.push(body, path="/signed", Content_Encoding="gzip", **signature(body))
    assert (answer.status, answer.json["webhook_id"], answer.json["supplier"]) == (202, "msg_1", "acme")
    assert answer.json["sha256"] == hashlib.sha256(NDJSON).hexdigest()
    assert gate.desk.taken == [NDJSON.splitlines()]
    assert [caller.key_id for caller in gate.desk.used] == ["k1"]


async def test_nothing_is_decoded_before_the_signature_is_right(gate: Gate) -> None:
    """A bomb with a wrong signature is answered for its signature, so it was not unpacked."""
    bomb = gzip.compress(b"{}\n" * (20 * MIB))
    answer = await gate.push(bomb, path="/signed", Content_Encoding="gzip", **signature(b"something else"))
    assert answer.problem == (401, "signature_invalid")
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert gate.desk.taken == []
    assert gate.desk.used == []


async def test_a_signed_body_above_its_limit_is_pointed_at_bearer(serving: Serving) -> None:
    async with serving(unverified=UnverifiedLimits(body=MIB)) as gate:
        body = b"{}\n" * MIB
        answer = await gate.push(body, path="/signed", **signature(body))
        assert answer.problem == (413, "payload_too_large")
        assert "Bearer" in answer.json["detail"]
        lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in signature(body).items())
        wire = await gate.connect()
        await wire.send(head(path="/signed", rest=f"{lines}Transfer-Encoding: chunked\r\n"), chunked(body)[: 2 * MIB])
        assert (await wire.answer()).problem == (413, "payload_too_large")


async def test_a_disk_that_cannot_be_written_is_an_outage(serving: Serving, tmp_path: Path) -> None:
    async with serving() as gate:
        gate.desk.limits = BodyLimits(spool_dir=tmp_path / "missing")
        answer = await gate.push(b"{}\n" * MIB)
        assert answer.problem == (503, "store_unavailable")
        assert int(answer.headers["retry-after"]) > 0
        assert "missing" not in answer.body.decode()
        assert (await gate.push(b"{}\n")).status == 202


def signature(body: bytes) -> dict[str, str]:
    """Headers of Standard Webhooks, made from its description."""
    mac = hmac.new(base64.b64decode(SECRET[6:]), b"msg_1.%d.%s" % (SIGNED_AT, body), hashlib.sha256)
    text = base64.b64encode(mac.digest()).decode()
    return {"webhook_id": "msg_1", "webhook_timestamp": str(SIGNED_AT), "webhook_signature": f"v1,{text}"}
