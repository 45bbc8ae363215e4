"""Did the gateway send each command in its turn, in numbered attempts, and again only as it may? Judged by its steps.

A step is written in the transaction that decides it, before the first byte of a call leaves.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from contrib.mall.orders import TERMINAL as OF_ORDERS
from tests.history.conversation_recorded import ENDS
from tests.history.findings import Finding, Violation
from tests.history.orders_recorded import Kept, Orders, Step, Supplier

ATTEMPTS = frozenset({"attempt", "delivered"})
"""Steps that note an attempt: a call, or that a vendor fetched the command."""

TERMINAL = OF_ORDERS | ENDS
"""Events that end a command of a lane: those of orders, and of what follows an order in its lane."""

BEGINNINGS = ATTEMPTS | {"look_up"}

ENDED = frozenset({"confirmed", "refused", "expired", "unsupported", "cancelled_unsent", "superseded"})
"""States after which nothing of a command is sent any more."""

RESENDS = frozenset({"key", "natural"})
"""Where the same again does no harm."""

WINDOW, LEAST, SHARE = 60.0, 120, 0.2
"""Seconds in which retries are counted; how many they may be at least, and of first attempts."""

FROZEN = 10.0
"""Seconds by which a retry may be noted later than it was decided: PostgreSQL is frozen, and then it is noted."""

TURN = 1.0
"""Seconds between the time that a step bears and the moment that it was decided in."""


def attempts_have_numbers_without_a_gap(orders: Orders) -> Finding:
    """Attempts of a command are 1, 2, 3, and as many as the inbox counts."""
    judged, violations = 0, []
    for kept in orders.kept:
        noted = [step.facts["attempt"] for step in orders.steps_of.get(kept.command_id, ()) if step.kind in ATTEMPTS]
        judged += len(noted)
        if noted != [*range(1, kept.attempt + 1)]:
            text = f"{kept.order_no}: {kept.operation} has attempts {noted}, the inbox {kept.attempt}"
            violations.append(Violation(text, orders.story(kept.order_no)))
    return Finding(judged, violations)


def nothing_is_sent_after_the_end(orders: Orders) -> Finding:
    """Of a command that has ended nothing is sent, asked or handed over any more."""
    judged, violations = 0, []
    for kept in orders.kept:
        steps, over = orders.steps_of.get(kept.command_id, ()), False
        for step in steps:
            judged += step.kind in BEGINNINGS
            if over and step.kind in BEGINNINGS:
                text = f"{kept.order_no}: {kept.operation} has a step {step.kind} after its end"
                violations.append(Violation(text, orders.story(kept.order_no)))
            over = over or _ends(step, fetched=_is_fetched(steps))
    return Finding(judged, violations)


def commands_wait_for_their_turn(orders: Orders) -> Finding:
    """Nothing of a command begins while one ahead of it in its lane has not ended."""
    judged, violations = 0, []
    for (supplier, order_no), lane in orders.lanes.items():
        ended = {kept.command_id: _ended_at(kept, orders.steps_of.get(kept.command_id, ())) for kept in lane}
        for turn, kept in enumerate(lane):
            begun = [step for step in orders.steps_of.get(kept.command_id, ()) if step.kind in BEGINNINGS]
            ahead = [ended[each.command_id] for each in lane[:turn]]
            judged += bool(begun)
            if begun and not all(_is_over(each, begun[0]) for each in ahead):
                text = f"{order_no}: {kept.operation} at {supplier} began before what is ahead of it had ended"
                violations.append(Violation(text, orders.story(order_no)))
    return Finding(judged, violations)


def _ends(step: Step, *, fetched: bool) -> bool:
    """Whether a command has ended with this step. What a person found not done goes on, and so does what is held.

    fetched: a vendor has it, whose word ends it whatever it says.
    """
    if step.kind == "resolved":
        return step.facts.get("resolution") == "done"
    if step.kind == "event":
        return step.facts.get("event") in (TERMINAL if fetched else TERMINAL - {"order.price_mismatch"})
    return step.kind in {"outcome", "ended", "acknowledged"} and step.facts.get("state") in ENDED


def _ended_at(kept: Kept, steps: Sequence[Step]) -> tuple[int, float] | None:
    """The step that ended a command, and when; one that was refused as it came in has none."""
    if not steps and kept.attempt == 0 and kept.state in ENDED:
        return 0, 0.0
    found = (step for step in steps if _ends(step, fetched=_is_fetched(steps)))
    return next(((step.id, step.at) for step in found), None)


def _is_over(ended: tuple[int, float] | None, begun: Step) -> bool:
    """Whether a command has ended when another one begins. One transaction may do both, and notes the beginning first;
    its steps bear one time.
    """
    return ended is not None and (ended[0] < begun.id or ended[1] == begun.at)


def _is_fetched(steps: Sequence[Step]) -> bool:
    return any(step.kind == "delivered" for step in steps)


@dataclass
class _Doubt:
    """What is known of a command's effect after each step. since: of the first attempt that may have had one."""

    since: float | None = None
    refused: bool = False
    absent: list[float] = field(default_factory=list)
    _sent: float = 0.0
    _asked: float = 0.0

    def begin(self, step: Step) -> None:
        """An attempt, or a look-up."""
        if step.kind == "look_up":
            self._asked = step.at
        else:
            self._sent = step.at
            self.absent.clear()

    def settle(self, step: Step) -> None:
        """What it came to."""
        match step.facts.get("outcome"):
            case "unknown" | "bug":
                self.since = self.since if self.since is not None else self._sent
            case "rejected" if step.facts.get("state") == "unknown":
                self.refused = True
            case "absent":
                self.absent.append(self._asked)
            case _:
                pass

    def forget(self) -> None:
        """A person found out that it had none."""
        self.since, self.refused = None, False

    def allows(self, supplier: Supplier, idempotency: str, at: float) -> bool:
        """Whether an attempt may be made at that time."""
        if self.since is None or self._is_absent(supplier):
            return True
        if idempotency not in RESENDS or self.refused:
            return False
        return supplier.key_life is None or at < self.since + supplier.key_life

    def _is_absent(self, supplier: Supplier) -> bool:
        """Not found twice, and between the two everything that was begun has ended."""
        return len(self.absent) > 1 and self.absent[-1] - self.absent[0] >= supplier.settle - TURN


