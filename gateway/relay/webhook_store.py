"""Webhooks in PostgreSQL: what is to be sent where, and what was sent in vain."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import astuple, dataclass
from datetime import datetime

import structlog

from gateway.relay import webhook_queries as queries
from gateway.relay.commands import Command
from gateway.relay.lane_store import step_of
from gateway.relay.mailbox import Clock, Message, operation_named
from gateway.relay.mailbox_lanes import VISIBILITY
from gateway.relay.sealed import sealed_as
from gateway.relay.states import State
from gateway.relay.steps import Kind, write_steps
from gateway.relay.store import command_of, move
from gateway.relay.transitions import in_doubt, moved
from gateway.relay.webhook_policy import DeliveryResult, Endpoint, after_failure, after_success, due_again
from gateway.store import Connection, Lease, Pool, Row, acquired
from gateway.suppliers import SecretBox
from gateway.suppliers.webhook_secrets import webhook_secrets

log = structlog.get_logger(__name__)

NOT_TAKEN = "webhook_failed"
"""Why a message waits that was sent in vain."""


@dataclass(frozen=True, slots=True)
class DueMessages:
    """What may be sent now. secrets: each signs it; replays: what is sent once more though it is acknowledged;
    orders: whose first message is to be sent.
    """

    secrets: Sequence[str]
    replays: Sequence[Message]
    orders: Sequence[str]


class WebhookStore:
    """Of one supplier, whose lease is ours. Methods raise StoreUnavailableError, those that write LeaseLostError."""

    def __init__(self, pool: Pool, box: SecretBox, supplier: str, lease: Lease, clock: Clock) -> None:
        self._pool = pool
        self._box = box
        self._supplier = supplier
        self._lease = lease
        self._clock = clock

    async def due(self, url: str, most: int, aside: Collection[str]) -> DueMessages | None:
        """What may be sent now, so many messages; None: nothing. aside: orders that are left alone.

        Raises SecretUnreadableError.
        """
        now = self._clock()
        async with acquired(self._pool) as connection:
            if not endpoint_of(await connection.fetchrow(queries.ENDPOINT, self._supplier), url).takes(now):
                return None
            rows = await connection.fetch(queries.DUE_REPLAYS, self._supplier, now, most, list(aside))
            left = [*aside, *(row["order_no"] for row in rows)]
            asked = (self._supplier, now, now - VISIBILITY, most - len(rows), left)
            orders = [row["order_no"] for row in await connection.fetch(queries.DUE, *asked)]
            if not rows and not orders:
                return None
            secrets = await webhook_secrets(connection, self._box, self._supplier)
        return DueMessages(secrets, [self._replayed(row) for row in rows], orders)

    async def succeeded(self, url: str, command_id: str) -> None:
        """Keep that a message got through."""
        async with self._lease.transaction() as connection:
            await connection.execute(queries.DELIVERED, command_id)
            endpoint = await _lock_endpoint(connection, self._supplier, url)
            await keep_endpoint(connection, self._supplier, after_success(endpoint, self._clock()))

    async def failed(
        self, url: str, message: Message, answer: DeliveryResult, dice: Callable[[], float], *, replay: bool
    ) -> Endpoint:
        """Keep that a message did not get through; how the webhook stands then. The mailbox shows it at once."""
        now = self._clock()
        async with self._lease.transaction() as connection:
            if replay or await self._give_back(connection, message, answer, now):
                failures = 1 + (await connection.fetchval(queries.FAILURES, message.id) or 0)
                due_at = due_again(failures, answer, now, dice)
                if replay and due_at is None:  # it holds back what follows it no longer
                    await connection.execute(queries.DELIVERED, message.id)
                else:
                    kept = (message.id, replay, failures, due_at, answer.words)
                    await connection.execute(queries.KEEP_DELIVERY, *kept)
            endpoint = after_failure(await _lock_endpoint(connection, self._supplier, url), answer, now)
            await keep_endpoint(connection, self._supplier, endpoint)
        return endpoint

    async def forget_ended(self) -> None:
        """Forget failures of messages that have ended meanwhile."""
        async with self._lease.transaction() as connection:
            await connection.execute(queries.FORGET_ENDED, self._supplier)

    async def _give_back(self, connection: Connection, message: Message, answer: DeliveryResult, now: datetime) -> bool:
        """Let a message that was sent in vain be delivered again; False where the vendor has answered it meanwhile."""
        row = await connection.fetchrow(queries.LOCK_COMMAND, self._supplier, message.id)
        was = None if row is None else command_of(row)
        if was is None or was.state is not State.SENDING or was.attempt != message.delivery:
            return False
        after = given_back(was, answer, now)
        await move(connection, [(was, after)])
        await write_steps(connection, self._box, [step_of(after, Kind.UNDELIVERED, answer.words)])
        return True

    def _replayed(self, row: Row) -> Message:
        value = self._box.open(row["supplier"], sealed_as(row["command_id"]), row["sealed"])
        operation, shown_until = operation_named(row["operation"]), row["sent_at"] + VISIBILITY
        return Message(row["command_id"], row["order_no"], operation, value, row["attempt"], shown_until)


def given_back(command: Command, answer: DeliveryResult, now: datetime) -> Command:
    """A message that was sent in vain: where any of it left, the vendor may have it all the same."""
    doubtful = in_doubt(command) if answer.sent else command
    state = State.RETRY if doubtful.doubt_since is None else State.UNKNOWN
    return moved(doubtful, state, reason=NOT_TAKEN, due_at=now)


def endpoint_of(row: Row | None, url: str) -> Endpoint:
    """How a webhook fares; one whose address was declared again starts again."""
    return Endpoint(**row) if row is not None and row["url"] == url else Endpoint(url)


async def keep_endpoint(connection: Connection, supplier: str, endpoint: Endpoint) -> None:
    """Keep how a webhook fares."""
    await connection.execute(queries.KEEP_ENDPOINT, supplier, *astuple(endpoint))


async def _lock_endpoint(connection: Connection, supplier: str, url: str) -> Endpoint:
    return endpoint_of(await connection.fetchrow(queries.LOCK_ENDPOINT, supplier), url)
