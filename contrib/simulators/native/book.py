"""What the vendor has: the fold of its ledger. What a command does to them is decided here, without I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from contrib.simulators.native import answers, contracts, services
from contrib.simulators.native.contracts import Document
from contrib.simulators.native.subjects import Application, Contract, Order, Service, Subject

Entry = dict[str, Any]
Json = Mapping[str, Any]
Faults = Mapping[str, Mapping[str, Any]]
"""Kinds of the faults that strike, with their parameters."""

MOVES: Mapping[str, str] = {
    "confirm": "confirmed",
    "cancel": "cancelled",
    "ship": "shipped",
    "deliver": "delivered",
}
"""Where an effect leaves an order; a submit leaves it reserved or confirmed."""


class OrderBook:
    """Changes by `apply` alone, live and from the ledger. by_message: what each message came to, by its id."""

    def __init__(self, entries: Iterable[Entry], seed: int) -> None:
        self.by_message: dict[str, Entry] = {}
        self.orders: dict[str, Order] = {}
        self.contracts: dict[str, Contract] = {}
        self.applications: dict[str, Application] = {}
        self.services: dict[str, Service] = {}
        self.unanswered: dict[str, Entry] = {}
        self._of: dict[str, Order] = {}
        self._seed = seed
        self._last = 0
        for entry in entries:
            self.apply(entry)

    def apply(self, entry: Entry) -> None:
        """Let an entry of the ledger be so."""
        self._last = entry["seq"]
        if entry["effect"] == "answer":
            self.unanswered.pop(entry["key"], None)
            return
        if "event" in entry:
            self.unanswered[entry["key"]] = entry
        if entry["message_id"] is not None:
            self.by_message[entry["message_id"]] = entry
        if "contract_no" in entry:
            contracts.apply(self.contracts, entry)
        elif entry["effect"] in services.EFFECTS:
            services.apply(self.applications, self.services, entry)
        elif entry["effect"] == "submit":
            order = Order(entry["supplier_order_no"], entry["order_no"], entry["lines"], entry["state"])
            self.orders[order.number] = self._of[order.order_no] = order
        elif entry["effect"] in MOVES:
            order = self.orders[entry["supplier_order_no"]]
            order.state, order.lines = MOVES[entry["effect"]], entry["lines"]

    def answer(self, key: str, status: int) -> Entry:
        """The entry that says that something was told, and what the gateway said to it."""
        of = self.unanswered[key]
        members = {"order_no": of["order_no"], "supplier_order_no": of["supplier_order_no"], "status": status}
        return self._entry("answer", None, key, members)

    def take(self, message: Json, faults: Faults, document: Document | None = None) -> Entry:
        """What a message comes to that was never seen before: an effect, or a refusal that stands from now on.

        document: what was fetched, of a contract's text.
        """
        command = message["command"]
        order = self._of.get(command["order_no"])
        operation = command["operation"]
        if operation in contracts.TAKEN:
            effect, members = contracts.take(command, document, faults)
        elif operation in services.OPERATIONS:
            service = self.services.get(command["payload"].get("service_no", ""))
            effect, members = services.take(command, order, service, faults)
        else:
            effect, members, more = _DECISIONS[operation](self, command, order, faults)
            members = {**members, "event": more}
        whose = {"order_no": command["order_no"], "supplier_order_no": "", "operation": operation}
        return self._entry(effect, message["id"], f"message-{message['id']}", {**whose, "lines": [], **members})

    def subject_of(self, entry: Entry) -> Subject | None:
        """What an entry changed, as it stands by now."""
        if "contract_no" in entry:
            return self.contracts.get(entry["contract_no"])
        if "mark_id" in entry:
            return self.applications.get(entry["mark_id"])
        if "service_no" in entry:
            return self.services.get(entry["service_no"])
        return self.orders.get(entry["supplier_order_no"])

    def subjects(self) -> list[Subject]:
        """All that the vendor has."""
        found = (self.orders, self.contracts, self.applications, self.services)
        return [subject for subjects in found for subject in subjects.values()]

    def step(self, subject: Subject) -> Entry:
        """The next thing that the vendor does by itself."""
        effect = str(subject.next)
        key, members = _step(subject, effect)
        whose = {"order_no": subject.order_no, "supplier_order_no": "", "lines": []}
        return self._entry(effect, None, f"{effect}-{key}", {**whose, **members})

    def next_number(self) -> str:
        """The number of the next order."""
        return f"V{self._seed}-{len(self.orders) + 1:06d}"

    def _entry(self, effect: str, message_id: str | None, key: str, members: Entry) -> Entry:
        asked = {"message_id": message_id, "by": "supplier" if message_id is None else "caller"}
        return {"seq": self._last + 1, "effect": effect, **asked, "key": key, **members}


def _step(subject: Subject, effect: str) -> tuple[str, Entry]:
    """What a step is known by, beside its effect, and what the ledger has of it."""
    match subject:
        case Order(number=number, lines=lines):
            more = answers.shipped(subject) if effect == "ship" else answers.delivered(subject)
            return number, {"supplier_order_no": number, "lines": lines, "event": more}
        case Contract(contract_no=number, revision=revision, sha256=sha256):
            about = {"contract_no": number, "revision": revision, "sha256": sha256}
            return f"{number}-{revision}", {**about, "event": contracts.signed(subject)}
        case Application(mark_id=number):
            return number, {"mark_id": number, "event": services.issued(subject)}
        case Service(service_no=number):
            return number, {"service_no": number, "event": services.moved(subject, effect)}


Decision = tuple[str, Entry, Entry]


def _submit(book: OrderBook, command: Json, _: Order | None, faults: Faults) -> Decision:
    if "refuse" in faults:
        return "refuse", {}, answers.refused(command, faults["refuse"].get("code_class", "out_of_stock"))
    lines, number = command["payload"]["lines"], book.next_number()
    state = "reserved" if command["payload"]["mode"] == "reserve" else "confirmed"
    kept = answers.cut(lines) if state == "confirmed" and "partial_confirmation" in faults else lines
    members: Entry = {"supplier_order_no": number, "lines": kept, "state": state}
    kind = "order.accepted" if state == "reserved" else "order.confirmed"
    return "submit", members, answers.placed(kind, number, lines, kept, wrong_sum="wrong_sum" in faults)


def _confirm(_: OrderBook, command: Json, order: Order | None, faults: Faults) -> Decision:
    if order is None or order.state != "reserved" or "refuse" in faults:
        code_class = "no_such_order" if order is None else faults.get("refuse", {}).get("code_class", "conflict")
        return "refuse", {}, answers.refused(command, code_class)
    kept = answers.cut(order.lines) if "partial_confirmation" in faults else order.lines
    event = answers.placed("order.confirmed", order.number, order.lines, kept, wrong_sum="wrong_sum" in faults)
    return "confirm", {"supplier_order_no": order.number, "lines": kept}, event


def _cancel(_: OrderBook, command: Json, order: Order | None, faults: Faults) -> Decision:
    if order is None or order.state not in {"reserved", "confirmed"} or "refuse" in faults:
        return "refuse", {}, answers.cancel_refused(command, "no_such_order" if order is None else "too_late")
    members: Entry = {"supplier_order_no": order.number, "lines": order.lines}
    return "cancel", members, answers.cancelled(command, order.number)


_DECISIONS: Mapping[str, Callable[[OrderBook, Json, Order | None, Faults], Decision]] = {
    "order.submit": _submit,
    "order.confirm": _confirm,
    "order.cancel": _cancel,
}
