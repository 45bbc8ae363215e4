"""Mending keys of a catalog topic, under their row locks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from gateway.feeds import keys
from gateway.feeds.contents import Content, Contents
from gateway.feeds.findings import Known, Remedy, Seen, remedy
from gateway.feeds.keys import Adoption
from gateway.feeds.sightings import Sighting
from gateway.kafka import Position, Producer
from gateway.store import Connection, Pool, transaction
from gateway.telemetry import metrics
from schemas.catalog import Facet
from schemas.envelope import ItemKey

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Belief:
    """A content of the topic that becomes the state of its key, under a version."""

    version: int
    content: Content


@dataclass(frozen=True, slots=True)
class Step:
    """What is done to one key. end: where the topic has it last; send: goes behind that."""

    end: Position
    send: Content | None = None
    believe: Belief | None = None


class Repairs:
    """Settles suspicious records of the catalog topics, many keys at a time."""

    def __init__(self, pool: Pool, producer: Producer, contents: Contents) -> None:
        self._pool = pool
        self._producer = producer
        self._contents = contents

    async def settle(self, facet: Facet, sightings: Sequence[Sighting]) -> list[Sighting]:
        """Do what records of one partition, in order, ask for; those that have to be looked at again.

        What has to be sent is read before the keys are locked: nobody waits at them for that. A key that moved
        meanwhile stays as it is until the next look. Raises ServiceUnavailableError: look again at all.
        """
        by_key: defaultdict[ItemKey, list[Sighting]] = defaultdict(list)
        for sighting in sightings:
            by_key[sighting.key].append(sighting)
        async with transaction(self._pool) as connection:
            known = await keys.read_known(connection, facet, by_key)
        steps = await self._planned(facet, known, {key: [each.seen for each in own] for key, own in by_key.items()})
        async with transaction(self._pool) as connection:
            locked = await keys.lock_known(connection, facet, steps)
            moved = {key for key in steps if locked[key] != known[key]}
            await self._take(connection, facet, {key: step for key, step in steps.items() if key not in moved})
        return [sighting for key in moved for sighting in by_key[key]]

    async def _planned(
        self, facet: Facet, known: Mapping[ItemKey, Known], seen: Mapping[ItemKey, list[Seen]]
    ) -> dict[ItemKey, Step]:
        """What to do about the keys that need anything; a record that nobody of ours wrote asks for nothing."""
        found = ((key, remedy(known[key], own)) for key, own in seen.items())
        asked = {key: each for key, each in found if each is not None}
        newer = {key: each.adopt.position for key, each in asked.items() if each.adopt}
        behind = {key: known[key] for key, each in asked.items() if each.resend and not each.adopt}
        contents = {**await self._contents.at(facet, newer), **await self._contents.of(facet, behind)}
        last = await self._contents.at(facet, {key: asked[key].end for key in behind.keys() - contents.keys()})
        if last:
            log.error("catalog.unrepairable", facet=facet, keys=len(last), first=min(last))
        steps = {key: _step(each, known[key], contents.get(key), last.get(key)) for key, each in asked.items()}
        return {key: step for key, step in steps.items() if step is not None}

    async def _take(self, connection: Connection, facet: Facet, steps: Mapping[ItemKey, Step]) -> None:
        sends = {key: step.send for key, step in steps.items() if step.send is not None}
        positions = await self._producer.send([content.message for content in sends.values()]) if sends else []
        ends = {key: step.end for key, step in steps.items()} | dict(zip(sends, positions, strict=True))
        adoptions = {
            key: Adoption(step.believe.version, step.believe.content.hash, step.believe.content.observed_at, ends[key])
            for key, step in steps.items()
            if step.believe is not None
        }
        if adoptions:
            await keys.adopt_keys(connection, facet, adoptions)
        if moves := {key: end for key, end in ends.items() if key not in adoptions}:
            await keys.move_keys(connection, facet, moves)
        metrics.catalog_repairs_total.inc(len(sends))
        if sends or adoptions:
            log.warning("catalog.mended", facet=facet, sent=len(sends), adopted=len(adoptions))


def _step(asked: Remedy, known: Known, content: Content | None, last: Content | None) -> Step | None:
    """content: what the key should end on; last: what it does end on, where the content exists nowhere any more."""
    if asked.adopt is not None:
        if content is None:
            return None
        return Step(asked.end, content if asked.resend else None, Belief(asked.adopt.version, content))
    if content is not None:
        return Step(asked.end, send=content)
    if last is not None:
        # Believing the topic lets the supplier's next word through, which would be unchanged otherwise.
        return Step(asked.end, believe=Belief(known.version, last))
    return None if asked.resend else Step(asked.end)
