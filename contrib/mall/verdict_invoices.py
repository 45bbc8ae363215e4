"""The verdict on invoices: what was made out is what was asked for, or the core was told that it is not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from contrib.mall.orders import Event
from contrib.mall.recorded import Finding, Record, lost, parked, repeated_effects
from contrib.mall.services import INVOICE

APPLIED, MADE_OUT = "invoice", "invoice_issue"
ISSUED, MISMATCH = "invoice.issued", "invoice.mismatch"
PARTS = ("net", "tax", "gross")


def invoice_effects_are_single(record: Record) -> Finding:
    """No application is taken twice, and nothing is made out twice of it."""
    found = repeated_effects(record, (APPLIED, MADE_OUT))
    return Finding(
        len(found), [f"{no}: {kind} {times} times at {who}" for (who, kind, no), times in found.items() if times > 1]
    )


def applications_end_once(record: Record) -> Finding:
    """Of an application it is told once that all is issued, and once at most that it is refused."""
    ends = Counter(
        (_mark(event), event.kind) for event in record.events_in_order if event.kind in (ISSUED, "invoice.refused")
    )
    violations = [f"{mark}: {kind} {times} times" for (mark, kind), times in ends.items() if times > 1]
    violations += [
        f"{mark}: issued and refused" for mark, kind in ends if kind == ISSUED and (mark, "invoice.refused") in ends
    ]
    return Finding(len(ends), violations)


def issued_invoices_are_as_asked(record: Record) -> Finding:
    """What is told as issued adds up, and comes to what was asked for."""
    asked = _asked(record)
    judged = [event for event in record.events_in_order if event.kind == ISSUED]
    return Finding(
        len(judged),
        [f"{_mark(event)}: {each}" for event in judged for each in _differences(event, asked.get(_mark(event), {}))],
    )


def wrong_invoices_are_held(record: Record) -> Finding:
    """What the ledger has made out with another sum is held and never told as issued; with the right one it is told."""
    asked = _asked(record)
    reported = {(_mark(event), event.kind) for event in record.events_in_order}
    judged = [each for each in record.effects if each.kind == MADE_OUT and each.amount and each.number in asked]
    violations = []
    for each in judged:
        right = Decimal(each.amount) == Decimal(asked[each.number]["gross"])
        wanted, other = (ISSUED, MISMATCH) if right else (MISMATCH, ISSUED)
        if (each.number, wanted) not in reported:
            violations.append(f"{each.number}: {each.amount} made out, and no {wanted}")
        if (each.number, other) in reported:
            violations.append(f"{each.number}: {each.amount} made out, and {other}")
    return Finding(len(judged), violations)


def taken_applications_are_in_the_ledger(record: Record) -> Finding:
    """What is told as requested is in the supplier's ledger, what is told as refused or expired at once is not."""
    taken = {(each.supplier, each.number) for each in record.effects if each.kind == APPLIED}
    marks = {command.id: command.content["payload"]["mark_id"] for command in record.commands}
    judged = [(command, event) for command in record.commands for event in record.answers[command.id]]
    return Finding(
        len(judged),
        [
            f"{marks[command.id]}: {event.kind}, which is not so at {command.supplier}"
            for command, event in judged
            if ((command.supplier, marks[command.id]) in taken) != (event.kind == "invoice.requested")
        ],
    )


def _asked(record: Record) -> dict[str, Mapping[str, str]]:
    return {
        each.content["payload"]["mark_id"]: each.content["payload"]["amounts"]
        for each in record.commands
        if each.operation == INVOICE
    }


def _mark(event: Event) -> str:
    return str(event.content["payload"].get("mark_id"))


def _differences(event: Event, asked: Mapping[str, str]) -> Iterator[str]:
    normal = [each for each in event.content["payload"]["invoices"] if each.get("standing", "normal") == "normal"]
    for each in normal:
        if Decimal(each["net"]) + Decimal(each["tax"]) != Decimal(each["gross"]):
            yield f"issued, and invoice {each['number']} does not add up"
    for part in PARTS:
        total = sum((Decimal(each[part]) for each in normal), Decimal(0))
        if part not in asked or total != Decimal(asked[part]):
            yield f"issued with {part} {total}, asked {asked.get(part)}"


CHECKS: tuple[Callable[[Record], Finding], ...] = (
    invoice_effects_are_single,
    applications_end_once,
    issued_invoices_are_as_asked,
    wrong_invoices_are_held,
    taken_applications_are_in_the_ledger,
)


def counts(record: Record) -> Mapping[str, Any]:
    """requested: applications that suppliers took; issued, held, refused: by what was told of them."""
    kinds = ("invoice.requested", ISSUED, MISMATCH, "invoice.refused")
    marks = {kind: {_mark(event) for event in record.events_in_order if event.kind == kind} for kind in kinds}
    found = repeated_effects(record, (APPLIED, MADE_OUT))
    return {
        "requested": len(marks["invoice.requested"]),
        "issued": len(marks[ISSUED]),
        "held": len(marks[MISMATCH] - marks[ISSUED]),
        "refused": len(marks["invoice.refused"]),
        "duplicates": sum(times - 1 for times in found.values()),
        "lost": lost(record),
        "waiting": len(parked(record)),
    }
