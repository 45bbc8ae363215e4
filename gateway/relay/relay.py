"""The relay of one supplier: commands of the mall carried out at it, each at most once in effect, in order per order.

A turn is one transaction: what calls came to since the last one is settled and told, and the next calls are noted. A
call begins only once its note is durable. Whatever dies in between leaves a note without an outcome, which the next
owner takes for a call that may have happened.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

import structlog

from gateway.calls.calls import Calls, limits_of
from gateway.deadletters.record import record as record_letters
from gateway.events import set_within
from gateway.relay import command_queries as queries
from gateway.relay import orders, store
from gateway.relay.asked import note_cancelled_children
from gateway.relay.attempts import attempt, look_up, order_write
from gateway.relay.commands import Command
from gateway.relay.flights import Flight, Landed, begun_step, landed, landed_step, letter_of, settled_step
from gateway.relay.lanes import Step as Planning
from gateway.relay.lanes import startable
from gateway.relay.orders import News
from gateway.relay.policy import retry_budget
from gateway.relay.steps import Step, write_steps
from gateway.relay.store import Asked
from gateway.relay.telling import End, cancelled_children, news_of, sent_news
from gateway.relay.transitions import carry_out, recover
from gateway.relay.turn import Planned, Terms, planned, shut_until, waiting
from gateway.sdk.adapter import Adapter
from gateway.sdk.errors import ServiceUnavailableError
from gateway.sdk.manifest import Manifest
from gateway.store import Connection, Lease, LeaseLostError, Pool, transaction
from gateway.suppliers import SecretBox, Supplier
from gateway.suppliers import State as SupplierState
from gateway.telemetry import metrics
from gateway.telemetry.faults import reached

log = structlog.get_logger(__name__)

MOST_DUE = 1_000
"""Orders that are looked up together as due."""

SHORTEST_REST = 0.02
LONGEST_REST = 0.5
"""Seconds between two looks at the table, while there is nothing to do."""

FULL_LOOK_SECONDS = 1.0
"""Between two looks for what only ends, while there is no room for another call."""

AWAY_SECONDS = 1.0
"""After PostgreSQL was away, before the next turn."""

ASIDE_SECONDS = 60.0
"""For an order whose command cannot be read, before it is tried again."""

RECOVER_SECONDS = 60.0
"""Between two looks for calls that were noted, and are not under way."""


@dataclass(frozen=True, slots=True)
class RelayContext:
    """What the relay of a supplier stands on.

    supplier: its row as of now; calls: the way to it; draining: whether nothing more is to be begun; told: says to
    operators how it fares, None for well.
    """

    supplier: Callable[[], Supplier]
    adapter: Adapter
    manifest: Manifest
    calls: Calls
    lease: Lease
    pool: Pool
    box: SecretBox
    draining: Callable[[], bool]
    told: Callable[[str | None], None]

    def terms(self, now: datetime) -> Terms:
        """Under what it is called at this moment."""
        supplier = self.supplier()
        return Terms(
            self.manifest,
            lease_term=timedelta(seconds=self.lease.term),
            timeout=timedelta(seconds=limits_of(self.manifest, supplier.config.http).timeout_seconds),
            paused=supplier.state is SupplierState.PAUSED,
            shut=shut_until(self.calls.status().breakers, now),
        )

    @property
    def concurrency(self) -> int:
        """Calls that may be under way at once."""
        return limits_of(self.manifest, self.supplier().config.http).concurrency

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """A transaction that only the supplier's owner can have. Raises LeaseLostError, StoreUnavailableError."""
        async with transaction(self.pool) as connection:
            await self.lease.fence(connection)
            yield connection


