"""SQL of the keeper: keys by name, read, locked, moved and adopted. Keys are locked in order of (supplier, sku, area).

As in `queries`, no statement leaves the planner a choice of join.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from gateway.deadletters import DeadLetter
from gateway.feeds.queries import FACET_CODES
from gateway.feeds.reconciliation import NOTHING_STORED, Stored, VersionFacts
from gateway.feeds.versions import feed_no_of, record_index_of
from gateway.kafka import Partition, Position
from gateway.store import Connection, Row
from schemas.catalog import Facet
from schemas.envelope import ItemKey

REPLAYED = ("normalise", "guard")
"""Stages whose dead letters publish under the versions of their records once they are replayed."""

READ = """
    SELECT s.supplier, s.sku, s.area, s.version, s.partition, s."offset", s.hash, s.own_version
      FROM json_to_recordset($2::json) AS k (supplier text, sku text, area text)
     CROSS JOIN LATERAL (
           SELECT supplier, sku, area, version, partition, "offset", hash, own_version FROM feed_state
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
    INSERT INTO feed_state AS s (facet, seen, supplier, sku, area, partition, "offset", version)
    SELECT $1::text::"char", 0, k.*
      FROM unnest($2::text[], $3::text[], $4::text[], $5::integer[], $6::bigint[], $7::bigint[]) AS k
    ON CONFLICT (facet, supplier, sku, area) DO UPDATE
       SET partition = EXCLUDED.partition, "offset" = EXCLUDED."offset",
           version = GREATEST(s.version, EXCLUDED.version),
           own_version = CASE WHEN EXCLUDED.version > s.version THEN COALESCE(s.own_version, s.version)
                              ELSE s.own_version END,
           withdrawn = s.withdrawn OR (s.hash IS NULL AND EXCLUDED.version > s.version)
"""

ADOPT = """
    INSERT INTO feed_state AS s (facet, supplier, sku, area, partition, "offset", version, hash, published_at, seen)
    SELECT $1::text::"char", k.*
      FROM unnest($2::text[], $3::text[], $4::text[], $5::integer[], $6::bigint[], $7::bigint[], $8::bytea[],
                  $9::timestamptz[], $10::bigint[]) AS k
    ON CONFLICT (facet, supplier, sku, area) DO UPDATE
       SET partition = EXCLUDED.partition, "offset" = EXCLUDED."offset", version = EXCLUDED.version,
           hash = EXCLUDED.hash, published_at = EXCLUDED.published_at, withdrawn = EXCLUDED.hash IS NULL,
           source_version = NULL, own_version = NULL, seen = GREATEST(s.seen, EXCLUDED.seen)
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

# A page's number is known by its chunks alone. Every look-up is by an index.
FACTS = """
    SELECT w.version, w.number <= n.last_value AND NOT EXISTS (
               SELECT FROM lost_numbers l WHERE w.number BETWEEN l.first AND l.last) AS given_out,
           EXISTS (SELECT FROM feed_chunks c
                    WHERE c.feed_no = w.number AND c.page_no IS NULL
                      AND c.first_record <= w.record_index AND c.first_record + c.records > w.record_index)
           OR EXISTS (SELECT FROM feed_chunks c
                       WHERE c.page_no = w.number
                         AND c.first_record <= w.record_index AND c.first_record + c.records > w.record_index) AS taken,
           EXISTS (SELECT FROM deferred_chunks d
                    WHERE coalesce(d.page_no, d.feed_no) = w.number
                      AND d.first_record <= w.record_index AND d.first_record + d.records > w.record_index) AS deferred,
           f.state, f.cancel_requested_at IS NOT NULL AS cancelled
      FROM unnest($1::bigint[], $2::bigint[], $3::integer[]) AS w (version, number, record_index)
     CROSS JOIN (SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS last_value FROM feed_no) n
      LEFT JOIN LATERAL (SELECT state, cancel_requested_at FROM feeds WHERE feed_no = w.number) f ON true
"""

# Between two attempts at it only the job knows that a letter is under way.
REPLAYING = """
    SELECT i.letter FROM replay_jobs j JOIN replay_items i ON i.job = j.id
     WHERE j.state = 'running' AND i.outcome IS NULL AND i.letter = ANY($1::uuid[])
"""

RUNS_OF = """
    SELECT w.number, c.feed_no
      FROM unnest($1::bigint[]) AS w (number)
     CROSS JOIN LATERAL (SELECT feed_no FROM feed_chunks WHERE page_no = w.number LIMIT 1) c
"""


@dataclass(frozen=True, slots=True)
class AdoptedState:
    """A state that takes the place of the one that is known. hash None: the key is withdrawn; seen: by which feed."""

    version: int
    hash: bytes | None
    observed_at: datetime | None
    position: Position
    seen: int


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


async def _stored(connection: Connection, query: str, facet: Facet, keys: Collection[ItemKey]) -> dict[ItemKey, Stored]:
    named = [{"supplier": supplier, "sku": sku, "area": area or ""} for supplier, sku, area in keys]
    rows = await connection.fetch(query, FACET_CODES[facet], named)
    found = {(row[0], row[1], row[2]): Stored(row[3], row[4], row[5], row[6], row[7]) for row in rows}
    return {key: found.get((key.supplier, key.sku, key.area or ""), NOTHING_STORED) for key in keys}


async def read_stored(connection: Connection, facet: Facet, keys: Collection[ItemKey]) -> dict[ItemKey, Stored]:
    """The known state of keys, without locks."""
    return await _stored(connection, PEEK, facet, keys)


async def lock_stored(connection: Connection, facet: Facet, keys: Collection[ItemKey]) -> dict[ItemKey, Stored]:
    """The known state of keys, created where missing, locked until the transaction ends."""
    in_order = sorted(keys, key=lambda key: (key.supplier, key.sku, key.area or ""))
    await connection.execute(ENSURE, *_columns(facet, in_order))
    return await _stored(connection, LOCK, facet, in_order)


async def move_keys(
    connection: Connection,
    facet: Facet,
    ends: Mapping[ItemKey, Position],
    versions: Mapping[ItemKey, int] | None = None,
) -> None:
    """The newest records of locked keys stand there now, some under newer versions than before."""
    partitions, offsets = [at.partition for at in ends.values()], [at.offset for at in ends.values()]
    moved = versions or {}
    await connection.execute(MOVE, *_columns(facet, ends), partitions, offsets, [moved.get(key, 0) for key in ends])


async def adopt_keys(connection: Connection, facet: Facet, adoptions: Mapping[ItemKey, AdoptedState]) -> None:
    """Put other states in the place of those of locked keys: what a restored database has lost, or nothing."""
    found = adoptions.values()
    await connection.execute(
        ADOPT,
        *_columns(facet, adoptions),
        [each.position.partition for each in found],
        [each.position.offset for each in found],
        [each.version for each in found],
        [each.hash for each in found],
        [each.observed_at for each in found],
        [each.seen for each in found],
    )


async def facts_of(
    connection: Connection, versions: Mapping[ItemKey, Collection[int]]
) -> dict[ItemKey, dict[int, VersionFacts]]:
    """What the tables say of where versions of keys came from."""
    named = list({version for own in versions.values() for version in own})
    columns = (list(map(feed_no_of, named)), list(map(record_index_of, named)))
    rows = {row["version"]: row for row in await connection.fetch(FACTS, named, *columns)}
    letters = {
        letter: (key, version) for key, own in versions.items() for version in own for letter in _letters(key, version)
    }
    replaying = {letters[row["letter"]] for row in await connection.fetch(REPLAYING, list(letters))}
    return {
        key: {version: _facts(rows[version], replaying=(key, version) in replaying) for version in own}
        for key, own in versions.items()
    }


def _facts(row: Row, *, replaying: bool) -> VersionFacts:
    return VersionFacts(row["given_out"], row["taken"], replaying, row["state"], row["cancelled"], row["deferred"])


def _letters(key: ItemKey, version: int) -> Iterator[UUID]:
    """The dead letters whose replay may have published a version: of the record as a whole, or of the one sku."""
    source = DeadLetter(
        stage="", issues=(), original=b"", feed_no=feed_no_of(version), record_index=record_index_of(version)
    )
    for stage in REPLAYED:
        for sku in (None, key.sku):
            yield replace(source, stage=stage, sku=sku).id


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
