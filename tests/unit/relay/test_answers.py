"""What adapters return is judged in one place: a submit, a confirm and a cancel, answered or looked up."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from gateway.relay.answers import LONGEST_DIFFERENCE, answer_to_look_up, answer_to_write, profile_of
from gateway.relay.outcomes import AdapterAnswer, AttemptOutcome, LookUpOutcome, Write, classify, classify_look_up
from gateway.sdk import OrderRefusedError, OutcomeUnknownError, Sent, Standing, UnavailableError
from gateway.sdk.manifest import Idempotency, OrderWrite
from schemas.orders import ConfirmOrder, Operation
from schemas.orders.examples import COMMAND_EXAMPLES
from tests.unit.sdk.test_comparing import AS_ORDERED, ordered, there

CONFIRM, CANCEL = COMMAND_EXAMPLES[Operation.CONFIRM], COMMAND_EXAMPLES[Operation.CANCEL]
RESERVED = there()
PLACED, CANCELLED = replace(RESERVED, standing=Standing.PLACED), replace(RESERVED, standing=Standing.CANCELLED)
SENT = Write("submit_order", Sent.ALL)


def test_a_submit_that_left_the_order_there_is_confirmed():
    answer = answer_to_write(ordered(), RESERVED)
    assert answer == AdapterAnswer()
    assert classify(answer, SENT, ordered().order_no).outcome is AttemptOutcome.CONFIRMED


def test_a_confirm_of_what_is_cancelled_is_refused_by_its_own_answer_too():
    assert isinstance(CONFIRM, ConfirmOrder)
    came_to = classify(answer_to_write(CONFIRM, CANCELLED), SENT, CONFIRM.order_no)
    assert (came_to.outcome, came_to.code) == (AttemptOutcome.REJECTED, "lapsed")


def test_a_submit_that_left_another_order_there_is_held():
    came_to = classify(answer_to_write(ordered(), there(AS_ORDERED[:1], "39.80")), SENT, ordered().order_no)
    assert came_to.differs
    assert "quantity of B" in came_to.code


def test_an_answer_about_another_order_is_no_answer():
    answer = answer_to_write(ordered(), replace(RESERVED, order_no="ZZ-2"))
    assert classify(answer, SENT, ordered().order_no).outcome is AttemptOutcome.UNKNOWN


def test_what_differs_is_kept_short():
    many = tuple(replace_sku(number) for number in range(100))
    assert len(answer_to_write(ordered(), there(many, "54.80")).differs) == LONGEST_DIFFERENCE


def replace_sku(number: int):
    return AS_ORDERED[0].model_copy(update={"sku": f"S{number}"})


@pytest.mark.parametrize("command", [CONFIRM, CANCEL])
def test_a_supplier_that_says_no_more_has_done_what_was_asked(command):
    assert answer_to_write(command, None) == AdapterAnswer()


@pytest.mark.parametrize(
    ("command", "found", "looked_up"),
    [
        (ordered(), None, LookUpOutcome.ABSENT),
        (ordered(), RESERVED, LookUpOutcome.FOUND),
        (ordered(), CANCELLED, LookUpOutcome.DIFFERS),
        (ordered(), there(AS_ORDERED[:1], "39.80"), LookUpOutcome.DIFFERS),
        (CONFIRM, None, LookUpOutcome.ABSENT),
        (CONFIRM, RESERVED, LookUpOutcome.ABSENT),
        (CONFIRM, PLACED, LookUpOutcome.FOUND),
        (CONFIRM, CANCELLED, LookUpOutcome.LAPSED),
        (CANCEL, RESERVED, LookUpOutcome.ABSENT),
        (CANCEL, PLACED, LookUpOutcome.ABSENT),
        (CANCEL, CANCELLED, LookUpOutcome.FOUND),
    ],
)
def test_a_look_up_says_whether_this_very_command_took_effect(command, found, looked_up):
    assert classify_look_up(answer_to_look_up(command, found), command.order_no) is looked_up


@pytest.mark.parametrize(
    ("error", "sent", "outcome"),
    [
        (OrderRefusedError("More than 50 lines."), Write("", Sent.NOTHING), AttemptOutcome.REJECTED),
        (OrderRefusedError(operation="submit_order", supplier_code="3008"), SENT, AttemptOutcome.REJECTED),
        (OrderRefusedError(operation="select_jd_order", supplier_code="3401"), SENT, AttemptOutcome.UNKNOWN),
        (OutcomeUnknownError(operation="submit_order", supplier_code="5001"), SENT, AttemptOutcome.UNKNOWN),
        (UnavailableError(operation="submit_order", supplier_code="3058", status=200), SENT, AttemptOutcome.RETRY_SAFE),
    ],
)
def test_what_adapters_raise_of_orders(error, sent, outcome):
    assert classify(error, sent, "A").outcome is outcome


def test_the_profile_is_what_the_manifest_declares():
    lasting = timedelta(seconds=30)
    write = OrderWrite(call="submit", idempotency=Idempotency.KEY, key_life_hours=24, look_up="find")
    profile = profile_of(write, lease_term=lasting, timeout=lasting)
    assert (profile.idempotency, profile.finds, profile.key_life) == (Idempotency.KEY, True, timedelta(days=1))
    bare = profile_of(OrderWrite(call="submit", idempotency=Idempotency.NONE), lease_term=lasting, timeout=lasting)
    assert (bare.finds, bare.key_life) == (False, None)
