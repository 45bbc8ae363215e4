"""The verdicts on orders of a long run find every fault that is put into a good history, and nothing in a good one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from contrib.mall.verdict import CHECKS as CORE_CHECKS
from tests.history.events import folded
from tests.history.orders import CHECKS
from tests.history.verdicts import verdicts
from tests.unit.good_orders import PARTITION, OrdersRun, breaker, coded


def do_it_twice(run: OrdersRun) -> None:
    run.effect(run.asked("M3", "order.submit", "asked"), target="71")


def do_what_nobody_asked(run: OrdersRun) -> None:
    run.effect(run.asked("M3", "order.confirm", "asked"))


def accept_what_is_not_there(run: OrdersRun) -> None:
    run.events.remove(run.of("order.effect", order_no="M3"))


def do_what_is_refused(run: OrdersRun) -> None:
    run.effect(run.asked("M4", "order.submit", "jd"))


def answer_never(run: OrdersRun) -> None:
    run.events.remove(run.of("order.event", ce_id="M3/order.submit order.accepted"))


def repeat_an_event_otherwise(run: OrdersRun) -> None:
    run.event(run.asked("M3", "order.submit", "asked"), payload={"lines": []})


def tell_of_another_order(run: OrdersRun) -> None:
    run.of("order.event", ce_id="M3/order.submit order.accepted")["content"]["order_no"] = "M9"


def answer_out_of_order(run: OrdersRun) -> None:
    run.of("order.event", ce_id="M1/order.submit order.accepted")["offset"] = 1_000


def tell_of_success_after_the_end(run: OrdersRun) -> None:
    run.event(run.asked("M2", "order.submit", "shop"), kind="shipment.created", ce_id="late")


def take_effect_out_of_order(run: OrdersRun) -> None:
    effect = run.of("order.effect", order_no="M1")
    run.events.remove(effect)
    run.events.append(effect)


def take_an_order_of_somebody_else_for_ours(run: OrdersRun) -> None:
    run.of("order.event", ce_id="M6/order.submit order.price_mismatch")["content"]["event"] = "order.accepted"


def never_become_quiet(run: OrdersRun) -> None:
    run.of("order.quiet")["reached"] = False


def leave_a_command_waiting(run: OrdersRun) -> None:
    run.of("order.quiet")["waiting"] = ["M3/order.submit is sending"]


def leave_out_an_attempt(run: OrdersRun) -> None:
    run.step_of("M3/order.submit", "attempt", 1)["facts"]["attempt"] = 3


def note_an_attempt_twice(run: OrdersRun) -> None:
    run.step_of("M2/order.submit", "delivered", 1)["facts"]["attempt"] = 1


def note_no_attempt(run: OrdersRun) -> None:
    run.without_step(run.step_of("M1/order.submit", "attempt", 1))


def send_after_the_end(run: OrdersRun) -> None:
    run.step(run.asked("M1", "order.confirm", "jd"), "attempt", 200.0, attempt=3)


def ask_after_the_end(run: OrdersRun) -> None:
    run.step(run.asked("M3", "order.submit", "asked"), "look_up", 200.0)


def begin_before_the_one_ahead_has_ended(run: OrdersRun) -> None:
    step = run.step_of("M1/order.confirm", "attempt")
    step["id"] = run.step_of("M1/order.submit", "outcome", 1)["id"] - 0.5


def begin_behind_one_that_never_ended(run: OrdersRun) -> None:
    run.without_step(run.step_of("M2/order.submit", "acknowledged"))


def send_again_without_asking(run: OrdersRun) -> None:
    for _ in range(2):
        run.without_step(run.step_of("M3/order.submit", "look_up"))
    for number in (2, 1):
        run.without_step(run.step_of("M3/order.submit", "outcome", number))


def send_again_after_asking_once(run: OrdersRun) -> None:
    run.without_step(run.step_of("M3/order.submit", "outcome", 2))


def ask_twice_too_soon(run: OrdersRun) -> None:
    run.step_of("M3/order.submit", "look_up", 1)["at"] = 34.0


def send_again_although_an_attempt_was_refused(run: OrdersRun) -> None:
    run.step_of("M1/order.submit", "outcome")["facts"]["outcome"] = "unknown"
    step = run.step_of("M1/order.submit", "outcome")
    refused = {**step, "id": step["id"] + 0.5, "facts": {"outcome": "rejected", "state": "unknown"}}
    run.tell("order.step", step=refused)


def send_again_when_the_key_is_forgotten(run: OrdersRun) -> None:
    run.step_of("M5/order.submit", "attempt", 1)["at"] = 200.0


def retry_more_than_allowed(run: OrdersRun) -> None:
    """130 retries of as many commands within a minute."""
    for number in range(130):
        run.step(run.asked(f"R{number}", "order.submit", "jd"), "attempt", 300.0 + number / 10, attempt=2)


def ask_for_something_else(run: OrdersRun) -> None:
    run.call_of("submit_order", 1)["body"] = "another"


def send_before_it_is_noted(run: OrdersRun) -> None:
    run.call_of("submit_order")["at"] = 9.0


def send_twice_for_one_attempt(run: OrdersRun) -> None:
    run.call(run.asked("M1", "order.submit", "jd"), 13.15)


def come_again_too_soon(run: OrdersRun) -> None:
    run.step_of("M1/order.confirm", "attempt", 1)["at"] = 14.3
    run.call_of("confirm_order", 1)["at"] = 15.0


def call_while_the_breaker_is_open(run: OrdersRun) -> None:
    run.tell("order.breaker", breaker=breaker("submit_order", 11.0, 10.0, 600.0))


def commit_before_it_is_stored(run: OrdersRun) -> None:
    run.of("order.offsets")["committed"] = {str(PARTITION): 6}


def skip_a_record(run: OrdersRun) -> None:
    run.events.remove(run.of("order.kept", command_id="M3/order.submit"))


def bury_no_garbage(run: OrdersRun) -> None:
    letter = run.of("order.letter", stage="commands")
    run.events.remove(run.of("order.export", id=letter["id"]))
    run.events.remove(letter)


def take_a_conflict_for_a_repeat(run: OrdersRun) -> None:
    letter = [each for each in run.events if each["event"] == "order.letter" and each["stage"] == "commands"][1]
    run.events.remove(run.of("order.export", id=letter["id"]))
    run.events.remove(letter)


def keep_what_was_never_written(run: OrdersRun) -> None:
    run.of("order.kept", command_id="M3/order.submit")["offset"] = 99


def stop_before_the_end(run: OrdersRun) -> None:
    last = [each for each in run.events if each["event"] == "order.offsets"][-1]
    last["stored"] = last["committed"] = {str(PARTITION): run.offset - 1}


def swap_a_lane(run: OrdersRun) -> None:
    run.of("order.kept", command_id="M1/order.confirm")["place"] = -1


def keep_other_bytes(run: OrdersRun) -> None:
    letter = run.of("order.letter", stage="commands")
    run.of("order.export", id=letter["id"])["value"] = letter["original"] = coded(b"{}")


def hide_more_than_people(run: OrdersRun) -> None:
    letter = [each for each in run.events if each["event"] == "order.letter" and each["stage"] == "commands"][1]
    hidden = orjson.dumps({"command_id": "M1/order.submit", "payload": {"receiver": "***", "mode": "***"}})
    run.of("order.export", id=letter["id"])["value"] = letter["original"] = coded(hidden)


def export_other_bytes(run: OrdersRun) -> None:
    run.of("order.export")["value"] = coded(b"{}")


def export_nothing(run: OrdersRun) -> None:
    run.events.remove(run.of("order.export"))


def export_what_is_not_kept(run: OrdersRun) -> None:
    run.tell("order.export", id="unheard-of", value=coded(b"{}"))


def bury_a_record_twice(run: OrdersRun) -> None:
    letter = run.of("order.letter", stage="commands")
    run.tell("order.letter", **{**members(letter), "id": "again"})
    run.tell("order.export", id="again", value=letter["original"])


def bury_a_command_that_is_none(run: OrdersRun) -> None:
    letter = run.of("order.letter", stage="relay")
    original = coded(orjson.dumps({"command_id": "M9/order.submit"}))
    run.of("order.export", id=letter["id"])["value"] = letter["original"] = original


def members(event: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name not in ("event", "at")}


FAULTS: list[tuple[Callable[[OrdersRun], None], str]] = [
    (do_it_twice, "effects are single"),
    (do_what_nobody_asked, "effects were ordered"),
    (accept_what_is_not_there, "good answers have their effect"),
    (do_what_is_refused, "bad answers have none"),
    (answer_never, "commands have one answer"),
    (repeat_an_event_otherwise, "repeats are equal"),
    (tell_of_another_order, "events name their order"),
    (answer_out_of_order, "answers follow commands"),
    (tell_of_success_after_the_end, "nothing follows the end"),
    (take_effect_out_of_order, "effects follow commands"),
    (take_an_order_of_somebody_else_for_ours, "orders of others are not taken for ours"),
    (never_become_quiet, "everything comes to its end"),
    (leave_a_command_waiting, "everything comes to its end"),
    (leave_out_an_attempt, "attempts have numbers without a gap"),
    (note_an_attempt_twice, "attempts have numbers without a gap"),
    (note_no_attempt, "attempts have numbers without a gap"),
    (send_after_the_end, "nothing is sent after the end"),
    (ask_after_the_end, "nothing is sent after the end"),
    (begin_before_the_one_ahead_has_ended, "commands wait for their turn"),
    (begin_behind_one_that_never_ended, "commands wait for their turn"),
    (send_again_without_asking, "what may have happened is sent again only as it may"),
    (send_again_after_asking_once, "what may have happened is sent again only as it may"),
    (ask_twice_too_soon, "what may have happened is sent again only as it may"),
    (send_again_although_an_attempt_was_refused, "what may have happened is sent again only as it may"),
    (send_again_when_the_key_is_forgotten, "what may have happened is sent again only as it may"),
    (retry_more_than_allowed, "retries stay within their budget"),
    (ask_for_something_else, "attempts ask for the same"),
    (send_before_it_is_noted, "nothing leaves that was not noted"),
    (send_twice_for_one_attempt, "nothing leaves that was not noted"),
    (come_again_too_soon, "suppliers are left alone as long as they ask"),
    (call_while_the_breaker_is_open, "nothing is called while its breaker is open"),
    (commit_before_it_is_stored, "offsets are stored before they are committed"),
    (skip_a_record, "no record is skipped"),
    (bury_no_garbage, "no record is skipped"),
    (take_a_conflict_for_a_repeat, "no record is skipped"),
    (keep_what_was_never_written, "no record is skipped"),
    (stop_before_the_end, "no record is skipped"),
    (swap_a_lane, "lanes follow the topic"),
    (keep_other_bytes, "letters reproduce what they are about"),
    (hide_more_than_people, "letters reproduce what they are about"),
    (export_other_bytes, "letters reproduce what they are about"),
    (export_nothing, "letters reproduce what they are about"),
    (export_what_is_not_kept, "letters reproduce what they are about"),
    (bury_a_record_twice, "letters reproduce what they are about"),
    (bury_a_command_that_is_none, "letters reproduce what they are about"),
]


def test_nothing_is_found_in_a_good_history() -> None:
    found = verdicts(folded(OrdersRun().events))
    assert {name: finding.violations for name, finding in found.items() if finding.violations} == {}
    assert [name for name, finding in found.items() if name.startswith("orders: ") and not finding.judged] == []


@pytest.mark.parametrize(("fault", "check"), FAULTS, ids=[fault.__name__ for fault, _ in FAULTS])
def test_a_fault_is_found_by_its_check(fault: Callable[[OrdersRun], None], check: str) -> None:
    run = OrdersRun()
    fault(run)
    assert f"orders: {check}" in run.red()


def test_every_check_has_a_fault_that_it_must_find() -> None:
    checks = {check.__name__.replace("_", " ") for check in (*CORE_CHECKS, *CHECKS)}
    assert {check for _, check in FAULTS} == checks


def test_a_history_without_suppliers_to_order_from_is_judged_by_its_feeds_alone() -> None:
    assert [name for name in verdicts(folded([])) if name.startswith("orders: ")] == []
