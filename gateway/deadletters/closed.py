"""Letters that their own stage closes, because it learned in another way what becomes of them."""

from __future__ import annotations

from uuid import UUID

from gateway.store import Connection

CLOSE = """
    UPDATE dead_letters SET state = 'replayed', outcome = $3, replays = replays + 1, state_at = now()
     WHERE feed_no = $1 AND stage = $2 AND state = 'open'
    RETURNING fingerprint
"""

DISCARD = """
    UPDATE dead_letters SET state = 'discarded', reason = $3, state_at = now()
     WHERE feed_no = $1 AND stage = $2 AND state = 'open'
    RETURNING fingerprint
"""


DISCARD_ONE = """
    UPDATE dead_letters SET state = 'discarded', reason = $2, state_at = now()
     WHERE id = $1 AND state = 'open'
    RETURNING fingerprint
"""


async def close_of_feed(connection: Connection, feed_no: int, *, stage: str, outcome: str) -> list[str]:
    """Close a feed's open letters of one stage as if they had been replayed; their groups, to be settled."""
    return [row["fingerprint"] for row in await connection.fetch(CLOSE, feed_no, stage, outcome)]


async def discard_of_feed(connection: Connection, feed_no: int, *, stage: str, reason: str) -> list[str]:
    """Give a feed's open letters of one stage up; their groups, to be settled."""
    return [row["fingerprint"] for row in await connection.fetch(DISCARD, feed_no, stage, reason)]


async def discard_letter(connection: Connection, letter: UUID, *, reason: str) -> list[str]:
    """Give one letter up where it is open; its group, to be settled."""
    return [row["fingerprint"] for row in await connection.fetch(DISCARD_ONE, letter, reason)]
