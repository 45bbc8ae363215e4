"""What a turn of the relay decides for a lane, and what its answers come to."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway.kafka import Record
from gateway.registry import Registry
from gateway.relay.attempts import WatchedHttp, attempt
from gateway.relay.commands import Command, Role
from gateway.relay.lanes import Lane
from gateway.relay.outcomes import AttemptOutcome, classify
from gateway.relay.policy import Send
from gateway.relay.received import written_at
from gateway.relay.states import State
from gateway.relay.turn import Terms, beginning, planned
from gateway.sdk.commands import RefusalReason, RefusedCommand, read_command, terminal_event
from gateway.sdk.errors import AuthError, OrderRefusedError, OutcomeUnknownError, RateLimitError, Sent
from gateway.sdk.http import Reply, Request
from schemas.orders import CancelOrder, CancelScope, Operation
from schemas.orders.examples import COMMAND_EXAMPLES, command_headers
from tests.unit.relay.commands import DAY, NOON, cancel, made, unknown

TERMS = Terms(Registry().load("jd_vop").manifest, lease_term=timedelta(seconds=15), timeout=timedelta(seconds=15))
CANCEL = COMMAND_EXAMPLES[Operation.CANCEL]
SUBMIT = COMMAND_EXAMPLES[Operation.SUBMIT]


def ends(*commands: Command, ordered: bool = False) -> list[tuple[str, State, bool]]:
    found = planned(Lane(commands, ordered), TERMS, 7, NOON)
    return [(each.now.command_id, each.now.state, each.alone) for each in found.without_call]


def test_what_was_never_sent_decides_where_its_order_stands_and_nothing_behind_an_order_does() -> None:
    submit, takes_back = made(), cancel(place=2)
    assert ends(submit, takes_back) == [
        ("c1", State.CANCELLED_UNSENT, True),
        (takes_back.command_id, State.CANCELLED_UNSENT, True),
    ]
    assert ends(submit, takes_back, ordered=True) == [("c1", State.CANCELLED_UNSENT, False)]
    late = made(command_id="c9", place=2, deadline=NOON)
    assert ends(replace(submit, state=State.SENDING, attempt=1, epoch=7), late) == [("c9", State.EXPIRED, False)]
    held = unknown(state=State.HELD)
    [(_, state, _), (_, between, alone)] = ends(held, replace(late, deadline=NOON + DAY), cancel(place=3))
    assert (state, between, alone) == (State.SUPERSEDED, State.CANCELLED_UNSENT, False)


def test_what_follows_a_submit_that_ends_in_this_turn_is_refused_in_it() -> None:
    late, confirm = made(deadline=NOON), made(command_id="c9", operation="order.confirm", role=Role.CHANGES, place=2)
    assert ends(late, confirm) == [("c1", State.EXPIRED, True), ("c9", State.REFUSED, True)]
    assert ends(confirm, replace(late, place=3)) == [("c1", State.EXPIRED, False)]


def test_what_a_vendor_fetched_is_not_sent_by_whoever_owns_the_supplier_now() -> None:
    fetched = unknown(epoch=0, due_at=NOON, operation=Operation.SUBMIT.value)
    assert planned(Lane([fetched]), TERMS, 7, NOON).call is None
    ours = planned(Lane([replace(fetched, epoch=3)]), TERMS, 7, NOON).call
    assert ours is not None
    assert ours.decision == Send(retry=True)


def test_of_what_was_planned_only_the_calls_that_begin_are_left() -> None:
    late = made(command_id="c9", place=4, deadline=NOON)
    submit = Operation.SUBMIT.value
    lanes = [Lane([made(command_id=f"c{place}", place=place, operation=submit)]) for place in (3, 1, 2)]
    plans = beginning([planned(lane, TERMS, 7, NOON) for lane in (*lanes, Lane([late]))], 2, lambda: True)
    assert [[command.command_id for command in plan.commands] for plan in plans] == [[], ["c1"], ["c2"], ["c9"]]


def test_a_retry_for_which_the_budget_has_nothing_left_is_not_begun() -> None:
    submit = Operation.SUBMIT.value
    again = unknown(epoch=3, due_at=NOON, operation=submit)
    first = made(command_id="c2", place=2, operation=submit)
    plans = [planned(Lane([command]), TERMS, 7, NOON) for command in (again, first)]
    assert [len(plan.commands) for plan in beginning(plans, 2, lambda: False)] == [0, 1]


class Refusing:
    """A supplier that refuses in its own way."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    async def call(self, request: Request) -> Reply:
        raise self.error


