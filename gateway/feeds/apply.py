"""Entries taking effect under the locks of their keys: judged, published, remembered. Chunks and replays share it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gateway.feeds import queries
from gateway.feeds.chunk import ChunkHead, Lane, Mode
from gateway.feeds.decide import Decisions, Entry, Key, decide, keys_of
from gateway.feeds.message import catalog_messages
from gateway.feeds.profile import Profile
from gateway.kafka import Position, Producer
from gateway.store import Connection
from gateway.telemetry import metrics
from gateway.telemetry.faults import reached
from gateway.turnstile import Stretch


class Applier:
    """Makes entries take effect within the caller's transaction, whose commit has to follow.

    producers: one per lane, for a client has one request under way: a price would wait for megabytes of another feed.
    """

    def __init__(self, producers: Mapping[Lane, Producer]) -> None:
        self._producers = producers

    async def apply(
        self, connection: Connection, head: ChunkHead, profile: Profile, entries: Sequence[Entry]
    ) -> Decisions:
        """Lock the keys, judge, send what changed and await its acks, move the states; a validating head only judges.

        Raises ServiceUnavailableError when the acks do not come: roll back, and give the same entries again.
        """
        known = await queries.lock_keys(connection, head, keys_of(entries))
        stretch = Stretch()
        decisions = decide(entries, known, feed_no=head.number, period=profile.period(head.facet))
        await stretch.rest()
        if head.mode is not Mode.VALIDATE:
            positions = await self._publish(head, profile, decisions)
            await queries.update_keys(connection, head, decisions, positions)
        return decisions

    async def _publish(self, head: ChunkHead, profile: Profile, decisions: Decisions) -> Mapping[Key, Position]:
        """Where each key's last record stands."""
        if not decisions.publications:
            return {}
        stretch = Stretch()
        messages = catalog_messages(head, decisions.publications, profile.period(head.facet))
        await stretch.rest()
        reached("publish.before")
        with metrics.publish_seconds.time():
            positions = await self._producers[head.lane].send(messages)
        reached("publish.after")
        return {
            publication.key: position for publication, position in zip(decisions.publications, positions, strict=True)
        }
