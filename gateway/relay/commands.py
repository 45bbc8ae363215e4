"""A command: the facts of it that outlive every process, and how one is told from another."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID, uuid5

from gateway.relay.states import State

KEYS = UUID("6e1a3f4e-4f0e-5d0a-9a53-0a6c0b9f7d11")
"""Namespace of idempotency keys; another one would be another key for every command under way."""


class Role(StrEnum):
    """What a command is to its order.

    makes: there is no order before it; cancels: there is none after it; cancels_children: the others are there still;
    serves: it leaves the order as it is.
    """

    MAKES = "makes"
    CANCELS = "cancels"
    CANCELS_CHILDREN = "cancels_children"
    CHANGES = "changes"
    SERVES = "serves"


@dataclass(frozen=True, slots=True)
class Command:
    """One command of the mall core, as the inbox keeps it. Instants carry an offset.

    place: the offset it was read from, which orders its lane; content: hash of the payload as it was received;
    revision: of the order, as the buyer counts; deadline: of its business, nothing is sent from then on.
    """

    command_id: str
    supplier: str
    order_no: str
    operation: str
    role: Role
    place: int
    content: str
    deadline: datetime
    due_at: datetime
    """When the next step is due; at first when it was received."""
    revision: int = 1
    state: State = State.WAITING
    reason: str = ""
    """Why it stands where it stands, where the state does not say."""
    attempt: int = 0
    """Attempts so far, each noted before its first byte left."""
    spent: int = 0
    """Those of them that count against the command."""
    failures: int = 0
    """Tries in a row, look-ups too, that did not settle it: the back-off grows by them."""
    epoch: int = 0
    """The lease under which the last call was begun."""
    sent_at: datetime | None = None
    """When the last attempt was noted."""
    doubt_since: datetime | None = None
    """When the first attempt was noted that may have taken effect; None: none of them has."""
    absent_at: datetime | None = None
    """When the look-up was made that first did not find it, since the last attempt."""
    refusal: str = ""
    """With what the supplier refused an attempt while an earlier one may have taken effect."""
    sent_to: str = ""
    """The adapter and address to which the last attempt was made; "" where that was not kept."""

    @property
    def idempotency_key(self) -> str:
        """The same for every attempt, in every process."""
        return str(uuid5(KEYS, f"{self.supplier}|{self.command_id}"))

    @property
    def identity(self) -> tuple[Any, ...]:
        """What must be the same wherever its id comes again."""
        return (self.supplier, self.order_no, self.operation, self.revision, self.deadline, self.content)


class Receipt(StrEnum):
    """What a command that was read from the topic is to the inbox.

    conflict: its id was used for something else; it is a dead letter, and what is known stays as it is.
    """

    NEW = "new"
    REPEATED = "repeated"
    CONFLICT = "conflict"


def receive(known: Command | None, incoming: Command) -> Receipt:
    """What to make of a command, given the one of the same id."""
    if known is None:
        return Receipt.NEW
    return Receipt.REPEATED if known.identity == incoming.identity else Receipt.CONFLICT


def first_facts(incoming: Command, operations: Collection[str]) -> Command:
    """A new command as it enters the inbox. operations: what its supplier is offered; none for an unknown supplier."""
    if incoming.operation in operations:
        return incoming
    return replace(incoming, state=State.UNSUPPORTED, reason="unsupported_operation" if operations else "no_supplier")
