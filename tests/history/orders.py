"""The verdict on the orders of a long run: the checks of the core, and those of what was sent, received and kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from contrib.mall.orders import SUBMIT
from contrib.mall.verdict import CHECKS as CORE_CHECKS
from contrib.mall.verdict import Finding as CoreFinding
from contrib.mall.verdict import Record, counts
from tests.history import orders_calls, orders_inbox, orders_steps
from tests.history.findings import Finding, Violation
from tests.history.orders_recorded import Orders

Check = Callable[[Orders], Finding]


def everything_comes_to_its_end(orders: Orders) -> Finding:
    """After the last fault every command is answered, and nothing of an order is under way any more."""
    violations = [Violation(text) for text in orders.waiting]
    if orders.placed and not orders.quiet:
        violations.append(Violation("it did not become quiet"))
    return Finding(len(orders.placed), violations)


def orders_of_others_are_not_taken_for_ours(orders: Orders) -> Finding:
    """What somebody else ordered under a number of the mall is never told as what the mall ordered."""
    theirs = {(each.supplier, each.order_no) for each in orders.effects if each.kind == "submit" and not each.asked}
    submits = [each for each in orders.placed if each.operation == SUBMIT and (each.supplier, each.order_no) in theirs]
    violations = [
        Violation(f"{command.order_no}: {event.kind} of an order of somebody else", orders.story(command.order_no))
        for command in submits
        for event in orders.record.answers[command.id]
        if event.kind in {"order.accepted", "order.confirmed", "order.partially_confirmed"}
    ]
    return Finding(len(submits), violations)


CHECKS: tuple[Check, ...] = (
    everything_comes_to_its_end,
    orders_of_others_are_not_taken_for_ours,
    orders_steps.attempts_have_numbers_without_a_gap,
    orders_steps.nothing_is_sent_after_the_end,
    orders_steps.commands_wait_for_their_turn,
    orders_steps.what_may_have_happened_is_sent_again_only_as_it_may,
    orders_steps.retries_stay_within_their_budget,
    orders_calls.attempts_ask_for_the_same,
    orders_calls.nothing_leaves_that_was_not_noted,
    orders_calls.suppliers_are_left_alone_as_long_as_they_ask,
    orders_calls.nothing_is_called_while_its_breaker_is_open,
    orders_inbox.offsets_are_stored_before_they_are_committed,
    orders_inbox.no_record_is_skipped,
    orders_inbox.lanes_follow_the_topic,
    orders_inbox.letters_reproduce_what_they_are_about,
)


def verdicts(orders: Orders) -> dict[str, Finding]:
    """What each check found, by its name in words."""
    found = {check.__name__: _with_stories(orders, check(orders.record)) for check in CORE_CHECKS}
    found |= {check.__name__: check(orders) for check in CHECKS}
    return {f"orders: {name.replace('_', ' ')}": finding for name, finding in found.items()}


def summary(orders: Orders) -> Mapping[str, Any]:
    """What became of the orders, as the core counts it."""
    return counts(Record(orders.placed, orders.record.events, orders.effects))


def _with_stories(orders: Orders, found: CoreFinding) -> Finding:
    """The core's violations begin with the number of their order."""
    return Finding(found.judged, [Violation(text, orders.story(text.partition(":")[0])) for text in found.violations])
