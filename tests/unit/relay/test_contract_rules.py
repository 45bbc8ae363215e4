"""What a command about a contract comes to, by what stands there. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gateway.relay.contract_rules import CONFIRMED, Accepted, Contract, RefusedAtOnce, RepeatedAtOnce, rule
from gateway.relay.documents import DocumentLinks, Link, signatures_by
from schemas.contracts.commands import ContractCommand, ContractOperation
from schemas.contracts.events import ContractRefusalClass as Why
from schemas.contracts.examples import COMMAND_EXAMPLES, CONTRACT_NO
from schemas.contracts.states import AnswerState, ContractState, ContractStatus, ReceiptState
from schemas.orders import State as OrderState
from schemas.orders.examples import AT, ORDER_NO

ISSUE, AMEND, TERMINATE, ANNOUNCED, FILED = ContractOperation


def asked(operation: ContractOperation, **changes: Any) -> ContractCommand:
    return COMMAND_EXAMPLES[operation].model_copy(update=changes)


def issued(**changes: Any) -> Contract:
    """The contract of the example, as it is once it was issued."""
    ruling = rule(asked(ISSUE), None, OrderState.CONFIRMED, None)
    assert isinstance(ruling, Accepted)
    return replace(ruling.contract, **changes)


def test_a_contract_is_made_of_an_order_that_is_confirmed_and_of_no_other():
    for order in OrderState:
        ruling = rule(asked(ISSUE), None, order, None)
        assert isinstance(ruling, Accepted) == (order in CONFIRMED)
    assert OrderState.PARTIALLY_CONFIRMED not in CONFIRMED
    assert rule(asked(ISSUE), None, None, None) == RefusedAtOnce(Why.UNKNOWN_ORDER)
    assert rule(asked(ISSUE), None, OrderState.RESERVED, None) == RefusedAtOnce(Why.ORDER_NOT_CONFIRMED, "reserved")


def test_an_order_has_one_contract():
    assert rule(asked(ISSUE), None, OrderState.CONFIRMED, "HT-1") == RefusedAtOnce(Why.OTHER_CONTRACT, "HT-1")


def test_the_same_issue_under_another_id_is_the_same_contract_whatever_happened_since():
    again = asked(ISSUE, command_id="01JDA8ZZ000000000000000009", issued_at=AT.replace(hour=12))
    first = asked(ISSUE).command_id
    for status in (
        ContractStatus(ContractState.GENERATED),
        ContractStatus(ContractState.PERFORMING, ReceiptState.DONE, answer=AnswerState.SIGNED),
    ):
        known = issued(status=status, revision=3)
        assert rule(again, known, OrderState.CONFIRMED, CONTRACT_NO) == RepeatedAtOnce(first)
    other = asked(ISSUE, revision=2)
    assert rule(other, issued(), OrderState.CONFIRMED, CONTRACT_NO) == RefusedAtOnce(Why.OTHER_CONTENT, "1")


def test_what_is_over_is_not_issued_again_and_what_lapsed_is():
    over = issued(status=ContractStatus(ContractState.VOIDED))
    assert rule(asked(ISSUE), over, OrderState.CONFIRMED, None) == RefusedAtOnce(Why.CONTRACT_OVER, "voided")
    assert isinstance(rule(asked(ISSUE), issued(status=ContractStatus()), OrderState.CONFIRMED, None), Accepted)


@pytest.mark.parametrize("operation", [AMEND, TERMINATE, ANNOUNCED, FILED])
@pytest.mark.parametrize("contract", [None, issued(status=ContractStatus())], ids=["unknown", "lapsed"])
def test_nothing_is_done_to_a_contract_that_is_not_there(operation: ContractOperation, contract: Contract | None):
    assert rule(asked(operation), contract, OrderState.CONFIRMED, None) == RefusedAtOnce(Why.NOT_ISSUED)


@pytest.mark.parametrize("operation", [AMEND, TERMINATE, ANNOUNCED, FILED])
def test_a_command_names_the_order_of_its_contract(operation: ContractOperation):
    ruling = rule(asked(operation, order_no="HN-OTHER"), issued(), OrderState.CONFIRMED, CONTRACT_NO)
    assert ruling == RefusedAtOnce(Why.OTHER_CONTRACT, ORDER_NO)


@pytest.mark.parametrize(("known", "new", "taken"), [(1, 2, True), (1, 5, True), (2, 2, False), (5, 2, False)])
def test_the_higher_revision_of_an_amendment_counts(known: int, new: int, taken: bool):
    ruling = rule(asked(AMEND, revision=new), issued(revision=known), OrderState.CONFIRMED, CONTRACT_NO)
    if taken:
        assert isinstance(ruling, Accepted)
        assert (ruling.contract.revision, ruling.contract.status) == (new, ContractStatus(ContractState.GENERATED))
    else:
        assert ruling == RefusedAtOnce(Why.STALE_REVISION, str(known))


def test_whoever_ends_a_contract_knows_its_text_as_it_is():
    known = issued(revision=2)
    stale = rule(asked(TERMINATE, revision=1), known, OrderState.CONFIRMED, CONTRACT_NO)
    assert stale == RefusedAtOnce(Why.STALE_REVISION, "2")
    ended = rule(asked(TERMINATE, revision=2), known, OrderState.CONFIRMED, CONTRACT_NO)
    assert isinstance(ended, Accepted)
    assert ended.contract.status.state is ContractState.VOIDED


def test_a_receipt_of_the_text_before_says_nothing_of_the_one_as_it_is():
    known = issued(revision=2)
    for operation, revision, part in ((ANNOUNCED, 2, "announcement"), (FILED, 2, "filing")):
        ruling = rule(asked(operation, revision=revision), known, OrderState.CONFIRMED, CONTRACT_NO)
        assert isinstance(ruling, Accepted)
        assert getattr(ruling.contract.status, part) is ReceiptState.DONE
    assert rule(asked(FILED, revision=1), known, OrderState.CONFIRMED, CONTRACT_NO) == Accepted(known)
    early = rule(asked(FILED, revision=3), known, OrderState.CONFIRMED, CONTRACT_NO)
    assert early == RefusedAtOnce(Why.NOT_ISSUED, "2")


def test_an_address_of_a_former_secret_key_is_good_and_one_of_another_gateway_is_not():
    former = DocumentLinks(signatures_by(b"a" * 32), "https://gateway.example/")
    address = former.address("HT.1", "m", AT)
    assert address.startswith("https://gateway.example/v1/contracts/HT.1/document?message=m&expires=")
    link = Link("HT.1", "m", int(address.split("expires=")[1].split("&")[0]), address.rsplit("=", 1)[1])
    assert link.expires == int(AT.timestamp()) + 24 * 3600
    assert DocumentLinks(signatures_by(b"b" * 32, b"a" * 32)).is_signed(link)
    assert not DocumentLinks(signatures_by(b"b" * 32)).is_signed(link)
    assert not former.is_signed(replace(link, contract_no="HT.2"))
