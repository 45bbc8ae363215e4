"""The story of an order, step by step, for whoever has to understand it: nothing in it is personal but sealed words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import orjson

from gateway.relay import order_queries as queries
from gateway.relay.sealed import WORDS
from gateway.store import Connection
from gateway.suppliers import SecretBox


class Kind(StrEnum):
    """What happened.

    attempt, look_up: a call was begun; outcome: it came to something, or nobody knows; stopped: a person has to speak;
    released: an operator took a stop back; resolved: a person spoke; ended: without a call; event: the core was told;
    read: the order was read at the supplier; late: news of an order that is over; delivered: handed to a vendor that
    fetches its commands, or sent to its webhook; undelivered: the webhook did not take it; acknowledged: the vendor
    has it.
    """

    ATTEMPT = "attempt"
    LOOK_UP = "look_up"
    OUTCOME = "outcome"
    STOPPED = "stopped"
    RELEASED = "released"
    RESOLVED = "resolved"
    ENDED = "ended"
    EVENT = "event"
    READ = "read"
    LATE = "late"
    DELIVERED = "delivered"
    UNDELIVERED = "undelivered"
    ACKNOWLEDGED = "acknowledged"


@dataclass(frozen=True, slots=True)
class Step:
    """One step. facts: numbers, codes and reasons, JSON; words: of the supplier, which may name people."""

    supplier: str
    order_no: str
    kind: Kind
    command_id: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    words: str = ""


async def write_steps(connection: Connection, box: SecretBox, steps: Sequence[Step]) -> None:
    """Keep steps, in this order, in the transaction in which they were gone."""
    if steps:
        await connection.execute(queries.STEPS, *zip(*(_row(box, step) for step in steps), strict=True))


def _row(box: SecretBox, step: Step) -> tuple[object, ...]:
    return (
        step.supplier,
        step.order_no,
        step.command_id,
        step.kind.value,
        orjson.dumps(step.facts).decode(),
        box.seal(step.supplier, WORDS, step.words.encode()) if step.words else None,
    )
