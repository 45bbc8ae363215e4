"""Commands that the benchmarks place, and what has to be true of their results."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import orjson

from contrib.mall.commands import command_of, headers_of
from contrib.mall.orders import SUBMIT, Command
from contrib.mall.plan import Goods, Plan
from gateway.kafka import ORDER_COMMANDS, ORDER_EVENTS, Bus, Message

LIFE = timedelta(hours=1)
"""Until a command's deadline."""


PLACED = "order.confirmed"
"""The event of every command here: the suppliers take each order."""


class CommandLostError(Exception):
    """A command has no result."""


class OutOfOrderError(Exception):
    """Commands of one order were carried out, or told of, in another order than they were placed in."""


def commands_of(run: str, suppliers: Sequence[str], orders: int, revisions: int = 1) -> list[Command]:
    """Every order as often as it is revised, suppliers in turn; all first revisions come first.

    run: tells the orders of one run from those of another.
    """
    now = datetime.now(UTC)
    first = [_command(f"{run}-{number}", suppliers[number % len(suppliers)], now) for number in range(orders)]
    return [_revised(command, revision) for revision in range(1, revisions + 1) for command in first]


def messages_of(commands: Iterable[Command]) -> list[Message]:
    """The records of commands."""
    return [Message(ORDER_COMMANDS, each.order_no.encode(), each.value, tuple(headers_of(each))) for each in commands]


def _command(order_no: str, supplier: str, now: datetime) -> Command:
    goods = Goods(supplier, "BENCH-1", "得力 DL-000001 商务型激光打印机", Decimal("1299.00"))
    return command_of(Plan(order_no, "direct", (SUBMIT,), ((goods, 2),)), SUBMIT, now, LIFE)


def _revised(command: Command, revision: int) -> Command:
    command_id = str(uuid5(NAMESPACE_URL, f"{command.order_no}/{revision}"))
    content = {**command.content, "command_id": command_id, "revision": revision}
    return Command(orjson.dumps(content), content)


def check_order(commands: Iterable[Command], found: Iterable[tuple[str, str]]) -> None:
    """Whether each command was met, those of one order as they were placed. found: orders and commands as they were.

    What is repeated counts where it was first. Raises CommandLostError, OutOfOrderError.
    """
    placed, met = defaultdict[str, list[str]](list), defaultdict[str, dict[str, None]](dict)
    for command in commands:
        placed[command.order_no].append(command.id)
    for order_no, command_id in found:
        met[order_no].setdefault(command_id)
    lost = [command_id for order_no, ids in placed.items() for command_id in ids if command_id not in met[order_no]]
    if lost:
        raise CommandLostError(f"{len(lost)} of {sum(map(len, placed.values()))}")
    inverted = [order_no for order_no, ids in placed.items() if list(met[order_no]) != ids]
    if inverted:
        raise OutOfOrderError(f"{len(inverted)} of {len(placed)} orders")


async def results_on(bus: Bus) -> list[tuple[str, str]]:
    """The order and the command of every result on the topic, partition by partition."""
    found = []
    for partition in range(await bus.partitions_for(ORDER_EVENTS)):
        async for records in bus.scan(ORDER_EVENTS, partition):
            found += [result for record in records if (result := result_of(record.value))]
    return found


def result_of(value: bytes | None) -> tuple[str, str] | None:
    """The order and the command that an event says is placed; None for any other event."""
    event: Mapping[str, Any] = {} if value is None else orjson.loads(value)
    return (event["order_no"], event["cause"]["command_id"]) if event.get("event") == PLACED else None
