"""What happens to the facts: outcomes, look-ups, lost owners, late results of zombies, and people's words."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gateway.calls.breaker import IN_A_ROW
from gateway.relay.commands import Command, Role
from gateway.relay.outcomes import AttemptOutcome, Classified, LookUpOutcome
from gateway.relay.policy import (
    PARKED_BY_OPERATOR,
    SENT_ELSEWHERE,
    Availability,
    Die,
    Finish,
    LookUp,
    Profile,
    Send,
    Wait,
    next_step,
)
from gateway.relay.states import ENDED, NEXT_STATES, STOPPED, State
from gateway.relay.transitions import (
    Claim,
    Resolution,
    ResolutionRefused,
    carry_out,
    claim_of,
    moved,
    park,
    recover,
    release,
    resolve,
    take_look_up,
    take_outcome,
)
from gateway.sdk.manifest import Idempotency
from tests.unit.relay.commands import DAY, LEASE_TERM, NOON, TIMEOUT, made, profile, seconds, unknown
from tests.unit.relay.world import World

SETTLE = profile().settle
SENT = carry_out(made(), Send(), epoch=4, now=NOON)
CLAIM = claim_of(SENT)
RESENT = carry_out(unknown(), Send(retry=True), epoch=4, now=NOON + seconds(60))


def after(command, outcome: AttemptOutcome, declared: Profile | None = None, **known):
    came_to = Classified(outcome, known.pop("code", ""), **known)
    taken = take_outcome(command, claim_of(command), came_to, declared or profile(), now=NOON, dice=lambda: 0.5)
    assert taken is not None
    return taken


def looked_up(command, found: LookUpOutcome, asked: timedelta, declared: Profile | None = None):
    asking = carry_out(command, LookUp(), epoch=4, now=NOON + asked)
    declared = declared or profile(Idempotency.QUERY)
    now = NOON + asked
    taken = take_look_up(asking, claim_of(asking), found, declared, asked_at=now, now=now, dice=lambda: 0.5)
    assert taken is not None
    return taken


def test_an_attempt_is_noted_under_the_lease_and_the_next_number_before_it_leaves():
    assert (SENT.state, SENT.attempt, SENT.epoch, SENT.sent_at, SENT.spent) == (State.SENDING, 1, 4, NOON, 0)
    assert RESENT.attempt == 2
    assert RESENT.idempotency_key == unknown().idempotency_key != unknown(command_id="c2").idempotency_key


def test_a_safe_failure_spends_nothing_and_an_unknown_one_spends_one():
    safe = after(SENT, AttemptOutcome.RETRY_SAFE)
    unsure = after(SENT, AttemptOutcome.UNKNOWN)
    assert (safe.state, safe.spent, safe.doubt_since, safe.failures) == (State.RETRY, 0, None, 1)
    assert (unsure.state, unsure.spent, unsure.doubt_since, unsure.failures) == (State.UNKNOWN, 1, NOON, 1)


def test_a_safe_failure_of_a_resend_leaves_the_first_attempt_in_doubt():
    still = after(RESENT, AttemptOutcome.RETRY_SAFE)
    assert (still.state, still.doubt_since, still.spent) == (State.UNKNOWN, NOON, 1)
    assert after(RESENT, AttemptOutcome.UNKNOWN).doubt_since == NOON


def test_a_refusal_that_follows_an_unknown_attempt_is_final_only_from_a_supplier_that_keeps_keys():
    assert after(SENT, AttemptOutcome.REJECTED, code="3008").state is State.REFUSED
    assert after(RESENT, AttemptOutcome.REJECTED, code="3008").state is State.REFUSED
    assert after(RESENT, AttemptOutcome.REJECTED, promised=False).state is State.UNKNOWN
    natural = after(RESENT, AttemptOutcome.REJECTED, profile(Idempotency.NATURAL, finds=True), code="3008")
    assert (natural.state, natural.refusal) == (State.UNKNOWN, "3008")
    assert looked_up(natural, LookUpOutcome.FOUND, SETTLE).state is State.CONFIRMED
    absent = looked_up(looked_up(natural, LookUpOutcome.ABSENT, seconds(0)), LookUpOutcome.ABSENT, SETTLE)
    assert (absent.state, absent.reason) == (State.REFUSED, "3008")


def test_a_bug_before_anything_left_is_a_dead_letter_after_one_attempt():
    assert after(SENT, AttemptOutcome.RETRY_SAFE, code="bug", repeatable=False).state is State.DEAD


def test_an_order_that_differs_is_held():
    held = after(SENT, AttemptOutcome.UNKNOWN, code="amount", differs=True)
    assert (held.state, held.reason, held.doubt_since) == (State.HELD, "amount", NOON)
    assert looked_up(unknown(), LookUpOutcome.DIFFERS, seconds(0)).state is State.HELD


def test_what_is_absent_is_sent_again_only_when_it_was_absent_twice_and_long_enough_apart():
    once = looked_up(unknown(), LookUpOutcome.ABSENT, seconds(5))
    assert (once.state, once.absent_at, once.due_at) == (State.UNKNOWN, NOON + seconds(5), NOON + seconds(5) + SETTLE)
    early = looked_up(once, LookUpOutcome.ABSENT, SETTLE)
    assert (early.state, early.absent_at) == (State.UNKNOWN, once.absent_at)
    failed = looked_up(once, LookUpOutcome.FAILED, SETTLE)
    assert (failed.state, failed.absent_at) == (State.UNKNOWN, once.absent_at)
    twice = looked_up(failed, LookUpOutcome.ABSENT, seconds(5) + SETTLE)
    assert (twice.state, twice.doubt_since, twice.absent_at, twice.spent) == (State.RETRY, None, None, 1)


def test_an_absence_before_an_attempt_says_nothing_about_it():
    once = looked_up(unknown(), LookUpOutcome.ABSENT, seconds(5))
    assert carry_out(once, Send(retry=True), epoch=4, now=NOON + DAY).absent_at is None


def test_a_new_owner_takes_what_was_sent_as_unknown_and_asks_again_what_was_asked():
    lost = recover(SENT, 5, NOON + SETTLE)
    assert (lost.state, lost.doubt_since, lost.spent, lost.reason) == (State.UNKNOWN, NOON, 1, "owner_lost")
    asking = carry_out(unknown(), LookUp(), epoch=4, now=NOON)
    assert (recover(asking, 5, NOON).state, recover(asking, 5, NOON).spent) == (State.UNKNOWN, 1)


@pytest.mark.parametrize("epoch", [3, 4])
def test_a_call_of_this_owner_or_of_a_later_one_is_left_alone(epoch: int):
    assert recover(SENT, epoch, NOON) is SENT


@pytest.mark.parametrize("command", [made(), unknown(), unknown(state=State.DEAD), made(state=State.CONFIRMED)])
def test_what_has_no_call_under_way_survives_its_owner(command):
    assert recover(command, 99, NOON) is command


@pytest.mark.parametrize("outcome", list(AttemptOutcome))
def test_a_zombie_s_late_result_is_dropped_whatever_it_says(outcome: AttemptOutcome):
    recovered = recover(SENT, 5, NOON)
    resent = carry_out(recovered, Send(retry=True), epoch=5, now=NOON)
    for command in (recovered, resent, moved(recovered, State.PARKED), moved(resent, State.CONFIRMED)):
        late = take_outcome(command, CLAIM, Classified(outcome), profile(), now=NOON, dice=lambda: 0.5)
        assert late is None


@pytest.mark.parametrize("found", list(LookUpOutcome))
def test_a_zombie_s_late_look_up_is_dropped(found: LookUpOutcome):
    asking = carry_out(unknown(), LookUp(), epoch=5, now=NOON)
    late = take_look_up(asking, Claim(4, 1), found, profile(), asked_at=NOON, now=NOON, dice=lambda: 0.5)
    assert late is None


@pytest.mark.parametrize("state", sorted((STOPPED | {State.UNKNOWN}) - {State.HELD}))
def test_a_person_says_done_at_any_time_and_not_done_once_nothing_can_happen_any_more(state: State):
    stopped = unknown(state=state, spent=12)
    done = resolve(stopped, Resolution.DONE, profile(), NOON)
    assert not isinstance(done, ResolutionRefused)
    assert done.state is State.CONFIRMED
    assert resolve(stopped, Resolution.NOT_DONE, profile(), NOON) == ResolutionRefused(
        "may_still_happen", NOON + SETTLE
    )
    again = resolve(stopped, Resolution.NOT_DONE, profile(), NOON + SETTLE)
    assert not isinstance(again, ResolutionRefused)
    assert (again.state, again.spent, again.doubt_since, again.attempt) == (State.RETRY, 0, None, 1)


@pytest.mark.parametrize("role", [Role.CHANGES, Role.CANCELS, Role.CANCELS_CHILDREN])
def test_what_an_order_that_contradicts_it_holds_is_refused_where_a_person_says_that_it_is_not_done(role: Role):
    held = unknown(state=State.HELD, role=role)
    settled_at = NOON + LEASE_TERM + TIMEOUT
    early = resolve(held, Resolution.NOT_DONE, profile(), settled_at - timedelta.resolution)
    assert early == ResolutionRefused("may_still_happen", settled_at)
    refused = resolve(held, Resolution.NOT_DONE, profile(), settled_at)
    assert isinstance(refused, Command)
    assert (refused.state, refused.reason) == (State.REFUSED, "resolved_not_done")


def test_a_held_order_is_there_so_that_a_person_may_accept_it_but_never_say_that_it_is_not_done():
    held = unknown(state=State.HELD)
    assert resolve(held, Resolution.NOT_DONE, profile(), NOON + DAY) == ResolutionRefused("held")
    done = resolve(held, Resolution.DONE, profile(), NOON)
    assert not isinstance(done, ResolutionRefused)
    assert done.state is State.CONFIRMED


def test_not_done_after_a_refusal_is_the_refusal():
    refused = resolve(unknown(state=State.PARKED, refusal="3008"), Resolution.NOT_DONE, profile(), NOON + DAY)
    assert not isinstance(refused, ResolutionRefused)
    assert (refused.state, refused.reason) == (State.REFUSED, "3008")


@pytest.mark.parametrize("state", sorted(set(State) - STOPPED - {State.UNKNOWN}))
def test_a_person_has_no_word_about_what_runs_or_is_over(state: State):
    assert resolve(made(state=state), Resolution.DONE, profile(), NOON) == ResolutionRefused(f"is_{state}")


def test_nothing_follows_an_end_and_every_state_is_in_the_table():
    assert set(NEXT_STATES) == set(State)
    assert all(not NEXT_STATES[state] for state in ENDED)
    with pytest.raises(ValueError, match="confirmed is not followed by retry"):
        moved(made(state=State.CONFIRMED), State.RETRY)


@pytest.mark.parametrize("mode", [Idempotency.KEY, Idempotency.NATURAL])
@pytest.mark.parametrize("how", ["broken", "reset"])
def test_a_day_of_ambiguous_failures_spends_no_more_than_what_opened_the_breaker(mode: Idempotency, how: str):
    world = World(profile(mode), 1, seed=1)
    world.receive(made(deadline=NOON + 3 * DAY))
    while world.now < NOON + DAY:
        world.work()
        for flight in list(world.flights):
            world.answer(flight, how)
        world.advance(seconds(60))
    assert world.inbox["c1"].spent == IN_A_ROW < world.inbox["c1"].attempt
    world.quiet()
    assert world.inbox["c1"].state is State.CONFIRMED


@pytest.mark.parametrize(
    "standing",
    [
        made(),
        made(state=State.RETRY, attempt=2, sent_at=NOON, due_at=NOON + seconds(60)),
        unknown(absent_at=NOON, refusal="3008"),
    ],
    ids=lambda command: command.state,
)
def test_what_an_operator_parks_and_releases_goes_on_where_it_stood(standing):
    parked = park(standing)
    assert not isinstance(parked, ResolutionRefused)
    assert (parked.state, parked.reason) == (State.PARKED, PARKED_BY_OPERATOR)
    assert next_step(parked, profile(), Availability(), NOON + seconds(3600)) == Wait(parked.deadline, "by_operator")
    assert release(parked) == standing


@pytest.mark.parametrize("state", sorted(set(State) - {State.WAITING, State.RETRY, State.UNKNOWN}))
def test_a_call_under_way_what_stopped_and_what_is_over_is_not_parked(state: State):
    assert park(made(state=state)) == ResolutionRefused(f"is_{state}")


@pytest.mark.parametrize("state", sorted(STOPPED))
def test_what_stopped_by_itself_is_never_released_without_a_word_about_its_effect(state: State):
    assert release(unknown(state=state, reason="gave_up")) == ResolutionRefused("needs_resolution")


def test_what_is_parked_because_another_address_is_called_is_released_to_where_it_stood():
    standing = unknown(sent_to="jd_vop https://a")
    there = Availability(address="jd_vop https://b")
    decided = next_step(standing, profile(), there, NOON)
    parked = carry_out(standing, decided, epoch=4, now=NOON)
    assert (parked.state, parked.reason) == (State.PARKED, SENT_ELSEWHERE)
    assert release(parked) == standing
    assert next_step(standing, profile(), Availability(address=standing.sent_to), NOON) == Send(
        retry=True, to=standing.sent_to
    )


def test_where_an_attempt_goes_is_noted_before_it_leaves():
    sent = carry_out(made(), next_step(made(), profile(), Availability(address="a"), NOON), epoch=4, now=NOON)
    assert (sent.state, sent.sent_to) == (State.SENDING, "a")


@pytest.mark.parametrize("mode", [Idempotency.NATURAL, Idempotency.QUERY])
def test_a_confirm_of_what_is_cancelled_there_is_refused(mode: Idempotency):
    lapsed = looked_up(unknown(), LookUpOutcome.LAPSED, seconds(1), profile(mode, finds=True))
    assert (lapsed.state, lapsed.reason) == (State.REFUSED, "lapsed")
    said = looked_up(unknown(refusal="3102"), LookUpOutcome.LAPSED, seconds(1), profile(mode, finds=True))
    assert (said.state, said.reason) == (State.REFUSED, "3102")


def test_what_is_not_parked_is_not_released():
    assert release(unknown()) == ResolutionRefused("is_unknown")
    assert release(made(state=State.CONFIRMED)) == ResolutionRefused("is_confirmed")


def test_of_what_an_operator_parked_unsent_there_is_nothing_to_find_out_and_it_expires_in_time():
    parked = park(made())
    assert not isinstance(parked, ResolutionRefused)
    assert resolve(parked, Resolution.NOT_DONE, profile(), NOON + DAY) == ResolutionRefused("never_sent")
    assert next_step(parked, profile(), Availability(), parked.deadline) == Finish(State.EXPIRED, "deadline")


def test_of_what_an_operator_parked_in_doubt_a_person_may_speak_and_at_its_deadline_nobody_knows():
    parked = park(unknown())
    assert not isinstance(parked, ResolutionRefused)
    done = resolve(parked, Resolution.DONE, profile(), NOON)
    assert not isinstance(done, ResolutionRefused)
    assert done.state is State.CONFIRMED
    assert next_step(parked, profile(), Availability(), parked.deadline) == Die("undecided_at_deadline")
