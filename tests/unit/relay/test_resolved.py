"""What the mall is told once a person has said what became of a command."""

from __future__ import annotations

import pytest

from gateway.relay.command_events import resolved_news
from gateway.relay.states import State
from schemas.orders import Kind, Operation, OrderFact, SubmitMode
from schemas.orders.examples import COMMAND_EXAMPLES
from tests.unit.relay.commands import NOON, made

SUBMIT, CONFIRM, CANCEL = (COMMAND_EXAMPLES[each] for each in (Operation.SUBMIT, Operation.CONFIRM, Operation.CANCEL))


@pytest.mark.parametrize(
    ("command", "state", "kind", "fact"),
    [
        (CONFIRM, State.CONFIRMED, Kind.CONFIRMED, OrderFact.CONFIRMED),
        (CANCEL, State.CONFIRMED, Kind.CANCELLED, OrderFact.CHILDREN_CANCELLED),  # of one child: the order goes on
        (SUBMIT, State.REFUSED, Kind.REFUSED, OrderFact.SUBMIT_REFUSED),
        (CONFIRM, State.REFUSED, Kind.REFUSED, OrderFact.CONFIRM_FAILED),
        (CANCEL, State.REFUSED, Kind.CANCEL_REFUSED, OrderFact.CANCEL_FAILED),
    ],
)
def test_the_terminal_event_of_what_a_person_found_out(command, state, kind, fact):
    news = resolved_news(command, made(state=state), NOON)
    assert news is not None
    assert (news.event_name, news.fact, news.order_no) == (kind, fact, command.order_no)
    assert news.event is not None
    assert news.event.cause.command_id == command.command_id


@pytest.mark.parametrize(("mode", "kind"), [(SubmitMode.RESERVE, Kind.ACCEPTED), (SubmitMode.DIRECT, Kind.CONFIRMED)])
def test_an_order_that_is_there_is_reserved_or_placed_as_it_was_asked_for(mode, kind):
    command = SUBMIT.model_copy(update={"payload": SUBMIT.payload.model_copy(update={"mode": mode})})
    news = resolved_news(command, made(state=State.CONFIRMED), NOON)
    assert news is not None
    assert news.event_name == kind


def test_that_a_person_found_a_refusal_out_is_said() -> None:
    news = resolved_news(SUBMIT, made(state=State.REFUSED, reason="3008"), NOON)
    assert news is not None
    assert news.event is not None
    assert news.event.model_dump(mode="json")["payload"]["code_class"] == "operator"


def test_what_is_sent_again_ends_nothing() -> None:
    news = resolved_news(CONFIRM, made(state=State.RETRY), NOON)
    assert news is None or news.event is None


def test_the_number_that_a_person_found_is_told_and_kept() -> None:
    news = resolved_news(SUBMIT, made(state=State.CONFIRMED), NOON, "JD-7")
    assert news is not None
    assert news.supplier_order_no == "JD-7"
    assert news.event is not None
    assert news.event.model_dump()["supplier_order_nos"] == ("JD-7",)


def test_an_order_that_was_held_has_its_terminal_event_and_gets_news_of_its_end() -> None:
    news = resolved_news(SUBMIT, made(state=State.CONFIRMED), NOON, "JD-7", answered=True)
    assert news is not None
    assert news.event is not None
    assert news.event.cause.command_id is None
    assert news.event.cause.message is not None
    assert (news.event.cause.message.type, news.event.cause.message.id) == ("resolution", SUBMIT.command_id)
    assert (news.event_name, news.supplier_order_no) == (Kind.ACCEPTED, "JD-7")
