"""The table of an after-sale service's states, walked whole, and what its messages may say."""

from __future__ import annotations

import json
from itertools import pairwise, product

import pytest
from pydantic import ValidationError

from schemas.base import read
from schemas.orders import (
    SERVICE_MOVES,
    Operation,
    RequestAfterSale,
    ServiceState,
    StateVerdict,
    allowed_services,
    judge_refund,
    judge_service,
)
from schemas.orders.aftersales import ENDED
from schemas.orders.examples import COMMAND_EXAMPLES

S = ServiceState
EVERYWHERE = list(product(ServiceState, ServiceState))

# Of the notes on the procurement process: requested, audited, then granted or not, goods back, handled, done.
WAYS = [
    [S.REQUESTED, S.AUDITING, S.APPROVED, S.GOODS_RETURNING, S.RECEIVED, handled, S.DONE]
    for handled in (S.REPAIRING, S.EXCHANGE_SHIPPED, S.REFUNDING)
]


def test_every_word_has_a_verdict_in_every_state_and_moves_only_as_it_says() -> None:
    for state, told in EVERYWHERE:
        judgement = judge_service(state, told)
        moves = judgement.verdict in (StateVerdict.MOVES, StateVerdict.AHEAD)
        assert judgement.state is (told if moves else state)
        assert judgement.ask_again == (judgement.verdict in (StateVerdict.AHEAD, StateVerdict.CONTRADICTS))


def test_the_table_is_what_is_done() -> None:
    assert set(SERVICE_MOVES) == set(ServiceState)
    for state, told in EVERYWHERE:
        assert (judge_service(state, told).verdict is StateVerdict.MOVES) == (told in SERVICE_MOVES[state])


@pytest.mark.parametrize("way", WAYS)
def test_the_regular_way_is_in_the_table_and_any_part_of_it_may_be_skipped(way: list[ServiceState]) -> None:
    assert all(judge_service(one, other).verdict is StateVerdict.MOVES for one, other in pairwise(way))
    for place, state in enumerate(way[:-1]):
        for later in way[place + 2 :]:
            assert judge_service(state, later).verdict in (StateVerdict.MOVES, StateVerdict.AHEAD)
        for earlier in way[:place]:
            assert judge_service(state, earlier).verdict is StateVerdict.KNOWN


@pytest.mark.parametrize("state", [S.REQUESTED, S.AUDITING])
def test_a_request_is_refused_before_it_is_granted_and_not_after(state: ServiceState) -> None:
    assert judge_service(state, S.REFUSED).verdict is StateVerdict.MOVES
    for later in (S.APPROVED, S.GOODS_RETURNING, S.RECEIVED, S.REFUNDING):
        assert judge_service(later, S.REFUSED).verdict is StateVerdict.CONTRADICTS


def test_a_service_may_be_cancelled_until_it_is_over() -> None:
    for state in ServiceState:
        assert (judge_service(state, S.CANCELLED).verdict is StateVerdict.MOVES) == (state not in ENDED)


def test_no_word_leads_out_of_an_end_and_a_late_success_is_for_a_person() -> None:
    for state, told in product(ENDED, ServiceState):
        assert judge_service(state, told).state is state
    for state, told in product((S.REFUSED, S.CANCELLED), (S.APPROVED, S.RECEIVED, S.REFUNDING, S.DONE)):
        assert judge_service(state, told).verdict is StateVerdict.LATE
    assert allowed_services(S.DONE) == frozenset()


def test_goods_are_not_handled_in_two_ways() -> None:
    assert judge_service(S.REPAIRING, S.REFUNDING).verdict is StateVerdict.CONTRADICTS
    assert judge_service(S.EXCHANGE_SHIPPED, S.REPAIRING).verdict is StateVerdict.CONTRADICTS


@pytest.mark.parametrize(
    ("state", "verdict", "after"),
    [
        (S.REFUNDING, StateVerdict.MOVES, S.REFUNDING),
        (S.RECEIVED, StateVerdict.MOVES, S.REFUNDING),
        (S.AUDITING, StateVerdict.AHEAD, S.REFUNDING),
        (S.DONE, StateVerdict.MOVES, S.DONE),
        (S.CANCELLED, StateVerdict.LATE, S.CANCELLED),
        (S.REFUSED, StateVerdict.LATE, S.REFUSED),
        (S.REPAIRING, StateVerdict.CONTRADICTS, S.REPAIRING),
    ],
)
def test_money_that_went_back_is_told_once_the_service_allows_it(
    state: ServiceState, verdict: StateVerdict, after: ServiceState
) -> None:
    assert (judge_refund(state).verdict, judge_refund(state).state) == (verdict, after)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"lines": []}, "at least 1"),
        ({"lines": [{"sku": "A", "quantity": "1"}, {"sku": "A", "quantity": "2"}]}, "every sku once"),
        ({"lines": [{"sku": "A", "quantity": "0"}]}, "greater than 0"),
        ({"pickup": None}, "pickup, where goods go back"),
        ({"kind": "refund"}, "pickup, where goods go back"),
        ({"pickup": {"mode": "collected"}}, "address, where the goods are to be fetched"),
        ({"service_no": "a b"}, "pattern"),
        ({"contact": {"name": "王芳"}}, "a mobile number or a phone"),
    ],
)
def test_a_request_that_nobody_could_act_on_is_refused(change: dict[str, object], words: str) -> None:
    document = json.loads(COMMAND_EXAMPLES[Operation.REQUEST_AFTER_SALE].model_dump_json())
    document["payload"] |= change
    with pytest.raises(ValidationError, match=words):
        read(RequestAfterSale, json.dumps(document).encode())
