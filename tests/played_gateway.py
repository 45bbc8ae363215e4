"""The gateway and a supplier as the mall core meets them on the topics, played for tests of the core's programs.

Every command is read as the contract has it, takes effect, and is answered; every third event comes twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from aiokafka import AIOKafkaConsumer

from contrib.mall.verdict import Effect
from gateway.config import Bootstrap
from gateway.kafka import ORDER_COMMANDS, ORDER_EVENTS, Bus, Message, Producer, client_options
from schemas.envelope import decode
from schemas.orders import (
    COMMAND_TYPE,
    COMMANDS,
    CancelScope,
    Operation,
    OrderCommand,
    SubmitOrder,
    event_headers,
    order_key,
)
from schemas.orders.events import (
    Cause,
    OrderAccepted,
    OrderCancelled,
    OrderConfirmed,
    OrderEvent,
    OrderRefused,
    ShipmentCreated,
    ShipmentDelivered,
    SupplierMessage,
)
from schemas.orders.payloads import Accepted, Cancelled, Confirmed, Delivered, Party, RefusalClass, Refused, Shipped

CHINA = timezone(timedelta(hours=8))
KINDS: Mapping[Operation, str] = {
    Operation.SUBMIT: "submit",
    Operation.CONFIRM: "confirm",
    Operation.CANCEL: "cancel",
}


@dataclass
class PlayedGateway:
    """delivers: whether confirmed orders are shipped and delivered; refuses: every so many-th submit.

    effects: what was done, each command once; repeats: commands that came again; known: by command_id, their bytes.
    """

    delivers: bool = False
    refuses: int = 0
    effects: list[Effect] = field(default_factory=list)
    repeats: int = 0
    known: dict[str, bytes] = field(default_factory=dict)
    _submits: int = 0
    _told: int = 0

    async def run(self, consumer: AIOKafkaConsumer, producer: Producer) -> None:
        """Answer commands until cancelled."""
        async for record in consumer:
            kind = decode(record.headers).type
            operation = next(each for each in Operation if COMMAND_TYPE[each] == kind)
            command = COMMANDS[operation].model_validate_json(record.value)
            assert record.key == order_key(command.order_no)
            if command.command_id in self.known:
                assert self.known[command.command_id] == record.value
                self.repeats += 1
                continue
            self.known[command.command_id] = record.value
            await producer.send([_message(event) for event in self._events(command)])

    def _events(self, command: OrderCommand) -> Sequence[OrderEvent]:
        told = []
        for event in self._answers(command):
            self._told += 1
            told += [event] * (2 if self._told % 3 == 0 else 1)
        return told

    def _answers(self, command: OrderCommand) -> Sequence[OrderEvent]:
        number = f"V-{command.order_no}"
        whose: dict[str, Any] = {
            "order_no": command.order_no,
            "tenant": command.tenant,
            "supplier": command.supplier,
            "occurred_at": datetime.now(CHINA),
        }
        asked = whose | {"cause": Cause(command_id=command.command_id)}
        operation = Operation(command.operation)
        if isinstance(command, SubmitOrder):
            self._submits += 1
            if self.refuses and self._submits % self.refuses == 0:
                refused = Refused(operation=operation, code_class=RefusalClass.OUT_OF_STOCK)
                return [OrderRefused(**asked, payload=refused)]
        self.effects.append(Effect(command.supplier, command.order_no, KINDS[operation], number, asked=True))
        asked |= {"supplier_order_nos": (number,)}
        if operation is Operation.CANCEL:
            return [
                OrderCancelled.model_validate(asked | {"payload": Cancelled(scope=CancelScope.ORDER, by=Party.MALL)})
            ]
        if isinstance(command, SubmitOrder) and command.payload.mode == "reserve":
            return [OrderAccepted(**asked, payload=Accepted())]
        confirmed = OrderConfirmed(**asked, payload=Confirmed())
        return [confirmed, *_delivery(whose, number)] if self.delivers else [confirmed]


def _delivery(whose: dict[str, Any], number: str) -> Sequence[OrderEvent]:
    left, signed = (Cause(message=SupplierMessage(type=type_, id=number)) for type_ in ("left", "signed"))
    return [
        ShipmentCreated(**whose, cause=left, payload=Shipped(delivery_no=number)),
        ShipmentDelivered(**whose, cause=signed, payload=Delivered(delivery_no=number)),
    ]


def _message(event: OrderEvent) -> Message:
    value = event.model_dump_json().encode()
    return Message(ORDER_EVENTS, order_key(event.order_no), value, event_headers(event))


@asynccontextmanager
async def played_gateway(
    bus: Bus, bootstrap: Bootstrap, prefix: str, *, delivers: bool = False, refuses: int = 0
) -> AsyncIterator[PlayedGateway]:
    """One that answers until the end of the block."""
    played = PlayedGateway(delivers, refuses)
    consumer = AIOKafkaConsumer(
        prefix + ORDER_COMMANDS, **client_options(bootstrap), auto_offset_reset="earliest", enable_auto_commit=False
    )
    async with bus.producer("played") as producer, consumer:
        task = asyncio.create_task(played.run(consumer, producer))
        try:
            yield played
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
