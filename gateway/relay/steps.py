"""The story of an order, step by step, for whoever has to understand it: nothing in it is personal but sealed words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import orjson

from gateway.calls.exchange import Exchange
from gateway.evidence import Entry, append, facts_of, private_of
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

    The others are kept as evidence alone. exchange: what went over the wire; answered: what a vendor said by API, and
    what he was answered; message: of the supplier; replayed: an operator had it read again.
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
    EXCHANGE = "exchange"
    ANSWERED = "answered"
    MESSAGE = "message"
    REPLAYED = "replayed"


EVIDENCE_ALONE = frozenset({Kind.EXCHANGE, Kind.ANSWERED, Kind.MESSAGE, Kind.REPLAYED})
"""What is no step of the story: another step says in words what it came to."""


@dataclass(frozen=True, slots=True)
class Step:
    """One step.

    facts: numbers, codes and reasons, JSON; words: of the supplier, which may name people; evidence: what is kept of it
    as evidence alone, JSON, which may name people too.
    """

    supplier: str
    order_no: str
    kind: Kind
    command_id: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    words: str = ""
    evidence: Mapping[str, Any] | None = None


async def write_steps(connection: Connection, box: SecretBox, steps: Sequence[Step]) -> None:
    """Keep steps, in this order, in the transaction in which they were gone, and append them to the evidence.

    Once in a transaction that is about several orders: see `append`.
    """
    shown_steps = [step for step in steps if step.kind not in EVIDENCE_ALONE]
    if shown_steps:
        await connection.execute(queries.STEPS, *zip(*(_row(box, step) for step in shown_steps), strict=True))
    await append(connection, box, [_entry(step) for step in steps])


def exchange_step(supplier: str, order_no: str, command_id: str | None, exchange: Exchange) -> Step:
    """What went over the wire in a call about an order."""
    facts, private = facts_of(exchange), private_of(exchange)
    return Step(supplier, order_no, Kind.EXCHANGE, command_id, facts, evidence=private)


def _entry(step: Step) -> Entry:
    words = {"words": step.words} if step.words else {}
    private = {**words, **(step.evidence or {})} or None
    return Entry(step.supplier, step.order_no, step.kind.value, step.command_id, step.facts, private)


def _row(box: SecretBox, step: Step) -> tuple[object, ...]:
    return (
        step.supplier,
        step.order_no,
        step.command_id,
        step.kind.value,
        orjson.dumps(step.facts).decode(),
        box.seal(step.supplier, WORDS, step.words.encode()) if step.words else None,
    )