class Relay:
    """Carries the commands of one supplier out while its lease is ours."""

    def __init__(self, context: RelayContext) -> None:
        self._context = context
        self._budget = retry_budget()
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._over: list[tuple[Flight, partial[Landed]]] = []
        self._due: OrderedDict[str, None] = OrderedDict()
        self._aside: dict[str, float] = {}
        self._wake = asyncio.Event()
        self._looked_at = float("-inf")
        self._recovered_at = float("-inf")
        self._together = True

    async def run(self) -> None:
        """Until it is to end; returns once no call is under way, and what they came to is settled."""
        idle = 0
        self._under_way.clear()
        self._over.clear()
        self._recovered_at = float("-inf")
        try:
            while not self._context.draining() or self._under_way:
                idle = 0 if await self._tried_turn() else idle + 1
                if idle:
                    self._wake.clear()
                    if not self._over:
                        await set_within(self._wake, waiting(idle, LONGEST_REST, SHORTEST_REST))
        finally:
            for call in self._under_way.values():
                call.cancel()

    async def _tried_turn(self) -> bool:
        """A turn; whether there was something to do. While PostgreSQL is away calls go on and are settled later.

        What the database refuses is tried one by one then: the one answer that cannot be settled is left to be found
        as unknown, and holds up no other.
        """
        over = self._over if self._together else self._over[:1]
        try:
            worked = await self._turn(list(over))
        except ServiceUnavailableError as error:  # what was noted may be durable all the same
            self._recovered_at = float("-inf")
            self._context.told(str(error))
            await asyncio.sleep(AWAY_SECONDS)
            return True
        except LeaseLostError:
            raise
        except Exception:
            if not self._over:
                raise
            log.exception("relay.unsettled", supplier=self._context.supplier().id, together=self._together)
            if not self._together:
                self._forget(self._over[:1])
            self._together = False
            return True
        self._together = not self._over
        self._context.told(None)
        return worked

    async def _turn(self, over: Sequence[tuple[Flight, partial[Landed]]]) -> bool:
        begun: list[Flight] = []
        async with self._context.transaction() as connection:
            now: datetime = await connection.fetchval(queries.CLOCK)
            await self._recover(connection, now)
            settled = [land(now, random.random) for _, land in over]
            ended = await self._settle(connection, settled)
            if not self._context.draining():
                begun, moved = await self._begin(connection, now)
                ended = ended or moved
            reached("relay.before_commit")
        reached("relay.after_commit")
        for each in settled:
            if not each.flight.looks_up:
                supplier = each.flight.command.supplier
                metrics.order_attempts_total.labels(supplier=supplier, outcome=each.outcome).inc()
        self._forget(over)
        for flight in begun:
            self._under_way[flight.command.command_id] = asyncio.create_task(
                self._call(flight), name=f"{flight.command.supplier} {flight.command.command_id}"
            )
        return bool(over or begun or ended)

    def _forget(self, over: Sequence[tuple[Flight, partial[Landed]]]) -> None:
        for flight, _ in over:
            self._under_way.pop(flight.command.command_id, None)
        del self._over[: len(over)]

    async def _call(self, flight: Flight) -> None:
        context, command = self._context, flight.command
        write = order_write(context.manifest, command.operation)
        reached("relay.calling")
        if flight.looks_up:
            looked = await look_up(context.adapter, context.calls, flight.asked, flight.number)
            land = partial(landed, flight, looked)
        else:
            call = "" if write is None else write.call
            calls = context.calls.until(command.deadline)
            came = await attempt(context.adapter, calls, call, flight.asked, flight.number)
            land = partial(landed, flight, came)
        reached("relay.answered")
        self._over.append((flight, land))
        self._wake.set()

    async def _recover(self, connection: Connection, now: datetime) -> None:
        """Judge calls that were noted and are not under way: those of a former owner, or that a fault took from us."""
        if time.monotonic() < self._recovered_at + RECOVER_SECONDS:
            return
        found = await store.busy(connection, self._context.supplier().id)
        lost = [command for command in found if command.command_id not in self._under_way]
        pairs = [(command, recover(command, command.epoch + 1, now)) for command in lost]
        pairs = [(was, replace(after, due_at=now)) for was, after in pairs]
        await self._moved(connection, pairs, now)
        self._recovered_at = time.monotonic()

    async def _settle(self, connection: Connection, over: Sequence[Landed]) -> bool:
        """Move commands to where their calls led, tell what there is to tell; whether anything was."""
        current = [(each.flight.command, each.after) for each in over if each.after is not None]
        still = await store.move(connection, current)
        kept = [each for each in over if each.flight.command.command_id in still]
        steps = [landed_step(each, each.after) for each in kept if each.after is not None]
        news = [each.news for each in kept if each.news is not None]
        letters = [letter for each in kept if each.after is not None and (letter := letter_of(each.after))]
        await write_steps(connection, self._context.box, steps)
        await orders.tell(connection, self._context.box, news)
        if children := [child for each in news for child in cancelled_children(each)]:
            await note_cancelled_children(connection, self._context.supplier().id, children)
        await record_letters(connection, letters)
        return bool(over)

    async def _begin(self, connection: Connection, now: datetime) -> tuple[list[Flight], bool]:
        """End what ends without a call, and note the calls to begin; whether anything ended."""
        terms = self._context.terms(now)
        places = max(0, self._context.concurrency - len(self._under_way) + len(self._over))
        if not places and time.monotonic() < self._looked_at + FULL_LOOK_SECONDS:
            return [], False
        await self._look(connection, terms, now)
        names = [self._due.popitem(last=False)[0] for _ in range(min(len(self._due), 2 * places + 64))]
        if not names:
            return [], False
        lanes = await store.lanes(connection, self._context.supplier().id, names)
        plans = [planned(lane, terms, self._context.lease.epoch, now) for lane in lanes]
        ended = await self._moved(connection, [pair for each in plans for pair in each.without_call], now)
        return await self._note(connection, terms, plans, places, now), ended

    async def _look(self, connection: Connection, terms: Terms, now: datetime) -> None:
        """See which orders are due, once those that were are gone through."""
        self._looked_at = time.monotonic()
        if self._due:
            return
        supplier = self._context.supplier().id
        found = await store.due_orders(connection, supplier, now, terms.shut_operations(), MOST_DUE)
        self._aside = {name: until for name, until in self._aside.items() if until > time.monotonic()}
        self._due.update((name, None) for name in found if name not in self._aside)

    async def _moved(self, connection: Connection, pairs: Sequence[tuple[Command, Command]], now: datetime) -> bool:
        """Move commands for which no call is made, and tell of those that end or stop."""
        readable = await self._opened(connection, [was for was, _ in pairs])
        pairs = [pair for pair in pairs if pair[0].command_id in readable]
        still = await store.move(connection, pairs)
        kept = [(was, after) for was, after in pairs if was.command_id in still]
        news: list[News] = []
        for was, after in kept:
            asked = readable[was.command_id]
            if not was.attempt:
                news.append(sent_news(asked.command))
            told = news_of(asked.command, was.state, after, End(), now)
            if told is not None:
                news.append(replace(told, traceparent=asked.traceparent))
        await write_steps(connection, self._context.box, [settled_step(after) for _, after in kept])
        await orders.tell(connection, self._context.box, news)
        await record_letters(connection, [letter for _, after in kept if (letter := letter_of(after))])
        return bool(kept)

    async def _note(
        self, connection: Connection, terms: Terms, plans: Iterable[Planned], places: int, now: datetime
    ) -> list[Flight]:
        """Write down the calls to begin. Those for which there is no room, or no retry left, are seen again."""
        steps = startable([each.call for each in plans if each.call is not None], places, self._spend_retry)
        asked = await self._opened(connection, [step.command for step in steps])
        steps = [step for step in steps if step.command.command_id in asked]
        flights = await self._flights(connection, terms, steps, asked, now)
        still = await store.move(connection, [(s.command, f.command) for s, f in zip(steps, flights, strict=True)])
        begun = [flight for flight in flights if flight.command.command_id in still]
        for flight in begun:
            if flight.command.attempt == 1 and not flight.looks_up:
                self._budget.call(time.monotonic())
        first = [f for f in begun if f.command.attempt == 1 and not f.looks_up]
        await write_steps(connection, self._context.box, [self._begun(flight) for flight in begun])
        await orders.tell(connection, self._context.box, [sent_news(flight.asked) for flight in first])
        return begun

    async def _flights(
        self,
        connection: Connection,
        terms: Terms,
        steps: Sequence[Planning],
        asked: dict[str, Asked],
        now: datetime,
    ) -> list[Flight]:
        supplier = self._context.supplier().id
        later = [step.command.order_no for step in steps if step.command.operation != "order.submit"]
        numbers = await store.numbers(connection, supplier, later)
        ordered = await store.submitted(connection, self._context.box, supplier, later)
        return [
            Flight(
                command=carry_out(step.command, step.decision, epoch=self._context.lease.epoch, now=now),
                asked=asked[step.command.command_id].command,
                profile=terms.profile(step.command),
                begun_at=now,
                number=numbers.get(step.command.order_no),
                ordered=ordered.get(step.command.order_no),
                traceparent=asked[step.command.command_id].traceparent,
            )
            for step in steps
        ]

    async def _opened(self, connection: Connection, commands: Sequence[Command]) -> dict[str, Asked]:
        """What commands say; the order of one that cannot be read is set aside, and operators are told."""
        if not commands:
            return {}
        supplier = self._context.supplier().id
        found = await store.opened(connection, self._context.box, supplier, [each.command_id for each in commands])
        for command in commands:
            if isinstance(error := found.get(command.command_id), Exception):
                self._aside[command.order_no] = time.monotonic() + ASIDE_SECONDS
                log.error("relay.unreadable", supplier=supplier, command=command.command_id, error=type(error).__name__)
        return {name: asked for name, asked in found.items() if isinstance(asked, Asked)}

    def _begun(self, flight: Flight) -> Step:
        write = order_write(self._context.manifest, flight.command.operation)
        call = "" if write is None else (write.look_up or "") if flight.looks_up else write.call
        return begun_step(flight, call)

    def _spend_retry(self) -> bool:
        return self._budget.spend(time.monotonic())
