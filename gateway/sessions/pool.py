"""Message pools: fetch, remember with what has to follow in one transaction, then have the supplier delete.

A pool delivers at least once: what was remembered before is only deleted again. What cannot be understood becomes a
dead letter first and is deleted too, so that no message stalls the pool.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import structlog

from gateway.deadletters import DeadLetter, storable
from gateway.deadletters import record as record_letters
from gateway.feeds.normalise import is_sku
from gateway.sdk.adapter import FollowUp, Message, PollsMessages, Reread, RereadAreas
from gateway.sdk.errors import ContractError, InvalidMessageError, Issue, SupplierError
from gateway.sdk.wire import legible
from gateway.sessions import queries
from gateway.sessions.desk import AREAS, Desk
from gateway.sessions.patience import Patience
from gateway.store import Connection
from gateway.telemetry import metrics
from gateway.telemetry.faults import reached

log = structlog.get_logger(__name__)

STAGE = "pool"
"""Where a message was not understood; a replay reads it again with the adapter of today."""

FORGET_SECONDS = 3600.0
"""How often messages are forgotten that came so long ago that no pool brings them again."""

MAX_ID = 200
"""Characters of a message's id or type, and of an area's, that are kept."""

Key = tuple[str, str, bytes]
"""Type, id and digest of a message: ids are reused."""


@dataclass(frozen=True, slots=True)
class Understood:
    """What messages ask for. subjects: (subject, key) of re-reads, each once; letters: those that ask for nothing."""

    subjects: frozenset[tuple[str, str]]
    letters: Sequence[DeadLetter]


class Pool:
    """One message pool of one supplier."""

    def __init__(self, desk: Desk, name: str) -> None:
        self._desk = desk
        self._name = name
        self._adapter = cast(PollsMessages, desk.adapter)
        self._read = {AREAS, *desk.facets}

    async def run(self) -> None:
        """Look, as often as the supplier's row says, for ever."""
        patience, forgot_at = Patience(self._desk, f"pool {self._name}"), float("-inf")
        while True:
            if time.monotonic() - forgot_at >= FORGET_SECONDS:
                forgot_at = time.monotonic()
                async with self._desk.transaction() as connection:
                    await connection.execute(queries.FORGET_MESSAGES, self._desk.supplier.id)
            try:
                while await self.cycle():
                    patience.well()
            except SupplierError as error:
                await patience.wait(error)
            else:
                patience.well()
                await self._desk.sleep(self._desk.supplier.config.messages)

    async def cycle(self) -> bool:
        """Take what waits; False when nothing does that was not taken before. Raises SupplierError."""
        messages = await self._adapter.fetch(self._desk.urgent, self._name)
        if not messages:
            return False
        reached("pool.fetched")
        news = await self._remember(messages)
        reached("pool.remembered")
        await self._adapter.acknowledge(self._desk.urgent, self._name, messages)
        reached("pool.acknowledged")
        metrics.pool_messages_total.labels(supplier=self._desk.supplier.id, pool=self._name).inc(news)
        return news > 0

    async def _remember(self, messages: Sequence[Message]) -> int:
        """Keep what is new, with what has to follow from it; how many are new."""
        supplier = self._desk.supplier.id
        by_key = {key_of(message): message for message in messages}
        async with self._desk.transaction() as connection:
            rows = await connection.fetch(queries.TAKE_MESSAGES, supplier, self._name, *_columns(by_key))
            taken = [by_key[row["type"], row["id"], row["sha256"]] for row in rows]
            understood = understand(self._adapter, taken, supplier)
            # A pool tells of everything; what the supplier does not feed nobody would ever read.
            subjects = [each for each in understood.subjects if each[0] in self._read]
            await ask_rereads(connection, supplier, subjects)
            await record_letters(connection, understood.letters)
        for subject in {subject for subject, _ in subjects}:
            self._desk.wanted[subject].set()
        return len(taken)


def key_of(message: Message) -> Key:
    """What makes it the same message when it comes again."""
    return _column(message.type), _column(message.id), hashlib.sha256(message.raw).digest()


def _column(text: str) -> str:
    """An id or type as a column takes it; the digest keeps those apart that differ further on."""
    return storable(text)[:MAX_ID]


def _columns(keys: Iterable[Key]) -> tuple[list[str], list[str], list[bytes]]:
    in_order = sorted(keys)
    return [key[0] for key in in_order], [key[1] for key in in_order], [key[2] for key in in_order]


def understand(adapter: PollsMessages, messages: Iterable[Message], supplier: str) -> Understood:
    """What follows from messages. Pure, whatever the adapter raises."""
    subjects: set[tuple[str, str]] = set()
    letters: list[DeadLetter] = []
    for message in messages:
        try:
            for follow_up in adapter.follow_ups(message):
                subjects.update(subjects_of(follow_up))
        except (ContractError, InvalidMessageError) as error:
            letters.append(_letter(message, supplier, Issue("unknown_message", actual=f"type {message.type}: {error}")))
        except Exception as error:
            log.exception("message.failed", supplier=supplier, type=message.type)
            letters.append(_letter(message, supplier, Issue("processing_failed", actual=type(error).__name__)))
    return Understood(frozenset(subjects), letters)


def subjects_of(follow_up: FollowUp) -> set[tuple[str, str]]:
    """The re-reads that a follow-up is. Raises ContractError for a sku or an area that no supplier can have."""
    match follow_up:
        case Reread(sku=sku) if not is_sku(sku):
            raise ContractError(f"no sku: {legible(sku)}")
        case RereadAreas(parent=parent) if len(parent) > MAX_ID or "\0" in parent:
            raise ContractError(f"no area: {legible(parent)}")
        case Reread(sku=sku, facets=facets):
            return {(facet.value, sku) for facet in facets}
        case RereadAreas(parent=parent):
            return {(AREAS, parent)}


async def ask_rereads(connection: Connection, supplier: str, subjects: Iterable[tuple[str, str]]) -> None:
    """Have these read anew, once each, however many messages ask for it."""
    in_order = sorted(subjects)
    if in_order:
        columns: Mapping[int, list[str]] = {place: [subject[place] for subject in in_order] for place in (0, 1)}
        await connection.execute(queries.ASK_REREADS, supplier, columns[0], columns[1])


def _letter(message: Message, supplier: str, issue: Issue) -> DeadLetter:
    return DeadLetter(
        stage=STAGE,
        issues=(Issue(issue.code, issue.path, issue.actual[:200], issue.expected),),
        original=message.raw,
        supplier=supplier,
        key=f"{_column(message.type)}:{_column(message.id)}".encode(),
    )
