"""How much a supplier may have rejected in a day: what is rejected is kept, and none may fill the database with it.

A quota that is used up refuses the supplier's further pushes until midnight in China, and stops the feed that used it
up, as its supplier's own cancelling would: what took effect stands, what is rejected is kept, the rest is `cancelled`.
Feeds that are under way and whose records are good go on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.deadletters import issues_json
from gateway.feeds.chunk import ChunkHead, Origin
from gateway.feeds.decide import Decisions
from gateway.feeds.feed import request_cancel
from gateway.feeds.guard import ItemOutcome
from gateway.sdk.errors import Issue
from gateway.store import Connection
from gateway.suppliers import SupplierConfig

LEAST = 1024
"""Bytes that a rejected record counts at least: what keeping it costs besides its own."""

SPEND = """
    INSERT INTO rejections AS r (supplier, day, records, bytes)
    VALUES ($1, (now() AT TIME ZONE 'Asia/Shanghai')::date, $2, $3)
        ON CONFLICT (supplier, day) DO UPDATE
       SET records = r.records + EXCLUDED.records, bytes = r.bytes + EXCLUDED.bytes
    RETURNING bytes
"""

SPENT = """
    SELECT COALESCE(r.bytes, 0) AS bytes,
           extract(epoch FROM date_trunc('day', local) + interval '1 day' - local)::float8 AS seconds
      FROM unnest($1::text[]) WITH ORDINALITY AS asked (supplier, place)
     CROSS JOIN (SELECT now() AT TIME ZONE 'Asia/Shanghai' AS local) AS clock
      LEFT JOIN rejections r ON r.supplier = asked.supplier AND r.day = local::date
     ORDER BY place
"""


@dataclass(frozen=True, slots=True)
class Spent:
    """What a supplier had rejected today. bytes: as they count; seconds: until the next day in China."""

    bytes: int
    seconds: float


def quota_of(config: SupplierConfig, most: int) -> int:
    """Bytes that a supplier may have rejected in a day. most: of one whose row sets none."""
    return min(config.limits.rejected_bytes_per_day or most, most)


def cost_of(originals: Iterable[bytes]) -> int:
    """Bytes that rejected records count."""
    return sum(max(LEAST, len(original)) for original in originals)


async def spent(connection: Connection, suppliers: Sequence[str]) -> list[Spent]:
    """What each of these suppliers had rejected today so far."""
    return [Spent(row["bytes"], row["seconds"]) for row in await connection.fetch(SPENT, suppliers)]


async def spend(connection: Connection, head: ChunkHead, decisions: Decisions, quota: int) -> None:
    """Count what a chunk rejects, as the last thing but its own row; stop its feed where that is beyond the quota.

    What was pulled counts nothing: the gateway asked for it. The supplier's row stays locked until the transaction
    ends: its chunks that reject wait for each other.
    """
    if not decisions.refused or head.origin is not Origin.PUSH:
        return
    cost = cost_of(refused.entry.raw for refused in decisions.refused)
    used: int = await connection.fetchval(SPEND, head.supplier, len(decisions.refused), cost)
    if used > quota:
        await request_cancel(connection, head.feed_no)
        _log_quota(decisions, used, quota)


def _log_quota(decisions: Decisions, used: int, quota: int) -> None:
    """Have the feed's report say why it was stopped, behind the last fault that it tells."""
    last = next(row for row in reversed(decisions.problems) if row["outcome"] == ItemOutcome.REJECTED.value)
    expected = f"at most {quota:,}; the rest of the feed is cancelled"
    issue = Issue("rejections_quota", actual=f"{used:,} bytes today", expected=expected)
    last["issues"] += issues_json((issue,))
