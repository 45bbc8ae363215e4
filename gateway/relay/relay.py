"""The relay of one supplier: commands of the mall carried out at it, each at most once in effect, in order per order.

A turn is one transaction: what calls came to since the last one is settled and told, and the next calls are noted. A
call begins only once its note is durable. Whatever dies in between leaves a note without an outcome, which the next
owner takes for a call that may have happened.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import structlog

from gateway.events import set_within
from gateway.evidence import orders_of
from gateway.relay import command_queries as queries
from gateway.relay import store
from gateway.relay.after_sales import preconditions
from gateway.relay.attempts import AttemptResult, LookUpResult, attempt, look_up, order_write
from gateway.relay.commands import Command
from gateway.relay.consequences import Consequences
from gateway.relay.context import RelayContext
from gateway.relay.due import DueOrders
from gateway.relay.lanes import Lane, room
from gateway.relay.lanes import Step as Planning
from gateway.relay.order_number_owners import foreign_number_lookup
from gateway.relay.started_calls import CallResult, EndedCall, StartedCall, numbers_in_answers, results
from gateway.relay.store import OpenedCommand
from gateway.relay.transitions import carry_out, recover
from gateway.relay.turn import Move, Terms, beginning, planned, waiting
from gateway.sdk.errors import ServiceUnavailableError
from gateway.store import Connection, LeaseLostError
from gateway.suppliers import State as SupplierState
from gateway.telemetry import metrics
from gateway.telemetry.failpoints import failpoint

log = structlog.get_logger(__name__)

SHORTEST_REST = 0.02
LONGEST_REST = 0.5
"""Seconds between two looks at the table, while there is nothing to do."""

GATHER_SECONDS = 0.1
"""At most, once a call is over, for others to end: what all of them came to is settled in one turn."""

AWAY_SECONDS = 1.0
"""After PostgreSQL was away, before the next turn."""

RECOVER_SECONDS = 60.0
"""Between two looks for calls that were noted, and are not under way."""


MOST_TRIES = 3
"""To settle one answer alone; then it is left to be found as unknown."""


class Relay:
    """Carries the commands of one supplier out while its lease is ours."""

    def __init__(self, context: RelayContext) -> None:
        self._context = context
        self._budget = context.calls.order_retries
        self._strangers = foreign_number_lookup(context.transaction, context.supplier().id)
        self._preconditions = preconditions(context.transaction, context.box)
        self._under_way: dict[str, asyncio.Task[None]] = {}
        self._over: list[EndedCall] = []
        self._due = DueOrders(context.supplier().id)
        self._wake = asyncio.Event()
        self._all_over = asyncio.Event()
        self._recovered_at = float("-inf")
        self._turn_seconds = 0.0
        self._apart = 0
        """Turns that are still taken one by one."""
        self._taken: list[str] = []
        self._tries: Counter[str] = Counter()

    async def run(self) -> None:
        """Until it is to end; returns once no call is under way, and what they came to is settled."""
        idle, supplier = 0, self._context.supplier().id
        self._count_retries()
        self._under_way.clear()
        self._over.clear()
        self._recovered_at = float("-inf")
        try:
            while not self._context.draining() or self._under_way:
                idle = 0 if await self._tried_turn() else idle + 1
                if idle or self._under_way:
                    await self._rest(idle)
        finally:
            for call in self._under_way.values():
                call.cancel()
            metrics.order_retries_left.remove(supplier)

    async def _rest(self, idle: int) -> None:
        """Until a call is over, or it is time for another look; then for others that are about to end, as long as a
        turn takes: one of several answers costs little more than one of a single answer.
        """
        if not self._over:
            self._wake.clear()
            await set_within(self._wake, waiting(idle, LONGEST_REST, SHORTEST_REST))
        if self._over and len(self._over) < len(self._under_way):
            self._all_over.clear()
            await set_within(self._all_over, min(self._turn_seconds, GATHER_SECONDS))

    async def _tried_turn(self) -> bool:
        """A turn; whether there was something to do. While PostgreSQL is away calls go on and are settled later.

        After a fault of another kind what was in the turn is taken one by one, so that what is at fault is known: a
        lane is set aside, an answer is given up after a few tries, and then found as one that nobody knows.
        """
        over = self._over[:1] if self._apart else list(self._over)
        lanes = (0 if over else 1) if self._apart else None
        self._taken = []
        try:
            worked = (bool(over or self._apart) or await self._is_worth_a_turn()) and await self._turn(over, lanes)
        except ServiceUnavailableError as error:  # what was noted may be durable all the same
            self._recovered_at = float("-inf")
            self._context.report_health(str(error))
            await asyncio.sleep(AWAY_SECONDS)
            return True
        except LeaseLostError:
            raise
        except Exception as error:
            log.exception("relay.turn_failed", supplier=self._context.supplier().id, apart=self._apart)
            self._context.report_health(f"a fault of the gateway: {type(error).__name__}")
            await self._find_fault(over)
            return True
        self._apart = max(0, self._apart - 1)
        self._context.report_health(None)
        return worked

    async def _is_worth_a_turn(self) -> bool:
        """Whether there is something to do while no call is over: it is asked by one statement, in no transaction.

        Nothing is decided here. What is due is locked and read in the turn, which asks for itself whether it is paused.
        """
        if self._is_to_recover():
            return True
        context = self._context
        if context.draining() or not self._due.is_worth_a_look(self._places()):
            return False
        terms = context.terms(datetime.now(UTC), active=context.supplier().state is not SupplierState.PAUSED)
        async with context.reading() as connection:
            return await self._due.look(connection, terms.shut_operations())

    async def _find_fault(self, over: Sequence[EndedCall]) -> None:
        """After a turn that failed: go through what was in it one by one, or leave out what was alone in it."""
        self._recovered_at = float("-inf")
        if self._apart:
            self._apart -= 1
            for order_no in self._taken:
                self._due.set_aside(order_no)
            for call, _ in over:
                self._tries[call.command.command_id] += 1
                if self._tries[call.command.command_id] >= MOST_TRIES:
                    self._forget(over)
        else:
            self._apart = 1 + MOST_TRIES * len(over) + 2 * len(self._taken)  # each lane may have an answer meanwhile
            self._due.put_back(self._taken)
        await asyncio.sleep(AWAY_SECONDS)

    async def _turn(self, over: Sequence[EndedCall], lanes: int | None) -> bool:
        """lanes: how many to look at, at most; None: as many as there is room for."""
        context, begun, consequences, began = self._context, list[StartedCall](), Consequences(), time.monotonic()
        async with context.transaction() as connection:
            [row] = await connection.fetch(queries.NOW, context.supplier().id)
            now: datetime = row["now"]
            if not (over and lanes is not None):
                recovered = await self._recover(connection, now, consequences, lanes)
                lanes = 0 if recovered and lanes is not None else lanes
            known = await orders_of(connection, context.supplier().id, numbers_in_answers(over))
            settled = list(results(over, known, now, random.random))
            await self._settle(connection, settled, consequences)
            if not context.draining() and lanes != 0:
                begun = await self._begin(
                    connection, context.terms(now, active=bool(row["active"])), now, consequences, lanes
                )
            await consequences.write(connection, context.box, context.supplier().id)
            failpoint("relay.before_commit")
        failpoint("relay.after_commit")
        self._turn_seconds = time.monotonic() - began
        _count(settled)
        self._count_retries()
        self._forget(over)
        for call in begun:
            self._under_way[call.command.command_id] = asyncio.create_task(
                self._call(call), name=f"{call.command.supplier} {call.command.command_id}"
            )
        return bool(over or consequences.steps)

    def _forget(self, over: Sequence[EndedCall]) -> None:
        for call, _ in over:
            self._under_way.pop(call.command.command_id, None)
            self._tries.pop(call.command.command_id, None)
        del self._over[: len(over)]

    async def _call(self, call: StartedCall) -> None:
        context, command = self._context, call.command
        failpoint("relay.calling")
        calls = context.calls.observed(call.exchanges.append)
        came: AttemptResult | LookUpResult
        if call.looks_up:
            came = await look_up(context.adapter, calls, call.asked, call.number, self._strangers)
        else:
            calls, name = calls.until(command.deadline), self._call_of(call)
            knows = (self._strangers, self._preconditions)
            came = await attempt(context.adapter, calls, name, call.asked, call.number, *knows)
        failpoint("relay.answered")
        self._over.append((call, came))
        self._wake.set()
        if len(self._over) == len(self._under_way):
            self._all_over.set()

    async def _recover(
        self, connection: Connection, now: datetime, consequences: Consequences, most: int | None
    ) -> bool:
        """Judge calls that were noted and are not under way: those of a former owner, or that a fault took from us.

        most: how many, at most; None: all. Whether there was one.
        """
        if not self._is_to_recover():
            return False
        found = await store.busy(connection, self._context.supplier().id)
        lost = [e for e in found if e.command_id not in self._under_way and not self._due.is_aside(e.order_no)]
        if most is None or not lost:
            self._recovered_at = time.monotonic()
        lost = lost[:most]
        self._taken += [command.order_no for command in lost]
        judged = [(command, recover(command, command.epoch + 1, now)) for command in lost]
        moves = [Move(was, replace(after, due_at=now), alone=True) for was, after in judged]
        asked = await self._opened(connection, lost)
        await self._moved(
            connection, [each for each in moves if each.was.command_id in asked], asked, consequences, now
        )
        return bool(lost)

    def _is_to_recover(self) -> bool:
        return time.monotonic() >= self._recovered_at + RECOVER_SECONDS

    def _places(self) -> int:
        """Calls that may be begun now."""
        return room(len(self._under_way) - len(self._over), self._context.concurrency)

    async def _settle(self, connection: Connection, over: Sequence[CallResult], consequences: Consequences) -> None:
        """Move commands to where their calls led."""
        still = await store.move(connection, [(each.call.command, each.after) for each in over if each.after])
        for each in over:
            consequences.add_exchanges(each.call)
            if each.call.command.command_id in still:
                consequences.add_result(each)

    async def _begin(
        self, connection: Connection, terms: Terms, now: datetime, consequences: Consequences, most: int | None
    ) -> list[StartedCall]:
        """End what ends without a call, note the calls to begin. A lane is carried out as planned, or not at all."""
        places = self._places()
        if not self._due.is_worth_a_look(places):
            return []
        taken = await self._due.take(connection, now, terms.shut_operations(), places=places, most=most)
        if not taken:
            return []
        lanes = await self._lanes(connection, taken)
        found = [planned(lane, terms, self._context.lease.epoch, now) for lane in lanes]
        plans = beginning(found, places, self._spend_retry)
        self._due.note(each_began=all(plan.call is not None for plan in plans))
        asked = await self._opened(connection, [command for plan in plans for command in plan.commands])
        plans = [plan for plan in plans if all(command.command_id in asked for command in plan.commands)]
        await self._moved(connection, [move for plan in plans for move in plan.without_call], asked, consequences, now)
        return await self._note(connection, terms, [plan.call for plan in plans if plan.call], asked, consequences, now)

    async def _lanes(self, connection: Connection, orders: Sequence[str]) -> Sequence[Lane]:
        """The lanes of these orders; those for which there was no place are taken first in the next turn."""
        self._taken += orders
        lanes = await store.lanes(connection, self._context.supplier().id, orders)
        if lanes.left:
            self._due.put_back(lanes.left)
        self._taken = self._taken[: len(self._taken) - len(lanes.left)]
        return lanes.found

    async def _moved(
        self,
        connection: Connection,
        moves: Sequence[Move],
        asked: Mapping[str, OpenedCommand],
        consequences: Consequences,
        now: datetime,
    ) -> None:
        """Move commands for which no call is made, and have those that end or stop told."""
        still = await store.move(connection, [(each.was, each.now) for each in moves])
        for each in moves:
            if each.was.command_id in still:
                consequences.add_move(each, asked[each.was.command_id], now)

    async def _note(
        self,
        connection: Connection,
        terms: Terms,
        steps: Sequence[Planning],
        asked: Mapping[str, OpenedCommand],
        consequences: Consequences,
        now: datetime,
    ) -> list[StartedCall]:
        """Write down the calls to begin."""
        started = await self._started_calls(connection, terms, steps, asked, consequences, now)
        still = await store.move(connection, [(s.command, f.command) for s, f in zip(steps, started, strict=True)])
        begun = [call for call in started if call.command.command_id in still]
        for call in begun:
            if call.command.attempt == 1 and not call.looks_up:
                self._budget.call(time.monotonic())
            consequences.add_started(call, self._call_of(call))
        return begun

    async def _started_calls(
        self,
        connection: Connection,
        terms: Terms,
        steps: Sequence[Planning],
        asked: Mapping[str, OpenedCommand],
        consequences: Consequences,
        now: datetime,
    ) -> list[StartedCall]:
        supplier = self._context.supplier().id
        later = [step.command.order_no for step in steps if step.command.operation != "order.submit"]
        numbers = {**await store.numbers(connection, supplier, later), **consequences.numbers}
        ordered = await store.submitted(connection, self._context.box, supplier, later)
        return [
            StartedCall(
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

    async def _opened(self, connection: Connection, commands: Sequence[Command]) -> dict[str, OpenedCommand]:
        """What commands say; the order of one that cannot be read is set aside, and operators are told."""
        if not commands:
            return {}
        supplier = self._context.supplier().id
        found = await store.opened(connection, self._context.box, supplier, [each.command_id for each in commands])
        for command in commands:
            if isinstance(error := found.get(command.command_id), Exception):
                self._due.set_aside(command.order_no)
                log.error("relay.unreadable", supplier=supplier, command=command.command_id, error=type(error).__name__)
        return {name: asked for name, asked in found.items() if isinstance(asked, OpenedCommand)}

    def _call_of(self, call: StartedCall) -> str:
        """The operation by which a command is carried out, or looked up."""
        write = order_write(self._context.manifest, call.command.operation)
        return "" if write is None else (write.look_up or "") if call.looks_up else write.call

    def _spend_retry(self) -> bool:
        return self._budget.spend(time.monotonic())

    def _count_retries(self) -> None:
        left = self._budget.left(time.monotonic())
        metrics.order_retries_left.labels(supplier=self._context.supplier().id).set(left)


def _count(settled: Iterable[CallResult]) -> None:
    for each in settled:
        if not each.call.looks_up:
            labels = {"supplier": each.call.command.supplier, "outcome": each.outcome}
            metrics.order_attempts_total.labels(**labels).inc()
