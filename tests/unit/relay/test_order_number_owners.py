"""Whose numbers are: what names, or tells, a number of another order has no effect on that one."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import pytest

from gateway.relay.attempts import AttemptResult, LookUpResult, attempt, look_up
from gateway.relay.order_number_owners import order_with_number, other_order
from gateway.relay.outcomes import AdapterAnswer, AttemptOutcome, Write, classify
from gateway.relay.policy import LookUp, Send
from gateway.relay.started_calls import StartedCall, numbers_in_answers, results
from gateway.relay.states import State
from gateway.relay.transitions import carry_out
from gateway.sdk.errors import ContractError, OrderRefusedError, Sent
from gateway.sdk.manifest import Idempotency
from gateway.sdk.orders import OrderTree, SupplierOrder
from schemas.orders import CancelScope, ConfirmOrder, Operation, OrderCommand, RefusalClass
from schemas.orders.examples import COMMAND_EXAMPLES
from tests.unit.relay.commands import NOON, made, profile, unknown
from tests.unit.relay.readings import child, order, split
from tests.unit.sdk.test_comparing import ordered, there

CONFIRM, CANCEL = COMMAND_EXAMPLES[Operation.CONFIRM], COMMAND_EXAMPLES[Operation.CANCEL]
assert isinstance(CONFIRM, ConfirmOrder)
NUMBER = CONFIRM.payload.supplier_order_no or ""


def cancel(scope: CancelScope, *children: str) -> OrderCommand:
    payload = CANCEL.payload.model_copy(update={"scope": scope, "children": children})
    return CANCEL.model_copy(update={"payload": payload})


WHOLE, CHILDREN = cancel(CancelScope.ORDER), cancel(CancelScope.CHILDREN, "7", "8")
SENT = Write("confirm_order", Sent.ALL)


class Supplier:
    """It does what it is asked, and says what it was given to say; `done` are the numbers it changed."""

    def __init__(self, found: SupplierOrder | None = None, returned: SupplierOrder | None = None) -> None:
        self.found, self.returned = found, returned
        self.done: list[str] = []

    async def find_order(self, http: Any, order_no: str) -> SupplierOrder | None:
        return self.found

    async def confirm_order(self, http: Any, command: Any, number: str) -> SupplierOrder | None:
        self.done.append(number)
        return self.returned

    async def cancel_order(self, http: Any, command: Any, number: str) -> None:
        self.done.append(number)

    async def read_order(self, http: Any, number: str) -> OrderTree:
        assert self.found is not None
        return OrderTree(self.found)

    async def read_track(self, http: Any, number: str) -> None:
        raise AssertionError


async def all_strange(_: str, numbers: Collection[str]) -> Collection[str]:
    return numbers


async def tried(supplier: Supplier, command: OrderCommand, number: str | None) -> AttemptResult:
    return await attempt(supplier, None, "confirm_order", command, number, all_strange)  # type: ignore[arg-type]


@pytest.mark.parametrize("command", [CONFIRM, CHILDREN])
async def test_a_command_that_names_a_number_of_another_order_is_refused_before_it_is_sent(command: OrderCommand):
    supplier = Supplier()
    came = await tried(supplier, command, "100")
    assert isinstance(came.answer, OrderRefusedError)
    assert came.answer.code_class is RefusalClass.NO_SUCH_ORDER
    assert classify(came.answer, came.write, command.order_no).outcome is AttemptOutcome.REJECTED
    looked = await look_up(supplier, None, command, "100", all_strange)  # type: ignore[arg-type]
    assert isinstance(looked.answer, OrderRefusedError)
    assert supplier.done == []


async def test_the_number_that_the_order_is_known_under_is_its_own():
    supplier = Supplier()
    came = await tried(supplier, CONFIRM, NUMBER)
    assert (came.answer, supplier.done) == (AdapterAnswer(), [NUMBER])


@pytest.mark.parametrize("found", [order("200", order_no=WHOLE.order_no), order("200", order_no="ZZ-9")])
async def test_what_is_found_under_our_number_and_is_another_order_is_not_acted_on(found: SupplierOrder):
    supplier = Supplier(found)
    came = await tried(supplier, WHOLE, None)
    assert isinstance(came.answer, ContractError)
    assert classify(came.answer, came.write, WHOLE.order_no).outcome is AttemptOutcome.RETRY_SAFE
    assert supplier.done == []


async def test_an_answer_about_another_number_than_was_asked_about_confirms_nothing():
    other = await tried(Supplier(returned=order("200", order_no=None)), CONFIRM, NUMBER)
    assert classify(other.answer, SENT, CONFIRM.order_no).outcome is AttemptOutcome.UNKNOWN
    of_it = await tried(Supplier(returned=order("201", order_no=None, parent_no=NUMBER)), CONFIRM, NUMBER)
    assert classify(of_it.answer, SENT, CONFIRM.order_no).outcome is AttemptOutcome.CONFIRMED
    looked = await look_up(Supplier(order("200", order_no=None)), None, CONFIRM, NUMBER)  # type: ignore[arg-type]
    assert isinstance(looked.answer, ContractError)


def test_a_tree_is_read_for_what_bears_the_number():
    tree = split(child("101"), child("102"))
    assert [order_with_number(tree, number).supplier_order_no for number in ("100", "102")] == ["100", "102"]
    with pytest.raises(ContractError):
        order_with_number(tree, "103")


@pytest.mark.parametrize(
    ("tree", "owned", "other"),
    [
        (split(child("101"), child("102")), {"100": "A", "101": "A"}, None),
        (split(child("101"), child("102")), {"102": "B"}, "102, which is of B"),
        (OrderTree(order("100")), {"100": "B"}, "100, which is of B"),
        (OrderTree(order("100", parent_no="90")), {"90": "B"}, "90, which is of B"),
        (OrderTree(order("100", order_no="B")), {}, "100, which has the number B"),
        (OrderTree(order("100", order_no=None)), {}, None),
        (split(child("101", order_no="B")), {}, "101, which has the number B"),
    ],
)
def test_what_in_a_reading_is_of_another_order_is_named(tree: OrderTree, owned: dict[str, str], other: str | None):
    assert other_order(tree, "A", owned) == other


def started(order_no: str, *, looks_up: bool = False) -> StartedCall:
    asked = ordered().model_copy(update={"order_no": order_no})
    facts = {"command_id": f"c-{order_no}", "order_no": order_no, "operation": asked.operation}
    known = unknown(**facts) if looks_up else made(**facts)
    command = carry_out(known, LookUp() if looks_up else Send(), epoch=4, now=NOON)
    return StartedCall(command, asked, profile(Idempotency.NATURAL, finds=True), NOON)


def stated(number: str) -> SupplierOrder:
    return replace(there(), supplier_order_no=number)


def answered(number: str) -> AttemptResult:
    return AttemptResult(AdapterAnswer(), Write("submit_order", Sent.ALL), stated(number))


def test_an_answer_with_the_number_of_another_order_is_none_about_this_one():
    over = [(started("A"), answered("100")), (started("B"), answered("200"))]
    assert numbers_in_answers(over) == {"100", "200"}
    of_a, of_b = results(over, {"200": "C"}, NOON, lambda: 0.5)
    assert of_a.after is not None
    assert of_a.after.state is State.CONFIRMED
    assert of_b.after is not None
    assert (of_b.after.state, of_b.after.reason) == (State.UNKNOWN, "foreign_answer")
    assert of_b.news is None or of_b.news.supplier_order_no is None


def test_of_two_answers_with_one_number_the_first_has_it():
    of_a, of_b = results([(started("A"), answered("100")), (started("B"), answered("100"))], {}, NOON, lambda: 0.5)
    assert of_a.after is not None
    assert of_b.after is not None
    assert (of_a.after.state, of_b.after.state) == (State.CONFIRMED, State.UNKNOWN)


def test_what_is_looked_up_and_has_the_number_of_another_order_is_not_found():
    looked = LookUpResult(AdapterAnswer(), stated("100"))
    [result] = results([(started("A", looks_up=True), looked)], {"100": "B"}, NOON, lambda: 0.5)
    assert result.after is not None
    assert (result.after.state, result.after.reason) == (State.UNKNOWN, "look_up_failed")
    [own] = results([(started("A", looks_up=True), looked)], {"100": "A"}, NOON, lambda: 0.5)
    assert own.after is not None
    assert own.after.state is State.CONFIRMED
