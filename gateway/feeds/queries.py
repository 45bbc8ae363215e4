"""SQL of the chunk transaction.

Lock order: partition's offset or the deferred chunk, chunk, feed (key share), horizon (shared), keys that it creates by
(sku, area), keys that there were by (sku, area), marks by sku.

Every statement names its locks. A failed or repeated transaction repeats the whole chunk.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from gateway.feeds.chunk import ChunkHead
from gateway.feeds.decide import OUTCOME_BYTES, Decisions, Key, count_problems
from gateway.feeds.feed import NewFeed, restore_feed
from gateway.feeds.guard import ItemOutcome, KeyState
from gateway.kafka import Position
from gateway.store import Connection, Row
from schemas.catalog import Facet

FACET_CODES: Mapping[Facet, str] = {Facet.PRODUCT: "p", Facet.PRICE: "$", Facet.STOCK: "s", Facet.LISTING: "l"}
"""`feed_state.facet`."""

MARKS: Mapping[ItemOutcome, str] = {outcome: chr(byte) for outcome, byte in OUTCOME_BYTES.items()}
"""`feed_state.seen_outcome`."""

SESSION: Mapping[str, str] = {
    # A generic plan made while feed_state was small would scan it for ever after; keys are always looked up by index.
    "enable_seqscan": "off",
}
"""Server settings of the connections that run this module."""

NEXT_OFFSET = "SELECT next FROM source_offsets WHERE topic = $1 AND partition = $2"

MOVE_OFFSET = """
    UPDATE source_offsets SET next = next + 1 WHERE topic = $1 AND partition = $2 AND next = $3 RETURNING true
"""

DEFER = """
    INSERT INTO deferred_chunks (topic, partition, "offset", catalog_topic, feed_no, chunk_no, page_no, first_record,
                                 records)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    ON CONFLICT DO NOTHING
"""

# Another process that has the row is taking the chunk already.
TAKE_DEFERRED = """
    DELETE FROM deferred_chunks
     WHERE (topic, partition, "offset") IN (
           SELECT topic, partition, "offset" FROM deferred_chunks
            WHERE topic = $1 AND partition = $2 AND "offset" = $3
              FOR UPDATE SKIP LOCKED)
    RETURNING true
"""

CLAIM_CHUNK = """
    INSERT INTO feed_chunks (feed_no, chunk_no, topic, partition, "offset", first_record, records, page_no, outcomes,
                             problems)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, '', '[]')
    ON CONFLICT (feed_no, chunk_no) DO UPDATE
       SET topic = EXCLUDED.topic, partition = EXCLUDED.partition, "offset" = EXCLUDED."offset",
           first_record = EXCLUDED.first_record, records = EXCLUDED.records, page_no = EXCLUDED.page_no, unread = false
     WHERE feed_chunks.unread
    RETURNING true
"""

RECORD_CHUNK = """
    UPDATE feed_chunks SET outcomes = $3, problems = $4, problem_counts = $5, warnings = $6, decided_at = now()
     WHERE feed_no = $1 AND chunk_no = $2
"""

SHARE_FEED = """
    SELECT cancel_requested_at IS NOT NULL AS cancelled FROM feeds WHERE feed_no = $1
       FOR KEY SHARE
"""

# The keys come sorted, as JSON: arrays of their columns cost us six times as much to encode. None of these statements
# leaves the planner a choice of join: one made while feed_state was small would be kept long after it has grown.
_MOVE_KEYS = """
    INSERT INTO feed_state AS s (facet, supplier, sku, area, version, source_version, hash, published_at, own_version,
                                 seen_outcome, seen)
    SELECT $1::text::"char", $2, k.*, $3
      FROM json_to_recordset($4::json)
        AS k (sku text, area text, version bigint, source_version bigint, hash bytea, published_at timestamptz,
              own_version bigint, outcome "char")
    ON CONFLICT {conflict}
"""

CREATE_KEYS = _MOVE_KEYS.format(conflict="DO NOTHING RETURNING sku, area")

READ_KEYS = """
    SELECT s.sku, s.area, s.version, s.source_version, s.hash, s.published_at, s.own_version
      FROM json_to_recordset($3::json) AS k (sku text, area text)
     CROSS JOIN LATERAL (
           SELECT sku, area, version, source_version, hash, published_at, own_version FROM feed_state
            WHERE facet = $1::text::"char" AND supplier = $2 AND sku = k.sku AND area = k.area
              {lock}
           ) s
