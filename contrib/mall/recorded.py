"""What was recorded of a run: commands, events, and effects in the suppliers' ledgers. Pure functions of both."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from functools import cached_property
from typing import Any, NamedTuple

from contrib.mall.orders import Command, Event, first_of_each


class Subject(StrEnum):
    """What commands, events and effects are about."""

    ORDERS = "orders"
    CONTRACTS = "contracts"
    INVOICES = "invoices"
    AFTER_SALES = "aftersales"


_PREFIXES: Mapping[Subject, tuple[str, ...]] = {
    Subject.ORDERS: ("order.", "shipment."),
    Subject.CONTRACTS: ("contract.",),
    Subject.INVOICES: ("invoice.",),
    Subject.AFTER_SALES: ("aftersale.", "refund."),
}
"""How operations and kinds of events of each begin."""

_EFFECTS: Mapping[str, Subject] = {
    **dict.fromkeys(
        (
            "issue_contract",
            "amend_contract",
            "terminate_contract",
            "note_contract",
            "sign_contract",
            "refuse_contract",
        ),
        Subject.CONTRACTS,
    ),
    **dict.fromkeys(
        ("invoice", *(f"invoice_{act}" for act in ("issue", "part", "reject", "mail", "void", "red"))),
        Subject.INVOICES,
    ),
    **dict.fromkeys(
        (
            "after_sale",
            "cancel_after_sale",
            "audit",
            "approve",
            "refuse_audit",
            "send_goods",
            "receive",
            "handle",
            "refund",
            "close",
            "call_off",
        ),
        Subject.AFTER_SALES,
    ),
}
"""What effects are about that are not about the order itself."""


@dataclass(frozen=True, slots=True)
class Effect:
    """A line of a supplier's ledger. target: the supplier's number of what it was done to; asked: by a buyer's call,
    not by the supplier itself. kind: submit, confirm, cancel, and whatever else the ledger has; number: the mall's of a
    contract with its revision (`NO/1`), of an application or a service; amount: yuan of an invoice, with tax.
    """

    supplier: str
    order_no: str
    kind: str
    target: str
    asked: bool
    number: str = ""
    amount: str = ""


class Finding(NamedTuple):
    """What one check found. judged: how many things it looked at: a check that saw nothing proves nothing."""

    judged: int
    violations: Sequence[str]


@dataclass(frozen=True)
class Record:
    """All that was recorded of a run, each in its order."""

    commands: Sequence[Command]
    events: Sequence[Event]
    effects: Sequence[Effect]

    @cached_property
    def events_in_order(self) -> Sequence[Event]:
        """The events without their repeats."""
        return first_of_each(self.events)

    @cached_property
    def answers(self) -> Mapping[str, Sequence[Event]]:
        """The terminal events of each command, also of some that were never placed."""
        found: dict[str, list[Event]] = {command.id: [] for command in self.commands}
        for event in self.events_in_order:
            if event.is_terminal:
                found.setdefault(str(event.command_id), []).append(event)
        return found

    @cached_property
    def submitted(self) -> Counter[tuple[str, str]]:
        """How often each order was submitted, by supplier and order."""
        return Counter((each.supplier, each.order_no) for each in self.effects if each.kind == "submit")

    @cached_property
    def done(self) -> Mapping[tuple[str, str], frozenset[str]]:
        """What was done to each order, by supplier and order."""
        found: dict[tuple[str, str], set[str]] = {}
        for each in self.effects:
            found.setdefault((each.supplier, each.order_no), set()).add(each.kind)
        return {place: frozenset(kinds) for place, kinds in found.items()}


def about(record: Record, subject: Subject) -> Record:
    """The part of a record that is about a subject; an answer belongs to its command."""
    commands = [each for each in record.commands if each.operation.startswith(_PREFIXES[subject])]
    ids = {each.id for each in commands}
    others = {each.id for each in record.commands} - ids
    events = [
        each
        for each in record.events
        if each.command_id in ids or (each.kind.startswith(_PREFIXES[subject]) and each.command_id not in others)
    ]
    effects = [each for each in record.effects if _EFFECTS.get(each.kind, Subject.ORDERS) is subject]
    return replace(record, commands=commands, events=events, effects=effects)


def repeated_effects(record: Record, kinds: Sequence[str]) -> Mapping[tuple[str, str, str], int]:
    """Effects of these kinds that a supplier has of one number, by supplier, kind and number, and how often."""
    return Counter((each.supplier, each.kind, each.number) for each in record.effects if each.kind in kinds)


def parked(record: Record) -> set[str]:
    """Commands without an answer that are told to wait for a person."""
    waiting = {event.command_id for event in record.events_in_order if event.kind.endswith(".parked")}
    return {command.id for command in record.commands if command.id in waiting and not record.answers[command.id]}


def lost(record: Record) -> int:
    """Commands that have no answer and wait for nobody."""
    return sum(not record.answers[command.id] for command in record.commands) - len(parked(record))


_OUR_NUMBER = re.compile(r"\[([^\[\]]+)\]$")
"""The mall's number of a service at the end of the words that a JD VOP keeps of it."""


def effects_of_jd(entries: Iterable[Mapping[str, Any]], supplier: str) -> list[Effect]:
    """The ledger of a simulated JD VOP. supplier: what the gateway calls it."""
    services: dict[str, str] = {}
    found = []
    for each in entries:
        if (number_of_ours := _OUR_NUMBER.search(each.get("questionDesc", ""))) is not None:
            services[each["afsServiceId"]] = number_of_ours[1]
        number = each.get("markId") or services.get(each.get("afsServiceId", ""), "")
        made = sum((Decimal(invoice["gross"]) / 100 for invoice in each.get("made", ())), Decimal(0))
        amount = f"{made:.2f}" if each.get("made") else ""
        asked = each["by"] == "caller"
        found.append(Effect(supplier, each["thirdOrder"], each["effect"], each["jdOrderId"], asked, number, amount))
    return found


def effects_of_native(entries: Iterable[Mapping[str, Any]], supplier: str) -> list[Effect]:
    """The ledger of a simulated vendor without an API."""
    return [
        Effect(
            supplier,
            each["order_no"],
            each["effect"],
            each["supplier_order_no"],
            each["by"] == "caller",
            _number_of_native(each),
            _amount_of_native(each),
        )
        for each in entries
        if "effect" in each
    ]


def _number_of_native(entry: Mapping[str, Any]) -> str:
    if "contract_no" in entry:
        return f"{entry['contract_no']}/{entry['revision']}"
    return str(entry.get("mark_id") or entry.get("service_no") or "")


def _amount_of_native(entry: Mapping[str, Any]) -> str:
    if entry["effect"] != "invoice_issue":
        return ""
    return f"{sum(Decimal(invoice['gross']) for invoice in entry['event']['payload']['invoices']):.2f}"
