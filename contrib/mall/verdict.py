"""The verdict on commands and orders: what the suppliers' ledgers, the core's journal and the events say together.

Everything here is a pure function of what was recorded; no code of the gateway, of the core at work or of a simulator
takes part. Each check says how much it judged and what must not be; `counts` says what became of the orders.

H4: `effects_are_single`, `good_answers_have_their_effect`, `bad_answers_have_none`, `effects_were_ordered`; H5:
`effects_follow_commands`, `nothing_follows_the_end`; H9: `commands_have_one_answer`, `repeats_are_equal`,
`events_name_their_order`, `answers_follow_commands`. What attempts, offsets and dead letters say (H6 to H8, H10, H11)
stands in none of these records.

What serves an order is judged by itself: `verdict_contracts`, `verdict_invoices` and `verdict_aftersales`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from contrib.mall.orders import CANCEL, CONFIRM, OF_CONTRACTS, SUBMIT, Command, Event, state_of
from contrib.mall.recorded import Effect, Finding, Record, effects_of_jd, effects_of_native, parked
from contrib.mall.services import AFTER_SALE, CANCEL_AFTER_SALE, INVOICE, ISSUE

__all__ = [
    "ANSWERS",
    "CHECKS",
    "Effect",
    "Finding",
    "Record",
    "counts",
    "effects_of_jd",
    "effects_of_native",
    "parked",
    "verdicts",
]

_OPERATIONS: Mapping[str, str] = {"submit": SUBMIT, "confirm": CONFIRM, "cancel": CANCEL}

_UNDOES = frozenset({"cancel", "expire", "unpaid"})
"""Effects after which an order is no more, whoever wanted it."""

ANSWERS: Mapping[str, frozenset[str]] = {
    SUBMIT: frozenset(
        {
            "order.accepted",
            "order.confirmed",
            "order.partially_confirmed",
            "order.refused",
            "order.price_mismatch",
            "order.cancelled",
            "order.expired",
            "order.unsupported",
        }
    ),
    CONFIRM: frozenset(
        {
            "order.confirmed",
            "order.partially_confirmed",
            "order.refused",
            "order.price_mismatch",
            "order.cancelled",
            "order.expired",
            "order.unsupported",
        }
    ),
    CANCEL: frozenset({"order.cancelled", "order.cancel_refused", "order.expired", "order.unsupported"}),
    INVOICE: frozenset({"invoice.requested", "invoice.refused", "invoice.expired", "order.unsupported"}),
    AFTER_SALE: frozenset({"aftersale.accepted", "aftersale.refused", "aftersale.progress", "order.unsupported"}),
    CANCEL_AFTER_SALE: frozenset({"aftersale.progress", "aftersale.refused", "order.unsupported"}),
    **dict.fromkeys(
        (ISSUE, "contract.amend", "contract.terminate", "contract.announced", "contract.filed"), OF_CONTRACTS
    ),
}
"""What may answer each operation."""

_WITHOUT_EFFECT = frozenset({"order.refused", "order.expired", "order.unsupported", "order.cancel_refused"})

_PROGRESS = frozenset(
    {
        "order.accepted",
        "order.confirmed",
        "order.partially_confirmed",
        "order.split",
        "shipment.created",
        "shipment.delivered",
        "shipment.rejected",
    }
)
"""News of success, which no order that is over can have."""


def effects_are_single(record: Record) -> Finding:
    """No order is submitted twice, and nothing is confirmed or cancelled twice."""
    done = Counter(
        (each.supplier, each.order_no, each.kind, "" if each.kind == "submit" else each.target)
        for each in record.effects
        if each.kind in _OPERATIONS
    )
    return Finding(
        len(done), [f"{no}: {kind} {times} times at {who}" for (who, no, kind, _), times in done.items() if times > 1]
    )


def effects_were_ordered(record: Record) -> Finding:
    """Every effect that a buyer's call had was asked for by a command, at that supplier."""
    asked = {(command.supplier, command.order_no, command.operation) for command in record.commands}
    judged = [each for each in record.effects if each.asked and each.kind in _OPERATIONS]
    return Finding(
        len(judged),
        [
            f"{each.order_no}: {each.kind} at {each.supplier}, which no command asks for"
            for each in judged
            if (each.supplier, each.order_no, _OPERATIONS[each.kind]) not in asked
        ],
    )