"""

LOCK_KEYS = READ_KEYS.format(lock="FOR UPDATE")
PEEK_KEYS = READ_KEYS.format(lock="OFFSET 0")

UPDATE_KEYS = _MOVE_KEYS.format(
    conflict="""(facet, supplier, sku, area) DO UPDATE
       SET version = EXCLUDED.version, own_version = EXCLUDED.own_version,
           source_version = EXCLUDED.source_version, hash = EXCLUDED.hash,
           published_at = EXCLUDED.published_at, withdrawn = EXCLUDED.hash IS NULL AND s.withdrawn,
           seen = GREATEST(s.seen, EXCLUDED.seen),
           seen_outcome = CASE WHEN EXCLUDED.seen >= s.seen THEN EXCLUDED.seen_outcome ELSE s.seen_outcome END
    """
)

PLACE_KEYS = """
    INSERT INTO feed_state (facet, supplier, version, seen, sku, area, partition, "offset")
    SELECT $1::text::"char", $2, 0, 0, k.*
      FROM json_to_recordset($3::json) AS k (sku text, area text, partition integer, "offset" bigint)
    ON CONFLICT (facet, supplier, sku, area) DO UPDATE
       SET partition = EXCLUDED.partition, "offset" = EXCLUDED."offset"
"""

KEYS_OF_SKUS = """
    SELECT sku, area FROM feed_state WHERE facet = $1::text::"char" AND supplier = $2 AND sku = ANY($3::text[])
"""

# Every row is locked: what a feed that is older creates afterwards is kept by the mark of its sku. A key that the feed
# named itself keeps what became of it, where there are areas: which of them a rejected record means is not known.
SEE_KEYS = """
    INSERT INTO feed_state AS s (facet, supplier, version, seen, sku, area)
    SELECT $1::text::"char", $2, 0, $3, k.* FROM json_to_recordset($4::json) AS k (sku text, area text)
    ON CONFLICT (facet, supplier, sku, area) DO UPDATE
       SET seen = EXCLUDED.seen, seen_outcome = 'r'
     WHERE s.seen < EXCLUDED.seen OR (s.seen = EXCLUDED.seen AND s.area = '')
"""

MARK_SKUS = """
    INSERT INTO sku_marks AS m (facet, supplier, sku, seen)
    SELECT $1::text::"char", $2, k.sku, $3 FROM unnest($4::text[]) AS k (sku)
    ON CONFLICT (facet, supplier, sku) DO UPDATE SET seen = GREATEST(m.seen, EXCLUDED.seen)
"""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a chunk was read: logical topic, partition, offset."""

    topic: str
    partition: int
    offset: int


async def next_offset(connection: Connection, source: Source) -> int | None:
    """The offset this partition goes on with; None: it was never followed."""
    found: int | None = await connection.fetchval(NEXT_OFFSET, source.topic, source.partition)
    return found


async def move_offset(connection: Connection, source: Source) -> bool:
    """Have the partition go on behind `source`, locked until the transaction ends; False: it was not there."""
    moved = await connection.fetchval(MOVE_OFFSET, source.topic, source.partition, source.offset)
    return moved is not None


async def defer(connection: Connection, head: ChunkHead, source: Source, records: int, *, catalog_topic: str) -> None:
    """Note that a chunk waits for a catalog topic that is away, or for a row that somebody holds."""
    place = (source.topic, source.partition, source.offset, catalog_topic)
    await connection.execute(DEFER, *place, head.feed_no, head.chunk_no, head.page_no, head.first_record, records)


async def take_deferred(connection: Connection, source: Source) -> bool:
    """Have a deferred chunk wait no longer; False: it does not, or another process is taking it."""
    taken = await connection.fetchval(TAKE_DEFERRED, source.topic, source.partition, source.offset)
    return taken is not None


async def claim_chunk(connection: Connection, head: ChunkHead, source: Source, records: int) -> bool:
    """Whether the chunk is new, or could not be read before; a repeat of one that took effect is not."""
    claimed = await connection.fetchval(
        CLAIM_CHUNK,
        head.feed_no,
        head.chunk_no,
        source.topic,
        source.partition,
        source.offset,
        head.first_record,
        records,
        head.page_no,
    )
    return claimed is not None


async def record_chunk(connection: Connection, head: ChunkHead, decisions: Decisions) -> None:
    """Write what became of the chunk's items."""
    problems = decisions.problems
    values = (bytes(decisions.outcomes), problems, count_problems(problems), decisions.warnings)
    await connection.execute(RECORD_CHUNK, head.feed_no, head.chunk_no, *values)


async def keep_feed(connection: Connection, head: ChunkHead) -> None:
    """Have a feed that a restored database has lost come back as incomplete; waits for nobody who holds its row."""
    await restore_feed(connection, _feed_of(head))


