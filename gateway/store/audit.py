"""The audit: one row per change that an operator makes, written in the transaction that makes it.

Rows are added and never changed. PostgreSQL chains each of them, when it is committed, to the one before: its hash is
taken over that one's hash and its own content, so that a row that is altered, removed or slipped in later breaks every
hash behind it. Whoever kept one pair of position and hash elsewhere also sees when the end was cut off.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from gateway.store.pool import Connection, Pool, Row, acquired

RECORD = """
    INSERT INTO audit (actor, action, object, reason, detail, peer)
    VALUES ($1, $2, $3, $4, $5, $6)
"""

# The content is spelled here a second time: what the database's own function says may have been tampered with as well.
LINKS = """
    SELECT c.position, c.audit_id, c.hash,
           CASE WHEN a.id IS NOT NULL THEN
               jsonb_build_array(a.id, extract(epoch FROM a.at)::text, a.actor, a.action, a.object, a.reason, a.detail,
                                 a.peer)::text
           END AS content
      FROM audit_chain c LEFT JOIN audit a ON a.id = c.audit_id
     WHERE c.position > $1
     ORDER BY c.position LIMIT $2
"""

UNCHAINED = "SELECT id FROM audit WHERE id NOT IN (SELECT audit_id FROM audit_chain) ORDER BY id LIMIT 1"

BATCH = 500
"""Links read at a time."""


@dataclass(frozen=True, slots=True)
class Link:
    """A place in the chain. position: from 1; hash: over everything up to there."""

    position: int
    hash: bytes


BEGINNING = Link(0, b"")


@dataclass(frozen=True, slots=True)
class Verification:
    """head: the last link that holds; fault: what is wrong behind it, None where the whole chain holds."""

    head: Link
    fault: str | None = None


async def record(
    connection: Connection,
    actor: str,
    action: str,
    *,
    target: str,
    reason: str | None = None,
    detail: Mapping[str, object] | None = None,
) -> None:
    """Say who did what. action: noun.verb; target: the id of what was changed; detail: JSON, never a secret.

    The client's address is the one that log lines of this request carry.
    """
    peer = structlog.contextvars.get_contextvars().get("peer")
    await connection.execute(RECORD, actor, action, target, reason, dict(detail or {}), peer)


async def verify(pool: Pool, known: Link | None = None) -> Verification:
    """Follow the chain from its first row. known: a link that was noted down earlier and has to be part of it."""
    found, met = Verification(BEGINNING), known is None
    while True:
        async with acquired(pool) as connection:
            rows = await connection.fetch(LINKS, found.head.position, BATCH)
        if not rows:
            break
        for row in rows:
            found = _followed(found.head, row)
            met = met or found.head == known
            if found.fault is not None:
                return found
    async with acquired(pool) as connection:
        unchained = await connection.fetchval(UNCHAINED)
    if unchained is not None:
        return Verification(found.head, f"row {unchained} is not part of the chain")
    if known is not None and not met:
        return Verification(found.head, f"it does not lead through the given hash at position {known.position}")
    return found


def _followed(head: Link, row: Row) -> Verification:
    """The chain one link further."""
    position, audit_id = row["position"], row["audit_id"]
    if position != head.position + 1:
        return Verification(head, f"position {head.position + 1} is missing")
    if row["content"] is None:
        return Verification(head, f"row {audit_id}, at position {position}, is missing")
    if link_hash(head.hash, row["content"]) != row["hash"]:
        return Verification(head, f"row {audit_id}, at position {position}, is not what was recorded")
    return Verification(Link(position, row["hash"]))


def link_hash(before: bytes, content: str) -> bytes:
    """What a row's link holds. before: hash of the link before it; content: the row as JSON."""
    return hashlib.sha256(before + content.encode()).digest()
