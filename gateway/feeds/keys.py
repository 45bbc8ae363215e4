"""SQL of the keeper: single keys, read and repaired. A repair locks one key at a time."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from gateway.feeds.findings import Known
from gateway.feeds.queries import FACET_CODES
from gateway.kafka import Position
from gateway.store import Connection
from schemas.catalog import Facet
from schemas.envelope import ItemKey

READ = """
    SELECT s.supplier, s.sku, s.area, s.version, s.partition, s."offset"
      FROM unnest($2::text[], $3::text[], $4::text[]) AS k (supplier, sku, area)
     CROSS JOIN LATERAL (
           SELECT supplier, sku, area, version, partition, "offset" FROM feed_state
            WHERE facet = $1::text::"char" AND supplier = k.supplier AND sku = k.sku AND area = k.area
           OFFSET 0
           ) s
"""

ENSURE = """
    INSERT INTO feed_state (facet, supplier, sku, area, version, seen) VALUES ($1::text::"char", $2, $3, $4, 0, 0)
    ON CONFLICT DO NOTHING
"""

LOCK = """
    SELECT version, hash, partition, "offset" FROM feed_state
     WHERE facet = $1::text::"char" AND supplier = $2 AND sku = $3 AND area = $4
       FOR UPDATE
"""

MOVE = """
    UPDATE feed_state SET partition = $5, "offset" = $6
     WHERE facet = $1::text::"char" AND supplier = $2 AND sku = $3 AND area = $4
"""

ADOPT = """
    UPDATE feed_state
       SET version = $5, hash = $6, published_at = $7, partition = $8, "offset" = $9, withdrawn = $6 IS NULL,
           source_version = NULL, seen = GREATEST(seen, $10)
     WHERE facet = $1::text::"char" AND supplier = $2 AND sku = $3 AND area = $4
"""

ARCHIVED = """
    SELECT topic, partition, "offset", first_record FROM feed_chunks
     WHERE feed_no = $1 AND first_record <= $2 AND first_record + records > $2
"""


@dataclass(frozen=True, slots=True)
class LockedKey:
    """One key under its lock. hash None: nothing accepted, or withdrawn."""

    known: Known
    hash: bytes | None


def _columns(facet: Facet, key: ItemKey) -> tuple[str, str, str, str]:
    return FACET_CODES[facet], key.supplier, key.sku, key.area or ""


async def read_known(connection: Connection, facet: Facet, keys: Collection[ItemKey]) -> dict[ItemKey, Known]:
    """What is known of keys, without locks."""
    areas = {(key.supplier, key.sku, key.area or ""): key for key in keys}
    rows = await connection.fetch(READ, FACET_CODES[facet], *(list(column) for column in zip(*areas, strict=True)))
    return {areas[row[0], row[1], row[2]]: Known(row[3], row[4], row[5]) for row in rows}


async def lock_key(connection: Connection, facet: Facet, key: ItemKey) -> LockedKey:
    """One key, created where missing, locked until the transaction ends."""
    columns = _columns(facet, key)
    await connection.execute(ENSURE, *columns)
    row = await connection.fetchrow(LOCK, *columns)
    if row is None:
        raise LookupError(key)
    return LockedKey(Known(row["version"], row["partition"], row["offset"]), row["hash"])


async def move_key(connection: Connection, facet: Facet, key: ItemKey, position: Position) -> None:
    """The key's newest record stands at `position`."""
    await connection.execute(MOVE, *_columns(facet, key), position.partition, position.offset)


async def adopt_key(
    connection: Connection,
    facet: Facet,
    key: ItemKey,
    *,
    version: int,
    hash: bytes | None,  # noqa: A002 -- the column's name
    observed_at: datetime | None,
    position: Position,
    feed_no: int,
) -> None:
    """Take over from the topic what a restored database has lost."""
    await connection.execute(
        ADOPT, *_columns(facet, key), version, hash, observed_at, position.partition, position.offset, feed_no
    )
