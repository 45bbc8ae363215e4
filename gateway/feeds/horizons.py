"""The horizon of a supplier's facet: the last full feed that was whole. What is older puts nothing back on sale.

Chunks share a lock from reading the horizon to their commit, and whoever moves it has that lock alone: an older chunk
either sees the new horizon, or has committed before, so that the withdrawals that follow find its keys. Those who wait
are served in their order, so that a facet that is never quiet keeps no full feed waiting.

Lock order: the feed, the horizon, keys.
"""

from __future__ import annotations

from gateway.store import Connection

_LOCK = "SELECT pg_advisory_xact_lock{mode}(hashtextextended('mallgate.horizon ' || $1 || ' ' || $2, 0))"
SHARE = _LOCK.format(mode="_shared")
ALONE = _LOCK.format(mode="")

HORIZON = "SELECT feed_no FROM horizons WHERE supplier = $1 AND facet = $2"

MOVE = """
    INSERT INTO horizons AS h (supplier, facet, feed_no) VALUES ($1, $2, $3)
    ON CONFLICT (supplier, facet) DO UPDATE SET feed_no = GREATEST(h.feed_no, EXCLUDED.feed_no)
"""


async def shared(connection: Connection, supplier: str, facet: str) -> int:
    """The horizon, 0 for none; it stays where it is until the transaction ends."""
    # Two statements: one would read what was so before it waited.
    await connection.execute(SHARE, supplier, facet)
    return await read(connection, supplier, facet)


async def read(connection: Connection, supplier: str, facet: str) -> int:
    """The horizon as it stands, 0 for none."""
    found: int | None = await connection.fetchval(HORIZON, supplier, facet)
    return found or 0


async def move(connection: Connection, supplier: str, facet: str, feed_no: int) -> None:
    """Leave the number of a full feed as the horizon; every chunk that was judged by the one before has committed."""
    await connection.execute(ALONE, supplier, facet)
    await connection.execute(MOVE, supplier, facet, feed_no)