def good_answers_have_their_effect(record: Record) -> Finding:
    """What is told as accepted, confirmed or cancelled stands in the supplier's ledger."""
    judged = [
        (command, event)
        for command, event in _answered(record)
        if command.operation in _OPERATIONS.values() and event.kind not in _WITHOUT_EFFECT
    ]
    return Finding(
        len(judged),
        [
            f"{command.order_no}: {event.kind} to {command.operation}, and no such effect at {command.supplier}"
            for command, event in judged
            if not _has_effect(record, command, event)
        ],
    )


def _has_effect(record: Record, command: Command, event: Event) -> bool:
    kinds = record.done.get((command.supplier, command.order_no), frozenset())
    submitted = "submit" in kinds
    if event.kind == "order.cancelled":  # of one that was never sent there is nothing to undo
        return not submitted or bool(kinds & _UNDOES)
    if event.kind == "order.price_mismatch":  # it says itself whether the supplier holds an order all the same
        return submitted == bool(event.content.get("supplier_order_nos"))
    return submitted and (command.operation != CONFIRM or "confirm" in kinds)


def bad_answers_have_none(record: Record) -> Finding:
    """What is told as refused, expired or unsupported has had no effect."""
    judged = [(command, event) for command, event in _answered(record) if event.kind in _WITHOUT_EFFECT]
    found = {(each.supplier, each.order_no, _OPERATIONS.get(each.kind)) for each in record.effects if each.asked}
    return Finding(
        len(judged),
        [
            f"{command.order_no}: {event.kind} to {command.operation}, which {command.supplier} has done"
            for command, event in judged
            if (command.supplier, command.order_no, command.operation) in found
        ],
    )


def commands_have_one_answer(record: Record) -> Finding:
    """Every command has exactly one terminal event, but those that wait for a person."""
    waiting = parked(record)
    violations = [
        f"{command.order_no}: {command.operation} {command.id} has "
        + (", ".join(event.kind for event in answers) or "no answer")
        for command in record.commands
        if len(answers := record.answers[command.id]) != 1 and command.id not in waiting
    ]
    return Finding(len(record.commands), violations)


def repeats_are_equal(record: Record) -> Finding:
    """An event that comes again is the same, under the same key; only its time may be told again."""
    first = {event.ce_id: event for event in reversed(record.events)}
    repeats = [event for event in record.events if event is not first[event.ce_id]]
    return Finding(
        len(record.events),
        [
            f"{event.key}: {event.kind} {event.ce_id} comes again as another"
            for event in repeats
            if (event.key, _without_time(event)) != (first[event.ce_id].key, _without_time(first[event.ce_id]))
        ],
    )


def events_name_their_order(record: Record) -> Finding:
    """Key, number and supplier of an event are those of a command that was placed, and it answers as one may."""
    return Finding(len(record.events_in_order), [*_misnamed(record)])


def _misnamed(record: Record) -> Iterator[str]:
    placed = {command.id: command for command in record.commands}
    suppliers = {command.order_no: command.supplier for command in record.commands}
    for event in record.events_in_order:
        order_no, supplier = event.content["order_no"], event.content.get("supplier")
        if event.key != (event.content.get("contract_no") or order_no):
            yield f"{event.key}: {event.kind} of {order_no} under this key"
        if order_no not in suppliers:
            yield f"{order_no}: {event.kind} of an order that was never placed"
        elif supplier != suppliers[order_no] and not event.kind.endswith(".unsupported"):
            yield f"{order_no}: {event.kind} of {supplier}, placed at {suppliers[order_no]}"
        if event.command_id is None:
            continue
        command = placed.get(event.command_id)
        if command is None or command.order_no != order_no:
            yield f"{order_no}: {event.kind} answers {event.command_id}, no command of this order"
        elif event.is_terminal and event.kind not in ANSWERS[command.operation]:
            yield f"{order_no}: {event.kind} answers {command.operation}"


def answers_follow_commands(record: Record) -> Finding:
    """The events of an order stand in one partition, and its commands are answered in their order, but for those of
    which nothing was sent: that is known before what is ahead of them is.
    """
    places: dict[str, set[int]] = {}
    for event in record.events:
        places.setdefault(event.key, set()).add(event.partition)
    violations = [f"{key}: events in partitions {sorted(found)}" for key, found in places.items() if len(found) > 1]
    answered: dict[str, int] = {
        event.command_id or "": event.offset
        for event in reversed(record.events_in_order)
        if event.is_terminal and not _is_unsent(event)
    }
    last: dict[str, int] = {}
    for command in record.commands:
        offset = answered.get(command.id)
        if offset is None:
            continue
        if offset < last.get(command.key, -1):
            violations.append(f"{command.key}: {command.operation} answered before the command ahead of it")
        last[command.key] = offset
    return Finding(len(record.events_in_order), violations)