@pytest.mark.parametrize("status", [None, 401])
async def test_a_token_that_is_refused_sends_no_order(status: int | None) -> None:
    watched = WatchedHttp(
        Refusing(error := AuthError("expired", operation="access_token", status=status)), "submit_order"
    )
    with pytest.raises(AuthError):
        await watched.call(Request("submit_order"))
    assert watched.write.sent is Sent.NOTHING
    assert classify(error, watched.write, "O-1").outcome is AttemptOutcome.RETRY_SAFE


async def test_an_error_of_the_write_itself_counts_as_sent_where_it_was_answered() -> None:
    error = OutcomeUnknownError("?", operation="submit_order", status=502)
    watched = WatchedHttp(Refusing(error), "submit_order")
    with pytest.raises(OutcomeUnknownError):
        await watched.call(Request("submit_order"))
    assert watched.write.sent is Sent.ALL


class Children:
    """An adapter whose children come to these."""

    def __init__(self, **ends: Exception | None) -> None:
        self.ends = ends

    async def cancel_order(self, http: object, order: CancelOrder, number: str) -> None:
        if (end := self.ends[number]) is not None:
            raise end


def children(*numbers: str) -> CancelOrder:
    assert isinstance(CANCEL, CancelOrder)
    payload = CANCEL.payload.model_copy(update={"scope": CancelScope.CHILDREN, "children": numbers})
    return CANCEL.model_copy(update={"payload": payload})


async def test_once_a_child_is_cancelled_the_cancel_is_never_one_without_effect() -> None:
    refused = OrderRefusedError("too late")
    both = await attempt(Children(a=None, b=None), Refusing(refused), "cancel_order", children("a", "b"), None)  # type: ignore[arg-type]
    assert both.cancelled == ("a", "b")
    one = await attempt(Children(a=None, b=refused), Refusing(refused), "cancel_order", children("a", "b"), None)  # type: ignore[arg-type]
    assert one.cancelled == ("a",)
    busy = RateLimitError("later")
    after = await attempt(Children(a=None, b=busy), Refusing(busy), "cancel_order", children("a", "b"), None)  # type: ignore[arg-type]
    assert isinstance(after.answer, OutcomeUnknownError)
    assert classify(after.answer, after.write, "O-1").outcome is AttemptOutcome.UNKNOWN
    before = await attempt(Children(a=busy, b=None), Refusing(busy), "cancel_order", children("a", "b"), None)  # type: ignore[arg-type]
    assert classify(before.answer, before.write, "O-1").outcome is AttemptOutcome.RETRY_SAFE


@pytest.mark.parametrize("timestamp", [-1, 0, 1_780_000_000_000_000, 10**18, 4_102_444_800_000])
def test_a_time_that_is_none_or_yet_to_come_is_now(timestamp: int) -> None:
    now = datetime.now(UTC)
    assert written_at(Record("t", 0, 0, timestamp, None, None, ()), now) == now


def test_a_time_that_has_been_is_kept() -> None:
    now = datetime.now(UTC)
    written = written_at(Record("t", 0, 0, int(now.timestamp() * 1000) - 5000, None, None, ()), now)
    assert timedelta(seconds=4) < now - written < timedelta(seconds=6)


@pytest.mark.parametrize("text", ["\\u0007", "\\u0000", "\\ud83d", "\\u007f"])
def test_whoever_writes_texts_that_cannot_be_kept_is_told_and_nobody_is_named(text: str) -> None:
    value = SUBMIT.model_dump_json().replace("CF228A", text).encode()
    came = read_command(SUBMIT.order_no.encode(), command_headers(SUBMIT), value)
    assert isinstance(came, RefusedCommand)
    assert came.reason in (RefusalReason.NOT_JSON, RefusalReason.INVALID)
    event = terminal_event(came, at=NOON)
    assert event is not None
    assert event.cause.command_id == SUBMIT.command_id


def test_a_name_that_comes_twice_names_nobody() -> None:
    value = SUBMIT.model_dump_json().replace('{"command_id"', '{"command_id":"x","command_id"', 1).encode()
    came = read_command(SUBMIT.order_no.encode(), command_headers(SUBMIT), value)
    assert isinstance(came, RefusedCommand)
    assert (came.command_id, came.order_no) == (None, None)
