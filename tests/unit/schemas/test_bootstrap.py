"""A reader of a catalog topic ends on the newest state of every key, whatever the order of arrival."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.bootstrap import TableBootstrap
from schemas.catalog import Facet
from schemas.envelope import Headers, InvalidEnvelopeError, ItemHeaders

HEADERS = ItemHeaders(Facet.PRICE, "acme", feed_no=1, time=datetime(2026, 11, 23, tzinfo=UTC))
Record = tuple[bytes, Headers, bytes | None]


def state(key: bytes, version: int) -> Record:
    return key, HEADERS.state(key, version, b"hash"), b"%d" % version


def withdrawal(key: bytes, version: int) -> Record:
    return key, HEADERS.withdrawal(key, version), None


def table(end_offsets: dict[int, int] | None = None) -> TableBootstrap[int]:
    return TableBootstrap(end_offsets or {}, int)


records = st.builds(
    lambda key, version, kept: (state if kept else withdrawal)(key, version),
    st.sampled_from([b"acme:1:*", b"acme:2:*", b"beta:1:*"]),
    st.integers(0, 12),
    st.booleans(),
)
# One version of a key is one state, as the gateway guarantees: the first drawn of each counts.
histories = st.lists(records, max_size=20, unique_by=lambda record: (record[0], record[1][-1]))


@given(history=histories, data=st.data())
def test_any_order_of_arrival_and_any_repeats_end_in_the_same_table(history: list[Record], data: st.DataObject) -> None:
    repeats = data.draw(st.lists(st.sampled_from(history), max_size=10)) if history else []
    straight, shuffled = table(), table()
    for record in sorted(history, key=lambda record: int(record[1][-1][1])):
        straight.take(*record)
    for record in data.draw(st.permutations(history + repeats)):
        shuffled.take(*record)
    assert dict(shuffled) == dict(straight)
    assert {key: shuffled.version(key) for key, _, _ in history} == {
        key: straight.version(key) for key, _, _ in history
    }


@given(history=histories)
def test_the_version_held_never_falls(history: list[Record]) -> None:
    prices = table()
    for record in history:
        before = prices.version(record[0])
        taken = prices.take(*record)
        after = prices.version(record[0])
        assert after is not None
        assert after >= (before or 0)
        assert taken == (int(record[1][-1][1]) >= (before or 0))


def test_a_late_record_does_not_bring_back_what_was_withdrawn() -> None:
    prices = table()
    prices.take(*state(b"k", 3))
    prices.take(*withdrawal(b"k", 5))
    assert not prices.take(*state(b"k", 4))
    assert b"k" not in prices
    assert prices.take(*state(b"k", 6))
    assert dict(prices) == {b"k": 6}


def test_a_record_without_a_version_changes_nothing() -> None:
    prices = table()
    prices.take(*state(b"k", 3))
    with pytest.raises(InvalidEnvelopeError):
        prices.take(b"k", (), b"4")
    assert dict(prices) == {b"k": 3}


def test_a_value_that_does_not_read_changes_nothing() -> None:
    prices = table()
    prices.take(*state(b"k", 3))
    with pytest.raises(ValueError, match="invalid literal"):
        prices.take(b"k", HEADERS.state(b"k", 4, b""), b"not a number")
    assert (prices[b"k"], prices.version(b"k")) == (3, 3)


def test_the_table_is_complete_when_every_partition_was_read_to_its_end() -> None:
    prices = table({0: 10, 1: 5, 2: 0})
    assert not prices.complete
    prices.reached(0, 10)
    prices.reached(1, 4)
    assert not prices.complete
    prices.reached(1, 7)
    prices.reached(1, 8)
    assert prices.complete


def test_an_empty_topic_is_complete_at_once() -> None:
    assert table({0: 0, 1: 0}).complete
