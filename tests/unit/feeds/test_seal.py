"""Only who knows the secret key can write a chunk that is taken."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.feeds.chunk import ChunkHead, Lane, Mode, Origin, head_from_headers
from gateway.feeds.seal import GW_SEAL, ChunkSeal
from gateway.kafka import Headers
from gateway.sdk.errors import InvalidMessageError
from schemas.catalog import Facet

KEY, OTHER = bytes(32), b"\x01" * 32
HEAD = ChunkHead("acme", 7, 0, 0, Facet.PRICE, Mode.UPSERT, Lane.EXPRESS, 1, datetime(2026, 5, 1, tzinfo=UTC))
VALUE = b"\x00\x00\x00\x01\x00\x00\x00\x02{}"
SEALED = ChunkSeal(KEY).headers(HEAD, VALUE)


def refused(headers: Headers, value: bytes = VALUE, key: bytes = KEY) -> bool:
    with pytest.raises(InvalidMessageError) as raised:
        ChunkSeal(key).verify(headers, value)
    return [issue.code for issue in raised.value.issues] == ["forged_chunk"]


def test_what_was_sealed_holds_and_reads_back() -> None:
    ChunkSeal(KEY).verify(SEALED, VALUE)
    assert head_from_headers(SEALED) == HEAD


def test_a_chunk_without_a_seal_or_with_two_or_of_another_key_is_forged() -> None:
    bare = tuple(header for header in SEALED if header[0] != GW_SEAL)
    assert refused(bare)
    assert refused((*SEALED, (GW_SEAL, b"0" * 64)))
    assert refused((*SEALED, SEALED[-1]))
    assert refused((*bare, (GW_SEAL, b"")))
    assert refused(SEALED, key=OTHER)


@pytest.mark.parametrize(
    "change",
    [
        {"supplier": "other"},
        {"feed_no": 2**38},
        {"chunk_no": 1},
        {"first_record": 1},
        {"facet": Facet.STOCK},
        {"mode": Mode.FULL},
        {"lane": Lane.BULK},
        {"revision": 2},
        {"received_at": datetime(2026, 5, 2, tzinfo=UTC)},
        {"traceparent": "00-" + "1" * 32 + "-" + "2" * 16 + "-01"},
        {"origin": Origin.SWEEP},
        {"page_no": 9},
    ],
    ids=str,
)
def test_every_field_of_the_head_is_sealed(change: dict[str, object]) -> None:
    changed = ChunkSeal(OTHER).headers(replace(HEAD, **change), VALUE)  # type: ignore[arg-type]
    assert refused((*changed[:-1], SEALED[-1]))


@given(st.binary(max_size=64))
def test_another_value_under_the_same_head_is_forged(value: bytes) -> None:
    assert ChunkSeal(KEY).holds(SEALED, value) == (value == VALUE)


@given(st.integers(0, len(SEALED) - 1), st.binary(max_size=8))
def test_a_header_repeated_with_another_meaning_is_forged(place: int, content: bytes) -> None:
    assert refused((*SEALED, (SEALED[place][0], content)))


def test_bytes_moved_from_one_header_to_the_next_are_forged() -> None:
    moved = dict(SEALED) | {"gw-supplier": b"acme7", "gw-feed": b""}
    assert refused(tuple(moved.items()))


def test_headers_that_others_add_on_the_way_do_not_matter() -> None:
    ChunkSeal(KEY).verify((*SEALED, ("mirrored-from", b"elsewhere")), VALUE)


@given(st.binary(max_size=64))
def test_another_value_can_be_sealed_under_the_same_head_by_who_has_the_key(value: bytes) -> None:
    resealed = ChunkSeal(OTHER, KEY).resealed(SEALED, value)
    ChunkSeal(OTHER).verify(resealed, value)
    assert head_from_headers(resealed) == HEAD
    assert refused(resealed, value)


def test_a_former_key_is_believed_while_it_is_given_and_seals_no_more() -> None:
    rotated = ChunkSeal(OTHER, KEY)
    rotated.verify(SEALED, VALUE)
    assert refused(SEALED, key=OTHER)
    ChunkSeal(OTHER).verify(rotated.headers(HEAD, VALUE), VALUE)
