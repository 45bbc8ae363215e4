"""Which orders the core places: a function of the seed, so that a core that was killed goes on with the same plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from random import Random

from contrib.mall.orders import CANCEL, CONFIRM, SUBMIT, Command, Event
from contrib.mall.services import NOTHING, Serving, due_service

_PLANS: Sequence[tuple[str, tuple[str, ...], int]] = (
    ("reserve", (SUBMIT, CONFIRM), 40),
    ("direct", (SUBMIT,), 30),
    ("reserve", (SUBMIT, CANCEL), 15),
    ("reserve", (SUBMIT, CONFIRM, CANCEL), 15),
)
"""How an order is submitted, what follows as long as the answers are good, and how often that is chosen."""

MOST_PIECES = 5
"""Of one line."""

_GOES_ON = frozenset({"order.accepted", "order.confirmed", "order.partially_confirmed"})
"""Answers after which the next step is taken."""

_HELD = "order.price_mismatch"
"""What the supplier has is another order than was placed: this core always cancels it."""


@dataclass(frozen=True, slots=True)
class Goods:
    """What may be ordered. gross: price of a sales unit with tax; area: of the supplier's own tree, if it has one."""

    supplier: str
    sku: str
    name: str
    gross: Decimal
    area: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """One order: mode of its submit, operations in their order, and what is ordered.

    at_once: no step waits for the answer to the one before it; services: what is asked for once it is confirmed, in
    their order; documents: below which address its contract's document is.
    """

    order_no: str
    mode: str
    steps: tuple[str, ...]
    lines: tuple[tuple[Goods, int], ...]
    at_once: bool = False
    services: tuple[str, ...] = ()
    documents: str = ""


def plan_orders(
    run: str, seed: int, count: int, goods: Sequence[Goods], *, at_once: float = 0.0, serving: Serving = NOTHING
) -> list[Plan]:
    """So many orders, one supplier each, every supplier in turn. at_once: share of those that wait for no answer;
    serving: what is asked for of those that are not cancelled.

    Modes and steps depend on the seed and the number alone: they hold though the goods are others after a restart.
    """
    by_supplier: dict[str, list[Goods]] = {}
    for one in goods:
        by_supplier.setdefault(one.supplier, []).append(one)
    suppliers = sorted(by_supplier)
    return [
        _plan_order(
            f"{run}-{number:06d}",
            Random(f"{seed}:{number}"),
            by_supplier[suppliers[number % len(suppliers)]],
            at_once,
            serving,
        )
        for number in range(count if suppliers else 0)
    ]


def _plan_order(order_no: str, chance: Random, goods: Sequence[Goods], at_once: float, serving: Serving) -> Plan:
    mode, steps, _ = chance.choices(_PLANS, [weight for _, _, weight in _PLANS])[0]
    hasty = Random(order_no).random() < at_once
    chosen = chance.sample(goods, min(len(goods), chance.randint(1, 3)))
    lines = tuple((one, chance.randint(1, MOST_PIECES)) for one in chosen)
    services = () if CANCEL in steps else serving.of(chosen[0].supplier)
    return Plan(order_no, mode, steps, lines, hasty, services, serving.documents)


def next_step(plan: Plan, placed: Sequence[Command], events: Sequence[Event]) -> str | None:
    """The operation to place now: the first at once, each other after a good answer to the one before it, or at once.

    An order that is held is cancelled. None: nothing for now.
    """
    answers = {event.command_id: event.kind for event in reversed(events) if event.is_terminal}
    if _HELD in answers.values():
        return None if any(command.operation == CANCEL for command in placed) else CANCEL
    steps = [command for command in placed if command.operation in plan.steps]
    if len(steps) >= len(plan.steps):
        return due_service(plan, placed, events)
    if steps and not plan.at_once and answers.get(steps[-1].id) not in _GOES_ON:
        return None
    return plan.steps[len(steps)]
