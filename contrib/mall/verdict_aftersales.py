"""The verdict on after-sale: every service is taken once, settles once, and money goes back once. Pure functions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from contrib.mall.orders import Event
from contrib.mall.recorded import Finding, Record, lost, parked, repeated_effects
from contrib.mall.services import AFTER_SALE, SETTLED

APPLIED, WITHDRAWN, PAID = "after_sale", "cancel_after_sale", "refund"
_SINGLE = (APPLIED, WITHDRAWN, PAID, "approve", "receive", "close")


def service_effects_are_single(record: Record) -> Finding:
    """No service is taken, cancelled, received, paid back or closed twice."""
    found = repeated_effects(record, _SINGLE)
    return Finding(
        len(found), [f"{no}: {kind} {times} times at {who}" for (who, kind, no), times in found.items() if times > 1]
    )


def services_settle_once(record: Record) -> Finding:
    """Of a service one end is told, and one refund at most; of one that came to nothing none."""
    ends: dict[str, list[str]] = {}
    paid = Counter(_number(event) for event in record.events_in_order if event.kind == "refund.made")
    for event in record.events_in_order:
        if (state := _end(event)) is not None:
            ends.setdefault(_number(event), []).append(state)
    violations = [f"{no}: ends as {', '.join(found)}" for no, found in ends.items() if len(found) > 1]
    violations += [f"{no}: {times} refunds" for no, times in paid.items() if times > 1]
    violations += [f"{no}: a refund, and it is {ends[no][0]}" for no in paid if ends.get(no, ["done"])[0] != "done"]
    return Finding(len(ends.keys() | paid.keys()), violations)


def service_answers_are_in_the_ledger(record: Record) -> Finding:
    """What is accepted is in the ledger, what is refused is not; what is told as paid back was paid back, and told."""
    there = {(each.supplier, each.kind, each.number) for each in record.effects}
    violations = []
    judged = [(command, event) for command in record.commands for event in record.answers[command.id]]
    for command, event in judged:
        number = command.content["payload"]["service_no"]
        effect = APPLIED if command.operation == AFTER_SALE else WITHDRAWN
        good = event.kind in ("aftersale.accepted", "aftersale.progress")
        if ((command.supplier, effect, number) in there) != good:
            violations.append(f"{number}: {event.kind}, which is not so at {command.supplier}")
    reported = {
        (event.content["supplier"], PAID, _number(event))
        for event in record.events_in_order
        if event.kind == "refund.made"
    }
    kept = {each for each in there if each[1] == PAID}
    violations += [f"{no}: a refund is told, and {who} paid none" for who, _, no in sorted(reported - kept)]
    violations += [f"{no}: {who} paid back, and the core was not told" for who, _, no in sorted(kept - reported)]
    return Finding(len(judged) + len(reported | kept), violations)


def _number(event: Event) -> str:
    return str(event.content["payload"].get("service_no"))


def _end(event: Event) -> str | None:
    state = event.content["payload"].get("state")
    return str(state) if event.kind == "aftersale.progress" and state in SETTLED else None


CHECKS: tuple[Callable[[Record], Finding], ...] = (
    service_effects_are_single,
    services_settle_once,
    service_answers_are_in_the_ledger,
)


def counts(record: Record) -> Mapping[str, Any]:
    """requested: services that suppliers took; settled: done, the money back; refused: requests without effect."""
    accepted, paid, refused = (
        {_number(event) for event in record.events_in_order if event.kind == kind}
        for kind in ("aftersale.accepted", "refund.made", "aftersale.refused")
    )
    done = {_number(event) for event in record.events_in_order if _end(event) == "done"}
    found = repeated_effects(record, _SINGLE)
    return {
        "requested": len(accepted),
        "settled": len(done & paid),
        "refused": len(refused),
        "duplicates": sum(times - 1 for times in found.values()),
        "lost": lost(record),
        "waiting": len(parked(record)),
    }
