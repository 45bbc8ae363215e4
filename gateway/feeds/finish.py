"""Finishing a feed whose chunks all took effect: it is closed, or, a full feed, goes on to withdraw or is held."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from functools import partial

import structlog

from gateway.deadletters import record as record_letters
from gateway.feeds import holds, horizons, passes
from gateway.feeds.chunk import Mode
from gateway.feeds.closing import close
from gateway.feeds.feed import hold_feed, silent_incomplete, withdraw_feed
from gateway.feeds.passes import GRACE, PassDecision
from gateway.jobs import repeat
from gateway.sdk.errors import ServiceUnavailableError
from gateway.store import Connection, Pool, Row, acquired, transaction
from gateway.telemetry import metrics
from gateway.telemetry.supervise import Supervisor

log = structlog.get_logger(__name__)

SWEEP_SECONDS = 15.0
COALESCE_SECONDS = 0.1
"""Between two looks at a feed that was not whole."""

FINISHING = 4
"""Feeds closed at a time: the connections are shared with requests."""

LOCK_FEED = """
    SELECT feed_no, supplier, facet, mode, state, revision, received_at, flaw,
           cancel_requested_at IS NOT NULL AS cancelled
      FROM feeds
     WHERE feed_no = $1 AND state IN ('admitted', 'produced', 'incomplete')
       FOR UPDATE
"""

# A full feed is not done before it is known to be whole: whoever was not told so may yet send it again, for a while.
WHOLE_FEEDS = """
    SELECT f.feed_no, f.supplier, f.facet, f.mode FROM feeds f
     WHERE f.state IN ('admitted', 'produced', 'incomplete')
       AND f.chunks = (SELECT count(*) FROM feed_chunks c WHERE c.feed_no = f.feed_no)
       AND (f.mode <> 'full' OR f.state = 'produced' OR f.touched_at < now() - $1::interval)
       AND ($2::bigint[] IS NULL OR f.feed_no = ANY($2))
       AND f.feed_no <> ALL($3::bigint[])
     ORDER BY f.feed_no LIMIT 1000
"""

LATER_FULL = """
    SELECT feed_no FROM feeds
     WHERE supplier = $1 AND facet = $2 AND feed_no > $3 AND mode = 'full' AND state = 'produced'
"""

FORGET_KEYS = """
    DELETE FROM idempotency_keys
     WHERE (supplier, key) IN (SELECT supplier, key FROM idempotency_keys WHERE expires_at < now()
                                  FOR UPDATE SKIP LOCKED)
