"""The vendor's orders: the fold of its ledger. What a command does to them is decided here, without I/O."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from contrib.simulators.native import answers

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

NEXT: Mapping[str, str] = {"confirmed": "ship", "shipped": "deliver"}
"""What the vendor does by itself to an order in a state."""


@dataclass(slots=True)
class Order:
    """One order as the vendor has it. lines: as in the command, a confirmed part of them after a cut."""

    number: str
    order_no: str
    lines: list[Json]
    state: str


class OrderBook:
    """Changes by `apply` alone, live and from the ledger. by_message: what each message came to, by its id."""

    def __init__(self, entries: Iterable[Entry], seed: int) -> None:
        self.by_message: dict[str, Entry] = {}
        self.orders: dict[str, Order] = {}
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
        self.unanswered[entry["key"]] = entry
        if entry["message_id"] is not None:
            self.by_message[entry["message_id"]] = entry
        if entry["effect"] == "submit":
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

    def take(self, message: Json, faults: Faults) -> Entry:
        """What a message comes to that was never seen before: an effect, or a refusal that stands from now on."""
        command = message["command"]
        order = self._of.get(command["order_no"])
        decide = _DECISIONS[command["operation"]]
        effect, members, event = decide(self, command, order, faults)
        whose = {"order_no": command["order_no"], "supplier_order_no": "", "operation": command["operation"]}
        members = {**whose, "lines": [], **members}
        return self._entry(effect, message["id"], f"message-{message['id']}", members, event)

    def step(self, order: Order) -> Entry:
        """The next thing that the vendor does to an order by itself."""
        effect = NEXT[order.state]
        event = answers.shipped(order) if effect == "ship" else answers.delivered(order)
        members = {"order_no": order.order_no, "supplier_order_no": order.number, "lines": order.lines}
        return self._entry(effect, None, f"{effect}-{order.number}", members, event)

    def next_number(self) -> str:
        """The number of the next order."""
        return f"V{self._seed}-{len(self.orders) + 1:06d}"

    def _entry(
        self, effect: str, message_id: str | None, key: str, members: Entry, event: Entry | None = None
    ) -> Entry:
        more = {} if event is None else {"event": event}
        asked = {"message_id": message_id, "by": "supplier" if message_id is None else "caller"}
        return {"seq": self._last + 1, "effect": effect, **asked, "key": key, **members, **more}


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


def _invoice(_: OrderBook, command: Json, order: Order | None, faults: Faults) -> Decision:
    """The order stays as it is, so that the effect names none of its numbers."""
    if order is None or order.state == "cancelled" or "refuse" in faults:
        return "refuse", {}, answers.invoice_refused(command, "no_such_order" if order is None else "conflict")
    return "invoice", {}, answers.invoiced(command, wrong_sum="wrong_sum" in faults)


def _after_sale(_: OrderBook, command: Json, order: Order | None, faults: Faults) -> Decision:
    if order is None or order.state != "delivered" or "refuse" in faults:
        return "refuse", {}, answers.service_refused(command, "not_offered" if order else "no_such_order")
    members: Entry = {"supplier_order_no": order.number, "lines": command["payload"]["lines"]}
    return "after_sale", members, answers.service_accepted(command)


def _cancel_after_sale(_: OrderBook, command: Json, order: Order | None, faults: Faults) -> Decision:
    if order is None or "refuse" in faults:
        return "refuse", {}, answers.service_refused(command, "too_late")
    return "cancel_after_sale", {"supplier_order_no": order.number}, answers.service_cancelled(command)


_DECISIONS: Mapping[str, Callable[[OrderBook, Json, Order | None, Faults], Decision]] = {
    "order.submit": _submit,
    "order.confirm": _confirm,
    "order.cancel": _cancel,
    "invoice.request": _invoice,
    "aftersale.request": _after_sale,
    "aftersale.cancel": _cancel_after_sale,
}
