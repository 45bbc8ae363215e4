"""What operators see of dead letters, and what they decide about them short of a replay."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from gateway.deadletters import queries
from gateway.deadletters.errors import ReasonRequiredError, UnknownLetterError
from gateway.deadletters.letters import DeadLetterRow, LetterSummary, letter_of, summary_of
from gateway.deadletters.selection import (
    ANYTHING,
    Filter,
    Page,
    Selection,
    cursor,
    page_size,
    paged,
    place,
    place_by_id,
)
from gateway.sdk.storable import storable
from gateway.store import Connection, Pool, Row, acquired, audit, transaction

GroupState = Literal["open", "acknowledged", "resolved"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Like dead letters, and how many of them are where.

    path: indexes as `*`; message: `#` for what differs; suppliers: whose; failed_again: open ones that a replay did
    not mend. Asked for one supplier, the counts and times are of that supplier's letters.
    """

    fingerprint: str
    stage: str
    code: str
    path: str
    message: str
    state: GroupState
    state_at: datetime
    suppliers: tuple[str, ...]
    open: int
    failed_again: int
    replayed: int
    discarded: int
    first_seen: datetime
    last_seen: datetime


class DeadLetters:
    """The dead letters of the gateway. Every change leaves a row in the audit."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def groups(
        self,
        *,
        supplier: str | None = None,
        stage: str | None = None,
        code: str | None = None,
        state: GroupState | None = None,
        after: str | None = None,
        limit: int = 50,
    ) -> Page[Group]:
        """Groups, the one with the newest letter first. Raises InvalidParameterError."""
        size = page_size(limit)
        async with acquired(self._pool) as connection:
            rows = await connection.fetch(queries.GROUPS, supplier, None, stage, code, state, *place(after), size + 1)
        return paged([_group(row) for row in rows], size, lambda group: cursor(group.last_seen, group.fingerprint))

    async def group(self, fingerprint: str) -> Group:
        """One group. Raises UnknownLetterError."""
        async with acquired(self._pool) as connection:
            row = await connection.fetchrow(queries.GROUPS, None, fingerprint, None, None, None, None, None, 1)
        if row is None:
            raise UnknownLetterError
        return _group(row)

    async def list(
        self, matching: Filter = ANYTHING, *, after: str | None = None, limit: int = 50
    ) -> Page[LetterSummary]:
        """Letters without their bytes, the newest first. Raises InvalidParameterError."""
        size = page_size(limit)
        async with acquired(self._pool) as connection:
            rows = await connection.fetch(queries.LETTERS, *matching.parameters(), *place_by_id(after), size + 1)
        return paged([summary_of(row) for row in rows], size, lambda letter: cursor(letter.created_at, letter.id))

    async def show(self, letter: UUID, *, actor: str | None = None) -> DeadLetterRow:
        """One letter with its original bytes; that a person read them is in the audit. Raises UnknownLetterError."""
        async with transaction(self._pool) as connection:
            row = await connection.fetchrow(queries.LETTER, letter)
            if row is None:
                raise UnknownLetterError
            if actor is not None:
                await audit.record(connection, actor, "deadletter.read", target=str(letter))
        return letter_of(row)

    async def acknowledge(self, fingerprint: str, *, actor: str, reason: str) -> None:
        """Say that somebody looks after a group; new letters leave it so. Raises UnknownLetterError."""
        await self._set_group(fingerprint, "acknowledged", actor=actor, reason=reason)

    async def resolve(self, fingerprint: str, *, actor: str, reason: str) -> None:
        """Say that the cause is gone; the next letter of its kind opens the group again. Raises UnknownLetterError."""
        await self._set_group(fingerprint, "resolved", actor=actor, reason=reason)

    async def discard(self, selection: Selection, *, actor: str, reason: str) -> int:
        """Give open letters up, permanently; returns how many. Their bytes stay. Raises ReasonRequiredError."""
        why = reasoned(reason)
        async with transaction(self._pool) as connection:
            rows = await connection.fetch(queries.DISCARD, *selection.parameters(), why, timeout=60.0)
            count: int = sum(row["letters"] for row in rows)
            detail = {"selection": selection.json(), "letters": count}
            await audit.record(connection, actor, "deadletter.discard", target="selection", reason=why, detail=detail)
            await settle(connection, [row["fingerprint"] for row in rows])
        return count

    async def _set_group(self, fingerprint: str, state: GroupState, *, actor: str, reason: str) -> None:
        why = reasoned(reason)
        async with transaction(self._pool) as connection:
            if not await connection.fetch(queries.LOCK_GROUPS, [fingerprint]):
                raise UnknownLetterError
            await connection.execute(queries.SET_GROUP, fingerprint, state)
            await audit.record(connection, actor, f"group.{state}", target=fingerprint, reason=why)


async def settle(connection: Connection, fingerprints: Collection[str]) -> None:
    """Resolve those groups of which no letter is open any more. Ends the caller's transaction but for its commit."""
    await connection.fetch(queries.LOCK_GROUPS, list(fingerprints))
    await connection.execute(queries.SETTLE_GROUPS, list(fingerprints))


def reasoned(reason: str) -> str:
    """The reason as it is kept. Raises ReasonRequiredError when it says nothing."""
    if not (text := storable(reason).strip()):
        raise ReasonRequiredError
    return text


def _group(row: Row) -> Group:
    return Group(**{**dict(row), "suppliers": tuple(row["suppliers"] or ())})
