"""Mending one key of a catalog topic, under its row lock."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

import orjson
import structlog

from gateway.feeds import keys
from gateway.feeds.chunk import decode, head_from_headers
from gateway.feeds.findings import Finding, Seen, compare
from gateway.feeds.keys import LockedKey
from gateway.feeds.message import expiry_of, stamp
from gateway.feeds.normalise import Rejection, Rules, normalise
from gateway.feeds.profile import Profiles
from gateway.feeds.versions import feed_no_of, record_index_of
from gateway.kafka import CATALOG_TOPIC, Bus, Message, Position, Producer, Record
from gateway.sdk.errors import InvalidMessageError
from gateway.store import Connection, Pool, transaction
from gateway.telemetry import metrics
from schemas.catalog import Facet
from schemas.envelope import ItemHeaders, ItemKey, key_of

log = structlog.get_logger(__name__)

STAMPS = ("supplier", "version", "observed_at", "expires_at")
"""Members of a message that are not facts."""


@dataclass(frozen=True, slots=True)
class Content:
    """The value that a key should end on; None withdraws it."""

    value: bytes | None
    hash: bytes


def restamped(value: bytes, version: int) -> bytes:
    """The same message under another version."""
    return orjson.dumps({**orjson.loads(value), "version": version})


def facts_hash(value: bytes) -> bytes:
    """Hash of the facts in a message, as `normalise` made it."""
    members = orjson.loads(value)
    facts = {name: member for name, member in members.items() if name not in STAMPS}
    return hashlib.blake2b(orjson.dumps(facts), digest_size=16).digest()


class Repairs:
    """Settles suspicious records of the catalog topics one by one."""

    def __init__(self, bus: Bus, pool: Pool, producer: Producer, profiles: Profiles) -> None:
        self._bus = bus
        self._pool = pool
        self._producer = producer
        self._profiles = profiles

    async def settle(self, record: Record, facet: Facet, key: ItemKey, seen: Seen) -> Finding:
        """Do what the record asks for, judged again under the lock; what it was."""
        async with transaction(self._pool) as connection:
            locked = await keys.lock_key(connection, facet, key)
            finding = compare(seen, locked.known)
            match finding:
                case Finding.SETTLED:
                    pass
                case Finding.TAKE_OVER:
                    await keys.move_key(connection, facet, key, Position(seen.partition, seen.offset))
                case Finding.REPAIR:
                    await self._repair(connection, facet, key, locked)
                case Finding.PENDING:
                    await _adopt(connection, record, facet, key, seen)
        if finding in (Finding.REPAIR, Finding.PENDING):
            metrics.catalog_repairs_total.inc()
            log.warning(
                "catalog.settled", finding=finding, key=record.key, partition=seen.partition, offset=seen.offset
            )
        return finding

    async def _repair(self, connection: Connection, facet: Facet, key: ItemKey, locked: LockedKey) -> None:
        version = locked.known.version
        content = await self._content(connection, facet, key, locked)
        if content is None:
            log.error("catalog.unrepairable", facet=facet, key=key, version=version)
            return
        kafka_key = key_of(*key)
        writer = ItemHeaders(facet, key.supplier, feed_no=feed_no_of(version), time=datetime.now().astimezone())
        headers = (
            writer.withdrawal(kafka_key, version)
            if content.value is None
            else writer.state(kafka_key, version, content.hash)
        )
        [position] = await self._producer.send([Message(CATALOG_TOPIC[facet], kafka_key, content.value, headers)])
        await keys.move_key(connection, facet, key, position)

    async def _content(self, connection: Connection, facet: Facet, key: ItemKey, locked: LockedKey) -> Content | None:
        """The newest content: from the topic itself, else from the archive of raw chunks."""
        if locked.hash is None:
            return Content(None, b"")
        known = locked.known
        if known.partition is not None and known.offset is not None:
            record = await self._bus.read(CATALOG_TOPIC[facet], known.partition, known.offset)
            if record is not None and record.key == key_of(*key) and record.value is not None:
                return Content(restamped(record.value, known.version), locked.hash)
        return await self._archived(connection, facet, key, locked)

    async def _archived(self, connection: Connection, facet: Facet, key: ItemKey, locked: LockedKey) -> Content | None:
        version = locked.known.version
        place = await connection.fetchrow(keys.ARCHIVED, feed_no_of(version), record_index_of(version))
        if place is None:
            return None
        record = await self._bus.read(place["topic"], place["partition"], place["offset"])
        if record is None:
            return None
        try:
            head, raws = head_from_headers(record.headers), list(decode(record.value or b""))
            profile = await self._profiles.get(head.supplier, head.revision)
        except InvalidMessageError:
            return None
        rules = Rules(facet, head.received_at, profile.categories)
        result = normalise(profile.adapter, raws[record_index_of(version) - place["first_record"]], rules)
        if isinstance(result, Rejection):
            return None
        for item in reversed(result):
            if (item.sku, item.area) == (key.sku, key.area or "") and item.hash == locked.hash:
                expires_at = expiry_of(facet, item.observed_at, profile.period(facet))
                value = stamp(
                    item.content,
                    supplier=key.supplier,
                    version=version,
                    observed_at=item.observed_at,
                    expires_at=expires_at,
                )
                return Content(value, item.hash)
        return None


async def _adopt(connection: Connection, record: Record, facet: Facet, key: ItemKey, seen: Seen) -> None:
    """Believe the topic: the database was restored from an older copy and the chunk cannot come again."""
    value = record.value
    await keys.adopt_key(
        connection,
        facet,
        key,
        version=seen.version,
        hash=None if value is None else facts_hash(value),
        observed_at=None if value is None else datetime.fromisoformat(orjson.loads(value)["observed_at"]),
        position=Position(seen.partition, seen.offset),
        feed_no=feed_no_of(seen.version),
    )
