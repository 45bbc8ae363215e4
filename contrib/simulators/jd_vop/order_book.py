"""The orders of the supplier: what has been done to them is a list of effects, and what they are is its outcome."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from heapq import heappop, heappush
from itertools import count
from typing import Any

from contrib.journal import Journal
from contrib.simulators.jd_vop.calls import Call
from contrib.simulators.jd_vop.clock import Clock, local
from contrib.simulators.jd_vop.config import Config
from contrib.simulators.jd_vop.draws import draw
from contrib.simulators.jd_vop.messages import MessagePool
from contrib.simulators.jd_vop.order import (
    DELIVERED,
    REJECTED,
    STEPS,
    Line,
    Order,
    amounts,
    amounts_entry,
    cents,
    divided,
    freight_of,
    line_entry,
    line_of,
    prorated,
)
from contrib.simulators.jd_vop.world import yuan

Entry = dict[str, Any]
FIRST = 70_000_000_000
SPLIT, CANCEL, EXPIRE, UNPAID, CONFIRM = "split", "cancel", "expire", "unpaid", "confirm"
ACTS: Sequence[str] = (CONFIRM, CANCEL, SPLIT, EXPIRE, UNPAID, *STEPS)
NEW, RESERVED = 25, 26
CANCEL_TYPES: Mapping[str, int] = {UNPAID: 1, EXPIRE: 2}


class OrderBook:
    """Holds the orders. Every change of theirs is an entry of the ledger, made and written in one step."""

    def __init__(self, config: Config, clock: Clock, messages: MessagePool, ledger: Journal) -> None:
        self._config = config
        self._clock = clock
        self._messages = messages
        self._ledger = ledger
        self._orders: dict[int, Order] = {}
        self._by_third: dict[str, int] = {}
        self._reserved: deque[int] = deque()
        self._due: list[tuple[float, int, int]] = []
        self._last_id = FIRST
        self._numbers = count(1)
        self._kinds: Mapping[str, Callable[[Order, Entry], None]] = {
            CONFIRM: self._confirmed,
            CANCEL: self._cancelled,
            EXPIRE: self._cancelled,
            UNPAID: self._cancelled,
            SPLIT: self._split,
            **dict.fromkeys(STEPS, self._stepped),
        }

    def listen(self, kinds: Mapping[str, Callable[[Order, Entry], None]]) -> None:
        """Have effects that leave orders as they are carried out by others, also those of a ledger."""
        self._kinds = {**self._kinds, **kinds}

    def note(self, effect: str, order: Order, call: Call | None, more: Entry) -> None:
        """Let one of those effects happen."""
        self._commit(self._entry(effect, order.id, order.third, order.lines, order.freight, call) | more)

    def message(self, type_: int, result: Entry) -> None:
        """A message that is about no order itself."""
        self._messages.put(type_, result)

    def restore(self, entries: Iterable[Entry]) -> None:
        """Take the orders back from a ledger. All messages about them come once more, as undeleted ones do."""
        for entry in entries:
            if "afsServiceId" not in entry:
                self._apply(entry)
            self._numbers = count(entry["seq"] + 1)

    def next_number(self) -> int:
        """The number of the next entry of the ledger."""
        return next(self._numbers)

    def get(self, id_: int) -> Order | None:
        """The order of this id, unless a later split has replaced it."""
        order = self._orders.get(id_)
        return None if order is None or order.superseded else order

    def of_third(self, third: str) -> Order | None:
        """The order that was submitted under this number, the last one when there are several."""
        return self._orders[self._by_third[third]] if third in self._by_third else None

    def children(self, order: Order) -> list[Order]:
        """The children that stand now."""
        return [self._orders[child] for child in order.children]

    def all(self) -> Iterable[Order]:
        """Every order, oldest first."""
        return self._orders.values()

    def submit(self, third: str, lines: Sequence[Line], call: Call, *, reserve: bool) -> Order:
        """Take an order; whether it may be taken has been decided before."""
        id_ = self._next_id()
        entry = self._entry("submit", id_, third, lines, freight_of(lines), call)
        self._commit(entry | {"submitState": 0 if reserve else 1})
        return self._orders[id_]

    def act(self, act: str, order: Order, call: Call | None = None) -> None:
        """Let one of ACTS, except a split, happen to an order. call: whose it is, None for the supplier's own.

        Nothing is checked: goods are delivered to buyers who have cancelled them, as it happens.
        """
        self._commit(self._entry(act, order.id, order.third, order.lines, order.freight, call))

    def split(self, order: Order, into: int) -> bool:
        """Divide a confirmed order, or one of its children, which its parts then replace. False when that cannot be."""
        parts = divided(order.lines, into)
        if not parts or order.children or not order.confirmed:
            return False
        freights = prorated(order.freight, [amounts(part, 0).gross for part in parts])
        children = [
            {"jdOrderId": str(self._next_id()), "freight": yuan(freight), "lines": [*map(line_entry, part)]}
            for part, freight in zip(parts, freights, strict=True)
        ]
        entry = self._entry(SPLIT, order.id, order.third, order.lines, order.freight, None)
        self._commit(entry | {"children": children})
        return True

    def tick(self) -> None:
        """Let happen what is due by now: reservations expire, confirmed orders go on their way."""
        now = self._clock()
        while self._reserved and self._orders[self._reserved[0]].created + self._config.reserve_seconds <= now:
            order = self._orders[self._reserved.popleft()]
            if not order.confirmed and not order.cancelled:
                self.act(EXPIRE, order)
        while self._due and self._due[0][0] <= now:
            _, id_, place = heappop(self._due)
            if self._orders[id_].place == place:
                self._go_on(self._orders[id_])

    def leaves(self, order: Order) -> list[Order]:
        """What is delivered: the children that stand, or the order itself."""
        return self.children(order) or [order]

    def _go_on(self, order: Order) -> None:
        """The next step of an order that goes its way by itself; a parent leaves that to its children."""
        if order.cancelled or order.superseded or order.children:
            return
        chance = draw(self._config.seed, order.id, "split")[0] / 256
        if order.place == 0 and not order.parent and chance < self._config.split_share and self.split(order, 2):
            return
        way = self._way(order)
        if order.place < len(way):
            self.act(way[order.place], order)

    def _way(self, order: Order) -> Sequence[str]:
        chance = draw(self._config.seed, order.id, "reject")[0] / 256
        return REJECTED if chance < self._config.reject_share else DELIVERED

    def _schedule(self, order: Order) -> None:
        """Let the order go on later; until then whatever else moves it on makes this void."""
        if self._config.step_seconds:
            heappush(self._due, (self._clock() + self._config.step_seconds, order.id, order.place))

    def _next_id(self) -> int:
        self._last_id += 1 + draw(self._config.seed, self._last_id, "order")[0]
        return self._last_id

    def _entry(
        self, effect: str, id_: int, third: str, lines: Sequence[Line], freight: int, call: Call | None
    ) -> Entry:
        at = self._clock()
        return {
            "seq": self.next_number(),
            "effect": effect,
            "by": "supplier" if call is None else "caller",
            "at": at,
            "time": local(at),
            "thirdOrder": third,
            "jdOrderId": str(id_),
            "lines": [line_entry(line) for line in lines],
            "amounts": amounts_entry(amounts(lines, freight)),
            "call": call.number if call else None,
            "headers": dict(call.headers) if call else {},
        }

    def _commit(self, entry: Entry) -> None:
        self._apply(entry)
        self._ledger.add(entry)

    def _apply(self, entry: Entry) -> None:
        """The one way in which orders change."""
        id_ = int(entry["jdOrderId"])
        self._last_id = max(self._last_id, id_)
        if entry["effect"] == "submit":
            self._submitted(id_, entry)
        else:
            self._kinds[entry["effect"]](self._orders[id_], entry)

    def _submitted(self, id_: int, entry: Entry) -> None:
        order = Order(
            id=id_,
            third=entry["thirdOrder"],
            lines=tuple(map(line_of, entry["lines"])),
            freight=cents(entry["amounts"]["freight"]),
            created=entry["at"],
            confirmed=entry["submitState"] == 1,
        )
        order.track(entry["at"], "您提交了订单，请等待系统确认", "客户")
        self._orders[id_] = order
        self._by_third[order.third] = id_
        if order.confirmed:
            self._schedule(order)
        else:
            self._reserved.append(id_)
        self._add_message(NEW if order.confirmed else RESERVED, order, pin=self._config.username)

    def _confirmed(self, order: Order, entry: Entry) -> None:
        order.confirmed = True
        order.track(entry["at"], "您的订单已确认")
        self._schedule(order)
        self._add_message(NEW, order, pin=self._config.username)

    def _cancelled(self, order: Order, entry: Entry) -> None:
        order.cancelled = True
        order.track(entry["at"], "您的订单已取消")
        if (type_ := CANCEL_TYPES.get(entry["effect"])) is not None:
            self._add_message(15, order, cancelType=type_)
        self._add_message(10, order)

    def _stepped(self, order: Order, entry: Entry) -> None:
        step = STEPS[entry["effect"]]
        order.jd_state = step.jd_state or order.jd_state
        order.state = order.state if step.state is None else step.state
        order.track(entry["at"], step.words)
        if entry["effect"] in (way := self._way(order)):
            order.place = way.index(entry["effect"]) + 1
            self._schedule(order)
        if step.message is not None:
            self._add_message(step.message, order, **({} if step.state is None else {"state": step.state}))

    def _split(self, order: Order, entry: Entry) -> None:
        """The message names the original parent, however often it has been split."""
        root = self._orders[order.parent] if order.parent else order
        kept = [child for child in root.children if child != order.id]
        order.superseded = order is not root
        for child_entry in entry["children"]:
            child = Order(
                id=int(child_entry["jdOrderId"]),
                third=order.third,
                lines=tuple(map(line_of, child_entry["lines"])),
                freight=cents(child_entry["freight"]),
                created=order.created,
                confirmed=order.confirmed,
                parent=root.id,
                state=order.state,
                jd_state=order.jd_state,
                place=order.place,
                tracks=[*order.tracks],
            )
            self._orders[child.id] = child
            self._last_id = max(self._last_id, child.id)
            kept.append(child.id)
            self._schedule(child)
        root.children = kept
        self._messages.put(1, {"pOrder": root.id})

    def _add_message(self, type_: int, order: Order, **more: Any) -> None:
        """A message about an order. The documents themselves show its key with a blank before it."""
        self._messages.put(type_, {" orderId" if order.id % 5 == 0 else "orderId": order.id} | more)
