"""The story of an order in the order in which it happened."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gateway.relay.reading import timeline
from tests.unit.relay.commands import NOON, seconds


def command(after: timedelta = timedelta()) -> dict[str, Any]:
    place = {"topic": "mall.orders.commands.v1", "partition": 3, "offset": 7}
    return {"command_id": "c1", "operation": "order.submit", "received_at": NOON + after, **place}


def step(after: timedelta, kind: str, **facts: Any) -> dict[str, Any]:
    return {"command_id": "c1", "at": NOON + after, "kind": kind, "facts": facts, "words": None}


def test_a_timeline_over_all_hops() -> None:
    steps = [
        step(seconds(0.25), "attempt", attempt=1, call="submit_order"),
        step(
            seconds(30.25), "outcome", outcome="unknown", code="unknown", state="unknown", due_at="2026-11-23T12:00:32Z"
        ),
        step(seconds(30.25), "event", event="order.parked", state="unknown"),
    ]
    found = timeline([command()], steps, [None] * 3)
    assert [(entry["at"] - NOON, entry["seconds"], entry["text"], entry["due_at"]) for entry in found] == [
        (seconds(0), None, "received from mall.orders.commands.v1, partition 3, offset 7", None),
        (seconds(0.25), 0.25, "attempt 1 is sent (submit_order)", None),
        (
            seconds(30.25),
            30.0,
            "the answer was lost: it may have taken effect",
            "2026-11-23T12:00:32Z",
        ),
        (seconds(30.25), 0.0, "the mall was told order.parked; the order is unknown", None),
    ]


def test_of_what_has_ended_nothing_is_due() -> None:
    ended = step(seconds(1), "outcome", outcome="confirmed", state="confirmed", due_at="2026-11-23T12:00:00Z")
    assert timeline([], [ended], [None])[0]["due_at"] is None


def test_a_command_comes_first_though_the_clock_of_the_mall_is_ahead() -> None:
    found = timeline([command(seconds(90))], [step(seconds(1), "attempt", attempt=1)], [None])
    assert [(entry["kind"], entry["seconds"]) for entry in found] == [("received", None), ("attempt", 0.0)]


def test_news_of_an_order_that_the_mall_never_asked_for() -> None:
    found = timeline([], [{**step(seconds(1), "event", event="shipment.created"), "command_id": None}], ["喂"])
    assert [(entry["operation"], entry["words"]) for entry in found] == [(None, "喂")]


@given(st.lists(st.integers(-100, 100)), st.integers(-100, 100))
def test_no_step_is_lost_and_none_lies_before_the_one_before(offsets: list[int], received: int) -> None:
    steps = [step(seconds(each), "attempt", attempt=each) for each in offsets]
    found = timeline([command(seconds(received))], steps, [None] * len(steps))
    assert found[0]["kind"] == "received"
    assert sorted(entry["at"] for entry in found[1:]) == [entry["at"] for entry in found[1:]]
    assert len(found) == len(steps) + 1
    assert all(entry["seconds"] >= 0 for entry in found[1:])
