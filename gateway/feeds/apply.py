"""Entries taking effect under the locks of their keys: judged, remembered, published. Chunks and replays share it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import partial

from gateway.feeds import horizons, queries
from gateway.feeds.chunk import ChunkHead, Lane, Mode
from gateway.feeds.decide import Decisions, Entry, Key, decide, keys_of, rejected_skus
from gateway.feeds.guard import KeyState
from gateway.feeds.message import catalog_messages
from gateway.feeds.numbers import NEXT
from gateway.feeds.profile import Profile
from gateway.kafka import CATALOG_TOPIC, Message, Producer
from gateway.store import Connection
from gateway.telemetry import metrics
from gateway.telemetry.failpoints import failpoint
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

    def blocked(self, head: ChunkHead) -> bool:
        """Whether nothing of the chunk could be published, because its catalog topic is known to be away."""
        return head.mode is not Mode.VALIDATE and self._producers[head.lane].blocked(CATALOG_TOPIC[head.facet])

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
        period = profile.period(head.facet)
        rules = partial(decide, feed_no=head.number, period=period, horizon=horizon)
        judge = _Judging(connection, entries, rules).judge
        keys = {*keys_of(entries), *await queries.keys_of_skus(connection, head, rejected_skus(entries))}
        found = await queries.peek_keys(connection, head, keys)
        if head.mode is Mode.VALIDATE:
            return Settled(await judge(found), [])
        decisions = await _judge_and_move(connection, head, judge, keys, found.keys())
        return Settled(decisions, catalog_messages(head, decisions.publications, period))

    async def publish(self, connection: Connection, head: ChunkHead, settled: Settled) -> None:
        """Send what changed, await its acks, and write down where it stands.

        Raises ServiceUnavailableError as `apply` does, TopicUnavailableError, one of them, where it is the catalog
        topic that is away, and KafkaRefusedError for what can never be sent.
        """
        if not settled.messages:
            return
        failpoint("publish.before")
        with metrics.publish_seconds.time():
            positions = await self._producers[head.lane].send(settled.messages)
        failpoint("publish.after")
        last = {
            publication.key: position
            for publication, position in zip(settled.decisions.publications, positions, strict=True)
        }
        await queries.place_keys(connection, head, last)


class _Judging:
    """Judges entries against the known state of their keys; a fresh number that was needed stays the same."""

    def __init__(self, connection: Connection, entries: Sequence[Entry], rules: Callable[..., Decisions]) -> None:
        self._connection = connection
        self._entries = entries
        self._rules = rules
        self._fresh_no = 0
        self._stretch = Stretch()

    async def judge(self, known: Mapping[Key, KeyState]) -> Decisions:
        """What is decided of all entries, in parts."""
        decisions = await self._decided(known)
        if decisions.raised and not self._fresh_no:
            self._fresh_no = await self._connection.fetchval(NEXT)
            decisions = await self._decided(known)
        return decisions

    async def _decided(self, known: Mapping[Key, KeyState]) -> Decisions:
        decisions = Decisions()
        for start in range(0, len(self._entries), PART):
            part = self._entries[start : start + PART]
            self._rules(part, known, fresh_no=self._fresh_no, before=decisions)
            await self._stretch.rest()
        return decisions


async def _judge_and_move(
    connection: Connection,
    head: ChunkHead,
    judge: Callable[[Mapping[Key, KeyState]], Awaitable[Decisions]],
    keys: Set[Key],
    found: Set[Key],
) -> Decisions:
    """What is decided with all keys locked; they have their new states then. found: keys that there are already.

    Others are created in the states that they are to have: one version of a row, not two. Keys that are created come
    first, in their order, and then all that were there in theirs: so do all who lock keys.
    """
    decisions, created = None, set[Key]()
    if unknown := keys - found:
        decisions = await judge({})
        states = queries.states_of(decisions)
        created = await queries.create_keys(connection, head, [states[key] for key in unknown])
    others = keys - created
    if others or decisions is None:
        decisions = await judge(await queries.lock_keys(connection, head, others) if others else {})
        states = queries.states_of(decisions)
        await queries.update_keys(connection, head, [state for key, state in states.items() if key not in created])
    await queries.keep_rejected(connection, head, decisions, keys)
    return decisions
