"""Mending keys of a catalog topic, under their row locks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import structlog

from gateway.feeds import keys
from gateway.feeds.catalog_records import UnsettledRecord
from gateway.feeds.contents import Content, Contents, withdrawal
from gateway.feeds.keys import AdoptedState
from gateway.feeds.numbers import NEXT
from gateway.feeds.reconciliation import Observed, Repair, Stored, VersionOutcome, plan_repair, version_outcome
from gateway.feeds.versions import feed_no_of, version_of
from gateway.kafka import Position, Producer
from gateway.store import Connection, Pool, acquired, transaction
from gateway.telemetry import metrics
from gateway.telemetry.failpoints import failpoint
from schemas.catalog import Facet
from schemas.envelope import ItemKey, key_of

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class AdoptedContent:
    """A content that becomes the state of its key in the place of what is known, and the number that named it last."""

    content: Content
    seen: int


@dataclass(frozen=True, slots=True)
class RepairStep:
    """What is done to one key.

    done: in one word, for the log; found: the version on the topic that asked for it; end: where the topic has the key
    last; send: goes behind that; version: of the state from then on, None where that stays.
    """

    done: str
    found: int
    end: Position
    send: Content | None = None
    adopt: AdoptedContent | None = None
    version: int | None = None


class Repairs:
    """Settles suspicious records of the catalog topics, many keys at a time."""

    def __init__(self, pool: Pool, producer: Producer, contents: Contents) -> None:
        self._pool = pool
        self._producer = producer
        self._contents = contents

    async def settle(self, facet: Facet, records: Sequence[UnsettledRecord]) -> list[UnsettledRecord]:
        """Do what records of one partition, in order, ask for; those that have to be looked at again.

        What has to be sent is read before the keys are locked: nobody waits at them for that. A key that moved
        meanwhile stays as it is until the next look, and so does one that somebody is about to move.
        Raises ServiceUnavailableError: look again at all.
        """
        by_key: defaultdict[ItemKey, list[UnsettledRecord]] = defaultdict(list)
        for record in records:
            by_key[record.key].append(record)
        observed = {key: [each.observed for each in own] for key, own in by_key.items()}
        stored, fates = await self._looked_up(facet, observed)
        waiting = {key for key, own in fates.items() if VersionOutcome.COMING in own.values()}
        repairs = {
            key: each
            for key, own in observed.items()
            if key not in waiting and (each := plan_repair(stored[key], own, fates[key])) is not None
        }
        steps = await self._planned(facet, stored, repairs)
        async with transaction(self._pool) as connection:
            locked = await keys.lock_stored(connection, facet, steps)
            moved = {key for key in steps if locked[key] != stored[key]}
            await self._take(connection, facet, {key: step for key, step in steps.items() if key not in moved})
        return [record for key in moved | waiting for record in by_key[key]]

    async def _looked_up(
        self, facet: Facet, observed: Mapping[ItemKey, Sequence[Observed]]
    ) -> tuple[dict[ItemKey, Stored], dict[ItemKey, dict[int, VersionOutcome]]]:
        """The known state of keys, and what became of the versions on the topic that are newer."""
        async with transaction(self._pool) as connection:
            stored = await keys.read_stored(connection, facet, observed)
            newer = {
                key: {each.version for each in own if each.version > stored[key].version}
                for key, own in observed.items()
            }
            facts = await keys.facts_of(connection, newer)
        return stored, {
            key: {version: version_outcome(version, each) for version, each in own.items()}
            for key, own in facts.items()
        }

    async def _planned(
        self, facet: Facet, stored: Mapping[ItemKey, Stored], repairs: Mapping[ItemKey, Repair]
    ) -> dict[ItemKey, RepairStep]:
        """What to do about the keys that need anything; a record that nobody of ours wrote asks for nothing."""
        newer = {key: each.adopt.position for key, each in repairs.items() if each.adopt}
        readable = await self._contents.at(facet, newer)
        repairs = {
            key: ours
            for key, each in repairs.items()
            if (ours := _without_foreign_record(each, key in readable)) is not None
        }
        behind = {
            key: stored[key]
            for key, each in repairs.items()
            if each.resend and not each.adopt and (each.orphan is None or stored[key].hash is not None)
        }
        contents = {**readable, **await self._contents.of(facet, behind)}
        lost_keys = behind.keys() - contents.keys()
        if lost_keys:
            log.error("catalog.unrepairable", facet=facet, keys=sorted(map(_shown, lost_keys)))
        outranked = {key: each.orphan for key, each in repairs.items() if each.orphan is not None}
        last = await self._contents.at(facet, {key: repairs[key].end for key in lost_keys - outranked.keys()})
        fresh = await self._fresh(facet, outranked, contents)
        steps = {
            key: _overwrite_step(each, each.orphan, fresh[key], lost=key in lost_keys)
            if each.orphan is not None
            else _step(each, stored[key], contents.get(key), last.get(key))
            for key, each in repairs.items()
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

    async def _take(self, connection: Connection, facet: Facet, steps: Mapping[ItemKey, RepairStep]) -> None:
        sends = {key: step.send for key, step in steps.items() if step.send is not None}
        positions = await self._producer.send([content.message for content in sends.values()]) if sends else []
        failpoint("repair.sent")
        ends = {key: step.end for key, step in steps.items()} | dict(zip(sends, positions, strict=True))
        versions = {key: step.version for key, step in steps.items() if step.version is not None}
        adoptions = {
            key: AdoptedState(versions[key], adopted.content.hash, adopted.content.observed_at, ends[key], adopted.seen)
            for key, step in steps.items()
            if (adopted := step.adopt) is not None
        }
        if adoptions:
            await keys.adopt_keys(connection, facet, adoptions)
        if moves := {key: end for key, end in ends.items() if key not in adoptions}:
            await keys.move_keys(connection, facet, moves, versions)
        metrics.catalog_repairs_total.inc(len(sends))
        _log_repairs(facet, steps)


def _without_foreign_record(repair: Repair, readable: bool) -> Repair | None:
    """What is left to do where what should be believed is nothing that the gateway may have written."""
    if repair.adopt is None or readable:
        return repair
    return None if repair.orphan is None else replace(repair, adopt=None)


def _step(repair: Repair, stored: Stored, content: Content | None, last: Content | None) -> RepairStep | None:
    """content: what the key should end on; last: what it does end on, where the content exists nowhere any more."""
    if repair.adopt is not None and content is not None:
        version = repair.adopt.version
        adopted = AdoptedContent(content, feed_no_of(version))
        return RepairStep("adopted", version, repair.end, content if repair.resend else None, adopted, version)
    if content is not None:
        return RepairStep("resent", stored.version, repair.end, send=content)
    if last is not None:
        # Believing the topic lets the supplier's next word through, which would be unchanged otherwise.
        adopted = AdoptedContent(last, feed_no_of(stored.version))
        return RepairStep("adopted", stored.version, repair.end, adopt=adopted, version=stored.version)
    return None if repair.resend else RepairStep("moved", stored.version, repair.end)


def _overwrite_step(repair: Repair, orphan: int, fresh: tuple[int, Content], *, lost: bool) -> RepairStep:
    """What answers a version that nobody took. lost: the content that was known is gone everywhere."""
    version, content = fresh
    if repair.adopt is not None:
        adopted = AdoptedContent(content, feed_no_of(repair.adopt.version))
        return RepairStep("overwritten", orphan, repair.end, content, adopted, version)
    adopted_lost = AdoptedContent(content, 0) if lost else None
    return RepairStep("withdrawn" if lost else "overwritten", orphan, repair.end, content, adopted_lost, version)


def _log_repairs(facet: Facet, steps: Mapping[ItemKey, RepairStep]) -> None:
    """One line for each feed and what was done about its records; where only a place moved there is nothing to tell."""
    by_feed: defaultdict[tuple[str, int], list[str]] = defaultdict(list)
    for key, step in steps.items():
        if step.done != "moved":
            by_feed[step.done, feed_no_of(step.found)].append(_shown(key))
    for (done, feed_no), named in by_feed.items():
        log.warning("catalog.mended", facet=facet, done=done, feed=feed_no, keys=sorted(named))


def _shown(key: ItemKey) -> str:
    """A key as the topic has it."""
    return key_of(*key).decode()