"""


class Finisher:
    """Finishes feeds as soon as their last chunk took effect, and sweeps up what a crash left open.

    withdraw: told that there is something to withdraw; ended: told of every feed that is closed.
    """

    def __init__(
        self,
        pool: Pool,
        withdraw: Callable[[], None] = lambda: None,
        ended: Callable[[int], None] = lambda feed_no: None,
    ) -> None:
        self._pool = pool
        self._withdraw = withdraw
        self._ended = ended
        self._touched: set[int] = set()
        self._partial: set[int] = set()
        self._wake = asyncio.Event()
        self._slots = asyncio.Semaphore(FINISHING)
        self.supervisor = Supervisor[int]("finish", "feed")

    async def touched(self, feed_no: int) -> None:
        """A chunk of the feed took effect, or the feed became durable."""
        self._touched.add(feed_no)
        self._wake.set()

    async def run(self) -> None:
        """Until cancelled. A feed that cannot be finished now is swept up later, and keeps no other from it."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(group), name="finisher.follow")
            group.create_task(repeat("feeds to finish", self.sweep, SWEEP_SECONDS), name="finisher.sweep")

    async def _follow(self, group: asyncio.TaskGroup) -> None:
        """A feed that takes long to finish keeps no other from it."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            due = self._touched - self._partial
            self._touched -= due
            try:
                for feed_no in await self._whole(due):
                    group.create_task(self._tried(feed_no), name=f"finish {feed_no}")
            except ServiceUnavailableError:
                log.info("feeds.finish_postponed", feeds=len(due))

    async def _whole(self, touched: Collection[int]) -> Collection[int]:
        """Most feeds that were touched are not whole yet, and one question says so of all of them.

        Chunks of one feed finish in bursts: those are not looked at again before the burst may be over.
        """
        if not touched:
            return ()
        async with acquired(self._pool) as connection:
            whole = {row["feed_no"] for row in await connection.fetch(WHOLE_FEEDS, GRACE, list(touched), [])}
        partial = set(touched) - whole
        self._partial |= partial
        asyncio.get_running_loop().call_later(COALESCE_SECONDS, self._look_again, partial)
        return whole

    def _look_again(self, partial: Collection[int]) -> None:
        self._partial.difference_update(partial)
        if not self._touched.isdisjoint(partial):
            self._wake.set()

    async def _tried(self, feed_no: int) -> None:
        async with self._slots:
            await self.supervisor.run(feed_no, partial(self.finish, feed_no))

    async def sweep(self) -> None:
        """Finish every feed that is whole, call incomplete what was never completed, end holds that are overdue."""
        aside = self.supervisor.not_due()
        async with transaction(self._pool) as connection:
            await silent_incomplete(connection, GRACE)
            await connection.execute(FORGET_KEYS)
            whole = [row["feed_no"] for row in await connection.fetch(WHOLE_FEEDS, GRACE, None, aside)]
            overdue = await holds.overdue(connection)
            metrics.feeds_held.set(await holds.count(connection))
        steps: dict[int, Callable[[], Awaitable[object]]] = {
            **{feed_no: partial(self.finish, feed_no) for feed_no in whole},
            **{feed_no: partial(self._give_up, feed_no, flaw) for feed_no, flaw in overdue},
        }
        await self.supervisor.each(steps, lambda feed_no: steps[feed_no]())

    async def _give_up(self, feed_no: int, flaw: str) -> None:
        async with transaction(self._pool) as connection:
            await holds.give_up(connection, feed_no, flaw=flaw, reason=flaw)
        log.info("feed.hold_ended", feed=feed_no, flaw=flaw)

    async def finish(self, feed_no: int) -> bool:
        """Go on with the feed if it is whole: close it, or have it withdraw or held; whether this call did it."""
        async with transaction(self._pool) as connection:
            found = await connection.fetchrow(WHOLE_FEEDS, GRACE, [feed_no], [])
            if found is None:
                return False
            if found["mode"] == Mode.FULL:
                await passes.alone(connection, found["supplier"], found["facet"])
            feed = await connection.fetchrow(LOCK_FEED, feed_no)
            if feed is None:
                return False
            verdict, counts = await _settle(connection, feed)
        if verdict.state == "waiting":
            log.info("feed.waits", feed=feed_no, waits_for=verdict.waits_for)
            return False
        fields = counts | ({"state": verdict.state, "flaw": verdict.flaw} if feed["mode"] == Mode.FULL else {})
        log.info("feed.finished", feed=feed_no, supplier=feed["supplier"], facet=feed["facet"], **fields)
        if verdict.state == "withdrawing":
            self._withdraw()
        if verdict.state == "done":
            self._ended(feed_no)
        await self._look_at_waiting(feed)
        return True

    async def _look_at_waiting(self, ended: Row) -> None:
        """Full feeds may have waited for this one."""
        async with acquired(self._pool) as connection:
            rows = await connection.fetch(LATER_FULL, ended["supplier"], ended["facet"], ended["feed_no"])
        for row in rows:
            await self.touched(row["feed_no"])


async def _settle(connection: Connection, feed: Row) -> tuple[PassDecision, dict[str, int]]:
    """The verdict about the feed, taken, and its items by outcome, counted when it is closed."""
    if feed["mode"] != Mode.FULL:
        return PassDecision("done"), await close(connection, feed)
    verdict = await passes.decide(connection, feed)
    if verdict.state == "waiting":
        return verdict, {}
    if verdict.flaw is None and verdict.state != "held":
        await horizons.move(connection, feed["supplier"], feed["facet"], feed["feed_no"])
        if verdict.state == "done" and await passes.anything_absent(connection, feed):
            verdict = PassDecision("withdrawing")
    return verdict, await _take(connection, feed, verdict)


async def _take(connection: Connection, feed: Row, verdict: PassDecision) -> dict[str, int]:
    """Have the verdict about a full feed take effect. One that is whole overtakes older ones that are held."""
    feed_no = feed["feed_no"]
    if verdict.flaw is None:
        flaw = passes.superseded_by(feed_no)
        for older in await holds.older(connection, feed["supplier"], feed["facet"], feed_no):
            await holds.give_up(connection, older, flaw=flaw, reason=flaw)
    if verdict.state == "done":
        return await close(connection, feed, withdrawn=0, flaw=verdict.flaw)
    if verdict.hold is None:
        await withdraw_feed(connection, feed_no)
    else:
        await hold_feed(connection, feed_no, passes.hold_json(verdict.hold))
        await record_letters(connection, [passes.letter_of(feed, verdict.hold)])
    return {}
