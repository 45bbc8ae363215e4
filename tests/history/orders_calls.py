"""Did suppliers see what they may? Judged by their own notes of the calls that reached them."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from tests.history.findings import Finding, Violation
from tests.history.orders_recorded import Call, Opened, Orders, Step

OPERATIONS: Mapping[str, str] = {
    "submit_order": "order.submit",
    "confirm_order": "order.confirm",
    "cancel_order": "order.cancel",
}
"""The operation of the mall that each write carries out."""

ON_THE_WAY = 2.0
"""Seconds that a call may be on its way to the supplier, and that two readings of one moment lie apart: the machine is
busy, programs are frozen.
"""


def attempts_ask_for_the_same(orders: Orders) -> Finding:
    """However often a command was sent, the supplier was asked for the same under the same number."""
    asked: defaultdict[tuple[str, str, str, str], set[str]] = defaultdict(set)
    for call in _writes(orders):
        asked[call.supplier, call.call, call.order_no, call.target].add(call.body)
    violations = [
        Violation(f"{order_no}: {name} asked for {len(bodies)} things", [*sorted(bodies)])
        for (_, name, order_no, _), bodies in asked.items()
        if len(bodies) > 1
    ]
    return Finding(len(_writes(orders)), violations)


def nothing_leaves_that_was_not_noted(orders: Orders) -> Finding:
    """Of each operation of an order no more calls came than attempts were noted before, for each child one.

    One that was refused for its credential alone is made once more, under another one.
    """
    noted, violations = _noted(orders), []
    for (supplier, name, order_no), calls in _by_command(orders).items():
        attempts = [step.at for step in noted[supplier, OPERATIONS[name], order_no]]
        children, seen = len({call.target for call in calls}), Counter[str | None]()
        for call in calls:
            seen[call.token] += 1
            if seen[call.token] > bisect_right(attempts, call.at) * children:
                text = f"{order_no}: a call of {name} came that was not noted"
                violations.append(Violation(text, orders.story(order_no)))
    return Finding(len(_writes(orders)), violations)


def suppliers_are_left_alone_as_long_as_they_ask(orders: Orders) -> Finding:
    """After an answer with Retry-After that the gateway noted, the command is not sent again before its time."""
    noted, judged, violations = _noted(orders), 0, []
    for calls in _by_command(orders).values():
        for call, following in zip(calls, [*calls[1:], None], strict=True):
            if call.asked_to_wait is None or not _heard(orders, noted, call):
                continue
            judged += 1
            if following is not None and following.at - call.at < call.asked_to_wait - 0.1:
                text = f"{call.order_no}: {call.call} came again after {following.at - call.at:.2f} s"
                violations.append(Violation(text, orders.story(call.order_no)))
    return Finding(judged, violations)


def nothing_is_called_while_its_breaker_is_open(orders: Orders) -> Finding:
    """From its opening on until it probes, an operation is not called by its owner."""
    violations = [
        Violation(f"{opened.supplier}: {opened.call} was called {call.at - opened.at:.1f} s after its breaker opened")
        for opened in orders.breakers
        for call in orders.calls
        if (call.supplier, call.call) == (opened.supplier, opened.call) and _is_within(call, opened)
    ]
    return Finding(len(orders.breakers), violations)


def _is_within(call: Call, opened: Opened) -> bool:
    end = min(opened.at + opened.seconds, opened.ended)
    return opened.at + ON_THE_WAY < call.at < end - 0.1


def _writes(orders: Orders) -> Sequence[Call]:
    return sorted((call for call in orders.calls if call.writes), key=lambda call: call.at)


def _noted(orders: Orders) -> Mapping[tuple[str, str, str], Sequence[Step]]:
    """The attempts of each operation of each order, by time."""
    found: defaultdict[tuple[str, str, str], list[Step]] = defaultdict(list)
    for step in sorted(orders.steps, key=lambda each: each.at):
        if step.kind == "attempt":
            found[step.supplier, step.facts["operation"], step.order_no].append(step)
    return found


def _by_command(orders: Orders) -> Mapping[tuple[str, str, str], Sequence[Call]]:
    found: defaultdict[tuple[str, str, str], list[Call]] = defaultdict(list)
    for call in _writes(orders):
        found[call.supplier, call.call, call.order_no].append(call)
    return found


def _heard(orders: Orders, noted: Mapping[tuple[str, str, str], Sequence[Step]], call: Call) -> bool:
    """Whether the answer to a call was taken in: the outcome of the attempt that made it says so."""
    attempts = [step for step in noted[call.supplier, OPERATIONS[call.call], call.order_no] if step.at <= call.at]
    if not attempts:
        return False
    steps = [step for step in orders.steps_of[attempts[-1].command_id or ""] if step.id > attempts[-1].id]
    outcome = next((step for step in steps if step.kind == "outcome"), None)
    return outcome is not None and outcome.facts.get("code") == "rate_limited"
