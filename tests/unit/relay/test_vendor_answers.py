"""What a vendor's word comes to: for every word and every place an order can stand, with and without a question."""

from __future__ import annotations

import itertools
from typing import Any

import orjson
import pytest

from gateway.registry import Registry
from gateway.relay.commands import Command, Role
from gateway.relay.offered import fetches_commands, operations_of
from gateway.relay.states import State as CommandState
from gateway.relay.vendor_answers import (
    FACTS,
    after_answer,
    allowed_next,
    as_mismatch,
    fit,
    is_repeated,
    is_still_submitted,
    sum_faults,
)
from gateway.relay.vendor_events import VENDOR_EVENTS, VendorEvent, core_event
from schemas.contracts import ContractOperation
from schemas.orders import (
    Kind,
    Operation,
    OrderFact,
    OrderStatus,
    State,
    StateVerdict,
    SubmitOrder,
    fact_of_event,
    judge,
)
from schemas.orders.events import Cause
from schemas.orders.examples import AT, COMMAND_EXAMPLES, EVENT_EXAMPLES, ORDER_NO, SUPPLIER, TENANT
from tests.unit.relay.commands import made

ORDER = SubmitOrder.model_validate(COMMAND_EXAMPLES[Operation.SUBMIT])


def said(kind: Kind, **payload: Any) -> VendorEvent:
    """A vendor's word: that of the published example, or with a payload of its own."""
    told = payload or orjson.loads(EVENT_EXAMPLES[kind].model_dump_json())["payload"]
    return VENDOR_EVENTS[kind].model_validate_json(orjson.dumps({"event": kind, "payload": told}))


ROLES = {Operation.SUBMIT: Role.MAKES, Operation.CONFIRM: Role.CHANGES, Operation.CANCEL: Role.CANCELS}


def asked(operation: Operation = Operation.SUBMIT, **facts: Any) -> Command:
    usual = {"operation": operation, "role": ROLES[operation], "attempt": 1, "state": CommandState.SENDING}
    return made(**{**usual, **facts})


STANDS = [OrderStatus(state) for state in State if state not in (State.CONFIRMING, State.CANCEL_PENDING)] + [
    OrderStatus(State.CONFIRMING, State.RESERVED),
    OrderStatus(State.CANCEL_PENDING, State.CONFIRMED),
]


@pytest.mark.parametrize(("kind", "status"), [*itertools.product(VENDOR_EVENTS, STANDS)], ids=str)
def test_a_word_without_a_question_fits_exactly_where_the_state_table_has_it(kind: Kind, status: OrderStatus) -> None:
    word = said(kind)
    found = fit(word, status, [], None)
    expected = None if found.fact is None else judge(status, found.fact).verdict
    assert (found.verdict, list(found.answers)) == (expected, [])
    assert found.refused == (expected in (StateVerdict.CONTRADICTS, StateVerdict.NOT_ALLOWED))
    if found.verdict is StateVerdict.MOVES:
        assert kind in allowed_next(status)


@pytest.mark.parametrize("status", STANDS, ids=str)
def test_what_is_said_to_be_allowed_is(status: OrderStatus) -> None:
    for kind in allowed_next(status):
        fact = OrderFact.CONFIRM_FAILED if (kind, status.state) == (Kind.REFUSED, State.CONFIRMING) else FACTS[kind]
        assert judge(status, fact).verdict is StateVerdict.MOVES


@pytest.mark.parametrize("kind", VENDOR_EVENTS)
def test_the_event_for_the_core_is_what_the_vendor_said(kind: Kind) -> None:
    cause = Cause(command_id=EVENT_EXAMPLES[Kind.ACCEPTED].cause.command_id)
    event = core_event(said(kind), supplier=SUPPLIER, order_no=ORDER_NO, tenant=TENANT, cause=cause, now=AT)
    assert (event.event, event.order_no, event.occurred_at) == (kind, ORDER_NO, AT)
    assert event.payload == EVENT_EXAMPLES[kind].payload
    if kind is not Kind.REJECTED:
        answers = [asked(Operation.CANCEL, role=Role.CANCELS_CHILDREN)] if kind is Kind.CANCELLED else []
        found = fit(said(kind), OrderStatus(State.CANCEL_PENDING, State.CONFIRMED), answers, None)
        assert found.fact in (fact_of_event(event), OrderFact.PARTLY_DELIVERED)


def test_the_oldest_question_that_a_word_fits_is_answered() -> None:
    submit = asked(command_id="s")
    confirm, cancel = asked(Operation.CONFIRM, command_id="c"), asked(Operation.CANCEL, command_id="x")
    status = OrderStatus(State.SUBMITTING)
    for kind, answered in (
        (Kind.ACCEPTED, [submit]),
        (Kind.CONFIRMED, [submit]),
        (Kind.CANCEL_REFUSED, [cancel]),
        (Kind.SHIPPED, []),
        (Kind.CANCELLED, [submit, confirm, cancel]),
    ):
        payload = {
            Kind.CANCELLED: {"scope": "order", "by": "mall"},
            Kind.CANCEL_REFUSED: {"scope": "order", "by": "supplier", "code_class": "other"},
        }.get(kind, {})
        assert list(fit(said(kind, **payload), status, [submit, confirm, cancel], None).answers) == answered
    refused = said(Kind.REFUSED, operation="order.confirm", code_class="other")
    assert list(fit(refused, status, [submit, confirm, cancel], None).answers) == [confirm]


