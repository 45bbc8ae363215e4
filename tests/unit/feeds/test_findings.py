"""What records read back mean: every one has a meaning, and what is done about them leaves the topic on the newest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.feeds.findings import NOTHING, Finding, Known, Remedy, Seen, compare, remedy
from gateway.kafka import Position

seens = st.builds(Seen, st.integers(0, 2), st.integers(0, 9), st.integers(1, 5))
knowns = st.just(NOTHING) | st.builds(
    Known, st.integers(0, 5), st.integers(0, 2) | st.none(), st.integers(0, 9) | st.none()
)


@pytest.mark.parametrize(
    ("seen", "known", "finding"),
    [
        pytest.param(Seen(0, 4, 7), Known(7, 0, 4), Finding.SETTLED, id="the record that the state names"),
        pytest.param(Seen(0, 4, 7), Known(9, 0, 4), Finding.SETTLED, id="the same, unchanged since"),
        pytest.param(Seen(0, 3, 7), Known(9, 0, 4), Finding.SETTLED, id="an older one before it"),
        pytest.param(Seen(0, 3, 9), Known(9, 0, 4), Finding.SETTLED, id="a repeat before it"),
        pytest.param(Seen(0, 5, 9), Known(9, 0, 4), Finding.TAKE_OVER, id="a repeat behind it"),
        pytest.param(Seen(0, 5, 7), Known(9, 0, 4), Finding.REPAIR, id="an older one behind it"),
        pytest.param(Seen(1, 3, 7), Known(9, 0, 4), Finding.REPAIR, id="an older one on another partition"),
        pytest.param(Seen(0, 3, 10), Known(9, 0, 4), Finding.PENDING, id="a newer one before it"),
        pytest.param(Seen(0, 5, 10), Known(9, 0, 4), Finding.PENDING, id="a newer one behind it"),
        pytest.param(Seen(0, 5, 10), NOTHING, Finding.PENDING, id="a key that nobody knows"),
        pytest.param(Seen(0, 5, 7), Known(9, None, None), Finding.REPAIR, id="an older one of a key without a place"),
    ],
)
def test_a_record_means(seen: Seen, known: Known, finding: Finding) -> None:
    assert compare(seen, known) is finding


@given(seens, knowns)
def test_every_record_has_exactly_one_meaning(seen: Seen, known: Known) -> None:
    finding = compare(seen, known)
    assert (finding is Finding.PENDING) == (seen.version > known.version)
    assert (finding is Finding.REPAIR) <= (seen.version < known.version)
    assert (finding is Finding.TAKE_OVER) <= (seen.version == known.version)


def test_a_topic_as_the_state_says_needs_nothing() -> None:
    assert remedy(Known(9, 0, 4), [Seen(0, 2, 7), Seen(0, 4, 9)]) is None


def test_two_late_appends_are_answered_once_behind_the_last() -> None:
    assert remedy(Known(9, 0, 4), [Seen(0, 5, 7), Seen(0, 6, 8)]) == Remedy(None, resend=True, end=Position(0, 6))


def test_a_late_append_that_a_repeat_has_answered_already_is_not_answered_again() -> None:
    assert remedy(Known(9, 0, 4), [Seen(0, 5, 7), Seen(0, 6, 9)]) == Remedy(None, resend=False, end=Position(0, 6))


def test_a_lost_state_is_believed() -> None:
    assert remedy(Known(5, 0, 1), [Seen(0, 3, 9)]) == Remedy(Seen(0, 3, 9), resend=False, end=Position(0, 3))


def test_a_lost_state_before_the_repeat_of_an_older_one_is_believed_and_sent_again() -> None:
    """A restored database had the old chunk published again, behind what it had lost."""
    assert remedy(Known(5, 0, 7), [Seen(0, 3, 9)]) == Remedy(Seen(0, 3, 9), resend=True, end=Position(0, 7))


def test_of_several_lost_states_the_newest_is_believed_wherever_it_lies() -> None:
    assert remedy(NOTHING, [Seen(0, 3, 9), Seen(0, 4, 8)]) == Remedy(Seen(0, 3, 9), resend=True, end=Position(0, 4))


@given(st.lists(st.integers(1, 5), min_size=1, max_size=8), st.data())
def test_whatever_was_appended_the_topic_ends_on_the_newest_version(topic: list[int], data: st.DataObject) -> None:
    """topic: the versions of one key by offset. The state names any of them, its content maybe unchanged since."""
    place = data.draw(st.none() | st.integers(0, len(topic) - 1))
    known = NOTHING if place is None else Known(topic[place] + data.draw(st.integers(0, 1)), 0, place)
    read_from = data.draw(st.integers(0, 0 if place is None else place))
    asked = remedy(known, [Seen(0, offset, version) for offset, version in enumerate(topic) if offset >= read_from])
    version, offset = known.version, known.offset
    if asked is not None:
        version = asked.adopt.version if asked.adopt else version
        offset = asked.end.offset
        if asked.resend:
            topic.append(version)
            offset += 1
    newest_read = max(topic[read_from:])
    assert version >= newest_read
    assert offset == len(topic) - 1
    assert topic[-1] == version or (topic[-1] == topic[known.offset or 0] and version == known.version)
