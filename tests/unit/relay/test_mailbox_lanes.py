"""Lanes whose vendors fetch: given in order until acknowledged, nothing spent, and never lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.relay.commands import Command, Role
from gateway.relay.lanes import Lane
from gateway.relay.mailbox_lanes import VISIBILITY, acknowledged, decide_lane, delivered, visible_again
from gateway.relay.states import ENDED, State
from tests.unit.relay.commands import DAY, NOON, cancel, made, unknown


def fetched(lane: Lane, at: datetime) -> Command:
    """The command that a vendor fetches at this time."""
    ready = decide_lane(lane, at).ready
    assert ready is not None
    return delivered(ready, at).now


def test_what_was_fetched_is_hidden_until_its_time_is_over() -> None:
    sent = fetched(Lane([made()]), NOON)
    assert (sent.state, sent.attempt, sent.spent) == (State.SENDING, 1, 0)
    assert decide_lane(Lane([sent]), NOON + VISIBILITY - timedelta.resolution) == decide_lane(Lane([sent]), NOON)
    again = fetched(Lane([sent]), NOON + VISIBILITY)
    assert (again.attempt, again.spent, again.doubt_since, again.failures) == (2, 0, NOON, 0)


def test_what_is_visible_again_may_be_with_the_vendor() -> None:
    sent = fetched(Lane([made()]), NOON)
    seen = visible_again(sent, NOON + VISIBILITY)
    assert (seen.state, seen.reason, seen.doubt_since) == (State.UNKNOWN, "not_acknowledged", NOON)


def test_a_follower_waits_until_the_one_before_it_is_acknowledged() -> None:
    first, second = made(), made(command_id="c2", place=2, role=Role.CHANGES)
    sent = fetched(Lane([first, second]), NOON)
    assert decide_lane(Lane([sent, second]), NOON).ready is None
    assert fetched(Lane([second], ordered=True), NOON).command_id == "c2"


def test_what_was_fetched_is_dead_at_its_deadline_and_its_acknowledgement_revives_the_lane() -> None:
    sent = fetched(Lane([made()]), NOON)
    [change] = decide_lane(Lane([sent]), NOON + DAY).changes
    assert (change.now.state, change.now.reason) == (State.DEAD, "undecided_at_deadline")
    assert decide_lane(Lane([change.now]), NOON + 2 * DAY) == replace(decide_lane(Lane([]), NOON), changes=[])
    confirmed = acknowledged(change.now)
    assert confirmed is not None
    assert confirmed.state is State.CONFIRMED


@pytest.mark.parametrize("state", [State.SENDING, State.LOOKING_UP, State.UNKNOWN])
def test_what_was_sent_before_its_vendor_began_to_fetch_is_for_a_person_once_nobody_calls(state: State) -> None:
    sent = unknown(state=state, epoch=4, doubt_since=None if state is State.SENDING else NOON)
    assert decide_lane(Lane([sent, cancel()]), NOON + DAY / 2, owned=True).changes == []
    [change] = decide_lane(Lane([sent, cancel()]), NOON).changes
    assert (change.now.state, change.now.reason, change.now.doubt_since) == (State.DEAD, "nobody_to_ask", NOON)


def test_what_surely_failed_before_its_vendor_began_to_fetch_is_fetched() -> None:
    ready = fetched(Lane([made(state=State.RETRY, attempt=2, epoch=4, sent_at=NOON)]), NOON)
    assert (ready.state, ready.attempt, ready.epoch) == (State.SENDING, 3, 0)


def test_an_order_that_was_never_fetched_and_its_cancel_end_together() -> None:
    found = decide_lane(Lane([made(), cancel()]), NOON)
    assert [each.now.state for each in found.changes] == [State.CANCELLED_UNSENT] * 2
    assert found.ready is None


def test_a_cancel_behind_an_order_that_stands_is_fetched_once_the_new_one_has_ended() -> None:
    found = decide_lane(Lane([made(revision=2), cancel()], ordered=True), NOON)
    assert [each.now.state for each in found.changes] == [State.CANCELLED_UNSENT]
    assert found.ready is not None
    assert found.ready.now.command_id == "c2"


MOMENTS = st.lists(st.tuples(st.sampled_from(["fetch", "ack", "look"]), st.integers(0, 2_000)), max_size=40)


@given(MOMENTS, st.integers(1, 4))
def test_whatever_a_vendor_does_commands_are_given_in_order_and_none_is_lost(
    moments: list[tuple[str, int]], count: int
) -> None:
    lane = [made(command_id=f"c{n}", place=n, role=Role.CHANGES, deadline=NOON + DAY) for n in range(count)]
    now, given_, ended = NOON, [], []
    for what, minutes in moments:
        now += timedelta(minutes=minutes)
        found = decide_lane(Lane(lane), now)
        after = {each.was.command_id: each.now for each in found.changes}
        if what == "fetch" and found.ready is not None:
            sent = delivered(found.ready, now).now
            assert now < sent.deadline
            after[sent.command_id] = sent
            given_.append(sent.place)
        lane = [after.get(each.command_id, each) for each in lane]
        if what == "ack":
            lane = [acknowledged(each) or each for each in lane]
        ended += [each for each in lane if each.state in ENDED]
        lane = [each for each in lane if each.state not in ENDED]
        assert all(each.spent == 0 for each in (*lane, *ended))
    assert given_ == sorted(given_)
    assert {each.place for each in (*lane, *ended)} == set(range(count))
