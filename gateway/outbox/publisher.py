"""The one publisher of what was decided elsewhere: takes the oldest, sends, deletes what Kafka has.

A crash between the ack and the delete sends again: same bytes, same ids. Of one key, the next message leaves only when
the one before it is acked, so that no failure can put them out of order.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

import structlog

from gateway.kafka import KafkaRefusedError, Message, Producer
from gateway.outbox import queries
from gateway.sdk.errors import ServiceUnavailableError
from gateway.store import Lease, LeaseLostError, Pool, Row, StoreUnavailableError, acquired, transaction
from gateway.telemetry import metrics

log = structlog.get_logger(__name__)

BATCH_ROWS = 500
BATCH_BYTES = 8 * 1024 * 1024
POLL_SECONDS = 0.2
RETRY_SECONDS = 1.0
COUNT_SECONDS = 5.0


def waves(rows: Iterable[Row]) -> list[list[Row]]:
    """Rows to send together, in the order to send them: none holds two of one key, each key's come in order.

    Rows without a key have no order among themselves and all go first.
    """
    found: list[list[Row]] = []
    sent: dict[tuple[str, bytes], int] = {}
    for row in rows:
        number = 0
        if row["key"] is not None:
            place = (row["topic"], row["key"])
            number = sent[place] = sent.get(place, -1) + 1
        if number == len(found):
            found.append([])
        found[number].append(row)
    return found


class Publisher:
    """Publishes the outbox while the lease `outbox` is this process's. owner: names this process in the lease."""

    def __init__(self, pool: Pool, producer: Producer, *, owner: str, lease_term: float = 15.0) -> None:
        self._pool = pool
        self._producer = producer
        self._lease = Lease(pool, "outbox", owner, term=lease_term)

    async def run(self) -> None:
        """Publish for ever; Kafka or PostgreSQL being away only delays it."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._lease.hold(self._work))
            tasks.create_task(self._count())

    async def _count(self) -> None:
        """Every process counts, whoever publishes: that nobody does must be seen too."""
        while True:
            with suppress(StoreUnavailableError):
                async with acquired(self._pool) as connection:
                    pending, refused = await connection.fetchrow(queries.COUNTS) or (0, 0)
                metrics.outbox_pending.set(pending)
                metrics.outbox_refused.set(refused)
            await asyncio.sleep(COUNT_SECONDS)

    async def _work(self) -> None:
        """Raises LeaseLostError."""
        while True:
            try:
                if not await self._publish():
                    await asyncio.sleep(POLL_SECONDS)
            except ServiceUnavailableError as error:
                log.warning("outbox.waiting", error=str(error))
                await asyncio.sleep(RETRY_SECONDS)

    async def _publish(self) -> bool:
        """Publish the oldest messages; False when there are none. Raises ServiceUnavailableError, LeaseLostError."""
        async with acquired(self._pool) as connection:
            rows = await connection.fetch(queries.OLDEST, BATCH_ROWS, BATCH_BYTES)
        for wave in waves(rows):
            # A process that was frozen finds out here rather than after sending once more what others have sent.
            if not self._lease.held:
                raise LeaseLostError
            await self._settle(wave, await self._refusals(wave))
        return bool(rows)

    async def _refusals(self, wave: Sequence[Row]) -> dict[int, str]:
        """Send a wave; why Kafka refuses which of its rows for good. One refused message stops no other."""
        try:
            await self._producer.send([_message(row) for row in wave])
        except KafkaRefusedError:
            found = [(row["id"], await self._refusal(row)) for row in wave]
            return {id_: reason for id_, reason in found if reason is not None}
        return {}

    async def _refusal(self, row: Row) -> str | None:
        try:
            await self._producer.send([_message(row)])
        except KafkaRefusedError as error:
            return str(error)
        return None

    async def _settle(self, wave: Sequence[Row], refusals: Mapping[int, str]) -> None:
        async with transaction(self._pool) as connection:
            await self._lease.fence(connection)
            await connection.execute(queries.DELETE, [row["id"] for row in wave if row["id"] not in refusals])
            for id_, reason in refusals.items():
                await connection.execute(queries.REFUSE, id_, reason)
        for id_, reason in refusals.items():
            log.error("outbox.refused", id=id_, reason=reason)


def _message(row: Row) -> Message:
    headers = tuple((name, value.encode()) for name, value in row["headers"].items())
    return Message(row["topic"], row["key"], row["value"], headers)
