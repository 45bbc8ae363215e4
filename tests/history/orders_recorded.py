"""What a long run records of orders: by the core, by the suppliers, and by a reader of topics and tables at its end.

Times are seconds since 1970 by one machine's clock, which the gateway, PostgreSQL and the simulators share.
"""

from __future__ import annotations

from base64 import b64decode
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import orjson

from contrib.mall.orders import Command, Event
from contrib.mall.verdict import Effect, Record

Json = Mapping[str, Any]
Lane = tuple[str, str]
"""Supplier and number of an order."""

OF_ORDERS = ("order.", "shipment.")
"""Events that are about an order itself, not about what follows it."""


class Supplier(NamedTuple):
    """What is promised of one. idempotency: of each operation; settle: seconds after which what was begun has ended.

    key_life: seconds that it remembers a key or number, None: for ever.
    """

    name: str
    idempotency: Mapping[str, str]
    settle: float
    key_life: float | None = None


class CommandRecord(NamedTuple):
    """A record of the commands topic."""

    partition: int
    offset: int
    key: bytes
    value: bytes


class Call(NamedTuple):
    """A call about an order as the supplier noted it. target: its number of the order, "" where it is not told.

    call: what the manifest calls it; writes: whether it may change the order; body: everything that was asked but the
    credential; token: that it carried; asked_to_wait: seconds of the Retry-After that it was answered with.
    """

    supplier: str
    call: str
    writes: bool
    order_no: str
    target: str
    at: float
    body: str
    token: str | None
    asked_to_wait: float | None = None


class Step(NamedTuple):
    """A row of the gateway's own account of an order."""

    id: int
    supplier: str
    order_no: str
    command_id: str | None
    at: float
    kind: str
    facts: Json


class Kept(NamedTuple):
    """A row of the inbox, as it stands in the end. place: its turn in the lane."""

    command_id: str
    supplier: str
    order_no: str
    operation: str
    place: int
    state: str
    attempt: int
    partition: int
    offset: int


class Letter(NamedTuple):
    """A dead letter. partition, offset: of the record that it is about, None where it is about none."""

    id: str
    stage: str
    code: str
    partition: int | None
    offset: int | None
    original: bytes


class Offsets(NamedTuple):
    """Where the partitions of the commands topic stood at one moment, by partition."""

    committed: Mapping[int, int]
    stored: Mapping[int, int]


class Opened(NamedTuple):
    """A breaker that opened. ended: when it let a call through again, or its process was no owner any more."""

    supplier: str
    call: str
    at: float
    seconds: float
    ended: float


@dataclass
class Orders:
    """All of it. quiet: whether it came to its end; waiting: what it still waits for; ends: of the commands topic."""

    suppliers: dict[str, Supplier] = field(default_factory=dict)
    placed: list[Command] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    records: list[CommandRecord] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)
    exports: dict[str, list[bytes]] = field(default_factory=dict)
    offsets: list[Offsets] = field(default_factory=list)
    breakers: list[Opened] = field(default_factory=list)
    ends: dict[int, int] = field(default_factory=dict)
    quiet: bool = False
    waiting: list[str] = field(default_factory=list)

    @cached_property
    def record(self) -> Record:
        """The same, as the verdict of the core reads it.

        What somebody else ordered under a number that we never used is none of it, nor under one that the supplier
        never took anything under from us.
        """
        sent = {(call.supplier, call.order_no) for call in self.calls if call.writes}
        submits = [each for each in self.kept if each.operation == "order.submit"]
        taken = {(each.supplier, each.order_no) for each in submits if each.state != "cancelled_unsent"}
        unsent = {(each.supplier, each.order_no) for each in submits} - taken
        effects = [
            each
            for each in self.effects
            if each.asked or each.kind != "submit" or (each.supplier, each.order_no) in sent - unsent
        ]
        return Record(self.placed, [event for event in self.events if event.kind.startswith(OF_ORDERS)], effects)

    @cached_property
    def steps_of(self) -> Mapping[str, Sequence[Step]]:
        """The steps of each command, in their order."""
        found: defaultdict[str, list[Step]] = defaultdict(list)
        for step in sorted(self.steps, key=lambda each: each.id):
            if step.command_id is not None:
                found[step.command_id].append(step)
        return found

    @cached_property
    def lanes(self) -> Mapping[Lane, Sequence[Kept]]:
        """The commands of each order at each supplier, by place."""
        found: defaultdict[Lane, list[Kept]] = defaultdict(list)
        for kept in sorted(self.kept, key=lambda each: each.place):
            found[kept.supplier, kept.order_no].append(kept)
        return found

    def story(self, order_no: str) -> Sequence[str]:
        """What is known of an order, by time where there is one."""
        told = [(each.at, f"{each.kind} {dict(each.facts)}") for each in self.steps if each.order_no == order_no]
        told += [(each.at, f"call of {each.call} {each.target}") for each in self.calls if each.order_no == order_no]
        lines = [f"{at:.3f} {text}" for at, text in sorted(told)]
        lines += [f"effect {each.kind} {each.target}" for each in self.effects if each.order_no == order_no]
        return [*lines, *(f"event {each.kind} {each.offset}" for each in self.events if each.key == order_no)]


def take(orders: Orders, event: Json) -> None:
    """Take in one recorded event. Raises KeyError for one that is none of these."""
    fields = {name: value for name, value in event.items() if name not in ("event", "at")}
    _TAKE[event["event"]](orders, fields)


def _placed(orders: Orders, fields: Json) -> None:
    value = fields["value"].encode()
    orders.placed.append(Command(value, orjson.loads(value)))


def _record(orders: Orders, fields: Json) -> None:
    key, value = b64decode(fields["key"]), b64decode(fields["value"])
    orders.records.append(CommandRecord(fields["partition"], fields["offset"], key, value))


def _letter(orders: Orders, fields: Json) -> None:
    orders.letters.append(Letter(**{**fields, "original": b64decode(fields["original"])}))


def _export(orders: Orders, fields: Json) -> None:
    orders.exports.setdefault(fields["id"], []).append(b64decode(fields["value"]))


def _offsets(orders: Orders, fields: Json) -> None:
    by_partition = ({int(name): place for name, place in fields[which].items()} for which in ("committed", "stored"))
    orders.offsets.append(Offsets(*by_partition))


def _quiet(orders: Orders, fields: Json) -> None:
    orders.quiet, orders.waiting = fields["reached"], fields["waiting"]
    orders.ends = {int(name): end for name, end in fields["ends"].items()}


def _supplier(orders: Orders, fields: Json) -> None:
    orders.suppliers[fields["name"]] = Supplier(**fields)


_TAKE: Mapping[str, Callable[[Orders, Json], None]] = {
    "order.supplier": _supplier,
    "order.placed": _placed,
    "order.event": lambda orders, fields: orders.events.append(Event(**fields)),
    "order.effect": lambda orders, fields: orders.effects.append(Effect(**fields)),
    "order.record": _record,
    "order.call": lambda orders, fields: orders.calls.append(Call(**fields["call"])),
    "order.step": lambda orders, fields: orders.steps.append(Step(**fields["step"])),
    "order.kept": lambda orders, fields: orders.kept.append(Kept(**fields)),
    "order.letter": _letter,
    "order.export": _export,
    "order.offsets": _offsets,
    "order.breaker": lambda orders, fields: orders.breakers.append(Opened(**fields["breaker"])),
    "order.quiet": _quiet,
}