async def share_feed(connection: Connection, head: ChunkHead) -> bool:
    """Whether the feed was cancelled. A feed that a restored database has lost comes back as incomplete."""
    cancelled: bool | None = await connection.fetchval(SHARE_FEED, head.feed_no)
    if cancelled is None:
        await restore_feed(connection, _feed_of(head))
        cancelled = await connection.fetchval(SHARE_FEED, head.feed_no)
    return bool(cancelled)


def _feed_of(head: ChunkHead) -> NewFeed:
    """What a chunk tells of its feed."""
    return NewFeed(
        feed_no=head.feed_no,
        supplier=head.supplier,
        facet=head.facet,
        mode=head.mode,
        revision=head.revision,
        lane=head.lane,
        origin=head.origin,
        received_at=head.received_at,
    )


async def keys_of_skus(connection: Connection, head: ChunkHead, skus: Collection[str]) -> list[Key]:
    """Every key that is known of these skus."""
    if not skus:
        return []
    found = await connection.fetch(KEYS_OF_SKUS, FACET_CODES[head.facet], head.supplier, list(skus))
    return list(map(_key, found))


async def peek_keys(connection: Connection, head: ChunkHead, keys: Collection[Key]) -> dict[Key, KeyState]:
    """The states of those of the keys that there are, without locks."""
    return _states(await connection.fetch(PEEK_KEYS, FACET_CODES[head.facet], head.supplier, _named(keys)))


async def lock_keys(connection: Connection, head: ChunkHead, keys: Collection[Key]) -> dict[Key, KeyState]:
    """The states of those of the keys that there are, locked in key order until the transaction ends."""
    return _states(await connection.fetch(LOCK_KEYS, FACET_CODES[head.facet], head.supplier, _named(keys)))


async def create_keys(connection: Connection, head: ChunkHead, states: Iterable[dict[str, Any]]) -> set[Key]:
    """Create keys in these states, in key order; which were created, and so are locked: somebody else made the others.

    states: as `states_of` has them.
    """
    in_order = sorted(states, key=lambda state: (state["sku"], state["area"]))
    whose = (FACET_CODES[head.facet], head.supplier)
    return set(map(_key, await connection.fetch(CREATE_KEYS, *whose, head.number, in_order)))


async def update_keys(connection: Connection, head: ChunkHead, states: Collection[dict[str, Any]]) -> None:
    """Move locked keys to these states. states: as `states_of` has them."""
    if states:
        await connection.execute(UPDATE_KEYS, FACET_CODES[head.facet], head.supplier, head.number, list(states))


async def keep_rejected(connection: Connection, head: ChunkHead, decisions: Decisions, known: Collection[Key]) -> None:
    """Have full feeds keep all keys of the skus whose records were rejected. known: the keys that are locked."""
    whose = (FACET_CODES[head.facet], head.supplier)
    if skus := {sku for refused in decisions.refused for sku in refused.skus}:
        named = [key for key in known if key[0] in skus and key not in decisions.states]
        await connection.execute(SEE_KEYS, *whose, head.number, _named(named))
        await connection.execute(MARK_SKUS, *whose, head.number, sorted(skus))


def _named(keys: Collection[Key]) -> list[dict[str, str]]:
    """Keys as statements read them, in their order: by code point, as collation "C" sorts UTF-8."""
    return [{"sku": sku, "area": area} for sku, area in sorted(keys)]


def _key(row: Row) -> Key:
    return row[0], row[1]


def _states(rows: Iterable[Row]) -> dict[Key, KeyState]:
    return {(row[0], row[1]): KeyState(row[2], row[3], row[4], row[5], row[6]) for row in rows}


def states_of(decisions: Decisions) -> dict[Key, dict[str, Any]]:
    """The new states of keys, as statements read them."""
    return {key: _state(key, state, outcome) for key, (state, outcome) in decisions.states.items()}


def _state(key: Key, state: KeyState, outcome: ItemOutcome) -> dict[str, Any]:
    version, source_version, content_hash, published_at, own_version = state
    return {
        "sku": key[0],
        "area": key[1],
        "version": version,
        "source_version": source_version,
        "hash": None if content_hash is None else "\\x" + content_hash.hex(),
        "published_at": published_at,
        "own_version": own_version,
        "outcome": MARKS[outcome],
    }


async def place_keys(connection: Connection, head: ChunkHead, positions: Mapping[Key, Position]) -> None:
    """Write down where the newest records of locked keys stand."""
    placed = [
        {"sku": sku, "area": area, "partition": partition, "offset": offset}
        for (sku, area), (partition, offset) in positions.items()
    ]
    await connection.execute(PLACE_KEYS, FACET_CODES[head.facet], head.supplier, placed)
