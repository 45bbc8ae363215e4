"""What operators read of orders, written out: it has to be understood at a glance, at night."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from gateway.relay.advice import (
    OUTCOMES,
    STATE_TEXTS,
    Unanswered,
    advice,
    describe_state,
    describe_step,
    shown_state,
    summary,
)
from gateway.relay.commands import Role
from gateway.relay.outcomes import AttemptOutcome, LookUpOutcome
from gateway.relay.policy import PARKED_BY_OPERATOR, SENT_ELSEWHERE
from gateway.relay.states import BUSY, ENDED, UNSENT, State
from gateway.relay.steps import Kind
from tests.unit.relay.commands import NOON, cancel, made, unknown


def step(kind: Kind, **facts: Any) -> Mapping[str, Any]:
    return {"kind": kind.value, "facts": facts}


def attempt(number: int) -> Mapping[str, Any]:
    return step(Kind.ATTEMPT, attempt=number, epoch=4, operation="order.submit", call="submit_order")


def came_to(outcome: str, **facts: Any) -> Mapping[str, Any]:
    return step(Kind.OUTCOME, outcome=outcome, **facts)


LOOK_UP = step(Kind.LOOK_UP, epoch=4, call="find_order")
LOST = [attempt(1), came_to("unknown", code="unavailable", state="unknown")]


def test_a_lost_answer_that_was_looked_up() -> None:
    confirmed = unknown(state=State.CONFIRMED, reason="found")
    assert summary(confirmed, [*LOST, LOOK_UP, came_to("found", state="confirmed")]) == (
        "the answer was lost; the order was looked up by our number; it is there; nothing was sent twice; it is done"
    )


def test_a_lost_answer_of_an_order_that_was_not_there() -> None:
    steps = [*LOST, LOOK_UP, came_to("absent"), LOOK_UP, came_to("absent"), attempt(2), came_to("confirmed")]
    assert summary(made(state=State.CONFIRMED, attempt=2), steps) == (
        "the answer was lost; the order was looked up by our number 2 times; it is not there;"
        " it was sent 2 times, again only once it was surely not there; it is done"
    )


def test_a_lost_answer_where_the_supplier_keeps_keys() -> None:
    steps = [*LOST, attempt(2), came_to("unknown"), attempt(3), came_to("confirmed")]
    assert summary(made(state=State.CONFIRMED, attempt=3), steps) == (
        "2 answers were lost; it was sent 3 times under one number, so that it counts once; it is done"
    )


def test_a_lost_answer_that_nobody_can_find_out_about_and_what_a_person_then_said() -> None:
    steps = [*LOST, step(Kind.STOPPED, state="parked", reason="ambiguous_no_idempotency")]
    assert summary(unknown(state=State.PARKED), steps) == (
        "the answer was lost; nothing was sent twice;"
        " it waits for a person: nobody else can find out whether it took effect"
    )
    resolved = [*steps, step(Kind.RESOLVED, resolution="done", actor="bootstrap:ann", reason="it is in their portal")]
    assert summary(unknown(state=State.CONFIRMED), resolved) == (
        "the answer was lost; nothing was sent twice; bootstrap:ann said: done; it is done"
    )


def test_what_is_answered_with_something_else_is_not_called_done_until_a_person_says_so() -> None:
    told_so = step(Kind.EVENT, event="order.price_mismatch", state="held", supplier_order_nos=["A-5"])
    confirmed = made(state=State.CONFIRMED, attempt=1)
    assert summary(confirmed, [attempt(1), told_so]) == (
        "it was answered with something else than was asked for, and the order was held"
    )
    resolved = step(Kind.RESOLVED, resolution="done", actor="bootstrap:ann", reason="agreed")
    assert summary(confirmed, [attempt(1), told_so, resolved]).endswith("bootstrap:ann said: done; it is done")
    assert describe_step(Kind.EVENT, told_so["facts"]) == (
        "the mall was told order.price_mismatch (what is there has the supplier's number A-5); the order is held"
    )


def test_no_more_is_claimed_of_what_was_sent_again_than_is_told() -> None:
    under_one_number = "it was sent 2 times under one number, so that it counts once; it is done"
    twice = made(state=State.CONFIRMED, attempt=2)
    assert under_one_number in summary(twice, [attempt(2), came_to("confirmed")])  # earlier steps are left off
    once_absent = [*LOST, LOOK_UP, came_to("absent"), attempt(2), came_to("confirmed")]
    assert under_one_number in summary(twice, once_absent)
    lost_then_failed = [*LOST, attempt(2), came_to("retry_safe"), attempt(3), came_to("confirmed")]
    assert "3 times under one number" in summary(made(state=State.CONFIRMED, attempt=3), lost_then_failed)
    a_person_spoke = [*LOST, step(Kind.RESOLVED, resolution="not_done", actor="ann"), attempt(2), came_to("confirmed")]
    assert "again only once it was surely not there; ann said: not done" in summary(twice, a_person_spoke)


def test_what_failed_before_anything_happened() -> None:
    steps = [attempt(1), came_to("retry_safe", code="rate_limited", state="retry"), attempt(2), came_to("confirmed")]
    assert summary(made(state=State.CONFIRMED, attempt=2), steps) == (
        "it was sent 2 times, each time after the one before had surely failed; it is done"
    )
    assert summary(made(state=State.EXPIRED), []) == (
        "nothing was sent; its deadline passed and nothing of it has happened"
    )
    assert summary(made(state=State.CONFIRMED, attempt=1), [attempt(1), came_to("confirmed")]) == "it is done"


def test_a_cancel_of_what_was_never_sent_is_not_called_cancelled_itself() -> None:
    words = "nothing was sent; it is done: nothing of the order had been sent"
    assert summary(cancel(state=State.CANCELLED_UNSENT), []) == words
    assert summary(made(state=State.CANCELLED_UNSENT), []).endswith("it was cancelled before anything was sent")


def test_an_order_that_is_there_as_nobody_ordered_it_lost_no_answer() -> None:
    held = made(state=State.HELD, attempt=1)
    assert summary(held, [attempt(1), came_to("unknown", code="line 1", state="held")]) == (
        "it waits for a person: the supplier has something else than was asked for"
    )


def test_a_cancel_whose_answer_was_lost() -> None:
    confirmed = cancel(state=State.CONFIRMED, attempt=1)
    assert summary(confirmed, [*LOST, LOOK_UP, came_to("found")]) == (
        "the answer was lost; the order was looked up by our number; it took effect; nothing was sent twice; it is done"
    )


@pytest.mark.parametrize(
    ("kind", "facts", "words"),
    [
        (Kind.ATTEMPT, {"attempt": 1, "call": "submit_order"}, "attempt 1 is sent (submit_order)"),
        (Kind.LOOK_UP, {"call": "find_order"}, "the order is looked up by our number (find_order)"),
        (
            Kind.OUTCOME,
            {"outcome": "unknown", "code": "unavailable", "state": "unknown"},
            "the answer was lost: it may have taken effect (code unavailable)",
        ),
        (
            Kind.OUTCOME,
            {"outcome": "unknown", "code": "", "reason": "owner_lost", "state": "unknown"},
            "the process that sent it was lost before the answer: it may have taken effect",
        ),
        (
            Kind.OUTCOME,
            {"outcome": "unknown", "code": "owner_lost", "reason": "owner_lost", "state": "unknown"},
            "the process that sent it was lost before the answer: it may have taken effect",
        ),
        (
            Kind.OUTCOME,
            {"outcome": "rejected", "code": "3008", "reason": "refused_after_unknown", "state": "unknown"},
            "the supplier refused it, but an earlier attempt may have taken effect (code 3008); it is unknown now",
        ),
        (
            Kind.OUTCOME,
            {"outcome": "unknown", "code": "line 1: 3, not 5", "state": "held"},
            "something else is there than was asked for (code line 1: 3, not 5); it is held now",
        ),
        (Kind.OUTCOME, {"outcome": "found", "state": "confirmed"}, "it is there"),
        (
            Kind.OUTCOME,
            {"outcome": "rejected", "code": "3008", "state": "refused"},
            "the supplier refused it (code 3008)",
        ),
        (
            Kind.STOPPED,
            {"state": "parked", "reason": "key_expired"},
            "stopped, parked: the supplier may have forgotten the number it was sent under",
        ),
        (
            Kind.STOPPED,
            {"state": "parked", "actor": "bootstrap:ann", "reason": "odd prices"},
            "stopped by bootstrap:ann, parked: odd prices",
        ),
        (
            Kind.RELEASED,
            {"state": "waiting", "actor": "bootstrap:ann", "reason": "prices are right"},
            "released by bootstrap:ann: prices are right; it is waiting now",
        ),
        (
            Kind.RESOLVED,
            {"resolution": "not_done", "actor": "bootstrap:ann", "reason": "not in their portal"},
            "bootstrap:ann said: not done: not in their portal",
        ),
        (Kind.ENDED, {"state": "expired", "reason": "deadline"}, "ended without a call: expired: its deadline passed"),
        (
            Kind.ENDED,
            {"state": "expired", "reason": "deadline", "attempt": 2},
            "ended without another call: expired: its deadline passed",
        ),
        (
            Kind.STOPPED,
            {"state": "dead", "reason": "undecided_at_deadline", "attempt": 2, "operation": "order.submit"},
            "stopped, dead: its deadline passed, and nobody knows whether it took effect",
        ),
        (
            Kind.UNDELIVERED,
            {"state": "unknown", "attempt": 1, "operation": "order.submit", "failure": "HTTP status 503"},
            "its webhook did not take it: HTTP status 503",
        ),
        (
            Kind.DELIVERED,
            {"state": "sending", "attempt": 1, "operation": "order.submit"},
            "it was handed to its vendor",
        ),
        (
            Kind.DELIVERED,
            {"state": "sending", "attempt": 3, "operation": "order.submit"},
            "it was handed to its vendor, 3 times by now",
        ),
        (
            Kind.ACKNOWLEDGED,
            {"state": "confirmed", "attempt": 1, "operation": "order.submit", "reason": "acknowledged"},
            "its vendor acknowledged it",
        ),
        (
            Kind.EVENT,
            {"event": "order.refused", "id": "5", "state": "refused", "verdict": "moves", "raw_code": "3008"},
            "the mall was told order.refused (supplier's code 3008); the order is refused",
        ),
        (
            Kind.LATE,
            {"event": "shipment.created", "state": "cancelled"},
            "shipment.created came too late: the order was cancelled; it is a dead letter, not told",
        ),
        (Kind.OUTCOME, {"outcome": "absent", "state": "unknown"}, "it is not there; it is unknown now"),
        (Kind.READ, {}, "the order was read at the supplier"),
        (
            Kind.READ,
            {"standing": "placed", "progress": "not_shipped", "children": 0, "asked_by": {"type": "25", "id": "42"}}
            | {"told": []},
            "the order was read at the supplier (its message 42 of type 25 asked for it): placed, not shipped;"
            " nothing of it was new",
        ),
        (
            Kind.READ,
            {"standing": "placed", "progress": None, "children": 2, "asked_by": {"type": "reread", "id": "7/1"}}
            | {"told": ["order.split", "shipment.created"]},
            "the order was read at the supplier (something before did not fit): placed, 2 children;"
            " the mall was told order.split, shipment.created",
        ),
    ],
)
def test_each_step_in_words(kind: Kind, facts: dict[str, Any], words: str) -> None:
    assert describe_step(kind, facts) == words


@pytest.mark.parametrize("kind", [*Kind, "of_another_release"])
def test_a_step_that_another_release_wrote_is_told_all_the_same(kind: str) -> None:
    assert describe_step(kind, {})
    assert describe_step(kind, {"something": "else"})


def test_every_state_and_every_outcome_has_words() -> None:
    assert set(STATE_TEXTS) == set(State)
    assert set(OUTCOMES) == {*AttemptOutcome, *LookUpOutcome}


def test_what_goes_on_by_itself_or_is_over_needs_no_advice() -> None:
    assert {advice(made(state=state)) for state in ENDED | UNSENT | BUSY} == {""}


def test_whom_to_ask_what_and_what_to_type_then() -> None:
    resolve = "mallgate orders resolve c1 done|not-done --reason WHY"
    question = "jd whether it has an order with our number A"
    assert advice(unknown()) == f"Wait; or ask {question}, then: {resolve}"
    assert advice(unknown(state=State.PARKED)) == f"Ask {question}, then: {resolve}"
    assert advice(unknown(state=State.DEAD)) == f"Ask {question}, then: {resolve}"
    assert advice(cancel(state=State.DEAD)).startswith("Ask jd whether order A is cancelled there, then: ")
    confirm = made(state=State.DEAD, role=Role.CHANGES, operation="order.confirm")
    assert advice(confirm).startswith("Ask jd whether order A is confirmed there, then: ")
    accept = "mallgate orders resolve c1 done --reason WHY"
    assert (
        advice(unknown(state=State.HELD)) == f"The mall cancels it; or agree with jd on what is there, then: {accept}"
    )


def test_what_an_order_that_contradicts_it_holds_is_done_or_not() -> None:
    held = unknown(state=State.HELD, role=Role.CHANGES, operation="order.confirm")
    assert advice(held) == (
        "Ask jd whether order A is confirmed there, then: mallgate orders resolve c1 done|not-done --reason WHY"
    )
    of_children = unknown(state=State.DEAD, role=Role.CANCELS_CHILDREN, operation="order.cancel")
    assert advice(of_children).startswith("Ask jd whether the children of order A that it names are cancelled there, ")


def test_what_was_sent_to_another_address_says_where_to_ask_and_how_it_goes_on_by_itself() -> None:
    parked = unknown(state=State.PARKED, reason=SENT_ELSEWHERE, sent_to="jd_vop https://a.example")
    assert describe_state(parked) == (
        "it waits for a person: it may have taken effect at jd_vop https://a.example, which is not called any more"
    )
    assert advice(parked) == (
        "Ask jd whether it has an order with our number A, then: mallgate orders resolve c1 done|not-done --reason WHY"
        "; or declare that address again, then: mallgate lanes release A --reason WHY"
    )


def test_an_order_that_could_not_be_read_says_why_without_the_supplier_s_words() -> None:
    facts = {"asked_by": {"type": "5", "id": "m1"}, "fault": "select_jd_order: ContractError 9999"}
    assert describe_step(Kind.READ, facts) == (
        "the order could not be read at the supplier (its message m1 of type 5 asked for it):"
        " select_jd_order: ContractError 9999; it is a dead letter"
    )


def test_what_an_operator_parked_is_released() -> None:
    parked = made(state=State.PARKED, reason=PARKED_BY_OPERATOR, due_at=NOON)
    assert describe_state(parked) == "an operator parked it; it waits to be released"
    assert advice(parked) == "mallgate lanes release A --reason WHY"


def test_what_a_vendor_acknowledged_and_never_answered_says_since_when_and_whom_to_ask() -> None:
    delivered = made(state=State.CONFIRMED, attempt=1, reason="acknowledged")
    late, waits = Unanswered(NOON, late=True), Unanswered(NOON, late=False)
    assert (shown_state(delivered), shown_state(delivered, late)) == ("confirmed", "unanswered")
    assert describe_state(delivered, late) == (
        "its vendor acknowledged it at 2026-11-23 12:00:00 UTC and has not answered;"
        " its deadline was 2026-11-24 12:00:00 UTC"
    )
    assert describe_state(delivered, waits).endswith("its deadline is 2026-11-24 12:00:00 UTC")
    assert summary(delivered, [], late) == describe_state(delivered, late)
    question = (
        "jd whether it has an order with our number A, then: mallgate orders resolve c1 done|not-done --reason WHY"
    )
    assert advice(delivered, late) == f"Ask {question}"
    assert advice(delivered, waits) == f"Wait for its answer; or ask {question}"


def test_what_is_delivered_is_not_called_done() -> None:
    delivered = made(state=State.CONFIRMED, attempt=1, reason="acknowledged")
    assert (describe_state(delivered), advice(delivered)) == ("its vendor acknowledged it", "")
    found_out = made(state=State.CONFIRMED, attempt=1, reason="resolved_not_done")
    assert describe_state(found_out) == "its vendor acknowledged it, and it had no effect"
