"""Events are the same message whenever they are told again, and say what they are in their headers."""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import ValidationError

from schemas.base import read
from schemas.envelope import decode
from schemas.orders import (
    COMMAND_TYPE,
    COMMANDS,
    EVENT_TYPE,
    EVENTS,
    Kind,
    OrderEvent,
    event_headers,
    event_id,
    fact_of_command,
    fact_of_event,
    order_key,
)
from schemas.orders.commands import CancelScope, Operation
from schemas.orders.events import Cause, OrderCancelled, OrderExpired, OrderParked, SupplierMessage
from schemas.orders.examples import COMMAND_EXAMPLES, EVENT_EXAMPLES
from schemas.orders.payloads import Party
from schemas.orders.states import OrderFact

every_event = pytest.mark.parametrize("event", EVENT_EXAMPLES.values(), ids=list(EVENT_EXAMPLES))


def test_there_is_an_example_of_each():
    assert set(COMMAND_EXAMPLES) == set(COMMANDS) == set(COMMAND_TYPE) == set(Operation)
    assert set(EVENT_EXAMPLES) == set(EVENTS) == set(EVENT_TYPE) == set(Kind)
    assert all(type(event) is EVENTS[kind] and event.event == kind for kind, event in EVENT_EXAMPLES.items())
    assert all(type(each) is COMMANDS[name] and each.operation == name for name, each in COMMAND_EXAMPLES.items())


@every_event
def test_an_event_told_again_later_is_the_same_message(event: OrderEvent):
    again = event.model_copy(update={"occurred_at": event.occurred_at + timedelta(hours=1)})
    assert event_id(again) == event_id(event)
    assert event_id(read(type(event), event.model_dump_json().encode())) == event_id(event)


@every_event
def test_an_event_of_another_cause_order_or_content_is_another(event: OrderEvent):
    other_cause = Cause(message=SupplierMessage(type="99", id="1"))
    changed = [
        event.model_copy(update={"order_no": "OTHER"}),
        event.model_copy(update={"cause": other_cause}),
        event.model_copy(update={"tenant": None}),
    ]
    assert len({event_id(each) for each in (event, *changed)}) == 4


def test_no_two_examples_are_one_message():
    assert len({event_id(event) for event in EVENT_EXAMPLES.values()}) == len(EVENT_EXAMPLES)


@every_event
def test_headers_say_what_and_whose(event: OrderEvent):
    envelope = decode(event_headers(event, traceparent="00-1-2-01"))
    assert envelope.type == f"mall.orders.{event.event}.v1"
    assert (envelope.id, envelope.subject) == (event_id(event), order_key(event.order_no).decode())
    assert envelope.supplier == (None if event.event == "order.unsupported" else "acme")


def test_a_cause_is_a_command_or_a_message():
    message = SupplierMessage(type="5", id="1")
    for both_or_none in ({}, {"command_id": COMMAND_EXAMPLES[Operation.SUBMIT].command_id, "message": message}):
        with pytest.raises(ValidationError, match="either a command or a message"):
            Cause.model_validate(both_or_none)


def test_the_commands_and_events_are_facts_of_the_table():
    sent = {operation: fact_of_command(each) for operation, each in COMMAND_EXAMPLES.items()}
    assert sent == {
        Operation.SUBMIT: OrderFact.SUBMIT,
        Operation.CONFIRM: OrderFact.CONFIRM,
        Operation.CANCEL: OrderFact.CANCEL,
        Operation.REQUEST_INVOICE: None,  # it leaves the order as it is
        Operation.REQUEST_AFTER_SALE: None,
        Operation.CANCEL_AFTER_SALE: None,
    }
    facts = {kind: fact_of_event(event) for kind, event in EVENT_EXAMPLES.items()}
    assert facts == {
        Kind.ACCEPTED: OrderFact.ACCEPTED,
        Kind.REFUSED: OrderFact.SUBMIT_REFUSED,
        Kind.CONFIRMED: OrderFact.CONFIRMED,
        Kind.PARTIALLY_CONFIRMED: OrderFact.PARTIALLY_CONFIRMED,
        Kind.SPLIT: OrderFact.SPLIT,
        Kind.PRICE_MISMATCH: OrderFact.PRICE_MISMATCH,
        Kind.CANCELLED: OrderFact.CHILDREN_CANCELLED,  # one child of two
        Kind.CANCEL_REFUSED: OrderFact.CANCEL_FAILED,
        Kind.SHIPPED: OrderFact.SHIPPED,
        Kind.TRACKED: None,
        Kind.DELIVERED: OrderFact.DELIVERED,
        Kind.REJECTED: OrderFact.REJECTED,
        Kind.EXPIRED: OrderFact.SUBMIT_EXPIRED,
        Kind.UNSUPPORTED: OrderFact.SUBMIT_REFUSED,
        Kind.PARKED: OrderFact.OUTCOME_UNKNOWN,
        **{kind: None for kind in Kind if kind.startswith("invoice.")},
        Kind.SERVICE_ACCEPTED: None,
        Kind.SERVICE_REFUSED: None,
        Kind.SERVICE_PROGRESS: None,
        Kind.SERVICE_PARKED: None,
        Kind.REFUNDED: None,
    }


@pytest.mark.parametrize(("by", "fact"), [(Party.TIME_OUT, OrderFact.LAPSED), (Party.SUPPLIER, OrderFact.CANCELLED)])
def test_a_whole_order_cancelled_is_over(by: Party, fact: OrderFact):
    example = EVENT_EXAMPLES[Kind.CANCELLED]
    assert isinstance(example, OrderCancelled)
    payload = example.payload.model_copy(update={"scope": CancelScope.ORDER, "children": (), "by": by})
    assert fact_of_event(example.model_copy(update={"payload": payload})) is fact


@pytest.mark.parametrize(
    ("operation", "expired", "parked"),
    [
        (Operation.SUBMIT, OrderFact.SUBMIT_EXPIRED, OrderFact.OUTCOME_UNKNOWN),
        (Operation.CONFIRM, OrderFact.CONFIRM_FAILED, None),
        (Operation.CANCEL, OrderFact.CANCEL_FAILED, None),
    ],
)
def test_a_confirm_or_cancel_that_expires_leaves_the_order(
    operation: Operation, expired: OrderFact, parked: OrderFact | None
):
    late, waiting = EVENT_EXAMPLES[Kind.EXPIRED], EVENT_EXAMPLES[Kind.PARKED]
    assert isinstance(late, OrderExpired)
    assert isinstance(waiting, OrderParked)
    change = {"operation": operation}
    assert fact_of_event(late.model_copy(update={"payload": late.payload.model_copy(update=change)})) is expired
    assert fact_of_event(waiting.model_copy(update={"payload": waiting.payload.model_copy(update=change)})) is parked
