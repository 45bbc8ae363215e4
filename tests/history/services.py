"""What must hold of after-sale services over a whole run, by the topic and the suppliers' ledgers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping

from tests.history.conversation_answers import answered_otherwise
from tests.history.conversation_recorded import (
    CANCEL_SERVICE,
    SERVICE,
    SERVICE_ENDS,
    Conversation,
    Effect,
    Told,
)
from tests.history.findings import Finding, Violation

NOTHING = frozenset({"refused", "cancelled"})
"""States of a service that came to nothing: its goods are the buyer's as before."""

Place = tuple[str, str, str]
"""Supplier, order and number of a service."""


def commands_have_one_answer(talk: Conversation) -> Finding:
    """Every request and every cancel has exactly one event that ends it."""
    commands = talk.asked(SERVICE, CANCEL_SERVICE)
    return Finding(len(commands), answered_otherwise(talk, commands, SERVICE_ENDS))


def effects_are_single(talk: Conversation) -> Finding:
    """No service is applied for or cancelled twice at a supplier, and none that nobody asked for."""
    asked = {
        (each["supplier"], each["order_no"], each["payload"]["service_no"], each["operation"])
        for each in talk.asked(SERVICE, CANCEL_SERVICE)
    }
    operations = {"after_sale": SERVICE, "cancel_after_sale": CANCEL_SERVICE}
    done = Counter((each.kind, *_place(each)) for each in talk.effects if each.asked and each.kind in operations)
    violations = [
        Violation(f"{number}: {kind} {times} times at {supplier}", talk.story(number))
        for (kind, supplier, order_no, number), times in done.items()
        if times > 1 or (supplier, order_no, number, operations[kind]) not in asked
    ]
    return Finding(len(done), violations)


def _place(effect: Effect) -> Place:
    return effect.supplier, effect.order_no, effect.number


def answers_agree_with_effects(talk: Conversation) -> Finding:
    """A service that is told as accepted stands in the supplier's ledger; one that the mall refused does not."""
    done = {_place(each) for each in talk.effects if each.kind == "after_sale"}
    judged = [(each, event) for each in talk.asked(SERVICE) for event in talk.answers.get(each["command_id"], ())]
    numbers = Counter((each["supplier"], each["order_no"], each["payload"]["service_no"]) for each, _ in judged)
    violations = []
    for each, event in judged:
        place = (each["supplier"], each["order_no"], each["payload"]["service_no"])
        by_mall = event.kind == "aftersale.refused" and event.payload.get("by") == "mall"
        there = place in done
        if (event.kind == "aftersale.accepted" and not there) or (by_mall and there and numbers[place] == 1):
            violations.append(Violation(f"{place[2]}: {event.kind}, at {place[0]}: {there}", talk.story(place[2])))
    return Finding(len(judged), violations)


def nothing_is_applied_for_that_was_not_delivered(talk: Conversation) -> Finding:
    """A service is about goods that had arrived, and all services of an order about no more than arrived."""
    void = {_told_place(event) for event in talk.told if _comes_to_nothing(event)}
    void |= {_place(each) for each in talk.effects if each.kind == "cancel_after_sale"}
    arrived: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    taken: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    judged, violations = 0, []
    for each in talk.effects:
        order = (each.supplier, each.order_no)
        if each.kind == "deliver":
            _add(arrived[order], each.lines)
        elif each.kind == "after_sale":
            judged += 1
            if _place(each) not in void:
                _add(taken[order], each.lines)
            over = [sku for sku in each.lines if max(taken[order][sku], each.lines[sku]) > arrived[order][sku]]
            if over:
                text = f"{each.number}: applied for {dict(each.lines)}, arrived {dict(arrived[order])}"
                violations.append(Violation(text, talk.story(each.number)))
    return Finding(judged, violations)


def _add(to: Counter[str], lines: Mapping[str, float]) -> None:
    for sku, quantity in lines.items():
        to[sku] += quantity  # type: ignore[assignment]  # a fraction of a unit is counted as well


def _told_place(event: Told) -> Place:
    return event.content["supplier"], event.content["order_no"], event.payload["service_no"]


def _comes_to_nothing(event: Told) -> bool:
    return event.kind == "aftersale.progress" and event.payload["state"] in NOTHING


def nothing_follows_the_end(talk: Conversation) -> Finding:
    """Of a service that came to nothing nothing more is told; of one that is done only that money went back."""
    ended: dict[Place, str] = {}
    judged, violations = 0, []
    for event in talk.told:
        if event.kind not in ("aftersale.progress", "refund.made"):
            continue
        judged += 1
        place = _told_place(event)
        end, state = ended.get(place), event.payload.get("state")
        allowed = end is None or (end == "done" and event.kind == "refund.made") or state == end
        if not allowed:
            violations.append(Violation(f"{place[2]}: {state or event.kind} after {end}", talk.story(place[2])))
        if state in NOTHING | {"done"}:
            ended.setdefault(place, state)
    return Finding(judged, violations)
