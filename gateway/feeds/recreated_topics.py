"""Topics that were recreated, or lost their ends: noticed by their ids and by places that lie beyond what they hold.

Only the cluster that the database belongs to is ever believed so; another one ends the process. The known state of
such a
topic's records is forgotten: its readers begin again at its start, where repeats do no harm, and no key is believed to
stand where it stood. What the catalog lost is for an operator to bring back: see `rebuild`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

import structlog

from gateway.feeds.catalog_records import FACET_OF_TOPIC
from gateway.feeds.decide import Key
from gateway.feeds.queries import FACET_CODES
from gateway.jobs import repeat
from gateway.kafka import BULK, CATALOG_TOPIC, EXPRESS, ORDER_COMMANDS, Bus
from gateway.store import Connection, Pool, acquired, transaction
from gateway.telemetry import metrics
from schemas.catalog import Facet

log = structlog.get_logger(__name__)

FOLLOWED = (EXPRESS, BULK, ORDER_COMMANDS, *FACET_OF_TOPIC)
"""Topics that the gateway reads, and keeps places of."""

LOOK_SECONDS = 5.0

BATCH = 2_000
"""Keys whose places are forgotten in one transaction."""

ALONE = "SELECT pg_advisory_xact_lock(hashtext('known_topics'))"

KNOWN = "SELECT topic, id FROM known_topics"

LEARN = """
    INSERT INTO known_topics (topic, id) VALUES ($1, $2)
    ON CONFLICT (topic) DO UPDATE SET id = coalesce(EXCLUDED.id, known_topics.id)
"""

LOST = """
    INSERT INTO known_topics AS k (topic, forget_from, lost_at) VALUES ($1, $2, clock_timestamp())
    ON CONFLICT (topic) DO UPDATE
       SET forget_from = CASE WHEN k.forget_from = '{}' THEN k.forget_from ELSE EXCLUDED.forget_from END,
           lost_at = EXCLUDED.lost_at
"""

BEGIN_AGAIN = "UPDATE source_offsets SET next = 0 WHERE topic = $1"

TO_DELETE = "SELECT topic, forget_from FROM known_topics WHERE forget_from IS NOT NULL ORDER BY topic"

DELETED = "UPDATE known_topics SET forget_from = NULL WHERE topic = $1 AND forget_from = $2"

TO_REBUILD = "SELECT topic FROM known_topics WHERE lost_at IS NOT NULL"

# Only a walk by the primary key stops after a batch.
BY_KEY = "SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off"

PLACED = """
    SELECT supplier, sku, area FROM feed_state
     WHERE facet = $1::text::"char" AND (supplier, sku, area) > ($2, $3, $4) AND partition IS NOT NULL
       AND "offset" >= coalesce(($6::bigint[])[partition + 1], 0)
     ORDER BY supplier, sku, area LIMIT $5
       FOR NO KEY UPDATE
"""

# Every row exists and is locked: the conflict is what this is for.
DELETE_OFFSETS = """
    INSERT INTO feed_state (facet, version, seen, supplier, sku, area)
    SELECT $1::text::"char", 0, 0, k.* FROM unnest($2::text[], $3::text[], $4::text[]) AS k
    ON CONFLICT (facet, supplier, sku, area) DO UPDATE SET partition = NULL, "offset" = NULL
"""


def recreated_topics(known: Mapping[str, UUID | None], found: Mapping[str, UUID]) -> list[str]:
    """Topics that had another id when they were last seen."""
    return sorted(topic for topic, now in found.items() if (before := known.get(topic)) is not None and before != now)


def facets_missing(found: Mapping[str, UUID]) -> list[Facet]:
    """Facets whose topics do not exist. found: ids of those that do; none where Kafka tells no ids."""
    return sorted(facet for topic, facet in FACET_OF_TOPIC.items() if topic not in found) if found else []


def commands_missing(found: Mapping[str, UUID]) -> bool:
    """Whether the topic of the mall's commands does not exist. found: as for facets."""
    return bool(found) and ORDER_COMMANDS not in found


NOTHING_LOST = "no topic is missing, and none has lost records"


def describe_loss(lost: Collection[Facet], missing: Collection[Facet] = (), *, commands: bool = False) -> str:
    """What operators are told of facets whose topics lost records, or are missing. commands: that of commands is."""
    faults = dict.fromkeys(lost, "lost records") | dict.fromkeys(missing, "is missing")
    words = [
        f"the {facet} topic {fault}: {_instruction(CATALOG_TOPIC[facet])}" for facet, fault in sorted(faults.items())
    ]
    words += [f"{ORDER_COMMANDS} is missing: {_instruction(ORDER_COMMANDS)}"] * commands
    return "; ".join(words) or NOTHING_LOST


