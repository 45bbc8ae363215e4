"""What vendors send and are answered about orders: models that the OpenAPI document is generated from."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from gateway.intake.views import View
from gateway.relay.mailbox import Acknowledgement
from gateway.relay.vendor_event_service import VendorEventReceipt
from schemas.base import Instant, Model
from schemas.contracts import COMMAND_TYPE as OF_CONTRACTS
from schemas.contracts.commands import AmendContract, ContractAnnounced, ContractFiled, IssueContract, TerminateContract
from schemas.orders import COMMAND_TYPE, Kind, OrderCommand, State

MAX_ACKS = 500
"""Messages of one acknowledgement."""

MessageId = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,128}$")]
"""An id of a message as a vendor repeats it."""


TYPES = (*COMMAND_TYPE.values(), *OF_CONTRACTS.values())
"""Kinds of messages."""


class MessageView(View):
    """A command of the mall that waits for the vendor."""

    id: str = Field(description="Identity of the message, the same at every delivery. Acknowledge it by this.")
    type: str = Field(description=f"Its kind and version: {', '.join(TYPES)}.")
    delivery: int = Field(description="How often it was given to you, this time included.")
    visible_again_at: Instant = Field(description="From then on it is given again unless it was acknowledged.")
    command: OrderCommand | IssueContract | AmendContract | TerminateContract | ContractAnnounced | ContractFiled = (
        Field(description="What the mall asks for, of an order or a contract.")
    )


class MessageList(View):
    """Messages, of each order and each contract the first alone."""

    messages: tuple[MessageView, ...] = Field(description="The one that waits longest first; none: nothing waits.")


class Acks(Model):
    """Messages that the vendor has stored."""

    ids: Annotated[tuple[MessageId, ...], Field(min_length=1, max_length=MAX_ACKS)] = Field(
        description="Ids of messages."
    )


class AckResult(View):
    """What became of one id."""

    id: str = Field(description="As it was sent.")
    result: Acknowledgement = Field(
        description="acknowledged: now or before; unknown: you were given none such; withdrawn: do not act on it."
    )


class AckResults(View):
    """What became of each id, in their order."""

    results: tuple[AckResult, ...]


class TakenView(View):
    """What an event of the vendor came to."""

    order_no: str = Field(description="The mall's number of the order.")
    event: Kind | None = Field(description="What the mall was told; null: it knew that already.")
    state: State = Field(description="Where the order stands from then on.")
    answers: tuple[str, ...] = Field(description="Ids of the messages that the event answered.")
    held: bool = Field(description="Whether the mall was told of a mismatch, because sums do not hold.")


def taken_view(order_no: str, taken: VendorEventReceipt) -> TakenView:
    """The answer about an event."""
    return TakenView(order_no=order_no, event=taken.event, state=taken.state, answers=taken.answers, held=taken.held)
