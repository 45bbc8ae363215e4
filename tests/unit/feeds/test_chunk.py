"""Chunks: what goes in comes out, and nothing that was cut passes for whole."""

from __future__ import annotations

import struct
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.feeds.chunk import (
    MAX_CHUNK,
    MAX_LINE,
    MAX_RECORDS,
    Chunker,
    ChunkHead,
    Lane,
    Mode,
    Origin,
    RawRecord,
    decode,
    encode,
    head_from_headers,
    head_to_headers,
)
from gateway.sdk.errors import InvalidMessageError
from schemas.catalog import Facet

HEAD = ChunkHead(
    supplier="acme",
    feed_no=7,
    chunk_no=2,
    first_record=2000,
    facet=Facet.PRICE,
    mode=Mode.UPSERT,
    lane=Lane.BULK,
    revision=3,
    received_at=datetime(2026, 11, 23, 9, 30, 0, 123456, tzinfo=timezone(timedelta(hours=8))),
)

raws = st.lists(st.builds(RawRecord, st.integers(0, MAX_LINE), st.binary(max_size=50)))


@given(raws)
def test_what_is_encoded_is_decoded(records: list[RawRecord]) -> None:
    assert list(decode(encode(records))) == records


@given(raws.filter(bool), st.data())
def test_a_cut_chunk_never_reads_as_other_records(records: list[RawRecord], data: st.DataObject) -> None:
    value = encode(records)
    cut = value[: data.draw(st.integers(0, len(value) - 1))]
    try:
        found = list(decode(cut))
    except InvalidMessageError:
        return
    assert found == records[: len(found)]


@given(st.lists(st.integers(0, MAX_CHUNK + 10), max_size=40))
def test_the_chunker_keeps_order_and_limits(sizes: list[int]) -> None:
    chunker, chunks = Chunker(), []
    for line, size in enumerate(sizes, start=1):
        if finished := chunker.add(line, b"x" * size):
            chunks.append(finished)
    if finished := chunker.finish():
        chunks.append(finished)
    records = [record for value, _ in chunks for record in decode(value)]
    assert [(record.line, len(record.raw)) for record in records] == list(enumerate(sizes, start=1))
    for value, count in chunks:
        assert count == len(list(decode(value))) <= MAX_RECORDS
        assert len(value) <= MAX_CHUNK or count == 1


def test_a_thousand_records_are_a_chunk() -> None:
    chunker = Chunker()
    finished = [chunker.add(line, b"{}") for line in range(MAX_RECORDS + 1)]
    assert [each is not None for each in finished] == [False] * MAX_RECORDS + [True]


@pytest.mark.parametrize(
    "more",
    [{}, {"origin": Origin.REREAD}, {"origin": Origin.SWEEP, "page_no": 12}, {"traceparent": "00-a-b-01"}],
    ids=["pushed", "re-read", "a page", "traced"],
)
def test_the_head_survives_its_headers(more: dict[str, Any]) -> None:
    head = replace(HEAD, **more)
    assert head_from_headers(head_to_headers(head)) == head


def test_items_of_a_page_are_numbered_by_the_page_and_others_by_their_feed() -> None:
    assert (HEAD.number, replace(HEAD, page_no=12).number) == (7, 12)


def test_a_chunk_from_before_feeds_had_origins_was_pushed() -> None:
    headers = tuple(header for header in head_to_headers(HEAD) if header[0] != "gw-origin")
    assert head_from_headers(headers) == HEAD


@pytest.mark.parametrize(
    "value",
    [bytes(8 * (MAX_RECORDS + 1)), struct.pack(">II", MAX_LINE + 1, 0)],
    ids=["more records than a chunk has", "a line that no column holds"],
)
def test_what_no_chunker_wrote_is_a_poison_pill(value: bytes) -> None:
    with pytest.raises(InvalidMessageError) as caught:
        list(decode(value))
    assert caught.value.issues[0].code == "poison_pill"


@pytest.mark.parametrize("missing", ["gw-supplier", "gw-feed", "gw-chunk", "gw-facet", "gw-received-at"])
def test_a_missing_header_makes_a_poison_pill(missing: str) -> None:
    headers = tuple(header for header in head_to_headers(HEAD) if header[0] != missing)
    with pytest.raises(InvalidMessageError) as caught:
        head_from_headers(headers)
    assert caught.value.issues[0].code == "poison_pill"


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("gw-supplier", b"ac\0me"),
        ("gw-supplier", b"\xff"),
        ("gw-feed", b"549755813888"),
        ("gw-feed", b"0"),
        ("gw-chunk", b"-1"),
        ("gw-chunk", b"2147483648"),
        ("gw-first-record", b"16777214"),
        ("gw-facet", b"weather"),
        ("gw-revision", b"9" * 30),
        ("gw-received-at", b"2026-11-23T09:30:00"),
        ("gw-received-at", b"9999-12-31T23:59:59Z"),
        ("traceparent", b"a\r\nb"),
        ("gw-origin", b"theft"),
        ("gw-page", b"0"),
        ("gw-page", b"549755813888"),
        ("gw-feed", None),
    ],
)
def test_a_header_that_no_column_holds_makes_a_poison_pill(header: str, value: bytes) -> None:
    with pytest.raises(InvalidMessageError) as caught:
        head_from_headers(tuple({**dict(head_to_headers(HEAD)), header: value}.items()))
    (issue,) = caught.value.issues
    assert (issue.code, issue.path) == ("poison_pill", f"/headers/{header}")


def test_a_chunk_of_a_later_format_is_an_unknown_schema() -> None:
    headers = (("gw-schema", b"chunk/2"), *head_to_headers(HEAD)[1:])
    with pytest.raises(InvalidMessageError) as caught:
        head_from_headers(headers)
    assert caught.value.issues[0].code == "unknown_schema"
