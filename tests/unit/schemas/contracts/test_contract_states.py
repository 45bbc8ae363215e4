"""The table of a contract's states, walked whole: every status, every fact."""

from __future__ import annotations

from itertools import product

import pytest

from schemas.contracts.states import (
    MOVES,
    STANDING,
    TERMINAL,
    AnswerState,
    ContractFact,
    ContractState,
    ContractStatus,
    ContractVerdict,
    ReceiptState,
    allowed,
    judge,
)

STATUSES = [ContractStatus(*each) for each in product(ContractState, ReceiptState, ReceiptState, AnswerState)]
EVERYWHERE = list(product(STATUSES, ContractFact))


def after(*facts: ContractFact, start: ContractStatus = ContractStatus()) -> ContractStatus:  # noqa: B008 - frozen
    for fact in facts:
        start = judge(start, fact).status
    return start


def test_only_what_moves_changes_anything():
    for status, fact in EVERYWHERE:
        judgement = judge(status, fact)
        if judgement.verdict is not ContractVerdict.MOVES:
            assert judgement.status == status


def test_the_state_moves_by_the_table_alone():
    for status, fact in EVERYWHERE:
        following = judge(status, fact).status.state
        voided = fact is ContractFact.TERMINATE and following is ContractState.VOIDED
        assert voided or following in (status.state, MOVES[status.state].get(fact))


def test_what_is_over_takes_no_command_and_no_answer_that_is_new():
    receipts = {ContractFact.ANNOUNCED, ContractFact.FILED}  # a correction is announced as well
    for status, fact in EVERYWHERE:
        if status.state in TERMINAL and fact not in receipts:
            assert judge(status, fact).verdict is not ContractVerdict.MOVES


def test_nothing_is_heard_of_a_contract_that_was_never_issued():
    assert allowed(ContractStatus()) == {ContractFact.ISSUE}


@pytest.mark.parametrize(
    "receipts", [(ContractFact.ANNOUNCED, ContractFact.FILED), (ContractFact.FILED, ContractFact.ANNOUNCED)]
)
def test_announcement_and_filing_end_in_either_order(receipts: tuple[ContractFact, ContractFact]):
    first = after(ContractFact.ISSUE, receipts[0])
    assert {first.announcement, first.filing} == {ReceiptState.PENDING, ReceiptState.DONE}
    both = after(ContractFact.ISSUE, *receipts)
    assert (both.state, both.announcement, both.filing) == (
        ContractState.GENERATED,
        ReceiptState.DONE,
        ReceiptState.DONE,
    )


def test_a_receipt_says_nothing_of_what_the_vendor_says():
    assert after(ContractFact.ISSUE, ContractFact.SIGNED, ContractFact.FILED).answer is AnswerState.SIGNED
    assert after(ContractFact.ISSUE, ContractFact.FILED, ContractFact.REFUSED).answer is AnswerState.REFUSED


def test_an_amendment_is_announced_filed_and_answered_anew():
    whole = after(
        ContractFact.ISSUE, ContractFact.DELIVERED, ContractFact.SIGNED, ContractFact.ANNOUNCED, ContractFact.FILED
    )
    assert after(ContractFact.AMEND, start=whole) == ContractStatus(ContractState.GENERATED)
    assert after(ContractFact.PERFORMANCE_BEGUN, ContractFact.AMEND, start=whole) == ContractStatus(
        ContractState.PERFORMING
    )


@pytest.mark.parametrize(
    ("before", "ends_as"),
    [
        ((ContractFact.ISSUE,), ContractState.VOIDED),
        ((ContractFact.ISSUE, ContractFact.DELIVERED, ContractFact.SIGNED), ContractState.VOIDED),
        ((ContractFact.ISSUE, ContractFact.FILED), ContractState.VOIDED),
        ((ContractFact.ISSUE, ContractFact.ANNOUNCED), ContractState.TERMINATED),
        ((ContractFact.ISSUE, ContractFact.ANNOUNCED, ContractFact.PERFORMANCE_BEGUN), ContractState.TERMINATED),
    ],
)
def test_one_that_ends_is_voided_before_and_terminated_after_its_announcement(
    before: tuple[ContractFact, ...], ends_as: ContractState
):
    assert after(*before, ContractFact.TERMINATE).state is ends_as


def test_an_issue_that_lapsed_leaves_room_for_another_and_a_delivered_one_does_not_lapse():
    assert after(ContractFact.ISSUE, ContractFact.LAPSE) == ContractStatus()
    delivered = after(ContractFact.ISSUE, ContractFact.DELIVERED)
    assert judge(delivered, ContractFact.LAPSE).verdict is ContractVerdict.NOT_ALLOWED


def test_a_vendor_may_sign_at_once_and_never_takes_back_what_he_said():
    assert after(ContractFact.ISSUE, ContractFact.SIGNED).answer is AnswerState.SIGNED
    signed, refused = after(ContractFact.ISSUE, ContractFact.SIGNED), after(ContractFact.ISSUE, ContractFact.REFUSED)
    assert judge(signed, ContractFact.REFUSED).verdict is ContractVerdict.NOT_ALLOWED
    assert judge(refused, ContractFact.SIGNED).verdict is ContractVerdict.NOT_ALLOWED
    assert judge(signed, ContractFact.ACKNOWLEDGED).verdict is ContractVerdict.KNOWN
    assert judge(signed, ContractFact.SIGNED).verdict is ContractVerdict.KNOWN


def test_a_contract_is_over_there_or_not_made():
    assert set(ContractState) == STANDING | TERMINAL | {ContractState.NONE}
