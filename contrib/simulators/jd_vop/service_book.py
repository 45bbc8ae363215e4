"""The after-sale services of the supplier: what has been done to them is a list of effects in the ledger of orders."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from contrib.journal import Journal
from contrib.simulators.jd_vop.calls import Call
from contrib.simulators.jd_vop.clock import Clock, local
from contrib.simulators.jd_vop.messages import MessagePool
from contrib.simulators.jd_vop.order import Order, cents
from contrib.simulators.jd_vop.order_book import OrderBook
from contrib.simulators.jd_vop.world import yuan

Entry = dict[str, Any]
FIRST = 100_000_000
RETURN, EXCHANGE = 10, 20
MOVED, REFUNDED = 110, 109

APPLY, WITHDRAW = "after_sale", "cancel_after_sale"


@dataclass(frozen=True, slots=True)
class Step:
    """What happens to a service. step: afsServiceStep then; state: of the message that tells of it, None for none;
    approved, processed: results then, None for no other; processed of an exchange and repair: see `_RESULTS`.
    """

    step: int
    state: int | None = None
    approved: int | None = None


STEPS: Mapping[str, Step] = {
    "audit": Step(21),
    "approve": Step(21, state=4, approved=33),
    "refuse_audit": Step(20, state=2),
    "send_goods": Step(21),
    "receive": Step(31),
    "handle": Step(33),
    "refund": Step(40),
    "close": Step(50, state=6),
    "call_off": Step(60, state=3),
}
ACTS = tuple(STEPS)
_RESULTS: Mapping[int, int] = {RETURN: 40, EXCHANGE: 50}
REPAIRED = 73


@dataclass(slots=True)
class Service:
    """One service. num: pieces; price: of one, in cents; expect: customerExpect; refunded: when its money went back."""

    id: int
    order: int
    third: str
    expect: int
    sku: int
    num: int
    price: int
    words: str
    created: float
    step: int = 10
    approved: int | None = None
    processed: int | None = None
    sent: bool = False
    refunded: float | None = None

    @property
    def takes(self) -> bool:
        """Whether it takes pieces that no other service can be about."""
        return self.step not in (20, 60)

    def truth(self) -> dict[str, Any]:
        """The service, plainly."""
        return {
            "afsServiceId": str(self.id),
            "jdOrderId": str(self.order),
            "thirdOrder": self.third,
            "customerExpect": self.expect,
            "afsServiceStep": self.step,
            "skuId": str(self.sku),
            "skuNum": self.num,
            "questionDesc": self.words,
            "refunded": self.refunded is not None,
        }


class ServiceBook:
    """Holds the services. Every change of theirs is an entry of the ledger, made and written in one step."""

    def __init__(self, book: OrderBook, clock: Clock, messages: MessagePool, ledger: Journal) -> None:
        self._book = book
        self._clock = clock
        self._messages = messages
        self._ledger = ledger
        self._services: dict[int, Service] = {}
        self._last_id = FIRST

    def restore(self, entries: Iterable[Entry]) -> None:
        """Take the services back from a ledger."""
        for entry in entries:
            self._apply(entry)

    def get(self, id_: int) -> Service | None:
        """The service of this id."""
        return self._services.get(id_)

    def of_order(self, order: int) -> list[Service]:
        """The services of an order, oldest first."""
        return [service for service in self._services.values() if service.order == order]

    def all(self) -> Iterable[Service]:
        """Every service, oldest first."""
        return self._services.values()

    def available(self, order: Order, sku: int) -> int:
        """Pieces of an article that a service can still be about."""
        bought = sum(line.num for line in order.lines if line.sku == sku)
        return bought - sum(each.num for each in self.of_order(order.id) if each.sku == sku and each.takes)

    def apply(self, order: Order, form: Mapping[str, Any], call: Call) -> None:
        """Take a service; whether it may be taken has been decided before. form: what the ledger has of it."""
        price = next(line.price for line in order.lines if line.sku == form["skuId"])
        self._last_id += 7
        entry = self._entry(APPLY, self._last_id, order.id, order.third, call)
        self._commit(entry | {**form, "price": yuan(price)})

    def act(self, act: str, service: Service, call: Call | None = None) -> None:
        """Let one of ACTS, or the buyer's cancel, happen to a service."""
        self._commit(self._entry(act, service.id, service.order, service.third, call))

    def _entry(self, effect: str, id_: int, order: int, third: str, call: Call | None) -> Entry:
        at = self._clock()
        return {
            "seq": self._book.next_number(),
            "effect": effect,
            "by": "supplier" if call is None else "caller",
            "at": at,
            "time": local(at),
            "thirdOrder": third,
            "jdOrderId": str(order),
            "afsServiceId": str(id_),
            "call": call.number if call else None,
            "headers": dict(call.headers) if call else {},
        }

    def _commit(self, entry: Entry) -> None:
        self._apply(entry)
        self._ledger.add(entry)

    def _apply(self, entry: Entry) -> None:
        """The one way in which services change."""
        id_ = int(entry["afsServiceId"])
        self._last_id = max(self._last_id, id_)
        if entry["effect"] == APPLY:
            self._services[id_] = Service(
                id=id_,
                order=int(entry["jdOrderId"]),
                third=entry["thirdOrder"],
                expect=entry["customerExpect"],
                sku=entry["skuId"],
                num=entry["skuNum"],
                price=cents(entry["price"]),
                words=entry["questionDesc"],
                created=entry["at"],
            )
            self._add_message(self._services[id_], 1)
        else:
            self._stepped(self._services[id_], entry)

    def _stepped(self, service: Service, entry: Entry) -> None:
        step = STEPS["call_off" if entry["effect"] == WITHDRAW else entry["effect"]]
        service.step = step.step
        service.approved = step.approved or service.approved
        match entry["effect"]:
            case "send_goods":
                service.sent = True
            case "handle":
                service.processed = _RESULTS.get(service.expect, REPAIRED)
            case "refund":
                service.refunded = entry["at"]
                result = {"orderId": service.order, "refundType": 1, "serviceNumber": service.id}
                self._messages.put(REFUNDED, result)
            case _:
                pass
        if step.state is not None or entry["effect"] in ("send_goods", "receive", "handle"):
            self._add_message(service, step.state or 4)

    def _add_message(self, service: Service, state: int) -> None:
        result = {"orderId": service.order, "skuId": service.sku, "afsServiceId": service.id, "state": state}
        self._messages.put(MOVED, result)
