"""Vendors that fetch, at odd moments: orders submitted again, answers that come late, people in what they say."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from gateway.relay.decisions import OrderDecisions
from gateway.relay.inbox import Inbox
from gateway.relay.mailbox_lanes import MAILBOX, VISIBILITY
from gateway.relay.policy import Profile
from gateway.relay.transitions import Resolution
from gateway.store import Pool
from schemas.orders import Kind, Operation
from schemas.orders.examples import SUPPLIER
from tests.integration.relay.desk import DAY, Desk
from tests.integration.relay.test_inbox import BOX, inbox
from tests.integration.relay.test_vendor_event_service import WHOLE, stated

__all__ = ["inbox"]

CONFIRM, CANCEL = Operation.CONFIRM, Operation.CANCEL


@pytest.fixture
def desk(inbox: Inbox, pool: Pool) -> Desk:
    return Desk(pool, inbox)


async def given(desk: Desk, command: str) -> None:
    """The vendor fetches a command and acknowledges it."""
    assert command in await desk.fetched()
    await desk.ack(command)


async def refused(desk: Desk) -> None:
    await given(desk, await desk.comes(1))
    await desk.says(Kind.REFUSED, payload={"operation": "order.submit", "code_class": "out_of_stock"})


async def expired(desk: Desk) -> None:
    await desk.comes(1)
    desk.clock.now += 400 * DAY
    await desk.mailbox.end_due(SUPPLIER)


async def cancelled(desk: Desk) -> None:
    await given(desk, await desk.comes(1))
    await desk.says(Kind.ACCEPTED, payload=stated())
    await given(desk, await desk.comes(2, CANCEL))
    await desk.says(Kind.CANCELLED, payload=WHOLE)


@pytest.mark.parametrize("end", [refused, expired, cancelled])
async def test_an_order_that_is_submitted_again_gets_its_answer(desk: Desk, end: Any) -> None:
    await end(desk)
    late = (desk.clock.now + DAY).isoformat()
    again = await desk.comes(7, revision=2, deadline=late)
    await given(desk, again)
    await desk.says(Kind.ACCEPTED, payload=stated())
    assert ("order.accepted", again) in await desk.told()


async def test_what_answers_a_cancel_answers_no_submit_behind_it(desk: Desk) -> None:
    await given(desk, await desk.comes(1))
    await desk.says(Kind.ACCEPTED, payload=stated())
    cancel, again = await desk.comes(2, CANCEL), await desk.comes(3, revision=2)
    await given(desk, cancel)
    await given(desk, again)
    await desk.says(Kind.CANCELLED, payload=WHOLE)
    assert ("order.cancelled", again) not in await desk.told()


async def test_a_cancel_of_children_does_not_end_a_submit_that_was_never_fetched(desk: Desk) -> None:
    submit = await desk.comes(1)
    await desk.comes(2, CANCEL, payload={"scope": "children", "children": ["V-1-2"], "reason": "少一件"})
    await desk.mailbox.end_due(SUPPLIER)
    assert submit not in [command for _, command in await desk.told()]
    assert await desk.fetched() == [submit]


async def test_an_answer_that_comes_as_a_person_says_not_done_ends_the_command(desk: Desk) -> None:
    async def profiles(supplier: str, operation: str) -> Profile:
        return MAILBOX

    submit = await desk.comes(1)
    await desk.fetch()
    desk.clock.now += 400 * DAY
    await desk.mailbox.end_due(SUPPLIER)
    assert await desk.states() == [(submit, "dead")]
    decisions = OrderDecisions(desk.pool, BOX, profiles)
    await decisions.resolve(submit, Resolution.NOT_DONE, actor="ann", reason="he says so")
    await desk.says(Kind.ACCEPTED, payload=stated())
    desk.clock.now += VISIBILITY + timedelta(seconds=1)
    await desk.mailbox.end_due(SUPPLIER)
    ends = [event for event, command in await desk.told() if command == submit and event != "order.parked"]
    assert ends == ["order.accepted"]


async def test_an_answer_to_what_an_operator_parked_ends_the_command(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def profiles(supplier: str, operation: str) -> Profile:
        return MAILBOX

    await desk.comes(1, order_no="FIRST-1")
    parked = await desk.comes(2, order_no="SECOND-1")
    await desk.fetch()
    monkeypatch.setattr("gateway.relay.mailbox.MOST_BYTES", 1)
    desk.clock.now += VISIBILITY + timedelta(seconds=1)
    await desk.fetch()  # one answer has room for the first alone
    monkeypatch.undo()
    await OrderDecisions(desk.pool, BOX, profiles).park("SECOND-1", actor="ann", reason="wait")
    await desk.says(Kind.ACCEPTED, order_no="SECOND-1", payload=stated())
    assert ("order.accepted", parked) in await desk.told()


HOLD = """
    UPDATE commands SET state = 'held', attempt = 1, sent_at = now() - interval '1 day', doubt_since = now()
     WHERE command_id = $1 RETURNING command_id
"""


@pytest.mark.parametrize(
    ("word", "event"), [(Resolution.DONE, "order.confirmed"), (Resolution.NOT_DONE, "order.refused")]
)
async def test_a_person_ends_a_confirm_that_is_held(desk: Desk, word: Resolution, event: str) -> None:
    """One whose look-up found the order cancelled: the core has only heard that it is parked."""

    async def profiles(supplier: str, operation: str) -> Profile:
        return MAILBOX

    await given(desk, await desk.comes(1))
    await desk.says(Kind.ACCEPTED, payload=stated())
    confirm = await desk.comes(2, CONFIRM)
    await desk.rows(HOLD, confirm)
    await OrderDecisions(desk.pool, BOX, profiles).resolve(confirm, word, actor="ann", reason="asked him")
    desk.clock.now += 400 * DAY
    await desk.mailbox.end_due(SUPPLIER)
    assert (event, confirm) in await desk.told()


async def test_the_letter_of_a_command_closes_once_its_vendor_answers(desk: Desk) -> None:
    await desk.comes(1)
    await desk.fetch()
    desk.clock.now += 400 * DAY
    await desk.mailbox.end_due(SUPPLIER)
    await desk.says(Kind.ACCEPTED, payload=stated())
    assert await desk.rows("SELECT id FROM dead_letters WHERE state = 'open'") == []
