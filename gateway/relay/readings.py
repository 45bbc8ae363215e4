"""What reading an order at its supplier tells: from what was told before and what is there now to the news. Pure.

Each fact is told once, however often the order is read and however old a reading is: what was told is kept beside the
supplier's numbers. Only of the set of children the last reading counts. What a command of ours is answered with is not
told here: an order whose submit is undecided is neither accepted nor confirmed by a reading.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from gateway.relay.after_sales import Service
from gateway.relay.orders import News, Order
from gateway.sdk.after_sales import SupplierAfterSale
from gateway.sdk.comparing import WANTED, differences, limit_differences
from gateway.sdk.orders import OrderTree, Progress, Standing, SupplierOrder, Track
from schemas.base import Model
from schemas.orders import (
    CancelScope,
    Kind,
    OrderFact,
    OrderStatus,
    Party,
    State,
    StateVerdict,
    SubmitOrder,
    judge,
    order_mismatches,
    parent_state,
    split_mismatches,
)
from schemas.orders.events import EVENTS, Cause, SupplierMessage
from schemas.orders.payloads import (
    Accepted,
    Cancelled,
    Child,
    Confirmed,
    Delivered,
    PriceMismatch,
    Rejected,
    Shipped,
    Split,
    StatedOrder,
    Tracked,
    TrackStep,
)
from schemas.orders.states import UNCONFIRMED

UNDECIDED = frozenset({State.DRAFT, State.SUBMITTING, State.UNKNOWN, State.CONFIRMING, State.CANCEL_PENDING})
"""A command is under way, and its answer may tell what a reading would tell."""

GONE = frozenset({State.CANCELLED, State.REFUSED, State.EXPIRED, State.ABANDONED})
"""The supplier should have nothing under way for such an order."""

SENT = frozenset({Progress.SHIPPED, Progress.DELIVERED, Progress.REJECTED})
"""The goods have left."""

WHOLE: Mapping[State, OrderFact] = {
    State.RESERVED: OrderFact.ACCEPTED,
    State.CONFIRMED: OrderFact.CONFIRMED,
    State.IN_FULFILMENT: OrderFact.SHIPPED,
    State.PARTIALLY_DELIVERED: OrderFact.PARTLY_DELIVERED,
    State.DELIVERED: OrderFact.DELIVERED,
    State.REJECTED: OrderFact.REJECTED,
    State.CANCELLED: OrderFact.CANCELLED,
}
"""What the state of all children together means for the order."""

MOST_STEPS = 500
"""Steps of one event."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number under which the supplier speaks of the order, and what was told of what bears it.

    state: of a child, None of the whole order and of a child that was not told yet; reported: names of facts.
    """

    supplier_order_no: str
    state: State | None = None
    superseded: bool = False
    reported: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class StoredOrder:
    """The known state of an order. submit: as it was sent last, None: that cannot be read."""

    order: Order
    numbers: Mapping[str, Number] = field(default_factory=dict)
    submit: SubmitOrder | None = None
    services: Sequence[Service] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """An order as it was read at this time, with the tracks of some of its numbers and the after-sale services of some.

    cause: the message that asked.
    """

    tree: OrderTree
    tracks: Mapping[str, Track]
    cause: SupplierMessage
    at: datetime
    services: Mapping[str, Sequence[SupplierAfterSale]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReadingResult:
    """What follows from a reading. numbers: those that are not as they were."""

    news: Sequence[News]
    numbers: Sequence[Number]


def compare(known: StoredOrder, reading: Reading) -> ReadingResult:
    """What a reading tells that was not told before."""
    comparison = _Comparison(known, reading)
    comparison.all()
    changed = [number for name, number in comparison.numbers.items() if known.numbers.get(name) != number]
    return ReadingResult(comparison.news, changed)


def tracks_wanted(known: StoredOrder, tree: OrderTree, asked: frozenset[str]) -> Sequence[str]:
    """The numbers whose tracks may tell something: on their way, and asked about or not yet known to have arrived."""
    return [
        leaf.supplier_order_no
        for leaf in _leaves(tree)
        if leaf.standing is Standing.PLACED
        and leaf.progress in SENT
        and (leaf.supplier_order_no in asked or not _arrived(known.numbers.get(leaf.supplier_order_no)))
    ]


def _leaves(tree: OrderTree) -> Sequence[SupplierOrder]:
    return tree.children or (tree.order,)


def _arrived(number: Number | None) -> bool:
    return number is not None and not number.reported.isdisjoint(("delivered", "rejected"))


def _digest(*words: object) -> str:
    return hashlib.sha256("\n".join(map(str, words)).encode(errors="surrogatepass")).hexdigest()[:16]


def _step_name(step: TrackStep) -> str:
    return f"step:{_digest(step.at.isoformat(), step.text, step.operator)}"


class _Comparison:
    """One reading against what was told; `status` is where the order stands after the news so far."""

    def __init__(self, known: StoredOrder, reading: Reading) -> None:
        self._order = known.order
        self._submit = known.submit
        self._reading = reading
        self._whole = reading.tree.order
        self._root = self._whole.supplier_order_no
        self.status = known.order.status
        self.numbers = {self._root: Number(self._root), **known.numbers}
        self.news: list[News] = []

    def all(self) -> None:
        """Everything, in the order in which it happens to orders."""
        self._standing()
        self._children()
        self._sums()
        self._cancelled_children()
        for leaf in _leaves(self._reading.tree):
            self._goods(leaf)

    @property
    def _compare_order(self) -> State:
        """Where the order stands but for a cancel that is under way."""
        state, before = self.status.state, self.status.before
        return before or State.RESERVED if state is State.CANCEL_PENDING else state

    def _standing(self) -> None:
        """Of the order as a whole. One that is over and is there all the same is told, and judged to be late."""
        stated = _stated(self._whole)
        lives = any(leaf.standing is not Standing.CANCELLED for leaf in _leaves(self._reading.tree))
        over = self.status.state in GONE and lives
        match self._whole.standing:
            case Standing.CANCELLED if not self._reading.tree.children and self.status.state not in GONE:
                lapsed = self.status.state in UNCONFIRMED  # nobody confirmed it in time
                by = Party.TIME_OUT if lapsed else self._canceller()
                cancelled = Cancelled(scope=CancelScope.ORDER, by=by)
                self._add_news_once(
                    self._root, "cancelled", OrderFact.LAPSED if lapsed else OrderFact.CANCELLED, cancelled
                )
            case Standing.PLACED if over or self._compare_order in (State.RESERVED, State.CONFIRMING):
                self._add_news_once(self._root, "confirmed", OrderFact.CONFIRMED, Confirmed(**stated))
            case Standing.RESERVED if over:
                self._add_news_once(self._root, "accepted", OrderFact.ACCEPTED, Accepted(**stated))
            case _:
                pass

    def _canceller(self) -> Party:
        return Party.MALL if self.status.state is State.CANCEL_PENDING else Party.SUPPLIER

    def _children(self) -> None:
        """The whole set, where it is another than was told last."""
        children = self._reading.tree.children
        there = {child.supplier_order_no for child in children}
        before = {number for number, child in self._reported_children().items() if not child.superseded}
        if not children or there == before:
            return
        for child in children:
            self._add_number(child)
        for number in before - there:
            self.numbers[number] = replace(self.numbers[number], superseded=True)
        stated = tuple(Child(**_stated(each), supplier_order_no=each.supplier_order_no) for each in children)
        self._add(OrderFact.SPLIT, Split(children=stated, superseded=tuple(sorted(before - there))))

    def _reported_children(self) -> Mapping[str, Number]:
        return {name: number for name, number in self.numbers.items() if number.state is not None}

    def _add_number(self, child: SupplierOrder) -> None:
        known = self.numbers.get(child.supplier_order_no, Number(child.supplier_order_no))
        first = State.RESERVED if child.standing is Standing.RESERVED else State.CONFIRMED
        self.numbers[child.supplier_order_no] = replace(known, state=known.state or first, superseded=False)

    def _sums(self) -> None:
        """Whether the supplier's sums still hold; of what is not confirmed yet, also whether it is what was sent."""
        if self.status.state in GONE or self._whole.standing is Standing.CANCELLED:
            return
        found = self._differences()
        if not found or judge(self.status, OrderFact.PRICE_MISMATCH).verdict is StateVerdict.KNOWN:
            return
        payload = PriceMismatch(
            expected=self._submit.payload.totals if self._submit else self._whole.stated.totals,
            offered=self._whole.stated.totals,
            differences=limit_differences(found),
        )
        self._add_news_once(self._root, f"mismatch:{_digest(*found)}", OrderFact.PRICE_MISMATCH, payload)

    def _differences(self) -> Sequence[str]:
        stated, children = self._whole.stated, self._reading.tree.children
        if self._submit is not None and self._compare_order in (State.RESERVED, State.CONFIRMING):
            alike = replace(self._whole, order_no=None, receiver=None, standing=WANTED[self._submit.payload.mode])
            found = differences(self._submit, alike)
        else:
            found = tuple(map(str, order_mismatches(stated.lines, stated.totals, stated.price_basis)))
        if not children:
            return found
        return (*found, *map(str, split_mismatches(stated, [child.stated for child in children])))

    def _cancelled_children(self) -> None:
        gone = [
            child.supplier_order_no
            for child in self._reading.tree.children
            if child.standing is Standing.CANCELLED
            and self.numbers[child.supplier_order_no].state is not State.CANCELLED
            and "cancelled" not in self.numbers[child.supplier_order_no].reported
        ]
        over, by = self.status.state in GONE, self._canceller()
        fact = None
        for number in gone:
            fact = self._move(number, OrderFact.CANCELLED)
            self.numbers[number] = replace(self.numbers[number], reported=self.numbers[number].reported | {"cancelled"})
        if not gone or over:
            return
        if fact is OrderFact.CANCELLED:
            self._add(fact, Cancelled(scope=CancelScope.ORDER, by=by))
        else:
            self._add(fact, Cancelled(scope=CancelScope.CHILDREN, children=tuple(gone), by=by))

    def _goods(self, leaf: SupplierOrder) -> None:
        """How far the goods of a child, or of an order that was not split, have come."""
        if leaf.standing is Standing.CANCELLED or leaf.progress not in SENT:
            return
        number = leaf.supplier_order_no
        part: dict[str, Any] = {
            "delivery_no": number,
            "supplier_order_no": None if number == self._root else number,
        }
        track = self._reading.tracks.get(number, Track())
        for parcel in track.parcels:
            shipped = Shipped(**part, waybill=parcel.waybill, carrier=parcel.carrier)
            self._add_news_once(number, f"shipped:{parcel.waybill}", OrderFact.SHIPPED, shipped)
        if not any(name.startswith("shipped:") for name in self.numbers[number].reported):
            self._add_news_once(number, "shipped:", OrderFact.SHIPPED, Shipped(**part))
        self._steps(number, part, track)
        if leaf.progress is Progress.DELIVERED:
            self._add_news_once(number, "delivered", OrderFact.DELIVERED, Delivered(**part))
        if leaf.progress is Progress.REJECTED:
            self._add_news_once(number, "rejected", OrderFact.REJECTED, Rejected(**part))

    def _steps(self, number: str, part: Mapping[str, Any], track: Track) -> None:
        """Of an order that is over nobody follows where its goods are."""
        if self.status.state in GONE:
            return
        known = self.numbers[number].reported
        steps = {name: step for step in track.steps if (name := _step_name(step)) not in known}
        self.numbers[number] = replace(self.numbers[number], reported=known | steps.keys())
        new = list(steps.values())
        for start in range(0, len(new), MOST_STEPS):
            self._add(None, Tracked(**part, steps=tuple(new[start : start + MOST_STEPS])))

    def _add_news_once(self, number: str, name: str, fact: OrderFact, payload: Model) -> None:
        """Tell a fact about what bears a number, unless it was told before."""
        known = self.numbers[number]
        if name in known.reported:
            return
        self.numbers[number] = replace(known, reported=known.reported | {name})
        self._add(self._move(number, fact), payload)

    def _move(self, number: str, fact: OrderFact) -> OrderFact | None:
        """Move a child; what it means for the order, by all its children. What is not split means what it says."""
        child = self.numbers[number]
        if number == self._root or child.state is None:
            return fact
        after = judge(OrderStatus(child.state), fact).status.state
        self.numbers[number] = replace(child, state=after)
        together = [each.state for each in self._reported_children().values() if each.state and not each.superseded]
        return WHOLE.get(parent_state(together))

    def _add(self, fact: OrderFact | None, payload: Model) -> None:
        common: dict[str, Any] = {
            "order_no": self._order.order_no,
            "tenant": self._order.tenant,
            "cause": Cause(message=self._reading.cause),
            "occurred_at": self._reading.at,
            "supplier": self._order.supplier,
            "supplier_order_nos": (self._root,),
            "payload": payload,
        }
        event = EVENTS[_KINDS[type(payload)]](**common)
        self.news.append(News(self._order.supplier, self._order.order_no, fact, event, supplier_order_no=self._root))
        if fact is not None:
            self.status = judge(self.status, fact).status


_KINDS: Mapping[type[Model], Kind] = {
    Accepted: Kind.ACCEPTED,
    Confirmed: Kind.CONFIRMED,
    Cancelled: Kind.CANCELLED,
    Split: Kind.SPLIT,
    PriceMismatch: Kind.PRICE_MISMATCH,
    Shipped: Kind.SHIPPED,
    Tracked: Kind.TRACKED,
    Delivered: Kind.DELIVERED,
    Rejected: Kind.REJECTED,
}


def _stated(order: SupplierOrder) -> dict[str, Any]:
    return {name: getattr(order.stated, name) for name in StatedOrder.model_fields}
