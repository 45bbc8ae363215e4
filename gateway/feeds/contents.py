"""What keys should end on: read from the catalog topic itself, else made again from the archive of raw chunks."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import orjson
from pydantic import ValidationError

from gateway.feeds import keys
from gateway.feeds.chunk import ChunkHead, RawRecord, decode, head_from_headers
from gateway.feeds.decide import Publication
from gateway.feeds.message import catalog_messages
from gateway.feeds.normalise import NormalisedItem, Rules, normalise, parts_of
from gateway.feeds.profile import Profile, Profiles
from gateway.feeds.reconciliation import Stored
from gateway.feeds.seal import ChunkSeal
from gateway.feeds.versions import feed_no_of, record_index_of
from gateway.kafka import CATALOG_TOPIC, Bus, Message, Position, Record
from gateway.sdk.errors import InvalidMessageError, ServiceUnavailableError
from gateway.store import Pool, transaction
from schemas.base import read
from schemas.catalog import MESSAGES, Facet
from schemas.envelope import GW_VERSION, ItemHeaders, ItemKey, key_of

STAMPS = ("supplier", "version", "observed_at", "expires_at")
"""Members of a message that are not facts."""

NEAR = 2_000
"""Records apart up to which reading on is cheaper than beginning again."""


@dataclass(frozen=True, slots=True)
class Content:
    """A record that a key may end on. hash: of its facts, None when it withdraws the key; observed_at: of its facts."""

    message: Message
    hash: bytes | None
    observed_at: datetime | None


class Contents:
    """Finds contents, many at a time. Methods raise ServiceUnavailableError while Kafka or PostgreSQL is away."""

    def __init__(self, bus: Bus, pool: Pool, profiles: Profiles, seal: ChunkSeal) -> None:
        self._bus = bus
        self._pool = pool
        self._profiles = profiles
        self._seal = seal

    async def at(self, facet: Facet, places: Mapping[ItemKey, Position]) -> dict[ItemKey, Content]:
        """The records of keys that lie at these places, those which the log still holds and which are states."""
        records = await self._records(CATALOG_TOPIC[facet], places.values())
        found = {key: _as_it_is(facet, key, records.get(place)) for key, place in places.items()}
        return {key: content for key, content in found.items() if content is not None}

    async def items(self, facet: Facet, places: Mapping[ItemKey, Position]) -> dict[ItemKey, dict[str, Any]]:
        """What the records there say; nothing while Kafka is away: who shows them to people can do without."""
        with suppress(ServiceUnavailableError):
            found = await self.at(facet, places)
            return {key: orjson.loads(each.message.value) for key, each in found.items() if each.message.value}
        return {}

    async def of(self, facet: Facet, known: Mapping[ItemKey, Stored]) -> dict[ItemKey, Content]:
        """The known content of keys under the known versions; what is gone everywhere is left out."""
        found = {key: withdrawal(facet, key, state.version) for key, state in known.items() if state.hash is None}
        found |= await self.published(facet, known)
        lost = {key: state for key, state in known.items() if key not in found}
        return found | await self.archived(facet, lost)

    async def published(self, facet: Facet, known: Mapping[ItemKey, Stored]) -> dict[ItemKey, Content]:
        """The known content of keys under the known versions, as far as the catalog topic still holds it."""
        stored = {
            key: Position(state.partition, state.offset)
            for key, state in known.items()
            if state.hash is not None and state.partition is not None and state.offset is not None
        }
        at_them = await self.at(facet, stored)
        there = {key: content for key, content in at_them.items() if content.hash == known[key].hash}
        return await self._restamped(facet, there, known)

    async def _restamped(
        self, facet: Facet, contents: Mapping[ItemKey, Content], known: Mapping[ItemKey, Stored]
    ) -> dict[ItemKey, Content]:
        """The same facts under the known versions; the very same message when it bears that already."""
        older = {
            key: known[key].version for key, content in contents.items() if _version_of(content) != known[key].version
        }
        if not older:
            return dict(contents)
        async with transaction(self._pool) as connection:
            feeds = await keys.feeds_of(connection, older.values())
        stamped = {key: _stamped(facet, key, contents[key], own, feeds[own]) for key, own in older.items()}
        return {**contents, **stamped}

    async def under(self, facet: Facet, contents: Mapping[ItemKey, Content], version: int) -> dict[ItemKey, Content]:
        """The same states under another version, withdrawals among them."""
        states = {key: _version_of(content) for key, content in contents.items() if content.hash is not None}
        async with transaction(self._pool) as connection:
            feeds = await keys.feeds_of(connection, states.values())
        stamped = {key: _stamped(facet, key, contents[key], version, feeds[own]) for key, own in states.items()}
        return stamped | {key: withdrawal(facet, key, version) for key in contents.keys() - states.keys()}

    async def _records(self, topic: str, places: Collection[Position]) -> dict[Position, Record]:
        by_partition: defaultdict[int, set[int]] = defaultdict(set)
        for partition, offset in places:
            by_partition[partition].add(offset)
        found: dict[Position, Record] = {}
        for partition, offsets in by_partition.items():
            for start, end in stretches(offsets):
                async for records in self._bus.scan(topic, partition, start, end):
                    found.update(
                        (Position(partition, record.offset), record) for record in records if record.offset in offsets
                    )
        return found

    async def archived(self, facet: Facet, known: Mapping[ItemKey, Stored]) -> dict[ItemKey, Content]:
        """The known content of keys under the known versions, made again from the raw chunks that are still there."""
        if not known:
            return {}
        async with transaction(self._pool) as connection:
            chunks = await keys.archived_chunks(connection, [state.content_version for state in known.values()])
        by_chunk: defaultdict[keys.ArchivedChunk, list[ItemKey]] = defaultdict(list)
        for key, state in known.items():
            if state.content_version in chunks:
                by_chunk[chunks[state.content_version]].append(key)
        found: dict[ItemKey, Content] = {}
        for chunk, named in by_chunk.items():
            record = await self._bus.read(*chunk.partition, chunk.offset)
            if record is not None:
                found |= await self._renormalised(facet, record, {key: known[key] for key in named})
        return found

    async def _renormalised(
        self, facet: Facet, record: Record, known: Mapping[ItemKey, Stored]
    ) -> dict[ItemKey, Content]:
        try:
            self._seal.verify(record.headers, record.value or b"")
            head, raws = head_from_headers(record.headers), list(decode(record.value or b""))
            profile = await self._profiles.get(head.supplier, head.revision)
        except InvalidMessageError:
            return {}
        rules = profile.rules(facet, head.received_at)
        found: dict[ItemKey, Content] = {}
        for key, state in known.items():
            item = _item_of(key, state, head, profile, rules, raws)
            if item is not None:
                found[key] = _published(head, profile, state.version, item)
        return found


def stretches(offsets: Iterable[int], *, near: int = NEAR) -> Iterator[tuple[int, int]]:
    """Where to read, from and up to, so that every offset is covered and no long way is read in vain.

    near: as NEAR, for records of another size.
    """
    start = end = None
    for offset in sorted(offsets):
        if start is None or end is None or offset - end > near:
            if start is not None and end is not None:
                yield start, end
            start = offset
        end = offset + 1
    if start is not None and end is not None:
        yield start, end


def facts_hash(value: bytes) -> bytes:
    """Hash of the facts in a message, as `normalise` made it."""
    facts = {name: member for name, member in orjson.loads(value).items() if name not in STAMPS}
    return hashlib.blake2b(orjson.dumps(facts), digest_size=16).digest()


def _as_it_is(facet: Facet, key: ItemKey, record: Record | None) -> Content | None:
    """The record itself, when it is a state of the key that the gateway may have written."""
    if record is None or record.key != key_of(*key):
        return None
    message = Message(CATALOG_TOPIC[facet], record.key, record.value, record.headers)
    if record.value is None:
        return Content(message, None, None)
    try:
        state = read(MESSAGES[facet], record.value)
    except ValidationError:
        return None
    if (state.supplier, state.sku, getattr(state, "area", None)) != key:
        return None
    return Content(message, facts_hash(record.value), state.observed_at)


def _version_of(content: Content) -> int:
    """The version that a content bears on the topic."""
    return int(dict(content.message.headers)[GW_VERSION])


def withdrawal(facet: Facet, key: ItemKey, version: int) -> Content:
    """What a key ends on that is not on sale."""
    kafka_key = key_of(*key)
    headers = _headers(facet, key, feed_no_of(version)).withdrawal(kafka_key, version)
    return Content(Message(CATALOG_TOPIC[facet], kafka_key, None, headers), None, None)


def _stamped(facet: Facet, key: ItemKey, content: Content, version: int, feed_no: int) -> Content:
    message, kafka_key = content.message, key_of(*key)
    value = orjson.dumps({**orjson.loads(message.value or b"{}"), "version": version})
    headers = _headers(facet, key, feed_no).state(kafka_key, version, content.hash or b"")
    return replace(content, message=message._replace(value=value, headers=headers))


def _headers(facet: Facet, key: ItemKey, feed_no: int) -> ItemHeaders:
    return ItemHeaders(facet, key.supplier, feed_no=feed_no, time=datetime.now(UTC))


def _item_of(
    key: ItemKey, known: Stored, head: ChunkHead, profile: Profile, rules: Rules, raws: list[RawRecord]
) -> NormalisedItem | None:
    """The item that the known version came from, unless the adapter makes something else of the record by now."""
    place = record_index_of(known.content_version) - head.first_record
    if (head.supplier, head.facet, head.number) != (key.supplier, rules.facet, feed_no_of(known.content_version)):
        return None
    if not 0 <= place < len(raws):
        return None
    items, _ = parts_of(normalise(profile.adapter, raws[place], rules))
    for item in items:
        if (item.sku, item.area, item.hash) == (key.sku, key.area or "", known.hash):
            return item
    return None


def _published(head: ChunkHead, profile: Profile, version: int, item: NormalisedItem) -> Content:
    publication = Publication((item.sku, item.area), version, item)
    [message] = catalog_messages(head, [publication], profile.period(head.facet))
    return Content(message, item.hash, item.observed_at)
