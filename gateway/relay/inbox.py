"""The inbox: what the mall core asks for, each command once and in the order of its order's records.

One transaction takes some records of a partition: commands that are new, events that end those that are no use, dead
letters of what cannot be answered, and the place where the partition goes on. Kafka's own offset is a hint alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

import structlog

from gateway.deadletters import DeadLetter
from gateway.deadletters import record as record_letters
from gateway.evidence import Entry, append, body_of, record_of
from gateway.kafka import Partition, Record
from gateway.outbox import enqueue
from gateway.relay import inbox_queries as queries
from gateway.relay.contracts import judge_commands
from gateway.relay.invoice_store import insert_applications
from gateway.relay.received import (
    MARK_REUSED,
    Received,
    conflict,
    event_message,
    id_of,
    mark_reused,
    read_record,
    received,
    written_at,
)
from gateway.relay.sealed import sealed_as
from gateway.relay.states import ENDED
from gateway.sdk.commands import RefusedCommand
from gateway.sdk.errors import InvalidMessageError, Issue
from gateway.sdk.storable import storable
from gateway.store import Connection, Pool, transaction
from gateway.suppliers import SecretBox
from gateway.telemetry.failpoints import failpoint

log = structlog.get_logger(__name__)

LARGE = 64 * 1024
"""Bytes of a value from which on it is read in a thread: thousands of lines take some tenths of a second."""

T = TypeVar("T")

Offered = Callable[[str], Awaitable[Collection[str] | None]]
"""The operations that a supplier is offered; None: there is no such supplier."""


class Inbox:
    """Takes records of the commands topic. box: seals what commands say, which may be personal."""

    def __init__(self, pool: Pool, box: SecretBox, offered: Offered) -> None:
        self._pool = pool
        self._box = box
        self._offered = offered

    async def take(self, partition: Partition, records: Sequence[Record], *, stands: int) -> int:
        """Take records of one partition, those that have been taken left out; where the partition goes on.

        stands: where the reader believes the partition to stand. Anything but the offset behind the last record: read
        on from there, the database knows another place. Raises ServiceUnavailableError: nothing was taken, or all was.
        """
        found = [await self._read(record) for record in records]
        async with transaction(self._pool) as connection:
            following: int | None = await connection.fetchval(queries.LOCK_OFFSET, *partition)
            if following is None or following < stands:  # an older copy of the database was put back
                return following or 0
            new = [each for record, each in zip(records, found, strict=True) if record.offset >= following]
            if not new:
                return following
            await self._keep(connection, new)
            following = records[-1].offset + 1
            await connection.execute(queries.MOVE_OFFSET, *partition, following)
            failpoint("inbox.before_commit")
        failpoint("inbox.after_commit")
        return following

    async def add(self, connection: Connection, command: Received, *, replay: str) -> bool:
        """Keep one command behind all others of its order; False: it is there already. The caller locks its partition.

        replay: id of the dead letter that it was.
        Raises InvalidMessageError where its id was another command's, and where it would end at once.
        """
        [met] = await self._insert_applications(connection, [command])
        if met.state is not command.state:
            raise InvalidMessageError(Issue(MARK_REUSED, "/payload/mark_id", expected="a number of its own"))
        new, others = await self._added(connection, [command])
        if others:
            raise InvalidMessageError(*conflict(command.record, command.command_id).issues)
        if new and new[0].event is not None:
            raise InvalidMessageError(Issue("validation_failed", "", new[0].reason, "a command that can be taken now"))
        await append(connection, self._box, [entry for each in new for entry in _entries(each, replay=replay)])
        return bool(new)

    async def _read(self, record: Record) -> Received | DeadLetter:
        came = await _in_thread_if_large(record, partial(read_record, record))
        offered = None if isinstance(came, RefusedCommand) else await self._offered(came.supplier)
        return await _in_thread_if_large(record, partial(received, record, came, offered, now=datetime.now(UTC)))

    async def _keep(self, connection: Connection, found: Sequence[Received | DeadLetter]) -> None:
        commands = await self._insert_applications(connection, [each for each in found if isinstance(each, Received)])
        letters = [each for each in found if isinstance(each, DeadLetter)]
        new, others = await self._added(connection, commands)
        letters += [conflict(each.record, each.command_id) for each in others]
        events = [event_message(each.event, each.traceparent) for each in new if each.event is not None]
        await enqueue(connection, events)
        entries = [entry for each in new for entry in _entries(each)] + [_received(each, "conflict") for each in others]
        await append(connection, self._box, entries)
        await record_letters(connection, letters)
        log.info(
            "inbox.taken",
            commands=len(new),
            ended=len(events),
            repeated=len(commands) - len(new) - len(others),
            letters=len(letters),
        )

    async def _insert_applications(self, connection: Connection, commands: Sequence[Received]) -> Sequence[Received]:
        """The commands, applications for invoices ended whose number is that of another one."""
        first = {each.command_id: each for each in reversed(commands)}
        asked = {
            each.command_id: each.application
            for each in commands
            if each.application is not None and first[each.command_id] is each
        }
        if not asked:
            return commands
        known = {row["command_id"] for row in await connection.fetch(queries.CONTENTS, list(asked))}
        new = [each for name, each in asked.items() if name not in known]
        reused = await insert_applications(connection, new)
        ends = {each.command_id for each in new if (each.supplier, each.payload.mark_id) in reused}
        at = datetime.now(UTC)
        return [mark_reused(each, asked[each.command_id], at) if each.command_id in ends else each for each in commands]

    async def _added(
        self, connection: Connection, commands: Sequence[Received]
    ) -> tuple[Sequence[Received], Sequence[Received]]:
        """Those that are new, and those whose id was another command's."""
        if not commands:
            return [], []
        first = {each.command_id: each for each in reversed(commands)}
        places = [row[0] for row in await connection.fetch(queries.OFFSETS, len(commands))]
        rows = [
            self._row(each, place)
            for each, place in zip(commands, places, strict=True)
            if first[each.command_id] is each
        ]
        added = {row["command_id"] for row in await connection.fetch(queries.ADD, *zip(*rows, strict=True))}
        contents: Mapping[str, bytes] = {
            row["command_id"]: row["content"] for row in await connection.fetch(queries.CONTENTS, list(first))
        }
        new = [first[each.command_id] for each in commands if first[each.command_id] is each]
        taken = [each for each in new if each.command_id in added]
        return (
            await judge_commands(connection, taken, datetime.now(UTC)),
            [each for each in commands if each.content != contents[each.command_id]],
        )

    def _row(self, command: Received, place: int) -> tuple[object, ...]:
        record = command.record
        return (
            command.command_id,
            place,
            storable(command.supplier),
            command.lane,
            command.tenant,
            storable(command.operation),
            command.scope,
            command.revision,
            command.content,
            self._box.seal(storable(command.supplier), sealed_as(command.command_id), command.value),
            command.deadline,
            record.topic,
            record.partition,
            record.offset,
            command.traceparent,
            command.state.value,
            command.reason,
            written_at(record, datetime.now(UTC)),
            command.state in ENDED,
            command.contract_no,
            (command.order_no or None) if command.contract_no is not None else None,
        )


