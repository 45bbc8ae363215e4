"""Entries taking effect under the locks of their keys: judged, remembered, published. Chunks and replays share it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from gateway.feeds import horizons, queries
from gateway.feeds.chunk import ChunkHead, Lane, Mode
from gateway.feeds.decide import Decisions, Entry, decide, keys_of, rejected_skus
from gateway.feeds.message import catalog_messages
from gateway.feeds.numbers import NEXT
from gateway.feeds.profile import Profile
from gateway.kafka import Message, Producer
from gateway.store import Connection
from gateway.telemetry import metrics
from gateway.telemetry.faults import reached
from gateway.turnstile import Stretch

PART = 100
"""Entries that are judged in one stretch."""


@dataclass(frozen=True, slots=True)
class Settled:
    """What PostgreSQL has taken of entries, and the records to send, one for each publication."""

    decisions: Decisions
    messages: Sequence[Message]


class Applier:
    """Makes entries take effect within the caller's transaction, whose commit has to follow.

    PostgreSQL first: what it cannot take ends the transaction before anything is on a topic.
    producers: one per lane, for a client has one request under way: a price would wait for megabytes of another feed.
    """

    def __init__(self, producers: Mapping[Lane, Producer]) -> None:
        self._producers = producers

    async def apply(
        self, connection: Connection, head: ChunkHead, profile: Profile, entries: Sequence[Entry]
    ) -> Decisions:
        """All of it: settle, then publish.

        Raises ServiceUnavailableError when the acks do not come: roll back, and give the same entries again.
        """
        settled = await self.settle(connection, head, profile, entries)
        await self.publish(connection, head, settled)
        return settled.decisions

    async def settle(
        self, connection: Connection, head: ChunkHead, profile: Profile, entries: Sequence[Entry]
    ) -> Settled:
        """Lock the keys, judge, move the states and write what is to be sent; a validating head only judges."""
        horizon = await horizons.shared(connection, head.supplier, head.facet)
        known = await queries.lock_keys(connection, head, keys_of(entries), rejected_skus(entries))
        stretch, period = Stretch(), profile.period(head.facet)
        judge = partial(decide, known=known, feed_no=head.number, period=period, horizon=horizon)
        decisions = await _judged(entries, judge, stretch)
        if decisions.raised:
            fresh_no = await connection.fetchval(NEXT)
            decisions = await _judged(entries, partial(judge, fresh_no=fresh_no), stretch)
        if head.mode is Mode.VALIDATE:
            return Settled(decisions, [])
        messages = catalog_messages(head, decisions.publications, period)
        await stretch.rest()
        await queries.update_keys(connection, head, decisions, {*known, *decisions.states})
        return Settled(decisions, messages)

    async def publish(self, connection: Connection, head: ChunkHead, settled: Settled) -> None:
        """Send what changed, await its acks, and write down where it stands.

        Raises ServiceUnavailableError as `apply` does, and KafkaRefusedError for what can never be sent.
        """
        if not settled.messages:
            return
        reached("publish.before")
        with metrics.publish_seconds.time():
            positions = await self._producers[head.lane].send(settled.messages)
        reached("publish.after")
        last = {
            publication.key: position
            for publication, position in zip(settled.decisions.publications, positions, strict=True)
        }
        await queries.place_keys(connection, head, last)


async def _judged(entries: Sequence[Entry], judge: Callable[..., Decisions], stretch: Stretch) -> Decisions:
    """What is decided of all entries, in parts."""
    decisions = Decisions()
    for start in range(0, len(entries), PART):
        judge(entries[start : start + PART], before=decisions)
        await stretch.rest()
    return decisions
