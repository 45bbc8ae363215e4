"""SQL of the keeper: keys by name, read, locked, moved and adopted. Keys are locked in order of (supplier, sku, area).

As in `queries`, no statement leaves the planner a choice of join.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from gateway.feeds.findings import NOTHING, Known
from gateway.feeds.queries import FACET_CODES
from gateway.feeds.versions import feed_no_of, record_index_of
from gateway.kafka import Partition, Position
from gateway.store import Connection
from schemas.catalog import Facet
from schemas.envelope import ItemKey

READ = """
    SELECT s.supplier, s.sku, s.area, s.version, s.partition, s."offset", s.hash
      FROM json_to_recordset($2::json) AS k (supplier text, sku text, area text)
     CROSS JOIN LATERAL (
           SELECT supplier, sku, area, version, partition, "offset", hash FROM feed_state
            WHERE facet = $1::text::"char" AND supplier = k.supplier AND sku = k.sku AND area = k.area
           {lock}
           ) s
"""

PEEK = READ.format(lock="OFFSET 0")
LOCK = READ.format(lock="FOR UPDATE")

ENSURE = """
    INSERT INTO feed_state (facet, supplier, sku, area, version, seen)
    SELECT $1::text::"char", k.*, 0, 0 FROM unnest($2::text[], $3::text[], $4::text[]) AS k
    ON CONFLICT DO NOTHING
"""

# Every row exists and is locked: the conflict is what these two are for.
MOVE = """
    INSERT INTO feed_state AS s (facet, supplier, sku, area, version, seen, partition, "offset")
    SELECT $1::text::"char", k.supplier, k.sku, k.area, 0, 0, k.partition, k."offset"
      FROM unnest($2::text[], $3::text[], $4::text[], $5::integer[], $6::bigint[])
        AS k (supplier, sku, area, partition, "offset")
    ON CONFLICT (facet, supplier, sku, area) DO UPDATE
       SET partition = EXCLUDED.partition, "offset" = EXCLUDED."offset"
"""

ADOPT = """
    INSERT INTO feed_state AS s (facet, supplier, sku, area, partition, "offset", version, hash, published_at, seen)
    SELECT $1::text::"char", k.*
      FROM unnest($2::text[], $3::text[], $4::text[], $5::integer[], $6::bigint[], $7::bigint[], $8::bytea[],
                  $9::timestamptz[], $10::bigint[]) AS k
    ON CONFLICT (facet, supplier, sku, area) DO UPDATE
       SET partition = EXCLUDED.partition, "offset" = EXCLUDED."offset", version = EXCLUDED.version,
           hash = EXCLUDED.hash, published_at = EXCLUDED.published_at, withdrawn = EXCLUDED.hash IS NULL,
           source_version = NULL, seen = GREATEST(s.seen, EXCLUDED.seen)
"""

ARCHIVED = """
    SELECT w.version, c.topic, c.partition, c."offset", c.first_record
      FROM unnest($1::bigint[], $2::bigint[], $3::integer[]) AS w (version, number, record_index)
     CROSS JOIN LATERAL (
           (SELECT topic, partition, "offset", first_record FROM feed_chunks
             WHERE feed_no = w.number AND page_no IS NULL
               AND first_record <= w.record_index AND first_record + records > w.record_index
             LIMIT 1)
           UNION ALL
           (SELECT topic, partition, "offset", first_record FROM feed_chunks
             WHERE page_no = w.number
               AND first_record <= w.record_index AND first_record + records > w.record_index
             LIMIT 1)
           ) c
"""

RUNS_OF = """
    SELECT w.number, c.feed_no
      FROM unnest($1::bigint[]) AS w (number)
     CROSS JOIN LATERAL (SELECT feed_no FROM feed_chunks WHERE page_no = w.number LIMIT 1) c
"""


@dataclass(frozen=True, slots=True)
class Adoption:
    """A state that the topic knows better than the database. hash None: the key is withdrawn."""

    version: int
    hash: bytes | None
    observed_at: datetime | None
    position: Position


@dataclass(frozen=True, slots=True)
class ArchivedChunk:
    """Where the raw chunk of some record lies. first_record: of the chunk, within its feed or page."""

    partition: Partition
    offset: int
    first_record: int


def _columns(facet: Facet, keys: Collection[ItemKey]) -> tuple[str, list[str], list[str], list[str]]:
    return (
        FACET_CODES[facet],
        [key.supplier for key in keys],
        [key.sku for key in keys],
        [key.area or "" for key in keys],
    )


async def _known(connection: Connection, query: str, facet: Facet, keys: Collection[ItemKey]) -> dict[ItemKey, Known]:
    named = [{"supplier": supplier, "sku": sku, "area": area or ""} for supplier, sku, area in keys]
    rows = await connection.fetch(query, FACET_CODES[facet], named)
    found = {(row[0], row[1], row[2]): Known(row[3], row[4], row[5], row[6]) for row in rows}
    return {key: found.get((key.supplier, key.sku, key.area or ""), NOTHING) for key in keys}


async def read_known(connection: Connection, facet: Facet, keys: Collection[ItemKey]) -> dict[ItemKey, Known]:
    """What is known of keys, without locks."""
    return await _known(connection, PEEK, facet, keys)


async def lock_known(connection: Connection, facet: Facet, keys: Collection[ItemKey]) -> dict[ItemKey, Known]:
    """What is known of keys, created where missing, locked until the transaction ends."""
    in_order = sorted(keys, key=lambda key: (key.supplier, key.sku, key.area or ""))
    await connection.execute(ENSURE, *_columns(facet, in_order))
    return await _known(connection, LOCK, facet, in_order)


async def move_keys(connection: Connection, facet: Facet, ends: Mapping[ItemKey, Position]) -> None:
    """The newest records of locked keys stand there now."""
    partitions, offsets = [at.partition for at in ends.values()], [at.offset for at in ends.values()]
    await connection.execute(MOVE, *_columns(facet, ends), partitions, offsets)


async def adopt_keys(connection: Connection, facet: Facet, adoptions: Mapping[ItemKey, Adoption]) -> None:
    """Take over from the topic what a restored database has lost of locked keys."""
    found = adoptions.values()
    await connection.execute(
        ADOPT,
        *_columns(facet, adoptions),
        [each.position.partition for each in found],
        [each.position.offset for each in found],
        [each.version for each in found],
        [each.hash for each in found],
        [each.observed_at for each in found],
        [feed_no_of(each.version) for each in found],
    )


async def archived_chunks(connection: Connection, versions: Sequence[int]) -> dict[int, ArchivedChunk]:
    """The raw chunks that versions came from, where the tables still know them."""
    columns = (list(map(feed_no_of, versions)), list(map(record_index_of, versions)))
    rows = await connection.fetch(ARCHIVED, list(versions), *columns)
    return {row[0]: ArchivedChunk(Partition(row[1], row[2]), row[3], row[4]) for row in rows}


async def feeds_of(connection: Connection, versions: Collection[int]) -> dict[int, int]:
    """The feeds that gave versions: of a page its run, as far as the tables still know it."""
    numbers = {version: feed_no_of(version) for version in versions}
    rows = await connection.fetch(RUNS_OF, list(set(numbers.values())))
    runs = {row[0]: row[1] for row in rows}
    return {version: runs.get(number, number) for version, number in numbers.items()}
