"""The audit: one row per change that an operator makes, written in the transaction that makes it."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.store.pool import Connection

RECORD = """
    INSERT INTO audit (actor, action, object, reason, detail)
    VALUES ($1, $2, $3, $4, $5)
"""


async def record(
    connection: Connection,
    actor: str,
    action: str,
    *,
    target: str,
    reason: str | None = None,
    detail: Mapping[str, object] | None = None,
) -> None:
    """Say who did what. action: noun.verb; target: the id of what was changed; detail: JSON, never a secret."""
    await connection.execute(RECORD, actor, action, target, reason, dict(detail or {}))
