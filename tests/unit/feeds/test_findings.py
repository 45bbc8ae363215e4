"""What records read back mean: every one has a meaning, and what is done about them leaves the topic on the newest."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.feeds.feed import OPEN
from gateway.feeds.findings import (
    NOTHING,
    Facts,
    Fate,
    Finding,
    Known,
    Remedy,
    Seen,
    compare,
    fate_of,
    remedy,
)
from gateway.feeds.versions import WITHDRAWAL, version_of
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


RECORD, WITHDRAWN = version_of(7, 3), version_of(7, WITHDRAWAL)
STATES = (None, "admitted", "produced", "incomplete", "withdrawing", "held", "done", "cancelled")


@pytest.mark.parametrize(
    ("version", "facts", "fate"),
    [
        pytest.param(RECORD, Facts(True, taken=True, state="done"), Fate.DECIDED, id="its chunk decided otherwise"),
        pytest.param(RECORD, Facts(False, taken=True), Fate.DECIDED, id="its page decided otherwise"),
        pytest.param(RECORD, Facts(True, taken=True, replaying=True), Fate.COMING, id="its replay is under way"),
        pytest.param(RECORD, Facts(True), Fate.DECIDED, id="a number of ours whose transaction was lost"),
        pytest.param(RECORD, Facts(False), Fate.LOST, id="a number that this database never gave out"),
        pytest.param(RECORD, Facts(True, state="produced"), Fate.LOST, id="its chunk has gone unread"),
        pytest.param(RECORD, Facts(True, state="produced", cancelled=True), Fate.DECIDED, id="its feed is cancelled"),
        pytest.param(RECORD, Facts(True, state="done"), Fate.DECIDED, id="its feed ended without it"),
        pytest.param(RECORD, Facts(True, state="withdrawing"), Fate.DECIDED, id="all but withdrawals is decided"),
        pytest.param(WITHDRAWN, Facts(True, state="withdrawing"), Fate.COMING, id="its feed is withdrawing"),
        pytest.param(WITHDRAWN, Facts(True, state="done"), Fate.DECIDED, id="its feed has ended withdrawing"),
        pytest.param(WITHDRAWN, Facts(True, state="held"), Fate.DECIDED, id="its feed is held"),
        pytest.param(WITHDRAWN, Facts(True, state="incomplete"), Fate.LOST, id="it had withdrawn before the copy"),
    ],
)
def test_what_became_of_a_version(version: int, facts: Facts, fate: Fate) -> None:
    assert fate_of(version, facts) is fate


@pytest.mark.parametrize("version", [RECORD, WITHDRAWN])
@pytest.mark.parametrize("state", STATES)
def test_only_what_the_database_cannot_know_is_lost(version: int, state: str | None) -> None:
    for given_out, taken, replaying, cancelled in product((False, True), repeat=4):
        facts = Facts(given_out, taken, replaying, state, cancelled)
        unknown = state is None and not given_out
        unread = state in OPEN and not cancelled
        assert (fate_of(version, facts) is Fate.LOST) == (not taken and (unknown or unread))


def test_a_topic_as_the_state_says_needs_nothing() -> None:
    assert remedy(Known(9, 0, 4), [Seen(0, 2, 7), Seen(0, 4, 9)], {}) is None


def test_two_late_appends_are_answered_once_behind_the_last() -> None:
    assert remedy(Known(9, 0, 4), [Seen(0, 5, 7), Seen(0, 6, 8)], {}) == Remedy(None, resend=True, end=Position(0, 6))


def test_a_late_append_that_a_repeat_has_answered_already_is_not_answered_again() -> None:
    assert remedy(Known(9, 0, 4), [Seen(0, 5, 7), Seen(0, 6, 9)], {}) == Remedy(None, resend=False, end=Position(0, 6))


def test_a_lost_state_is_believed() -> None:
    fates = {9: Fate.LOST}
    assert remedy(Known(5, 0, 1), [Seen(0, 3, 9)], fates) == Remedy(Seen(0, 3, 9), resend=False, end=Position(0, 3))


def test_a_lost_state_before_the_repeat_of_an_older_one_is_believed_and_sent_again() -> None:
    """A restored database had the old chunk published again, behind what it had lost."""
    fates = {9: Fate.LOST}
    assert remedy(Known(5, 0, 7), [Seen(0, 3, 9)], fates) == Remedy(Seen(0, 3, 9), resend=True, end=Position(0, 7))


def test_of_several_lost_states_the_newest_is_believed_wherever_it_lies() -> None:
    fates = {9: Fate.LOST, 8: Fate.LOST}
    assert remedy(NOTHING, [Seen(0, 3, 9), Seen(0, 4, 8)], fates) == Remedy(
        Seen(0, 3, 9), resend=True, end=Position(0, 4)
    )


def test_what_nobody_took_is_answered_above_it() -> None:
    orphan = Remedy(None, resend=True, end=Position(0, 5), orphan=11)
    assert remedy(Known(9, 0, 4), [Seen(0, 5, 11)], {11: Fate.DECIDED}) == orphan


def test_what_nobody_took_is_answered_though_a_repeat_of_the_state_lies_behind_it() -> None:
    """Whoever reads the topic keeps the higher version, wherever it lies."""
    orphan = Remedy(None, resend=True, end=Position(0, 6), orphan=11)
    assert remedy(Known(9, 0, 4), [Seen(0, 5, 11), Seen(0, 6, 9)], {11: Fate.DECIDED}) == orphan


def test_a_lost_state_above_what_nobody_took_is_only_believed() -> None:
    fates = {11: Fate.DECIDED, 12: Fate.LOST}
    believed = Remedy(Seen(0, 6, 12), resend=False, end=Position(0, 6))
    assert remedy(Known(9, 0, 4), [Seen(0, 5, 11), Seen(0, 6, 12)], fates) == believed


def test_a_lost_state_below_what_nobody_took_is_believed_and_sent_above_that() -> None:
    fates = {11: Fate.DECIDED, 10: Fate.LOST}
    believed = Remedy(Seen(0, 6, 10), resend=True, end=Position(0, 6), orphan=11)
    assert remedy(Known(9, 0, 4), [Seen(0, 5, 11), Seen(0, 6, 10)], fates) == believed


def test_a_newer_version_before_the_one_that_the_state_names_is_answered_above_it() -> None:
    """It was published and not committed; repeated behind an older feed of the same content it changed nothing."""
    above = Remedy(None, resend=True, end=Position(0, 5), orphan=11)
    assert remedy(Known(11, 0, 5), [Seen(0, 4, 11), Seen(0, 5, 9)], {}) == above
    assert remedy(Known(12, 0, 5), [Seen(0, 4, 11), Seen(0, 5, 9)], {}) == above
    late = Remedy(None, resend=True, end=Position(0, 6), orphan=11)
    assert remedy(Known(11, 0, 5), [Seen(0, 4, 11), Seen(0, 5, 9), Seen(0, 6, 9)], {}) == late


def test_a_newer_version_that_is_repeated_behind_the_older_one_needs_nothing_but_its_place() -> None:
    moved = Remedy(None, resend=False, end=Position(0, 6))
    assert remedy(Known(11, 0, 5), [Seen(0, 4, 11), Seen(0, 5, 9), Seen(0, 6, 11)], {}) == moved


@given(st.lists(st.integers(1, 5), min_size=1, max_size=8), st.data())
def test_whatever_was_appended_the_topic_ends_on_what_is_believed(topic: list[int], data: st.DataObject) -> None:
    """topic: the versions of one key by offset. The state names any of them, its content maybe unchanged since."""
    place = data.draw(st.none() | st.integers(0, len(topic) - 1))
    known = NOTHING if place is None else Known(topic[place] + data.draw(st.integers(0, 1)), 0, place)
    fates = {version: data.draw(st.sampled_from((Fate.LOST, Fate.DECIDED))) for version in range(1, 6)}
    read_from = data.draw(st.integers(0, 0 if place is None else place))
    seen = [Seen(0, offset, version) for offset, version in enumerate(topic) if offset >= read_from]
    asked = remedy(known, seen, fates)
    version, offset = known.version, known.offset
    if asked is not None:
        version = asked.adopt.version if asked.adopt else version
        version = version if asked.orphan is None else 9
        offset = asked.end.offset
        if asked.resend:
            topic.append(version)
            offset += 1
    assert version >= max(topic[read_from:])
    assert version in (known.version, 9) or fates[version] is Fate.LOST
    assert offset == len(topic) - 1
    assert topic[-1] >= max(topic[read_from:])
    assert topic[-1] == version or (topic[-1] == topic[known.offset or 0] and version == known.version)
