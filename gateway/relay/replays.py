"""Dead letters of orders coming back: what can be done again without a second effect, and words about what cannot.

A record that was no command is taken as the command that an operator gives in its place; an order that could not be
read is read again, for the message that asked, so that what it tells has the ids it would have had. What was sent to a
supplier is never sent again by a replay, and an order that is over is never reopened by one.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson

from gateway.deadletters import DeadLetterRow, Handler, NotReplayableError, ReplayResult, refuse_patch
from gateway.evidence import orders_of
from gateway.kafka import Record
from gateway.relay import (
    document_store,
    ends,
    inbox_queries,
    invoice_store,
    invoices,
    operator_queries,
    orders,
    received,
    rereads,
)
from gateway.relay.advice import describe_state, how_to_resolve
from gateway.relay.inbox import Inbox, Offered
from gateway.relay.patched_commands import patched_command
from gateway.relay.received import Received, without_people
from gateway.relay.reread_store import request_again
from gateway.relay.states import State
from gateway.relay.steps import Kind, Step, write_steps
from gateway.relay.store import command_of
from gateway.sdk.errors import InvalidMessageError, Issue
from gateway.sdk.wire import shown
from gateway.store import Connection
from gateway.suppliers import SecretBox
from schemas.orders import OrderCommand
from schemas.orders.events import SupplierMessage

REQUEUED = "requeued"
"""What follows is on its way."""

UNCHANGED = "unchanged"
"""It was there already."""


Reads = Callable[[str], Awaitable[bool]]
"""Whether something can be read at a supplier."""


class OrderReplays:
    """Takes dead letters of the stages of orders back, or says what to do instead.

    Every handler foretells as well: all that it does is written in the transaction that it is given.
    """

    def __init__(
        self,
        inbox: Inbox,
        box: SecretBox,
        offered: Offered,
        reads_orders: Reads,
        reads_invoices: Reads,
    ) -> None:
        self._inbox = inbox
        self._box = box
        self._offered = offered
        self._reads_orders = reads_orders
        self._reads_invoices = reads_invoices

    def handlers(self) -> dict[str, Handler]:
        """What replays, and what foretells, by stage."""
        return {
            received.STAGE: self.take_command,
            rereads.STAGE: self.read_again,
            ends.STAGE: self.refuse_undecided,
            orders.LATE_STAGE: self.refuse_late,
            document_store.STAGE: self.refuse_document,
            invoices.STAGE: self.read_invoices,
        }

    async def take_command(self, connection: Connection, letter: DeadLetterRow) -> ReplayResult:
        """Take the command that the letter is by now, unless something of its order was taken behind it.

        Its partition is locked meanwhile: nothing of the order is taken between the look for that and the commit.
        """
        try:
            record, command = patched_command(letter)
            await connection.fetchval(inbox_queries.LOCK_OFFSET, letter.topic, letter.partition)
            is_new = await self._inbox.add(connection, await self._received(record, command), replay=str(letter.id))
        except InvalidMessageError as error:
            return ReplayResult("rejected", error.issues)
        keeps = None if letter.patched is None else without_people(letter.patched)
        detail = f"Command {command.command_id}: mallgate orders show {command.order_no}"
        if not is_new:
            return ReplayResult(UNCHANGED, detail=detail, keeps=keeps)
        await self._require_last(connection, letter, command)
        return ReplayResult(REQUEUED, detail=detail, keeps=keeps)

    async def _received(self, record: Record, command: OrderCommand) -> Received:
        """Raises InvalidMessageError for what would end at once because nobody can act on it."""
        offered = await self._offered(command.supplier)
        found = received.received(record, command, offered, now=datetime.now(UTC))
        if isinstance(found, Received) and found.state is State.WAITING:
            return found
        wanted = f"a supplier that is offered {command.operation}"
        raise InvalidMessageError(Issue("validation_failed", "/supplier", shown(command.supplier), wanted))

    async def _require_last(self, connection: Connection, letter: DeadLetterRow, command: OrderCommand) -> None:
        """Raises NotReplayableError where it would come behind what the mall has asked for since."""
        place = (letter.topic, letter.partition, letter.offset, letter.created_at)
        names = (command.supplier, command.order_no, command.command_id)
        later = await connection.fetchval(inbox_queries.LATER, *names, *place)
        if later is not None:
            raise NotReplayableError(
                f"See mallgate orders show {command.order_no}: the mall asked for more since (command {later}); what "
                "it still wants it writes again."
            )

    async def read_again(self, connection: Connection, letter: DeadLetterRow) -> ReplayResult:
        """Have the order read again; whoever owns the supplier does so."""
        refuse_patch(letter)
        supplier, named = letter.supplier or "", _named(letter)
        if not await self._reads_orders(supplier):
            raise NotReplayableError(f"Nothing here reads orders of {supplier}: ask {supplier}, then discard this.")
        numbers = named.get("numbers") or named["supplier_order_no"].split(", ")
        cause = SupplierMessage(type=named["message_type"], id=named["message_id"])
        await request_again(connection, supplier, numbers, cause)
        facts = {"replay": str(letter.id), "asked_by": cause.model_dump(mode="json")}
        order_nos = sorted(set((await orders_of(connection, supplier, numbers)).values()))
        steps = [Step(supplier, order_no, Kind.REPLAYED, None, facts) for order_no in order_nos]
        await write_steps(connection, self._box, steps)
        return ReplayResult(REQUEUED)

    async def read_invoices(self, connection: Connection, letter: DeadLetterRow) -> ReplayResult:
        """Have an application for invoices read again, for the message that asked before where the letter names it."""
        refuse_patch(letter)
        supplier, named = letter.supplier or "", _named(letter)
        see = f"See mallgate orders show {named.get('order_no', '')}".rstrip()
        if named.get("event") or not await self._reads_invoices(supplier):
            raise NotReplayableError(f"{see}: settle with {supplier} what was made out, then discard this letter.")
        message = named.get("message_type", invoices.READ_AGAIN), named.get("message_id", str(letter.id))
        cause = SupplierMessage(type=message[0], id=message[1])
        await invoice_store.ask(connection, supplier, {named["mark_id"]: cause})
        return ReplayResult(REQUEUED)

    async def refuse_undecided(self, connection: Connection, letter: DeadLetterRow) -> ReplayResult:
        """A command that nobody can decide may have taken effect. Raises NotReplayableError with who decides it."""
        named = _named(letter)
        row = await connection.fetchrow(operator_queries.COMMAND, named["command_id"])
        if row is None:
            raise NotReplayableError(f"Command {named['command_id']} is not there any more: discard this letter.")
        command = command_of(row)
        if command.state is State.DEAD:
            decided = how_to_resolve(command)
            raise NotReplayableError(f"It may have taken effect: ask {command.supplier}, then {decided}")
        raise NotReplayableError(
            f"Nothing is left to replay, {describe_state(command)}: see mallgate orders show {command.order_no}, "
            "then discard this letter."
        )

    async def refuse_late(self, connection: Connection, letter: DeadLetterRow) -> ReplayResult:
        """News of an order that is over. Raises NotReplayableError with what to do about it."""
        named = _named(letter)
        order_no, supplier = named["order_no"], named["supplier"]
        raise NotReplayableError(
            f"See mallgate orders show {order_no}: the order is over, and nothing reopens it. Settle with {supplier} "
            "what is there, then discard this letter."
        )

    async def refuse_document(self, connection: Connection, letter: DeadLetterRow) -> ReplayResult:
        """A document that is another one by now. Raises NotReplayableError with what to do about it."""
        named = _named(letter)
        raise NotReplayableError(
            f"See mallgate orders show {named['order_no']}: the mall puts the document of contract "
            f"{named['contract_no']} back, or amends the contract, and the vendor asks again. Then discard this letter."
        )


def _named(letter: DeadLetterRow) -> Mapping[str, Any]:
    """What a letter of ours names."""
    found: Mapping[str, Any] = orjson.loads(letter.original)
    return found
