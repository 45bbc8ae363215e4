"""What became of orders, as counts, in all and by supplier: a pure function of what was recorded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

from contrib.mall import verdict_aftersales, verdict_contracts, verdict_invoices
from contrib.mall.recorded import Finding, Subject, about
from contrib.mall.traffic import Traffic
from contrib.mall.verdict import Record, counts, parked, verdicts

COUNTED = ("placed", "by_state", "ledger_effects", "refused", "duplicates", "waiting")
"""What `counts` says too."""

SERVING: Mapping[Subject, tuple[Sequence[Callable[[Record], Finding]], Callable[[Record], Mapping[str, Any]]]] = {
    Subject.CONTRACTS: (verdict_contracts.CHECKS, verdict_contracts.counts),
    Subject.INVOICES: (verdict_invoices.CHECKS, verdict_invoices.counts),
    Subject.AFTER_SALES: (verdict_aftersales.CHECKS, verdict_aftersales.counts),
}
"""Checks and counts of what serves orders, beside those that hold for all commands."""


@dataclass(frozen=True)
class Run:
    """All that is known of a run. written: when each command and event came to stand on its topic, in milliseconds, by
    command_id and ce_id; traffic: by supplier.
    """

    record: Record
    written: Mapping[str, int]
    traffic: Mapping[str, Traffic]


def account(run: Run) -> dict[str, Any]:
    """Counts of all orders, what must not be (violations), and by supplier the same counts of its orders; beside them
    the counts and violations of contracts, invoices and after-sales.

    attempts: how often a command reached a supplier; ledger_effects: orders that stand in the suppliers' ledgers, each
    as often as it does; refused: without effect, and told so; duplicates: effects beyond the first of an order; lost:
    see `lost_orders`; waiting: commands that a person has to decide about, named in waiting_orders.
    """
    of_orders = replace(run, record=about(run.record, Subject.ORDERS))
    suppliers = sorted({command.supplier for command in of_orders.record.commands})
    found = {each: _counts(_part(of_orders, each)) for each in suppliers}
    serving = {subject.value: served(run.record, subject) for subject in SERVING}
    return {**_counts(of_orders), "violations": _violations(of_orders.record), "suppliers": found, **serving}


def served(record: Record, subject: Subject) -> dict[str, Any]:
    """Counts of what serves orders, and what must not be."""
    part = about(record, subject)
    checks, count = SERVING[subject]
    return {**count(part), "violations": _violations(part, checks)}


def _violations(record: Record, checks: Sequence[Callable[[Record], Finding]] = ()) -> list[str]:
    findings = [*verdicts(record).values(), *(check(record) for check in checks)]
    return [each for finding in findings for each in finding.violations]


def lost_orders(record: Record) -> frozenset[str]:
    """Orders with neither an effect nor a terminal event, or with a command without an answer that nobody waits for."""
    waiting = parked(record)
    silent = {command.order_no for command in record.commands if not record.answers[command.id]}
    waited_for = {command.order_no for command in record.commands if command.id in waiting}
    done = {order_no for (_, order_no), times in record.submitted.items() if times}
    answered = {command.order_no for command in record.commands if record.answers[command.id]}
    return frozenset(
        command.order_no
        for command in record.commands
        if (command.order_no in silent - waited_for) or command.order_no not in done | answered
    )


def _part(run: Run, supplier: str) -> Run:
    record = run.record
    orders = {command.order_no for command in record.commands if command.supplier == supplier}
    part = Record(
        [each for each in record.commands if each.supplier == supplier],
        [each for each in record.events if each.key in orders],
        [each for each in record.effects if each.supplier == supplier],
    )
    return replace(run, record=part, traffic={supplier: run.traffic.get(supplier, Traffic(0))})


def _counts(run: Run) -> dict[str, Any]:
    totals = counts(run.record)
    found_again = _found_again(run)
    waiting = parked(run.record)
    return {
        **{name: totals[name] for name in COUNTED},
        "commands": len(run.record.commands),
        "attempts": sum(each.attempts for each in run.traffic.values()),
        "lookups_that_prevented_a_duplicate": len(found_again),
        "lost": len(lost_orders(run.record)),
        "answer_ms": _answer_ms(run),
        "found_again": found_again,
        "waiting_orders": sorted({each.order_no for each in run.record.commands if each.id in waiting}),
    }


def _found_again(run: Run) -> Sequence[str]:
    """Orders whose answer was lost, that were looked up and found, and that were made once."""
    return [
        order_no
        for supplier, traffic in run.traffic.items()
        for order_no in traffic.looked_up
        if run.record.submitted[supplier, order_no] == 1
    ]


def _answer_ms(run: Run) -> int | None:
    """The median of the milliseconds from a command on its topic to its terminal event on its own."""
    took = [
        run.written[event.ce_id] - run.written[command.id]
        for command in run.record.commands
        for event in run.record.answers[command.id][:1]
    ]
    return round(median(took)) if took else None
