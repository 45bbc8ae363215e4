"""Waves: what may leave together without ever putting the messages of a key out of order."""

from __future__ import annotations

from itertools import chain

from hypothesis import given
from hypothesis import strategies as st

from gateway.outbox.publisher import going, waves
from gateway.store import Row

KEYS = st.none() | st.sampled_from([b"a", b"b", b"c"])
ROWS = st.lists(st.tuples(st.sampled_from(["orders", "reports"]), KEYS)).map(
    lambda found: [{"id": id_, "topic": topic, "key": key} for id_, (topic, key) in enumerate(found)]
)


@given(ROWS)
def test_no_row_is_lost_or_sent_twice(rows: list[Row]) -> None:
    assert sorted(row["id"] for row in chain.from_iterable(waves(rows))) == list(range(len(rows)))


@given(ROWS)
def test_a_wave_holds_one_message_of_a_key(rows: list[Row]) -> None:
    for wave in waves(rows):
        keyed = [(row["topic"], row["key"]) for row in wave if row["key"] is not None]
        assert len(keyed) == len(set(keyed))


@given(ROWS)
def test_messages_of_a_key_leave_oldest_first(rows: list[Row]) -> None:
    left = list(chain.from_iterable(waves(rows)))
    for place in {(row["topic"], row["key"]) for row in rows if row["key"] is not None}:
        ids = [row["id"] for row in left if (row["topic"], row["key"]) == place]
        assert ids == sorted(ids)


@given(ROWS)
def test_no_wave_is_empty_and_there_are_no_more_than_needed(rows: list[Row]) -> None:
    found = waves(rows)
    keyed = [(row["topic"], row["key"]) for row in rows if row["key"] is not None]
    most = max((keyed.count(place) for place in keyed), default=1 if rows else 0)
    assert all(found)
    assert len(found) == most


@given(ROWS, st.frozensets(st.sampled_from([b"a", b"b"])))
def test_a_stopped_key_stops_its_rows_and_no_others(rows: list[Row], stopped: frozenset[bytes]) -> None:
    for wave in waves(rows):
        left = going(wave, stopped)
        assert [row for row in wave if row not in left] == [row for row in wave if row["key"] in stopped]
        assert all(row["key"] is None or row["key"] not in stopped for row in left)
