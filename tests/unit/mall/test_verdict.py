"""The verdict on orders: green on runs that went well, and each check red on the fault that it is there for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import orjson
import pytest

from contrib.mall.orders import CANCEL, CONFIRM, SUBMIT, Command, Event
from contrib.mall.verdict import (
    CHECKS,
    Effect,
    Record,
    counts,
    effects_of_jd,
    effects_of_native,
    verdicts,
)

ANSWER = {SUBMIT: "order.accepted", CONFIRM: "order.confirmed", CANCEL: "order.cancelled"}
KIND = {SUBMIT: "submit", CONFIRM: "confirm", CANCEL: "cancel"}


def command(order_no: str, operation: str, supplier: str = "jd") -> Command:
    content = {
        "command_id": f"{order_no}/{operation}",
        "order_no": order_no,
        "operation": operation,
        "supplier": supplier,
    }
    return Command(orjson.dumps(content), content)


def event(
    order_no: str,
    kind: str,
    offset: int,
    *,
    answers: str | None = None,
    supplier: str = "jd",
    payload: dict[str, Any] | None = None,
    numbers: Sequence[str] = (),
) -> Event:
    cause = {"command_id": answers and f"{order_no}/{answers}", "message": None}
    content = {
        "event": kind,
        "order_no": order_no,
        "supplier": supplier,
        "cause": cause,
        "occurred_at": f"2026-11-29T10:00:{offset % 60:02d}+08:00",
        "supplier_order_nos": [*numbers],
        "payload": payload or {},
    }
    return Event(f"id-{order_no}-{kind}-{offset}", order_no, 3, offset, content)


def whole_run() -> Record:
    """Three orders that went well: M1 confirmed, M2 cancelled, M3 refused; M1 was delivered, one event came twice."""
    placed = [
        command("M1", SUBMIT),
        command("M2", SUBMIT),
        command("M3", SUBMIT),
        command("M1", CONFIRM),
        command("M2", CANCEL),
    ]
    told = [
        event("M1", "order.accepted", 1, answers=SUBMIT, numbers=["70"]),
        event("M2", "order.accepted", 2, answers=SUBMIT, numbers=["71"]),
        event("M3", "order.refused", 3, answers=SUBMIT, payload={"operation": SUBMIT}),
        event("M1", "order.confirmed", 4, answers=CONFIRM),
        event("M2", "order.cancelled", 5, answers=CANCEL, payload={"scope": "order", "by": "mall"}),
        event("M1", "shipment.created", 6),
        event("M1", "shipment.delivered", 7),
    ]
    effects = [
        Effect("jd", "M1", "submit", "70", asked=True),
        Effect("jd", "M2", "submit", "71", asked=True),
        Effect("jd", "M1", "confirm", "70", asked=True),
        Effect("jd", "M2", "cancel", "71", asked=True),
        Effect("jd", "M1", "ship", "70", asked=False),
    ]
    return Record(placed, [*told, replace(told[3], offset=8)], effects)


def red(record: Record) -> set[str]:
    return {name for name, finding in verdicts(record).items() if finding.violations}


def test_a_run_that_went_well_is_green_and_counted():
    record = whole_run()
    assert {name: [*finding.violations] for name, finding in verdicts(record).items() if finding.violations} == {}
    assert all(finding.judged for finding in verdicts(record).values())
    assert counts(record) == {
        "placed": 3,
        "commands": 5,
        "by_state": {"cancelled": 1, "delivered": 1, "refused": 1},
        "ledger_effects": 2,
        "one_effect": 2,
        "refused": 1,
        "duplicates": 0,
        "lost": 0,
        "waiting": 0,
        "answered_twice": 0,
        "repeats": 1,
    }


def with_effect(*added: Effect) -> Callable[[Record], Record]:
    return lambda record: replace(record, effects=[*record.effects, *added])


def without_effect(order_no: str, kind: str) -> Callable[[Record], Record]:
    return lambda record: replace(
        record, effects=[each for each in record.effects if (each.order_no, each.kind) != (order_no, kind)]
    )


def with_event(*added: Event) -> Callable[[Record], Record]:
    return lambda record: replace(record, events=[*record.events, *added])


def without_event(order_no: str, kind: str) -> Callable[[Record], Record]:
    return lambda record: replace(
        record, events=[each for each in record.events if (each.key, each.kind) != (order_no, kind)]
    )


def changed_event(order_no: str, kind: str, change: Callable[[Event], Event]) -> Callable[[Record], Record]:
    return lambda record: replace(
        record, events=[change(each) if (each.key, each.kind) == (order_no, kind) else each for each in record.events]
    )


def other(**members: Any) -> Callable[[Event], Event]:
    return lambda told: replace(told, content={**told.content, **members})


def repeated_otherwise(record: Record) -> Record:
    return replace(record, events=[*record.events[:-1], other(raw_code="1")(record.events[-1])])


def answered_out_of_order(record: Record) -> Record:
    """The confirm of M1 is answered before its submit, under the right ids."""
    first, *rest = record.events
    return replace(record, events=[*rest, replace(first, offset=20)])


def done_out_of_order(record: Record) -> Record:
    first, *rest = record.effects
    return replace(record, effects=[*rest, first])


BUGS: Sequence[tuple[str, Callable[[Record], Record], set[str]]] = (
    (
        "an order is submitted twice",
        with_effect(Effect("jd", "M2", "submit", "99", asked=True)),
        {"effects are single", "effects follow commands"},
    ),
    (
        "an order is confirmed twice",
        with_effect(Effect("jd", "M1", "confirm", "70", asked=True)),
        {"effects are single"},
    ),
    (
        "the answer to a command is lost",
        without_event("M2", "order.cancelled"),
        {"commands have one answer"},
    ),
    (
        "an accepted order is not there",
        without_effect("M1", "submit"),
        {"good answers have their effect"},
    ),
    (
        "a confirm that had no effect is told as confirmed",
        without_effect("M1", "confirm"),
        {"good answers have their effect"},
    ),
    (
        "a cancel that had no effect is told as cancelled",
        without_effect("M2", "cancel"),
        {"good answers have their effect"},
    ),
    (
        "an effect of an order that was never placed",
        with_effect(Effect("jd", "M9", "submit", "99", asked=True)),
        {"effects were ordered"},
    ),
    (
        "an effect at another supplier",
        with_effect(Effect("shop", "M1", "submit", "99", asked=True)),
        {"effects were ordered", "effects follow commands"},
    ),
    (
        "a cancel that nobody asked for",
        with_effect(Effect("jd", "M1", "cancel", "70", asked=True)),
        {"effects were ordered"},
    ),
    (
        "a refused order is there",
        with_effect(Effect("jd", "M3", "submit", "72", asked=True)),
        {"bad answers have none"},
    ),
    (
        "an event answers a command of another order",
        changed_event("M1", "order.confirmed", other(cause={"command_id": f"M2/{CANCEL}", "message": None})),
        {"events name their order", "commands have one answer"},
    ),
    (
        "an event of an order that was never placed",
        with_event(event("M9", "shipment.created", 9)),
        {"events name their order"},
    ),
    (
        "an event under the key of another order",
        changed_event("M1", "shipment.created", lambda told: replace(told, key="M2")),
        {"events name their order", "nothing follows the end"},
    ),
    (
        "an event of another supplier",
        changed_event("M1", "shipment.created", other(supplier="shop")),
        {"events name their order"},
    ),
    (
        "two terminal events of one command",
        with_event(event("M1", "order.refused", 9, answers=CONFIRM, payload={"operation": CONFIRM})),
        {"commands have one answer", "bad answers have none"},
    ),
    (
        "the same terminal event under another id",
        with_event(event("M1", "order.confirmed", 9, answers=CONFIRM)),
        {"commands have one answer"},
    ),
    ("a repeat is another", repeated_otherwise, {"repeats are equal"}),
    (
        "an answer that does not answer the operation",
        changed_event("M2", "order.cancelled", other(event="order.accepted")),
        {"events name their order"},
    ),
    ("answers come in another order than commands", answered_out_of_order, {"answers follow commands"}),
    (
        "events of an order in two partitions",
        changed_event("M1", "shipment.delivered", lambda told: replace(told, partition=4)),
        {"answers follow commands"},
    ),
    (
        "success after the end",
        with_event(event("M2", "shipment.created", 9)),
        {"nothing follows the end"},
    ),
    ("effects in another order than commands", done_out_of_order, {"effects follow commands"}),
)


@pytest.mark.parametrize(
    ("bug", "expected"), [(bug, expected) for _, bug, expected in BUGS], ids=[row[0] for row in BUGS]
)
def test_a_bug_turns_its_checks_red(bug: Callable[[Record], Record], expected: set[str]):
    assert red(bug(whole_run())) == expected


def test_every_check_has_a_bug_that_it_catches():
    assert set().union(*(expected for _, _, expected in BUGS)) == {each.__name__.replace("_", " ") for each in CHECKS}


def test_duplicates_and_lost_orders_are_counted():
    twice = with_effect(Effect("jd", "M2", "submit", "99", asked=True))(whole_run())
    told = counts(without_event("M1", "order.confirmed")(twice))
    assert (told["duplicates"], told["one_effect"], told["ledger_effects"]) == (1, 1, 3)
    assert (told["lost"], told["waiting"]) == (1, 0)


def test_a_command_that_waits_for_a_person_is_not_lost_until_it_is_answered_twice():
    waits = event("M1", "order.parked", 4, answers=CONFIRM, payload={"operation": CONFIRM})
    record = with_event(waits)(without_event("M1", "order.confirmed")(whole_run()))
    assert red(record) == set()
    assert (counts(record)["lost"], counts(record)["waiting"]) == (0, 1)
    assert counts(with_event(waits)(whole_run()))["waiting"] == 0


def test_a_cancel_of_an_order_that_was_never_sent_needs_no_effect():
    placed = [command("M1", SUBMIT), command("M1", CANCEL)]
    whole = {"scope": "order", "by": "mall"}
    told = [
        event("M1", "order.cancelled", 1, answers=SUBMIT, payload=whole),
        event("M1", "order.cancelled", 2, answers=CANCEL, payload=whole),
    ]
    assert red(Record(placed, told, [])) == set()


@pytest.mark.parametrize(
    ("numbers", "effects", "right"), [(["70"], 1, True), ([], 0, True), (["70"], 0, False), ([], 1, False)]
)
def test_a_held_order_is_at_the_supplier_exactly_when_its_event_says_so(numbers, effects, right):
    told = [event("M1", "order.price_mismatch", 1, answers=SUBMIT, numbers=numbers)]
    done = [Effect("jd", "M1", "submit", "70", asked=True)] * effects
    assert (red(Record([command("M1", SUBMIT)], told, done)) == set()) is right


def test_a_reservation_that_ran_out_is_no_more_whoever_is_told_to_have_cancelled_it():
    placed = [command("M1", SUBMIT), command("M1", CANCEL)]
    told = [
        event("M1", "order.accepted", 1, answers=SUBMIT, numbers=["70"]),
        event("M1", "order.cancelled", 2, answers=CANCEL, payload={"scope": "order"}),
    ]
    done = [Effect("jd", "M1", "submit", "70", asked=True), Effect("jd", "M1", "expire", "70", asked=False)]
    assert red(Record(placed, told, done)) == set()


def test_a_cancel_of_children_ends_nothing():
    record = whole_run()
    child = event("M1", "order.cancelled", 5, payload={"scope": "children", "children": ["70-1"]})
    moved = replace(record, events=[*record.events[:5], child, *record.events[5:]])
    assert red(moved) == set()


def test_ledgers_of_both_suppliers_are_read():
    jd = {"effect": "submit", "by": "caller", "thirdOrder": "M1", "jdOrderId": "70"}
    native = {"effect": "ship", "by": "supplier", "order_no": "M2", "supplier_order_no": "V-1"}
    assert effects_of_jd([jd], "jd") == [Effect("jd", "M1", "submit", "70", asked=True)]
    assert effects_of_native([native], "shop") == [Effect("shop", "M2", "ship", "V-1", asked=False)]
