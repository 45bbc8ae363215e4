"""Answers that come about together are settled in one turn; one that does not come holds the others up no longer."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from gateway.registry import Registry
from gateway.relay import relay as module
from gateway.relay.context import RelayContext
from gateway.relay.relay import Relay
from gateway.relay.started_calls import StartedCall
from tests.unit.relay.commands import NOON, made

LONG = 60.0


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[asyncio.Event]:
    """Of two calls. No rest ends by itself."""
    found = [asyncio.Event(), asyncio.Event()]

    async def attempt(adapter: object, http: object, name: str, asked: int, *_: object) -> int:
        await found[asked].wait()
        return asked

    monkeypatch.setattr(module, "attempt", attempt)
    for name in ("SHORTEST_REST", "LONGEST_REST", "GATHER_SECONDS"):
        monkeypatch.setattr(module, name, LONG)
    return found


@pytest.fixture
async def relay(answers: list[asyncio.Event]) -> Relay:
    """Two calls are under way."""
    calls: Any = SimpleNamespace(order_retries=None, observed=lambda _: calls, until=lambda _: calls)
    context = SimpleNamespace(
        supplier=lambda: SimpleNamespace(id="s1"),
        adapter=None,
        manifest=Registry().load("jd_vop").manifest,
        calls=calls,
        box=None,
        transaction=None,
    )
    relay = Relay(cast(RelayContext, context))
    for number in range(len(answers)):
        call = StartedCall(made(command_id=f"c{number}"), cast(Any, number), cast(Any, None), NOON)
        relay._under_way[call.command.command_id] = asyncio.create_task(relay._call(call))
    return relay


def over(relay: Relay) -> list[Any]:
    return [came_to for _, came_to in relay._over]


async def turns(count: int = 10) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_what_is_about_to_end_is_waited_for_once_a_call_is_over(
    relay: Relay, answers: list[asyncio.Event]
) -> None:
    relay._turn_seconds = LONG
    resting = asyncio.create_task(relay._rest(0))
    answers[0].set()
    await turns()
    assert (len(relay._over), resting.done()) == (1, False)
    answers[1].set()
    await resting
    assert over(relay) == [0, 1]


async def test_no_answer_is_waited_for_longer_than_a_turn_takes(relay: Relay, answers: list[asyncio.Event]) -> None:
    relay._turn_seconds = 0.0
    answers[0].set()
    await relay._rest(0)
    assert over(relay) == [0]
    answers[1].set()
    await asyncio.gather(*relay._under_way.values())