def what_may_have_happened_is_sent_again_only_as_it_may(orders: Orders) -> Finding:
    """After an attempt that nobody knows the end of: again only under a key that the supplier honours, or once two
    look-ups, far enough apart, have not found it.
    """
    judged, violations = 0, []
    for kept in orders.kept:
        supplier = orders.suppliers.get(kept.supplier)
        if supplier is None:
            continue
        found = [*_resends(orders.steps_of.get(kept.command_id, ()), supplier, kept.operation)]
        judged += len(found)
        violations += [
            Violation(f"{kept.order_no}: {kept.operation} was sent again in doubt", orders.story(kept.order_no))
            for right in found
            if not right
        ]
    return Finding(judged, violations)


def _resends(steps: Sequence[Step], supplier: Supplier, operation: str) -> Iterator[bool]:
    """For each attempt that was made in doubt, whether it may have been made."""
    doubt = _Doubt()
    for step in steps:
        if step.kind == "resolved":
            doubt.forget()
        elif step.kind in BEGINNINGS:
            if step.kind == "attempt" and doubt.since is not None:
                yield doubt.allows(supplier, supplier.idempotency[operation], step.at)
            doubt.begin(step)
        elif step.kind == "outcome":
            doubt.settle(step)


def retries_stay_within_their_budget(orders: Orders) -> Finding:
    """Whoever owns a supplier sends few retries in a minute: a share of its first attempts, and some in any case."""
    firsts: defaultdict[tuple[str, int], list[float]] = defaultdict(list)
    retries: defaultdict[tuple[str, int], list[float]] = defaultdict(list)
    for step in orders.steps:
        if step.kind == "attempt":
            found = firsts if step.facts["attempt"] == 1 else retries
            found[step.supplier, step.facts["epoch"]].append(step.at)
    violations = [
        Violation(f"{supplier}: {count} retries within a minute under lease {epoch}")
        for (supplier, epoch), times in retries.items()
        for count in [_most_above(sorted(times), sorted(firsts[supplier, epoch]))]
        if count
    ]
    return Finding(sum(map(len, retries.values())), violations)


def _most_above(retries: Sequence[float], firsts: Sequence[float]) -> int:
    """The most retries of a window that are more than it allows; 0: none are."""
    worst = 0
    for number, at in enumerate(retries, 1):
        count = number - bisect_right(retries, at - WINDOW + FROZEN)
        begun = bisect_right(firsts, at + TURN) - bisect_right(firsts, at - WINDOW - TURN)
        if count > max(LEAST, SHARE * begun + 1):
            worst = max(worst, count)
    return worst
