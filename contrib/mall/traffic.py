"""What reached the suppliers, by their own records: commands that were sent, look-ups after an answer that was lost.

Pure functions of the simulators' files: the log of calls of a JD VOP, the ledger of a vendor who fetches his commands.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

SUBMIT = "order/submitOrder"
WRITES = frozenset({SUBMIT, "order/confirmOrder", "order/cancel"})
LOOK_UP = "order/selectJdOrderIdByThirdOrder"

Entry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Traffic:
    """What reached one supplier. attempts: commands, each time they came; looked_up: numbers of the orders that were
    looked up, and the look-up answered, after the answer to their submit was lost.
    """

    attempts: int
    looked_up: tuple[str, ...] = ()


def traffic_of_jd(calls: Iterable[Entry]) -> Traffic:
    """By the log of calls of a simulated JD VOP: status 0 for a call that got no answer."""
    attempts, lost, looked_up = 0, set[str](), []
    for call in calls:
        order_no = call["form"].get("thirdOrder", "")
        attempts += call["operation"] in WRITES
        if call["operation"] == SUBMIT and call["status"] != 200:
            lost.add(order_no)
        elif call["operation"] == LOOK_UP and call["status"] == 200 and order_no in lost:
            lost.discard(order_no)
            looked_up.append(order_no)
    return Traffic(attempts, tuple(looked_up))


def traffic_of_native(entries: Iterable[Entry]) -> Traffic:
    """By the ledger of a simulated vendor: each of his messages about an order is a command, whose answer nobody has to
    look up.
    """
    return Traffic(
        sum(
            entry.get("message_id") is not None and entry.get("operation", "order.").startswith("order.")
            for entry in entries
        )
    )
