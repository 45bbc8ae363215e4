"""A supplier that is down for a day, by a virtual clock: nothing is spent on it, and nothing dies but what expires."""

from __future__ import annotations

from datetime import timedelta

import pytest

from gateway.relay.commands import Role
from gateway.relay.states import State
from gateway.sdk.manifest import Idempotency
from tests.unit.relay.commands import DAY, made, profile, seconds
from tests.unit.relay.world import World

HOUR = timedelta(hours=1)
HOW = ["unreachable", "away", "limited", "locked_out"]


def received(world: World, number: int, life: timedelta, **facts: object) -> str:
    """An order comes in that has so long; its command's id."""
    name = f"c{number}"
    order = {"command_id": name, "order_no": f"O{number}", "place": number, "due_at": world.now}
    world.receive(made(**{**order, "deadline": world.now + life, **facts}))
    return name


def stands(world: World, *names: str) -> list[State]:
    return [world.inbox[name].state for name in names]


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("mode", Idempotency)
def test_orders_wait_for_a_supplier_that_is_down_for_a_day_and_are_made_once(mode: Idempotency, how: str) -> None:
    world = World(profile(mode), places=3, seed=11)
    short = [received(world, number, 6 * HOUR) for number in range(1, 6)]
    long = [received(world, number, 7 * DAY) for number in range(6, 16)]
    behind = received(world, 16, 7 * DAY, order_no="O6", operation="confirm", role=Role.CHANGES)
    world.outage(how, DAY)
    assert stands(world, *short) == [State.EXPIRED] * len(short)
    assert set(stands(world, *long, behind)) <= {State.WAITING, State.RETRY}
    assert {command.spent for command in world.inbox.values()} == {0}
    assert world.supplier.ledger == []
    world.quiet()
    assert stands(world, *long, behind) == [State.CONFIRMED] * (len(long) + 1)
    assert sorted(_effects(world)) == sorted([*long, behind])


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("mode", [Idempotency.KEY, Idempotency.NATURAL, Idempotency.QUERY])
def test_what_may_have_been_made_before_is_dead_at_its_deadline_alone(mode: Idempotency, how: str) -> None:
    world = World(profile(mode), places=2, seed=5)
    doubtful = [received(world, number, life) for number, life in ((1, 6 * HOUR), (2, 7 * DAY))]
    world.work()
    for flight in list(world.flights):
        world.answer(flight, "lost_after")
    world.advance(seconds(1))
    world.outage(how, DAY)
    dead, waits = (world.inbox[name] for name in doubtful)
    assert (dead.state, dead.spent) == (State.DEAD, 1)
    assert (waits.state in {State.UNKNOWN, State.RETRY}, waits.spent) == (True, 1)
    world.quiet()
    assert stands(world, doubtful[1]) == [State.CONFIRMED]
    assert sorted(_effects(world)) == doubtful


def _effects(world: World) -> list[str]:
    return [effect.command_id for effect in world.supplier.ledger]
