"""The one publisher of what was decided elsewhere: a lane per topic takes the oldest, sends, deletes what Kafka has.

A crash between the ack and the delete sends again: same bytes, same ids. Of one key, the next message leaves only when
the one before it is acked, so that no failure can put them out of order; one that Kafka refuses stops its key, for a
person to decide, and no other. A topic that cannot be written waits alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

import structlog

from gateway.events import set_within
from gateway.jobs import repeat
from gateway.kafka import KafkaRefusedError, Message, Producer
from gateway.outbox import queries
from gateway.sdk.errors import GatewayError, ServiceUnavailableError
from gateway.store import Lease, LeaseLostError, Pool, Row, acquired, listening, transaction
from gateway.telemetry import metrics
from gateway.telemetry.failpoints import failpoint
from gateway.telemetry.supervise import Supervisor

log = structlog.get_logger(__name__)

BATCH_ROWS = 500
BATCH_BYTES = 8 * 1024 * 1024

POLL_SECONDS = 1.0
"""Between two looks at the table, should a notice be lost, and at topics that are set aside."""

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


def going(wave: Iterable[Row], stopped: frozenset[bytes]) -> list[Row]:
    """Rows of a wave whose keys were not stopped by an earlier one."""
    return [row for row in wave if row["key"] not in stopped]


class UnsendableError(GatewayError):
    """The row is no message: another release wrote it, or a person."""


class Publisher:
    """Publishes the outbox while the lease `outbox` is this process's. owner: names this process in the lease."""

    def __init__(self, pool: Pool, producer: Producer, *, owner: str, lease_term: float = 15.0) -> None:
        self._pool = pool
        self._producer = producer
        self._lease = Lease(pool, "outbox", owner, term=lease_term)
        self._wake = asyncio.Event()
        self._counted: set[str] = set()
        self.supervisor = Supervisor[str]("outbox", "topic", passes=(LeaseLostError,))

    async def run(self) -> None:
        """Publish for ever; Kafka or PostgreSQL being away only delays it."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._lease.hold(self._work))
            tasks.create_task(repeat("outbox counts", self._count, COUNT_SECONDS))

    async def _count(self) -> None:
        """Every process counts, whoever publishes: that nobody does must be seen too."""
        async with acquired(self._pool) as connection:
            rows = {row["topic"]: row for row in await connection.fetch(queries.COUNTS)}
        metrics.outbox_pending.set(sum(row["pending"] for row in rows.values()))
        metrics.outbox_refused.set(sum(row["refused"] for row in rows.values()))
        self._counted |= rows.keys()
        for topic in self._counted:
            seconds = rows[topic]["seconds"] if topic in rows else 0.0
            metrics.outbox_oldest_seconds.labels(topic=topic).set(seconds)

    async def _work(self) -> None:
        """Keep a lane going for every topic that has something. Raises LeaseLostError."""
        lanes: dict[str, asyncio.Task[None]] = {}
        try:
            while True:
                try:
                    await self._follow(lanes)
                except ServiceUnavailableError as error:
                    log.warning("outbox.waiting", error=str(error))
                    await asyncio.sleep(RETRY_SECONDS)
        finally:
            for lane in lanes.values():
                lane.cancel()
            await asyncio.gather(*lanes.values(), return_exceptions=True)

    async def _follow(self, lanes: dict[str, asyncio.Task[None]]) -> None:
        """Look whenever there may be something. Raises LeaseLostError, StoreUnavailableError."""
        async with listening(self._pool, queries.CHANNEL, self._wake) as connection:
            while True:
                self._wake.clear()
                for row in await connection.fetch(queries.TOPICS):
                    topic = row["topic"]
                    if topic not in lanes and self.supervisor.due(topic):
                        lanes[topic] = asyncio.create_task(self._lane(topic), name=f"outbox {topic}")
                await set_within(self._wake, POLL_SECONDS)
                for topic in [topic for topic, lane in lanes.items() if lane.done()]:
                    lanes.pop(topic).result()

    async def _lane(self, topic: str) -> None:
        """Publish a topic to its end, or until it has to be set aside. Raises LeaseLostError."""
        published = False
        try:
            while await self.supervisor.run(topic, partial(self._publish, topic)):
                published = True
        except LeaseLostError:
            self._wake.set()
            raise
        if published:  # else only what is stopped waits, and nothing has to be looked at
            self._wake.set()

    async def _publish(self, topic: str) -> bool:
        """Publish the oldest messages of a topic; False when there are none that may leave.

        Raises ServiceUnavailableError, LeaseLostError.
        """
        async with acquired(self._pool) as connection:
            rows = await connection.fetch(queries.OLDEST, topic, BATCH_ROWS, BATCH_BYTES)
        stopped: frozenset[bytes] = frozenset()
        for wave in waves(rows):
            # A process that was frozen finds out here rather than after sending once more what others have sent.
            if not self._lease.held:
                raise LeaseLostError
            leaving = going(wave, stopped)
            failpoint("outbox.sending")
            refusals = await self._refusals(leaving)
            failpoint("outbox.sent")
            await self._settle(leaving, refusals)
            failpoint("outbox.deleted")
            stopped |= {row["key"] for row in leaving if row["id"] in refusals and row["key"] is not None}
        return bool(rows)

    async def _refusals(self, rows: Sequence[Row]) -> dict[int, str]:
        """Send rows; why which of them can never be sent, found by halves: one refused message stops no other."""
        try:
            await self._producer.send([_message(row) for row in rows])
        except ServiceUnavailableError:
            raise
        except (KafkaRefusedError, UnsendableError) as error:
            if len(rows) == 1:
                return {rows[0]["id"]: str(error)}
            half = len(rows) // 2
            return await self._refusals(rows[:half]) | await self._refusals(rows[half:])
        return {}

    async def _settle(self, rows: Sequence[Row], refusals: Mapping[int, str]) -> None:
        async with transaction(self._pool) as connection:
            await self._lease.fence(connection)
            await connection.execute(queries.DELETE, [row["id"] for row in rows if row["id"] not in refusals])
            for id_, reason in refusals.items():
                await connection.execute(queries.REFUSE, id_, reason)
        for row in rows:
            if row["id"] in refusals:
                log.error("outbox.refused", id=row["id"], topic=row["topic"], reason=refusals[row["id"]])


def _message(row: Row) -> Message:
    """Raises UnsendableError."""
    try:
        headers = tuple((name, value.encode()) for name, value in row["headers"].items())
    except AttributeError as error:
        raise UnsendableError(f"headers are no texts: {error}") from error
    return Message(row["topic"], row["key"], row["value"], headers)