async def facets_lost(connection: Connection, found: Mapping[str, UUID] | None = None) -> list[Facet]:
    """Facets whose topics lost records that were not brought back. found: ids of topics that nobody looked at yet."""
    lost = {row["topic"] for row in await connection.fetch(TO_REBUILD)}
    if found:
        lost.update(recreated_topics(await _known(connection), found))
    return sorted(FACET_OF_TOPIC[topic] for topic in lost & FACET_OF_TOPIC.keys())


async def _known(connection: Connection) -> dict[str, UUID | None]:
    return {row["topic"]: row["id"] for row in await connection.fetch(KNOWN)}


async def note_lost(connection: Connection, topics: Mapping[str, Sequence[int]], *, event: str) -> None:
    """Have everything begin again that knows places in these topics.

    topics: with the ends of their partitions in order, behind which nothing stands where it stood; none: nowhere.
    """
    for topic, ends in topics.items():
        log.error(event, topic=topic, remedy=_instruction(topic))
        metrics.topics_remade_total.labels(topic=topic).inc()
        await connection.execute(BEGIN_AGAIN, topic)
        if topic in FACET_OF_TOPIC:
            await connection.execute(LOST, topic, ends)


def _instruction(topic: str) -> str:
    if topic in FACET_OF_TOPIC:
        return f"mallgate catalog rebuild {FACET_OF_TOPIC[topic]}"
    if topic == ORDER_COMMANDS:
        return "a gateway makes it as it starts; the mall core writes again what was not read"
    return "suppliers of feeds that end with chunks missing push them again"


class KnownTopics:
    """What this process and its database know of the topics that they read."""

    def __init__(self, bus: Bus, pool: Pool) -> None:
        self._bus = bus
        self._pool = pool
        self._seen: dict[str, UUID] = {}
        self._missing: list[str] = []

    async def look(self) -> None:
        """See which topics were recreated, and have everything begin again that knows places in them.

        A process that notices late sets the places back again: it may have stored one meanwhile that is none any more.
        Raises ServiceUnavailableError, and ClusterChangedError where another cluster answers.
        """
        found = await self._bus.topic_ids(FOLLOWED)
        async with transaction(self._pool) as connection:
            await connection.execute(ALONE)
            known = await _known(connection)
            remade, late = recreated_topics(known, found), recreated_topics(self._seen, found)
            for topic, topic_id in found.items():
                if known.get(topic) != topic_id:
                    await connection.execute(LEARN, topic, topic_id)
            await note_lost(connection, dict.fromkeys(remade, ()), event="topic.made_anew")
            for topic in late:
                await connection.execute(BEGIN_AGAIN, topic)
        self._seen |= found
        self._note_missing(facets_missing(found), commands=commands_missing(found))
        if remade or late:
            self._bus.begin_again()

    async def watch(self) -> None:
        """Look again and again, for ever. Raises ClusterChangedError: end the process."""
        await repeat("topics", self.look, LOOK_SECONDS)

    def _note_missing(self, missing: list[Facet], *, commands: bool) -> None:
        topics = [*(CATALOG_TOPIC[facet] for facet in missing), *([ORDER_COMMANDS] if commands else [])]
        for topic in topics:
            if topic not in self._missing:
                log.error("topic.missing", topic=topic, remedy=_instruction(topic))
        self._missing = topics

    async def check(self) -> str:
        """What lost records or is missing, which makes no process unready. Raises StoreUnavailableError."""
        async with acquired(self._pool) as connection:
            lost = await facets_lost(connection)
        missing = [FACET_OF_TOPIC[topic] for topic in self._missing if topic in FACET_OF_TOPIC]
        return describe_loss(lost, missing, commands=ORDER_COMMANDS in self._missing)


async def delete_offsets(pool: Pool) -> None:
    """Take the places of former records out of `feed_state`, a batch of keys in a transaction.

    What has come to stand on the new topic meanwhile may be forgotten with it: the keeper sees it there and knows.
    """
    async with acquired(pool) as connection:
        topics = {row["topic"]: row["forget_from"] for row in await connection.fetch(TO_DELETE)}
    for topic, ends in topics.items():
        await _delete_offsets(pool, FACET_OF_TOPIC[topic], ends)
        async with transaction(pool) as connection:
            await connection.execute(DELETED, topic, ends)


async def _delete_offsets(pool: Pool, facet: Facet, ends: Sequence[int]) -> None:
    after: tuple[str, *Key] = ("", "", "")
    while True:
        async with transaction(pool) as connection:
            await connection.execute(BY_KEY)
            found = await connection.fetch(PLACED, FACET_CODES[facet], *after, BATCH, ends)
            if not found:
                return
            await connection.execute(
                DELETE_OFFSETS, FACET_CODES[facet], *map(list, zip(*map(tuple, found), strict=True))
            )
        after = tuple(found[-1])
