"""The table of a contract's states, walked whole: every status, every fact."""

from __future__ import annotations

from itertools import product

import pytest

from schemas.contracts.states import (
    MOVES,
    STANDING,
    TERMINAL,
    Answer,
    ContractState,
    Fact,
    Receipt,
    Status,
    Verdict,
    allowed,
    judge,
)

STATUSES = [Status(*each) for each in product(ContractState, Receipt, Receipt, Answer)]
EVERYWHERE = list(product(STATUSES, Fact))


def after(*facts: Fact, start: Status = Status()) -> Status:  # noqa: B008 - frozen
    for fact in facts:
        start = judge(start, fact).status
    return start


def test_only_what_moves_changes_anything():
    for status, fact in EVERYWHERE:
        judgement = judge(status, fact)
        if judgement.verdict is not Verdict.MOVES:
            assert judgement.status == status


def test_the_state_moves_by_the_table_alone():
    for status, fact in EVERYWHERE:
        following = judge(status, fact).status.state
        voided = fact is Fact.TERMINATE and following is ContractState.VOIDED
        assert voided or following in (status.state, MOVES[status.state].get(fact))


def test_what_is_over_takes_no_command_and_no_answer_that_is_new():
    receipts = {Fact.ANNOUNCED, Fact.FILED}  # a correction is announced as well
    for status, fact in EVERYWHERE:
        if status.state in TERMINAL and fact not in receipts:
            assert judge(status, fact).verdict is not Verdict.MOVES


def test_nothing_is_heard_of_a_contract_that_was_never_issued():
    assert allowed(Status()) == {Fact.ISSUE}


@pytest.mark.parametrize("receipts", [(Fact.ANNOUNCED, Fact.FILED), (Fact.FILED, Fact.ANNOUNCED)])
def test_announcement_and_filing_end_in_either_order(receipts: tuple[Fact, Fact]):
    first = after(Fact.ISSUE, receipts[0])
    assert {first.announcement, first.filing} == {Receipt.PENDING, Receipt.DONE}
    both = after(Fact.ISSUE, *receipts)
    assert (both.state, both.announcement, both.filing) == (ContractState.GENERATED, Receipt.DONE, Receipt.DONE)


def test_a_receipt_says_nothing_of_what_the_vendor_says():
    assert after(Fact.ISSUE, Fact.SIGNED, Fact.FILED).answer is Answer.SIGNED
    assert after(Fact.ISSUE, Fact.FILED, Fact.REFUSED).answer is Answer.REFUSED


def test_an_amendment_is_announced_filed_and_answered_anew():
    whole = after(Fact.ISSUE, Fact.DELIVERED, Fact.SIGNED, Fact.ANNOUNCED, Fact.FILED)
    assert after(Fact.AMEND, start=whole) == Status(ContractState.GENERATED)
    assert after(Fact.PERFORMANCE_BEGUN, Fact.AMEND, start=whole) == Status(ContractState.PERFORMING)


@pytest.mark.parametrize(
    ("before", "ends_as"),
    [
        ((Fact.ISSUE,), ContractState.VOIDED),
        ((Fact.ISSUE, Fact.DELIVERED, Fact.SIGNED), ContractState.VOIDED),
        ((Fact.ISSUE, Fact.FILED), ContractState.VOIDED),
        ((Fact.ISSUE, Fact.ANNOUNCED), ContractState.TERMINATED),
        ((Fact.ISSUE, Fact.ANNOUNCED, Fact.PERFORMANCE_BEGUN), ContractState.TERMINATED),
    ],
)
def test_one_that_ends_is_voided_before_and_terminated_after_its_announcement(
    before: tuple[Fact, ...], ends_as: ContractState
):
    assert after(*before, Fact.TERMINATE).state is ends_as


def test_an_issue_that_lapsed_leaves_room_for_another_and_a_delivered_one_does_not_lapse():
    assert after(Fact.ISSUE, Fact.LAPSE) == Status()
    delivered = after(Fact.ISSUE, Fact.DELIVERED)
    assert judge(delivered, Fact.LAPSE).verdict is Verdict.NOT_ALLOWED


def test_a_vendor_may_sign_at_once_and_never_takes_back_what_he_said():
    assert after(Fact.ISSUE, Fact.SIGNED).answer is Answer.SIGNED
    signed, refused = after(Fact.ISSUE, Fact.SIGNED), after(Fact.ISSUE, Fact.REFUSED)
    assert judge(signed, Fact.REFUSED).verdict is Verdict.NOT_ALLOWED
    assert judge(refused, Fact.SIGNED).verdict is Verdict.NOT_ALLOWED
    assert judge(signed, Fact.ACKNOWLEDGED).verdict is Verdict.KNOWN
    assert judge(signed, Fact.SIGNED).verdict is Verdict.KNOWN


def test_a_contract_is_over_there_or_not_made():
    assert set(ContractState) == STANDING | TERMINAL | {ContractState.NONE}
