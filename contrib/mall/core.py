"""The core at work: places what is due, and hears what became of it.

A command is in the journal, on disk, before it is sent: a core that was killed reads its journal, hears all events
again, repeats byte by byte what has no answer, and goes on with its plan. It never makes a second command of one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from contrib.journal import Journal
from contrib.mall.commands import CHINA, command_of, headers_of
from contrib.mall.kafka import Options, open_consumer, read_to_end
from contrib.mall.orders import Command, Event
from contrib.mall.plan import Plan, next_step
from contrib.mall.services import ISSUE, is_served

COMMANDS, EVENTS = "mall.orders.commands.v1", "mall.orders.events.v1"
CONTRACT_COMMANDS, CONTRACT_EVENTS = "mall.contracts.commands.v1", "mall.contracts.events.v1"
ALL = 2**31
PAUSE = 1.0
"""Seconds before a command that Kafka did not take is sent again."""


class Core:
    """Orders by their number. placed, events: all commands and events of this run, in their order."""

    def __init__(self, plans: Iterable[Plan], restored: Iterable[Command], journal: Journal, life: timedelta) -> None:
        self.placed: list[Command] = []
        self.events: list[Event] = []
        self._plans: Mapping[str, Plan] = {plan.order_no: plan for plan in plans}
        self._commands: dict[str, list[Command]] = {order_no: [] for order_no in self._plans}
        self._events_of: dict[str, list[Event]] = {order_no: [] for order_no in self._plans}
        self._open: dict[str, Command] = {}
        self._journal = journal
        self._life = life
        for command in restored:
            self._keep(command)
        self._waiting = deque(order_no for order_no, placed in self._commands.items() if not placed)

    def receive(self, event: Event) -> None:
        """Take in an event of the topic; those of others' orders are none of ours."""
        if event.key not in self._plans and event.content.get("order_no") not in self._plans:
            return
        self.events.append(event)
        order_no = event.content["order_no"] if "contract_no" in event.content else event.key
        self._events_of.setdefault(order_no, []).append(event)
        if event.is_terminal:
            self._open.pop(event.command_id or "", None)

    @property
    def unanswered(self) -> Sequence[Command]:
        """The commands that have no terminal event yet, in the order of their placing."""
        return [*self._open.values()]

    @property
    def idle(self) -> bool:
        """Whether every order was begun, every command has its answer, none is due, and what serves orders is over."""
        if self._waiting or self._open or any(map(self._due, self._plans.values())):
            return False
        return all(
            is_served(plan, self._commands[order_no], self._events_of[order_no])
            for order_no, plan in self._plans.items()
        )

    @property
    def topics(self) -> Sequence[str]:
        """Where its answers come."""
        contracts = any(ISSUE in plan.services for plan in self._plans.values())
        return [EVENTS, CONTRACT_EVENTS] if contracts else [EVENTS]

    async def begin(self, count: int) -> list[Command]:
        """Place so many orders of the plan that are not placed yet."""
        return await self._place([self._waiting.popleft() for _ in range(min(count, len(self._waiting)))])

    async def go_on(self, orders: Collection[str] | None = None) -> list[Command]:
        """Make the commands that are due by now, of some orders or of all that were begun."""
        return await self._place(
            no for no, placed in self._commands.items() if placed and (orders is None or no in orders)
        )

    async def _place(self, orders: Iterable[str]) -> list[Command]:
        """Make the commands that are due; they are on disk when this returns."""
        plans = [self._plans[order_no] for order_no in orders]
        now = datetime.now(CHINA)
        made = [command_of(plan, step, now, self._life) for plan in plans if (step := self._due(plan)) is not None]
        for command in made:
            self._keep(command)
            self._journal.add({"command": command.value.decode()})
        await self._journal.settled()
        return made

    def _due(self, plan: Plan) -> str | None:
        return next_step(plan, self._commands[plan.order_no], self._events_of[plan.order_no])

    def _keep(self, command: Command) -> None:
        self.placed.append(command)
        self._commands[command.order_no].append(command)
        self._open[command.id] = command


def commands_in(entries: Iterable[Mapping[str, Any]]) -> list[Command]:
    """The commands that a journal holds, byte by byte, in the order of their placing."""
    values = [str(entry["command"]).encode() for entry in entries if "command" in entry]
    return [Command(value, orjson.loads(value)) for value in values]


def event_of(record: Any) -> Event:
    """An event from a record of Kafka."""
    headers = dict(record.headers)
    content = orjson.loads(record.value)
    return Event(headers["ce_id"].decode(), record.key.decode(), record.partition, record.offset, content)


@dataclass(frozen=True, slots=True)
class Pace:
    """rate: orders that are begun a second, 0 for all at once; seconds: the most that a run takes; linger: seconds
    without news after which it ends, once everything is answered.
    """

    rate: float = 0.0
    seconds: float = 120.0
    linger: float = 2.0


async def run(core: Core, options: Options, prefix: str, pace: Pace) -> None:
    """Place and follow until all is answered."""
    producer = AIOKafkaProducer(**options, acks="all", enable_idempotence=True)
    try:
        await producer.start()
        async with open_consumer(options, [prefix + topic for topic in core.topics]) as consumer:
            async for record in read_to_end(consumer):
                core.receive(event_of(record))
            await _send(producer, prefix, core.unanswered)
            await _send(producer, prefix, await core.go_on())
            await _follow(core, consumer, producer, prefix, pace)
    finally:
        await producer.stop()


async def _follow(core: Core, consumer: Any, producer: AIOKafkaProducer, prefix: str, pace: Pace) -> None:
    loop = asyncio.get_running_loop()
    started = heard_at = loop.time()
    begun = 0
    while (now := loop.time()) < started + pace.seconds and not (core.idle and now - heard_at > pace.linger):
        due = int((now - started) * pace.rate) - begun if pace.rate else ALL
        begun += due
        commands = await core.begin(due)
        while commands:
            await _send(producer, prefix, commands)
            commands = await core.go_on({command.order_no for command in commands})
        records = [each for found in (await consumer.getmany(timeout_ms=200)).values() for each in found]
        events = [event_of(record) for record in records]
        for event in events:
            core.receive(event)
        if events:
            heard_at = loop.time()
            await _send(producer, prefix, await core.go_on({event.key for event in events}))


async def _send(producer: AIOKafkaProducer, prefix: str, commands: Sequence[Command]) -> None:
    """Send commands until Kafka has them all; it may be away for a while. Never two of one order at a time."""
    later = behind_others(commands)
    waiting: Sequence[Command] = [command for command in commands if command.id not in later]
    while waiting:
        sent = await asyncio.gather(*(_sent(producer, prefix, command) for command in waiting))
        waiting = [command for command, taken in zip(waiting, sent, strict=True) if not taken]
        if waiting:
            await asyncio.sleep(PAUSE)
    if later:
        await _send(producer, prefix, [command for command in commands if command.id in later])


def behind_others(commands: Iterable[Command]) -> set[str]:
    """Ids of those that follow another one of their order."""
    first: dict[str, str] = {}
    return {command.id for command in commands if first.setdefault(command.order_no, command.id) != command.id}


async def _sent(producer: AIOKafkaProducer, prefix: str, command: Command) -> bool:
    topic = CONTRACT_COMMANDS if "contract_no" in command.content else COMMANDS
    try:
        await producer.send_and_wait(prefix + topic, command.value, command.key.encode(), headers=headers_of(command))
    except KafkaError:
        return False
    return True