def _is_unsent(event: Event) -> bool:
    payload = event.content["payload"]
    match event.kind:
        case "order.expired":
            return True
        case "order.cancel_refused":
            return bool(payload.get("by") == "time_out")
        case "order.refused":  # a cancel overtook it
            return bool(payload.get("code_class") == "conflict")
        case "invoice.refused" | "invoice.expired" | "aftersale.refused":  # what it asks for is not there
            return True
        case _:
            return False


def nothing_follows_the_end(record: Record) -> Finding:
    """Of an order that is over no success is told any more."""
    over: dict[str, str] = {}
    violations = []
    for event in record.events_in_order:
        if event.kind in _PROGRESS and event.key in over:
            violations.append(f"{event.key}: {event.kind} after {over[event.key]}")
        if _ends(event):
            over.setdefault(event.key, event.kind)
    return Finding(len(record.events_in_order), violations)


def _ends(event: Event) -> bool:
    if event.kind == "order.cancelled":
        return event.whole
    payload = event.content["payload"]
    return event.kind in {"order.refused", "order.expired", "order.unsupported"} and payload.get("operation") == SUBMIT


def effects_follow_commands(record: Record) -> Finding:
    """What was asked of a supplier happens in the order of the commands of its order."""
    place: dict[tuple[str, str], int] = {}
    for number, command in enumerate(record.commands):
        place.setdefault((command.order_no, command.operation), number)
    last: dict[str, int] = {}
    judged, violations = 0, []
    for each in record.effects:
        turn = place.get((each.order_no, _OPERATIONS.get(each.kind, "")))
        if not each.asked or turn is None:
            continue
        judged += 1
        if turn < last.get(each.order_no, -1):
            violations.append(f"{each.order_no}: {each.kind} after what was asked later")
        last[each.order_no] = max(turn, last.get(each.order_no, -1))
    return Finding(judged, violations)


CHECKS: tuple[Callable[[Record], Finding], ...] = (
    effects_are_single,
    effects_were_ordered,
    good_answers_have_their_effect,
    bad_answers_have_none,
    commands_have_one_answer,
    repeats_are_equal,
    events_name_their_order,
    answers_follow_commands,
    nothing_follows_the_end,
    effects_follow_commands,
)


def verdicts(record: Record) -> dict[str, Finding]:
    """What each check found, by its name in words."""
    return {check.__name__.replace("_", " "): check(record) for check in CHECKS}


def counts(record: Record) -> dict[str, Any]:
    """What became of the orders.

    one_effect, refused: orders with exactly one effect, and with none that were told so; duplicates: effects beyond the
    first of an order; lost: commands without an answer; waiting: those of them that wait for a person, not lost;
    answered_twice: commands with several answers; repeats: events that came again.
    """
    orders = {command.order_no: command.supplier for command in record.commands}
    by_order: dict[str, list[Event]] = {order_no: [] for order_no in orders}
    for event in record.events_in_order:
        by_order.setdefault(event.key, []).append(event)
    states = {order_no: state_of(by_order[order_no]) for order_no in orders}
    done = {order_no: record.submitted[supplier, order_no] for order_no, supplier in orders.items()}
    waiting = parked(record)
    unanswered = [command.id for command in record.commands if not record.answers[command.id]]
    return {
        "placed": len(orders),
        "commands": len(record.commands),
        "by_state": dict(sorted(Counter(states.values()).items())),
        "ledger_effects": record.submitted.total(),
        "one_effect": sum(times == 1 for times in done.values()),
        "refused": sum(times == 0 and states[no] in {"refused", "unsupported"} for no, times in done.items()),
        "duplicates": sum(times - 1 for times in record.submitted.values()),
        "lost": len(unanswered) - len(waiting),
        "waiting": len(waiting),
        "answered_twice": sum(len(found) > 1 for found in record.answers.values()),
        "repeats": len(record.events) - len(record.events_in_order),
    }


def _answered(record: Record) -> list[tuple[Command, Event]]:
    return [(command, event) for command in record.commands for event in record.answers[command.id]]


def _without_time(event: Event) -> dict[str, Any]:
    return {name: value for name, value in event.content.items() if name != "occurred_at"}