def _entries(command: Received, *, replay: str | None = None) -> Sequence[Entry]:
    """A command as evidence, and the event that ends it at once, where one does."""
    entries = [_received(command, "received", **({} if replay is None else {"replay": replay}))]
    if command.event is not None:
        facts = {"event": command.event.event, "id": id_of(command.event), "state": None, **_contract(command)}
        private = {"event": body_of(event_message(command.event, None).value)}
        supplier = storable(command.supplier)
        entries.append(Entry(supplier, command.order_no or command.lane, "event", command.command_id, facts, private))
    return entries


def _contract(command: Received) -> dict[str, str]:
    return {} if command.contract_no is None else {"contract_no": command.contract_no}


def _received(command: Received, kind: str, **more: str) -> Entry:
    """The record as it lay on the topic. more: `replay`, the id of the dead letter that it was before."""
    record = command.record
    facts = {
        "operation": storable(command.operation),
        "revision": command.revision,
        "deadline": command.deadline.isoformat() if command.deadline else None,
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        **_contract(command),
        **more,
    }
    private = record_of(record.key, record.headers, record.value)
    return Entry(storable(command.supplier), command.order_no or command.lane, kind, command.command_id, facts, private)


async def _in_thread_if_large(record: Record, work: Callable[[], T]) -> T:
    """What work on a record's value comes to; on a large one it is done in a thread, and the loop goes on."""
    return work() if len(record.value or b"") < LARGE else await asyncio.to_thread(work)
