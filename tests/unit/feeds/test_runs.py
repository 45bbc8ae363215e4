"""Pages of a run: packed without loss, and every number that was given out is used once."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.feeds.chunk import MAX_CARRIED, MAX_RECORD, decode
from gateway.feeds.runs import PackedChunk, pack, spread
from gateway.sdk.exchange import Exchange, asked_skus

chunks = st.lists(st.builds(PackedChunk, st.binary(min_size=1), st.integers(0, 9), st.integers(1, 9)), max_size=5)


def test_exchanges_are_packed_in_order_each_with_its_place_in_the_page() -> None:
    packed = pack([b"%d" % number for number in range(2_500)])
    assert [(chunk.first_record, chunk.records) for chunk in packed] == [(0, 1000), (1000, 1000), (2000, 500)]
    records = [record for chunk in packed for record in decode(chunk.value)]
    assert [(record.line, record.raw) for record in records] == [(n + 1, b"%d" % n) for n in range(2_500)]


def test_a_large_exchange_travels_alone_and_whole() -> None:
    large = Exchange(("A",), {"detail": b"x" * (2 * MAX_RECORD)}).encode()
    packed = pack([b"before", large, b"after"])
    assert [[record.raw for record in decode(chunk.value)] for chunk in packed] == [[b"before"], [large], [b"after"]]


def test_of_an_exchange_too_large_to_be_carried_its_skus_remain() -> None:
    [packed] = pack([Exchange(("A", "B"), {"detail": b"x" * MAX_CARRIED}).encode()])
    [record] = decode(packed.value)
    assert (len(record.raw), asked_skus(record.raw)) == (MAX_CARRIED, ("A", "B"))


@given(chunks, st.integers(0, 4), st.randoms())
def test_new_content_stands_under_new_numbers_and_the_old_ones_stand_for_nothing(
    made: list[PackedChunk], old: int, order: Random
) -> None:
    numbers = list(range(8192, 8192 + old + len(made)))
    shuffled = numbers.copy()
    order.shuffle(shuffled)
    found = spread(made, shuffled)
    assert list(found) == numbers
    assert [found[number] for number in numbers[old:]] == made
    assert {found[number].records for number in numbers[:old]} <= {0}


def test_chunks_without_numbers_of_their_own_are_never_dropped() -> None:
    with pytest.raises(ValueError, match="2 chunks need as many numbers, not 1"):
        spread([PackedChunk(b"1", 0, 1), PackedChunk(b"2", 1, 1)], [4096])


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        *(b"{oops\n", b'{"sku":"A","replies":1}\n', b'{"skus":["A"],"asked":{}}\n', b"[1]\n"),
        *(b'{"skus":[1],"replies":{}}\n', b'{"skus":["A"],"asked":{},"replies":{}}'),
    ],
)
def test_what_is_no_exchange_asked_about_nobody(raw: bytes) -> None:
    assert asked_skus(raw) == ()
