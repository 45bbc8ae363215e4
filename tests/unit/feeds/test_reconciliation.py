"""What records read back mean: every one has a meaning, and what is done about them leaves the topic on the newest."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.feeds.feed import OPEN
from gateway.feeds.reconciliation import (
    NOTHING_STORED,
    Observed,
    RecordStatus,
    Repair,
    Stored,
    VersionFacts,
    VersionOutcome,
    compare_record,
    plan_repair,
    version_outcome,
)
from gateway.feeds.versions import WITHDRAWAL, version_of
from gateway.kafka import Position

seens = st.builds(Observed, st.integers(0, 2), st.integers(0, 9), st.integers(1, 5))
knowns = st.just(NOTHING_STORED) | st.builds(
    Stored, st.integers(0, 5), st.integers(0, 2) | st.none(), st.integers(0, 9) | st.none()
)


@pytest.mark.parametrize(
    ("seen", "known", "finding"),
    [
        pytest.param(Observed(0, 4, 7), Stored(7, 0, 4), RecordStatus.SETTLED, id="the record that the state names"),
        pytest.param(Observed(0, 4, 7), Stored(9, 0, 4), RecordStatus.SETTLED, id="the same, unchanged since"),
        pytest.param(Observed(0, 3, 7), Stored(9, 0, 4), RecordStatus.SETTLED, id="an older one before it"),
        pytest.param(Observed(0, 3, 9), Stored(9, 0, 4), RecordStatus.SETTLED, id="a repeat before it"),
        pytest.param(Observed(0, 5, 9), Stored(9, 0, 4), RecordStatus.TAKE_OVER, id="a repeat behind it"),
        pytest.param(Observed(0, 5, 7), Stored(9, 0, 4), RecordStatus.REPAIR, id="an older one behind it"),
        pytest.param(Observed(1, 3, 7), Stored(9, 0, 4), RecordStatus.REPAIR, id="an older one on another partition"),
        pytest.param(Observed(0, 3, 10), Stored(9, 0, 4), RecordStatus.PENDING, id="a newer one before it"),
        pytest.param(Observed(0, 5, 10), Stored(9, 0, 4), RecordStatus.PENDING, id="a newer one behind it"),
        pytest.param(Observed(0, 5, 10), NOTHING_STORED, RecordStatus.PENDING, id="a key that nobody knows"),
        pytest.param(
            Observed(0, 5, 7), Stored(9, None, None), RecordStatus.REPAIR, id="an older one of a key without a place"
        ),
    ],
)
def test_a_record_means(seen: Observed, known: Stored, finding: RecordStatus) -> None:
    assert compare_record(seen, known) is finding


@given(seens, knowns)
def test_every_record_has_exactly_one_meaning(seen: Observed, known: Stored) -> None:
    finding = compare_record(seen, known)
    assert (finding is RecordStatus.PENDING) == (seen.version > known.version)
    assert (finding is RecordStatus.REPAIR) <= (seen.version < known.version)
    assert (finding is RecordStatus.TAKE_OVER) <= (seen.version == known.version)


RECORD, WITHDRAWN = version_of(7, 3), version_of(7, WITHDRAWAL)
STATES = (None, "admitted", "produced", "incomplete", "withdrawing", "held", "done", "cancelled")


@pytest.mark.parametrize(
    ("version", "facts", "fate"),
    [
        pytest.param(
            RECORD,
            VersionFacts(True, taken=True, state="done"),
            VersionOutcome.DECIDED,
            id="its chunk decided otherwise",
        ),
        pytest.param(RECORD, VersionFacts(False, taken=True), VersionOutcome.DECIDED, id="its page decided otherwise"),
        pytest.param(
            RECORD, VersionFacts(True, taken=True, replaying=True), VersionOutcome.COMING, id="its replay is under way"
        ),
        pytest.param(
            RECORD, VersionFacts(True), VersionOutcome.DECIDED, id="a number of ours whose transaction was lost"
        ),
        pytest.param(RECORD, VersionFacts(False), VersionOutcome.LOST, id="a number that this database never gave out"),
        pytest.param(RECORD, VersionFacts(True, state="produced"), VersionOutcome.LOST, id="its chunk has gone unread"),
        pytest.param(
            RECORD,
            VersionFacts(True, state="produced", cancelled=True),
            VersionOutcome.DECIDED,
            id="its feed is cancelled",
        ),
        pytest.param(RECORD, VersionFacts(True, state="done"), VersionOutcome.DECIDED, id="its feed ended without it"),
        pytest.param(
            RECORD, VersionFacts(True, state="withdrawing"), VersionOutcome.DECIDED, id="all but withdrawals is decided"
        ),
        pytest.param(
            WITHDRAWN, VersionFacts(True, state="withdrawing"), VersionOutcome.COMING, id="its feed is withdrawing"
        ),
        pytest.param(
            WITHDRAWN, VersionFacts(True, state="done"), VersionOutcome.DECIDED, id="its feed has ended withdrawing"
        ),
        pytest.param(WITHDRAWN, VersionFacts(True, state="held"), VersionOutcome.DECIDED, id="its feed is held"),
        pytest.param(
            WITHDRAWN,
            VersionFacts(True, state="incomplete"),
            VersionOutcome.LOST,
            id="it had withdrawn before the copy",
        ),
    ],
)
def test_what_became_of_a_version(version: int, facts: VersionFacts, fate: VersionOutcome) -> None:
    assert version_outcome(version, facts) is fate


@pytest.mark.parametrize("version", [RECORD, WITHDRAWN])
@pytest.mark.parametrize("state", STATES)
def test_only_what_the_database_cannot_know_is_lost(version: int, state: str | None) -> None:
    for given_out, taken, replaying, cancelled in product((False, True), repeat=4):
        facts = VersionFacts(given_out, taken, replaying, state, cancelled)
        unknown = state is None and not given_out
        unread = state in OPEN and not cancelled
        assert (version_outcome(version, facts) is VersionOutcome.LOST) == (not taken and (unknown or unread))


def test_a_topic_as_the_state_says_needs_nothing() -> None:
    assert plan_repair(Stored(9, 0, 4), [Observed(0, 2, 7), Observed(0, 4, 9)], {}) is None


def test_two_late_appends_are_answered_once_behind_the_last() -> None:
    assert plan_repair(Stored(9, 0, 4), [Observed(0, 5, 7), Observed(0, 6, 8)], {}) == Repair(
        None, resend=True, end=Position(0, 6)
    )


def test_a_late_append_that_a_repeat_has_answered_already_is_not_answered_again() -> None:
    assert plan_repair(Stored(9, 0, 4), [Observed(0, 5, 7), Observed(0, 6, 9)], {}) == Repair(
        None, resend=False, end=Position(0, 6)
    )


def test_a_lost_state_is_believed() -> None:
    fates = {9: VersionOutcome.LOST}
    assert plan_repair(Stored(5, 0, 1), [Observed(0, 3, 9)], fates) == Repair(
        Observed(0, 3, 9), resend=False, end=Position(0, 3)
    )


def test_a_lost_state_before_the_repeat_of_an_older_one_is_believed_and_sent_again() -> None:
    """A restored database had the old chunk published again, behind what it had lost."""
    fates = {9: VersionOutcome.LOST}
    assert plan_repair(Stored(5, 0, 7), [Observed(0, 3, 9)], fates) == Repair(
        Observed(0, 3, 9), resend=True, end=Position(0, 7)
    )


def test_of_several_lost_states_the_newest_is_believed_wherever_it_lies() -> None:
    fates = {9: VersionOutcome.LOST, 8: VersionOutcome.LOST}
    assert plan_repair(NOTHING_STORED, [Observed(0, 3, 9), Observed(0, 4, 8)], fates) == Repair(
        Observed(0, 3, 9), resend=True, end=Position(0, 4)
    )


def test_what_nobody_took_is_answered_above_it() -> None:
    orphan = Repair(None, resend=True, end=Position(0, 5), orphan=11)
    assert plan_repair(Stored(9, 0, 4), [Observed(0, 5, 11)], {11: VersionOutcome.DECIDED}) == orphan


def test_what_nobody_took_is_answered_though_a_repeat_of_the_state_lies_behind_it() -> None:
    """Whoever reads the topic keeps the higher version, wherever it lies."""
    orphan = Repair(None, resend=True, end=Position(0, 6), orphan=11)
    assert plan_repair(Stored(9, 0, 4), [Observed(0, 5, 11), Observed(0, 6, 9)], {11: VersionOutcome.DECIDED}) == orphan


def test_a_lost_state_above_what_nobody_took_is_only_believed() -> None:
    fates = {11: VersionOutcome.DECIDED, 12: VersionOutcome.LOST}
    believed = Repair(Observed(0, 6, 12), resend=False, end=Position(0, 6))
    assert plan_repair(Stored(9, 0, 4), [Observed(0, 5, 11), Observed(0, 6, 12)], fates) == believed


def test_a_lost_state_below_what_nobody_took_is_believed_and_sent_above_that() -> None:
    fates = {11: VersionOutcome.DECIDED, 10: VersionOutcome.LOST}
    believed = Repair(Observed(0, 6, 10), resend=True, end=Position(0, 6), orphan=11)
    assert plan_repair(Stored(9, 0, 4), [Observed(0, 5, 11), Observed(0, 6, 10)], fates) == believed


def test_a_newer_version_before_the_one_that_the_state_names_is_answered_above_it() -> None:
    """It was published and not committed; repeated behind an older feed of the same content it changed nothing."""
    above = Repair(None, resend=True, end=Position(0, 5), orphan=11)
    assert plan_repair(Stored(11, 0, 5), [Observed(0, 4, 11), Observed(0, 5, 9)], {}) == above
    assert plan_repair(Stored(12, 0, 5), [Observed(0, 4, 11), Observed(0, 5, 9)], {}) == above
    late = Repair(None, resend=True, end=Position(0, 6), orphan=11)
    assert plan_repair(Stored(11, 0, 5), [Observed(0, 4, 11), Observed(0, 5, 9), Observed(0, 6, 9)], {}) == late


def test_a_newer_version_that_is_repeated_behind_the_older_one_needs_nothing_but_its_place() -> None:
    moved = Repair(None, resend=False, end=Position(0, 6))
    assert plan_repair(Stored(11, 0, 5), [Observed(0, 4, 11), Observed(0, 5, 9), Observed(0, 6, 11)], {}) == moved


@given(st.lists(st.integers(1, 5), min_size=1, max_size=8), st.data())
def test_whatever_was_appended_the_topic_ends_on_what_is_believed(topic: list[int], data: st.DataObject) -> None:
    """topic: the versions of one key by offset. The state names any of them, its content maybe unchanged since."""
    place = data.draw(st.none() | st.integers(0, len(topic) - 1))
    known = NOTHING_STORED if place is None else Stored(topic[place] + data.draw(st.integers(0, 1)), 0, place)
    fates = {
        version: data.draw(st.sampled_from((VersionOutcome.LOST, VersionOutcome.DECIDED))) for version in range(1, 6)
    }
    read_from = data.draw(st.integers(0, 0 if place is None else place))
    seen = [Observed(0, offset, version) for offset, version in enumerate(topic) if offset >= read_from]
    asked = plan_repair(known, seen, fates)
    version, offset = known.version, known.offset
    if asked is not None:
        version = asked.adopt.version if asked.adopt else version
        version = version if asked.orphan is None else 9
        offset = asked.end.offset
        if asked.resend:
            topic.append(version)
            offset += 1
    assert version >= max(topic[read_from:])
    assert version in (known.version, 9) or fates[version] is VersionOutcome.LOST
    assert offset == len(topic) - 1
    assert topic[-1] >= max(topic[read_from:])
    assert topic[-1] == version or (topic[-1] == topic[known.offset or 0] and version == known.version)
