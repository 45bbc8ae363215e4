"""The part of the core that follows orders: contracts, applications for invoices and services, wrong ones as well."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import orjson
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from contrib.mall.core import event_of
from contrib.mall.kafka import open_consumer
from contrib.mall.orders import Event
from contrib.mall.plan import Plan
from gateway.config import Bootstrap
from gateway.kafka import client_options
from schemas.contracts.commands import ContractOperation
from schemas.contracts.examples import COMMAND_EXAMPLES, command_headers
from tests.chaos.asking import Asking
from tests.chaos.recorder import Recorder
from tests.history.conversation_recorded import ENDS
from tests.relaying import entry

COMMANDS, CONTRACT_COMMANDS = "mall.orders.commands.v1", "mall.contracts.commands.v1"
TOPICS = ("mall.orders.events.v1", "mall.contracts.events.v1")
AWAY = 1.0
"""Seconds before a core that lost Kafka goes on."""

LIFE, HASTE, HASTY = timedelta(hours=2), timedelta(seconds=25), 0.1
"""From a command to its deadline; how soon the latter is for some, and for what share of them."""

Json = Mapping[str, Any]


class Conversation:
    """placed: commands in their order, by id."""

    def __init__(self, bootstrap: Bootstrap, plans: Sequence[Plan], asking: Asking, recorder: Recorder) -> None:
        self.placed: dict[str, Json] = {}
        self._open: dict[str, Json] = {}
        self._seen: set[str] = set()
        self._bootstrap = bootstrap
        self._asking = asking
        self._plans = {plan.order_no: plan for plan in plans}
        self._recorder = recorder

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self._live()
            except (KafkaError, OSError):
                await asyncio.sleep(AWAY)

    def unanswered(self) -> list[str]:
        """What it waits for."""
        return [f"{id_} has no answer ({each['operation']})" for id_, each in self._open.items()]

    async def _live(self) -> None:
        options = client_options(self._bootstrap)
        async with (
            AIOKafkaProducer(**options, acks="all", enable_idempotence=True) as producer,
            open_consumer(options, TOPICS) as consumer,
        ):
            for command in [*self._open.values()]:
                await _send(producer, command)
            while True:
                found = await consumer.getmany(timeout_ms=300)
                for record in [each for records in found.values() for each in records]:
                    for command in self._heard(event_of(record)):
                        await _send(producer, command)

    def _heard(self, event: Event) -> list[Json]:
        """The commands that an event leads to; they are noted before they are sent."""
        if event.ce_id in self._seen:
            return []
        self._seen.add(event.ce_id)
        if event.kind in ENDS:
            self._open.pop(event.command_id or "", None)
        plan = self._plans.get(event.content["order_no"])
        if plan is None:
            return []
        asked = enumerate(self._asking(event, plan))
        made = [_dated(each, Random(f"{event.ce_id} {number}")) for number, each in asked]
        for command in made:
            self._recorder.record("conversation.placed", command=command)
            self.placed[command["command_id"]] = self._open[command["command_id"]] = command
        return made


def _dated(command: Json, rng: Random) -> Json:
    now = datetime.now(UTC)
    deadline = now + (HASTE if rng.random() < HASTY else LIFE)
    return {**command, "issued_at": now.isoformat(), "deadline": deadline.isoformat()}


async def _send(producer: AIOKafkaProducer, command: Json) -> None:
    if "contract_no" not in command:
        await producer.send_and_wait(COMMANDS, **entry(dict(command)))
        return
    headers = [*command_headers(COMMAND_EXAMPLES[ContractOperation(command["operation"])])]
    key = str(command["contract_no"]).encode()
    await producer.send_and_wait(CONTRACT_COMMANDS, orjson.dumps(command), key, headers=headers)