@pytest.mark.parametrize("kind", [Kind.CANCELLED, Kind.CANCEL_REFUSED])
def test_what_is_said_of_children_answers_the_cancel_of_children_alone(kind: Kind) -> None:
    whole = asked(Operation.CANCEL, command_id="x", place=2)
    of_children = asked(Operation.CANCEL, command_id="y", place=3, role=Role.CANCELS_CHILDREN)
    payload = {"scope": "children", "children": ["C-1"], "by": "supplier"}
    word = said(kind, **payload, **({"code_class": "other"} if kind is Kind.CANCEL_REFUSED else {}))
    pending = OrderStatus(State.CANCEL_PENDING, State.CONFIRMED)
    assert list(fit(word, pending, [whole, of_children], None).answers) == [of_children]
    assert list(fit(word, pending, [whole], None).answers) == []


def test_who_refuses_to_cancel_the_order_refuses_to_cancel_its_children() -> None:
    of_children = asked(Operation.CANCEL, command_id="y", role=Role.CANCELS_CHILDREN)
    whole = asked(Operation.CANCEL, command_id="x", place=2)
    word = said(Kind.CANCEL_REFUSED, scope="order", by="supplier", code_class="other")
    pending = OrderStatus(State.CANCEL_PENDING, State.CONFIRMED)
    assert list(fit(word, pending, [of_children], None).answers) == [of_children]
    assert list(fit(word, pending, [of_children, whole], None).answers) == [whole]


def test_a_cancelled_order_ends_nothing_that_was_submitted_again_behind_the_cancel() -> None:
    submit, cancel = asked(command_id="s"), asked(Operation.CANCEL, command_id="x", place=2)
    again, confirm = asked(command_id="t", place=3), asked(Operation.CONFIRM, command_id="c", place=4)
    word = said(Kind.CANCELLED, scope="order", by="mall")
    found = fit(word, OrderStatus(State.SUBMITTING), [submit, cancel, again, confirm], None)
    assert list(found.answers) == [submit, cancel]
    assert is_still_submitted(found.answers, [submit, cancel, again, confirm])
    assert not is_still_submitted([again], [again, confirm])


def test_what_is_known_and_asked_by_nobody_tells_nothing() -> None:
    word, status = said(Kind.CONFIRMED), OrderStatus(State.CONFIRMED)
    assert is_repeated(word, fit(word, status, [], None))
    assert not is_repeated(word, fit(word, status, [asked(Operation.CONFIRM)], None))
    shipped = said(Kind.SHIPPED)
    assert not is_repeated(shipped, fit(shipped, OrderStatus(State.IN_FULFILMENT), [], None))


HAD = [
    CommandState.SENDING,
    CommandState.UNKNOWN,
    CommandState.DEAD,
    CommandState.PARKED,  # by an operator, once it had been fetched
    CommandState.RETRY,  # a person said that the vendor did nothing
]


@pytest.mark.parametrize("state", HAD)
def test_who_answers_has_the_command(state: CommandState) -> None:
    refused = said(Kind.REFUSED, operation="order.submit", code_class="other")
    assert after_answer(asked(state=state), said(Kind.ACCEPTED)).state is CommandState.CONFIRMED
    assert after_answer(asked(state=state), refused).state is CommandState.REFUSED
    assert after_answer(asked(state=CommandState.CONFIRMED), refused).state is CommandState.CONFIRMED


def test_a_vendor_who_states_nothing_takes_the_order_as_it_is() -> None:
    assert sum_faults(said(Kind.ACCEPTED, reserved_until=None), ORDER) == ()


def test_a_child_is_compared_with_itself_and_all_of_them_with_the_order() -> None:
    line = {"sku": "SKU-1", "quantity": "1", "price": {"gross": "113.00"}}
    one = {"supplier_order_no": "1", "lines": [line], "totals": {"gross": "113.00"}}
    assert sum_faults(said(Kind.SPLIT, children=[one]), ORDER)
    assert sum_faults(said(Kind.SPLIT, children=[{**one, "totals": {"gross": "1"}}]), None)
    three = {**one, "lines": [{**line, "quantity": "3"}], "totals": {"gross": "339.00"}}
    assert sum_faults(said(Kind.SPLIT, children=[three]), ORDER) == ()


def test_a_mismatch_says_what_was_ordered_and_what_was_offered() -> None:
    word = said(Kind.CONFIRMED, totals={"gross": "1.00"})
    mismatch = as_mismatch(word, sum_faults(word, ORDER), ORDER)
    assert mismatch.payload.expected == ORDER.payload.totals
    assert str(mismatch.payload.offered.gross) == "1.00"
    assert mismatch.payload.differences


def test_a_supplier_that_nobody_calls_is_offered_everything() -> None:
    registry = Registry()
    native, called = registry.load("native").manifest, registry.load("jd_vop").manifest
    assert (fetches_commands(native), set(operations_of(native))) == (True, {*Operation, *ContractOperation})
    assert not fetches_commands(called)
    assert set(operations_of(called)) == set(Operation)
    assert {task.replace("_", "-") for task in called.orders} >= {"submit", "confirm", "cancel", "after-sale"}
