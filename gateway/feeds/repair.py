"""Mending keys of a catalog topic, under their row locks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from gateway.feeds import keys
from gateway.feeds.contents import Content, Contents, withdrawal
from gateway.feeds.findings import Fate, Known, Remedy, Seen, fate_of, remedy
from gateway.feeds.keys import Adoption
from gateway.feeds.numbers import NEXT
from gateway.feeds.sightings import Sighting
from gateway.feeds.versions import feed_no_of, version_of
from gateway.kafka import Position, Producer
from gateway.store import Connection, Pool, acquired, transaction
from gateway.telemetry import metrics
from gateway.telemetry.faults import reached
from schemas.catalog import Facet
from schemas.envelope import ItemKey, key_of

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Belief:
    """A content that becomes the state of its key in the place of what is known, and the number that named it last."""

    content: Content
    seen: int


@dataclass(frozen=True, slots=True)
class Step:
    """What is done to one key.

    done: in one word, for the log; found: the version on the topic that asked for it; end: where the topic has the key
    last; send: goes behind that; version: of the state from then on, None where that stays.
    """

    done: str
    found: int
    end: Position
    send: Content | None = None
    believe: Belief | None = None
    version: int | None = None


class Repairs:
    """Settles suspicious records of the catalog topics, many keys at a time."""

    def __init__(self, pool: Pool, producer: Producer, contents: Contents) -> None:
        self._pool = pool
        self._producer = producer
        self._contents = contents

    async def settle(self, facet: Facet, sightings: Sequence[Sighting]) -> list[Sighting]:
        """Do what records of one partition, in order, ask for; those that have to be looked at again.

        What has to be sent is read before the keys are locked: nobody waits at them for that. A key that moved
        meanwhile stays as it is until the next look, and so does one that somebody is about to move.
        Raises ServiceUnavailableError: look again at all.
        """
        by_key: defaultdict[ItemKey, list[Sighting]] = defaultdict(list)
        for sighting in sightings:
            by_key[sighting.key].append(sighting)
        seen = {key: [each.seen for each in own] for key, own in by_key.items()}
        known, fates = await self._looked_up(facet, seen)
        waiting = {key for key, own in fates.items() if Fate.COMING in own.values()}
        asked = {
            key: each
            for key, own in seen.items()
            if key not in waiting and (each := remedy(known[key], own, fates[key])) is not None
        }
        steps = await self._planned(facet, known, asked)
        async with transaction(self._pool) as connection:
            locked = await keys.lock_known(connection, facet, steps)
            moved = {key for key in steps if locked[key] != known[key]}
            await self._take(connection, facet, {key: step for key, step in steps.items() if key not in moved})
        return [sighting for key in moved | waiting for sighting in by_key[key]]

    async def _looked_up(
        self, facet: Facet, seen: Mapping[ItemKey, Sequence[Seen]]
    ) -> tuple[dict[ItemKey, Known], dict[ItemKey, dict[int, Fate]]]:
        """What is known of keys, and what became of the versions on the topic that are newer."""
        async with transaction(self._pool) as connection:
            known = await keys.read_known(connection, facet, seen)
            newer = {
                key: {each.version for each in own if each.version > known[key].version} for key, own in seen.items()
            }
            facts = await keys.facts_of(connection, newer)
        return known, {
            key: {version: fate_of(version, each) for version, each in own.items()} for key, own in facts.items()
        }

    async def _planned(
        self, facet: Facet, known: Mapping[ItemKey, Known], asked: Mapping[ItemKey, Remedy]
    ) -> dict[ItemKey, Step]:
        """What to do about the keys that need anything; a record that nobody of ours wrote asks for nothing."""
        newer = {key: each.adopt.position for key, each in asked.items() if each.adopt}
        believable = await self._contents.at(facet, newer)
        asked = {key: ours for key, each in asked.items() if (ours := _ours(each, key in believable)) is not None}
        behind = {
            key: known[key]
            for key, each in asked.items()
            if each.resend and not each.adopt and (each.orphan is None or known[key].hash is not None)
        }
        contents = {**believable, **await self._contents.of(facet, behind)}
        gone = behind.keys() - contents.keys()
        if gone:
            log.error("catalog.unrepairable", facet=facet, keys=sorted(map(_shown, gone)))
        outranked = {key: each.orphan for key, each in asked.items() if each.orphan is not None}
        last = await self._contents.at(facet, {key: asked[key].end for key in gone - outranked.keys()})
        fresh = await self._fresh(facet, outranked, contents)
        steps = {
            key: _overwriting(each, each.orphan, fresh[key], lost=key in gone)
            if each.orphan is not None
            else _step(each, known[key], contents.get(key), last.get(key))
            for key, each in asked.items()
        }
        return {key: step for key, step in steps.items() if step is not None}

    async def _fresh(
        self, facet: Facet, outranked: Mapping[ItemKey, int], contents: Mapping[ItemKey, Content]
    ) -> dict[ItemKey, tuple[int, Content]]:
        """What keys end on under a number above all that was given out, and its version.

        A key that was never accepted is withdrawn, for whoever reads the topic has taken it. So is one whose content is
        gone everywhere: the supplier's next word is published again, even an old one.
        """
        if not outranked:
            return {}
        async with acquired(self._pool) as connection:
            version = version_of(await connection.fetchval(NEXT), 0)
        there = {key: contents[key] for key in outranked.keys() & contents.keys()}
        stamped = await self._contents.under(facet, there, version)
        return {key: (version, stamped.get(key) or withdrawal(facet, key, version)) for key in outranked}

    async def _take(self, connection: Connection, facet: Facet, steps: Mapping[ItemKey, Step]) -> None:
        sends = {key: step.send for key, step in steps.items() if step.send is not None}
        positions = await self._producer.send([content.message for content in sends.values()]) if sends else []
        reached("repair.sent")
        ends = {key: step.end for key, step in steps.items()} | dict(zip(sends, positions, strict=True))
        versions = {key: step.version for key, step in steps.items() if step.version is not None}
        adoptions = {
            key: Adoption(versions[key], believed.content.hash, believed.content.observed_at, ends[key], believed.seen)
            for key, step in steps.items()
            if (believed := step.believe) is not None
        }
        if adoptions:
            await keys.adopt_keys(connection, facet, adoptions)
        if moves := {key: end for key, end in ends.items() if key not in adoptions}:
            await keys.move_keys(connection, facet, moves, versions)
        metrics.catalog_repairs_total.inc(len(sends))
        _tell(facet, steps)


def _ours(asked: Remedy, believable: bool) -> Remedy | None:
    """What is left to do where what should be believed is nothing that the gateway may have written."""
    if asked.adopt is None or believable:
        return asked
    return None if asked.orphan is None else replace(asked, adopt=None)


def _step(asked: Remedy, known: Known, content: Content | None, last: Content | None) -> Step | None:
    """content: what the key should end on; last: what it does end on, where the content exists nowhere any more."""
    if asked.adopt is not None and content is not None:
        version = asked.adopt.version
        believed = Belief(content, feed_no_of(version))
        return Step("adopted", version, asked.end, content if asked.resend else None, believed, version)
    if content is not None:
        return Step("resent", known.version, asked.end, send=content)
    if last is not None:
        # Believing the topic lets the supplier's next word through, which would be unchanged otherwise.
        believed = Belief(last, feed_no_of(known.version))
        return Step("adopted", known.version, asked.end, believe=believed, version=known.version)
    return None if asked.resend else Step("moved", known.version, asked.end)


def _overwriting(asked: Remedy, orphan: int, fresh: tuple[int, Content], *, lost: bool) -> Step:
    """What answers a version that nobody took. lost: the content that was known is gone everywhere."""
    version, content = fresh
    if asked.adopt is not None:
        believed = Belief(content, feed_no_of(asked.adopt.version))
        return Step("overwritten", orphan, asked.end, content, believed, version)
    believed_lost = Belief(content, 0) if lost else None
    return Step("withdrawn" if lost else "overwritten", orphan, asked.end, content, believed_lost, version)


def _tell(facet: Facet, steps: Mapping[ItemKey, Step]) -> None:
    """One line for each feed and what was done about its records; where only a place moved there is nothing to tell."""
    told: defaultdict[tuple[str, int], list[str]] = defaultdict(list)
    for key, step in steps.items():
        if step.done != "moved":
            told[step.done, feed_no_of(step.found)].append(_shown(key))
    for (done, feed_no), named in told.items():
        log.warning("catalog.mended", facet=facet, done=done, feed=feed_no, keys=sorted(named))


def _shown(key: ItemKey) -> str:
    """A key as the topic has it."""
    return key_of(*key).decode()
