"""What the core knows of orders: commands that it placed, events that it was told, and where each order stands.

Written from the AsyncAPI document alone: values are JSON as it stands on the topics.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Json = Mapping[str, Any]

SUBMIT, CONFIRM, CANCEL = "order.submit", "order.confirm", "order.cancel"

TERMINAL = frozenset(
    {
        "order.accepted",
        "order.refused",
        "order.confirmed",
        "order.partially_confirmed",
        "order.price_mismatch",
        "order.cancelled",
        "order.cancel_refused",
        "order.expired",
        "order.unsupported",
    }
)
"""Events of which exactly one answers each command of an order. `order.parked` is none of them: another follows."""

OF_CONTRACTS = frozenset(
    {
        "contract.delivered",
        "contract.refused",
        "contract.repeated",
        "contract.withdrawn",
        "contract.expired",
        "contract.unsupported",
    }
)
"""The same of commands about contracts."""

OF_SERVICES = frozenset(
    {
        "invoice.requested",
        "invoice.refused",
        "invoice.expired",
        "aftersale.accepted",
        "aftersale.refused",
        "aftersale.progress",
    }
)
"""The same of commands about what serves an order."""


@dataclass(frozen=True, slots=True)
class Command:
    """A record of a topic of commands as it was placed, and again and again byte by byte where it is repeated."""

    value: bytes
    content: Json

    @property
    def id(self) -> str:
        """Its command_id."""
        return str(self.content["command_id"])

    @property
    def order_no(self) -> str:
        """The mall's number of the order."""
        return str(self.content["order_no"])

    @property
    def key(self) -> str:
        """Key of the record: the number of the order, or of the contract."""
        return str(self.content.get("contract_no") or self.content["order_no"])

    @property
    def operation(self) -> str:
        """SUBMIT, CONFIRM, CANCEL, or one of `contrib.mall.services`."""
        return str(self.content["operation"])

    @property
    def supplier(self) -> str:
        """Who shall act."""
        return str(self.content["supplier"])


@dataclass(frozen=True, slots=True)
class Event:
    """A record of `mall.orders.events.v1` or `mall.contracts.events.v1`. ce_id: its identity, the same in a repeat."""

    ce_id: str
    key: str
    partition: int
    offset: int
    content: Json

    @property
    def kind(self) -> str:
        """What it says, such as `order.accepted`."""
        return str(self.content["event"])

    @property
    def command_id(self) -> str | None:
        """The command that it answers; None for a message of the supplier."""
        answered = self.content["cause"].get("command_id")
        return None if answered is None else str(answered)

    @property
    def is_terminal(self) -> bool:
        """Whether it is the answer to a command."""
        return self.command_id is not None and self.kind in TERMINAL | OF_SERVICES | OF_CONTRACTS

    @property
    def whole(self) -> bool:
        """Of a cancel: whether it is about the whole order, not about children of it."""
        return str(self.content["payload"].get("scope", "order")) == "order"


def first_of_each(events: Iterable[Event]) -> list[Event]:
    """The events without their repeats, in their order."""
    found: dict[str, Event] = {}
    for event in events:
        found.setdefault(event.ce_id, event)
    return list(found.values())


_STANDS: Mapping[str, tuple[str, int]] = {
    "order.accepted": ("reserved", 1),
    "order.price_mismatch": ("held", 2),
    "order.partially_confirmed": ("partially_confirmed", 3),
    "order.confirmed": ("confirmed", 4),
    "order.split": ("in_fulfilment", 5),
    "shipment.created": ("in_fulfilment", 5),
    "shipment.delivered": ("delivered", 6),
    "shipment.rejected": ("rejected", 6),
}
"""Where an order stands after an event, and how far on that is: news of what is behind changes nothing."""

_ENDS: Mapping[str, str] = {"order.refused": "refused", "order.expired": "expired", "order.unsupported": "unsupported"}
"""How an order ends whose submit came to nothing."""


def state_of(events: Iterable[Event]) -> str:
    """Where an order stands by its events; `placed` before any answer, `parked` while a person decides."""
    state, rank, parked = "placed", 0, False
    for event in first_of_each(events):
        parked = event.kind == "order.parked" or (parked and not event.is_terminal)
        if event.kind == "order.cancelled" and event.whole:
            return "cancelled"
        if event.kind in _ENDS and rank == 0 and event.content["payload"].get("operation", SUBMIT) == SUBMIT:
            return _ENDS[event.kind]
        new_state, further = _STANDS.get(event.kind, (state, rank))
        if further > rank:
            state, rank = new_state, further
    return "parked" if parked else state
