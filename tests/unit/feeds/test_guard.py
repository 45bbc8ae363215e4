"""The rules of versions: what wins, whatever order things arrive in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.feeds.guard import UNKNOWN_KEY, Candidate, ItemOutcome, KeyState, judge

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def candidate(
    version: int, content: bytes = b"A", *, source_version: int | None = None, at: datetime = NOON
) -> Candidate:
    return Candidate(version=version, hash=content, observed_at=at, source_version=source_version)


def known(version: int, content: bytes = b"A", *, source_version: int | None = None, at: datetime = NOON) -> KeyState:
    return KeyState(version=version, hash=content, published_at=at, source_version=source_version)


def test_the_first_item_of_a_key_is_published() -> None:
    judgement = judge(candidate(1), UNKNOWN_KEY, None)
    assert (judgement.outcome, judgement.publish, judgement.state.version) == (ItemOutcome.NORMALIZED, True, 1)


def test_an_older_feed_that_arrives_late_is_stale() -> None:
    assert judge(candidate(4, b"old"), known(5, b"new"), None).outcome is ItemOutcome.STALE


def test_the_same_item_again_is_stale_so_that_a_repeat_publishes_nothing() -> None:
    assert judge(candidate(5), known(5), None).outcome is ItemOutcome.STALE


def test_a_repeat_in_a_newer_feed_is_unchanged_and_moves_the_version() -> None:
    judgement = judge(candidate(6), known(5), None)
    assert (judgement.outcome, judgement.publish, judgement.state.version) == (ItemOutcome.UNCHANGED, False, 6)


def test_what_a_patch_says_goes_out_above_everything_and_counts_as_what_it_mends() -> None:
    judgement = judge(candidate(2, b"B")._replace(patched=True), known(1), None, fresh=9)
    assert (judgement.publish, judgement.raised) == (True, True)
    assert (judgement.state.version, judgement.state.newness) == (9, 2)
    assert judge(candidate(3, b"C"), judgement.state, None, fresh=10).state.newness == 3
    unchanged = judge(candidate(2)._replace(patched=True), known(1), None, fresh=9)
    assert (unchanged.publish, unchanged.state.version) == (False, 2)
    assert judge(candidate(1, b"B")._replace(patched=True), known(2), None, fresh=9).outcome is ItemOutcome.STALE


def test_prices_a_b_a_are_three_states() -> None:
    state, outcomes = UNKNOWN_KEY, []
    for version, content in enumerate([b"A", b"B", b"A"], start=1):
        judgement = judge(candidate(version, content), state, None)
        state = judgement.state
        outcomes.append((judgement.outcome, judgement.publish))
    assert outcomes == [(ItemOutcome.NORMALIZED, True)] * 3


def test_a_withdrawn_key_is_taken_up_again_by_a_newer_item_alone() -> None:
    withdrawn = KeyState(version=5)
    assert judge(candidate(4), withdrawn, None).outcome is ItemOutcome.STALE
    judgement = judge(candidate(6, source_version=1), withdrawn, None)
    assert (judgement.outcome, judgement.publish) == (ItemOutcome.NORMALIZED, True)


def test_a_lower_source_version_in_a_newer_feed_is_stale() -> None:
    assert judge(candidate(6, b"B", source_version=7), known(5, source_version=8), None).outcome is ItemOutcome.STALE


def test_the_same_source_version_with_other_content_is_a_conflict() -> None:
    judgement = judge(candidate(6, b"B", source_version=8), known(5, source_version=8), None)
    assert (judgement.outcome, judgement.code) == (ItemOutcome.REJECTED, "version_conflict")


def test_an_item_without_source_version_keeps_the_one_that_is_known() -> None:
    assert judge(candidate(6, b"B"), known(5, source_version=8), None).state.source_version == 8


@pytest.mark.parametrize(("age", "renewed"), [(DAY / 2, True), (DAY / 2 - timedelta(seconds=1), False)])
def test_a_repeat_is_published_again_once_half_a_period_has_passed(age: timedelta, renewed: bool) -> None:
    judgement = judge(candidate(6, at=NOON + age), known(5), DAY)
    assert (judgement.outcome, judgement.publish) == (ItemOutcome.UNCHANGED, renewed)


def test_a_withdrawn_key_takes_the_same_content_as_new() -> None:
    assert judge(candidate(6), KeyState(version=5), None).outcome is ItemOutcome.NORMALIZED


arrivals = st.lists(
    st.tuples(st.integers(1, 30), st.sampled_from([b"A", b"B", b"C"])), min_size=1, unique_by=lambda each: each[0]
)


@given(arrivals, st.randoms(use_true_random=False))
def test_the_order_of_arrival_never_changes_the_final_content(items: list[tuple[int, bytes]], random: object) -> None:
    shuffled = list(items)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    finals = []
    for order in (items, shuffled):
        state = UNKNOWN_KEY
        for version, content in order:
            state = judge(candidate(version, content), state, None).state
        finals.append((state.version, state.hash))
    assert finals[0] == finals[1] == max(items)


@given(arrivals)
def test_giving_everything_twice_publishes_nothing_more(items: list[tuple[int, bytes]]) -> None:
    state = UNKNOWN_KEY
    for version, content in items:
        state = judge(candidate(version, content), state, None).state
    assert not any(judge(candidate(version, content), state, None).publish for version, content in items)
