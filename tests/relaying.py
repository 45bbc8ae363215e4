"""The mall core in tests: writes commands to Kafka, and reads what becomes of them."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import orjson
from aiokafka import AIOKafkaProducer

from contrib.mall.orders import Command, Event
from contrib.mall.verdict import Effect, Record, verdicts
from contrib.simulators.jd_vop import Simulator
from contrib.simulators.jd_vop.catalog import Item
from gateway.config import Bootstrap
from gateway.kafka import client_options
from schemas.envelope import JSON, Envelope, encode, schema_id
from schemas.orders import COMMAND_TYPE, Operation, OrderCommand, schema_name
from tests.eventually import eventually
from tests.reader import read_topics

COMMANDS = "mall.orders.commands.v1"
EVENTS = "mall.orders.events.v1"

TERMINAL = frozenset(
    {
        "order.accepted",
        "order.refused",
        "order.confirmed",
        "order.partially_confirmed",
        "order.price_mismatch",
        "order.cancelled",
        "order.cancel_refused",
        "order.expired",
        "order.unsupported",
        "invoice.requested",
        "invoice.refused",
        "invoice.expired",
        "aftersale.accepted",
        "aftersale.refused",
        "aftersale.progress",
    }
)
"""Events that end a command, as the document of the topic says."""

PLACE = {"mall_areas": ["410105"], "text": "花园路1号院3号楼", "zip": "450000"}


def entry(command: dict[str, Any], *more: tuple[str, bytes | None]) -> dict[str, Any]:
    """Key, value and headers of a command's record, as the document of the topic has them; more: headers besides."""
    operation = Operation(command["operation"])
    envelope = Envelope(
        id=str(uuid.uuid4()),
        source="/mall",
        type=COMMAND_TYPE[operation],
        subject=command["order_no"],
        time=datetime.now(UTC),
        datacontenttype=JSON,
        dataschema=schema_id(schema_name(operation)),
    )
    headers = [*encode(envelope), *more]
    return {"key": command["order_no"].encode(), "value": orjson.dumps(command), "headers": headers}


@dataclass
class Core:
    """The mall core of one test."""

    bootstrap: Bootstrap
    prefix: str

    async def send(self, *commands: dict[str, Any]) -> None:
        """Write commands, in this order."""
        async with AIOKafkaProducer(**client_options(self.bootstrap)) as producer:
            for command in commands:
                await producer.send_and_wait(self.prefix + COMMANDS, **entry(command))

    async def events(self, order_no: str | None = None) -> list[dict[str, Any]]:
        """What was told, of one order or of all, each of its ids once."""
        entries = (await read_topics(self.bootstrap, self.prefix, [EVENTS])).get(EVENTS, [])
        once = {entry.ce_id: entry for entry in reversed(entries)}
        found = [orjson.loads(entry.value or b"null") for entry in entries if once[entry.ce_id] is entry]
        return [event for event in found if order_no in (None, event["order_no"])]

    async def told(self, order_no: str, kind: str, within: float = 60.0) -> dict[str, Any]:
        """The first event of this kind about an order, once there is one."""
        found: list[dict[str, Any]] = []

        async def holds() -> bool:
            found[:] = [event for event in await self.events(order_no) if event["event"] == kind]
            return bool(found)

        await eventually(holds, within=within)
        return found[0]

    async def ended(self, *commands: dict[str, Any], within: float = 60.0) -> list[dict[str, Any]]:
        """The terminal events of these commands, in their order, once each has one."""
        wanted = [command["command_id"] for command in commands]
        found: dict[str, list[dict[str, Any]]] = {}

        async def holds() -> bool:
            found.clear()
            for event in await self.events():
                if event["event"] in TERMINAL and event["cause"]["command_id"] in wanted:
                    found.setdefault(event["cause"]["command_id"], []).append(event)
            return all(each in found for each in wanted)

        await eventually(holds, within=within)
        assert all(len(each) == 1 for each in found.values()), found
        return [found[each][0] for each in wanted]

    async def violations(self, commands: Iterable[dict[str, Any]], effects: Iterable[Effect]) -> list[str]:
        """What is wrong with what became of these commands. effects: what the ledgers of their suppliers hold."""
        entries = (await read_topics(self.bootstrap, self.prefix, [EVENTS]))[EVENTS]
        events = [
            Event(each.ce_id, (each.key or b"").decode(), each.partition, each.offset, orjson.loads(each.value or b""))
            for each in entries
        ]
        record = Record([Command(orjson.dumps(each), each) for each in commands], events, [*effects])
        return [f"{check}: {each}" for check, found in verdicts(record).items() for each in found.violations]


def submit(order_no: str, lines: Sequence[tuple[Item, int]], **more: Any) -> dict[str, Any]:
    """A reservation of these goods at their price, at supplier `jd`."""
    rows = [
        {"line_no": number, "sku": str(item.sku), "quantity": str(pieces), "price": price(item), "name": "货物"}
        for number, (item, pieces) in enumerate(lines, 1)
    ]
    return _submitted(order_no, rows, more.pop("area"), **more)


def ordered(supplier: str, order_no: str, pieces: int = 2, **more: Any) -> dict[str, Any]:
    """A reservation at a supplier whose vendor looks at no catalogue."""
    row = {"line_no": 1, "sku": "SKU-1", "quantity": str(pieces), "price": {"gross": "113.00"}, "name": "货物"}
    return _submitted(order_no, [row], "1", supplier=supplier, **more)


def _submitted(order_no: str, rows: Sequence[dict[str, Any]], area: str, **more: Any) -> dict[str, Any]:
    payload = {
        "lines": rows,
        "receiver": {"name": "王小明", "mobile": "13800000001", "email": "buyer@example.gov.cn"},
        "address": {**PLACE, "supplier_area": area},
        "payment": "credit",
        "mode": "reserve",
        "price_mode": "refuse",
        "invoice": {"kind": "special", "title": "郑州市某局", "tax_no": "11410100MB0000001X"},
        **more.pop("payload", {}),
    }
    return command(Operation.SUBMIT, order_no, payload=payload, **more)


def price(item: Item) -> dict[str, str]:
    """What a piece costs, with tax."""
    return {"gross": str(Decimal(item.price) / 100)}


def confirm(order_no: str, **more: Any) -> dict[str, Any]:
    """Makes the reservation an order."""
    return command(Operation.CONFIRM, order_no, payload={}, **more)


def cancel(order_no: str, **more: Any) -> dict[str, Any]:
    """Takes the order back."""
    payload = {"scope": "order", "reason": "不再需要", **more.pop("payload", {})}
    return command(Operation.CANCEL, order_no, payload=payload, **more)


def invoice(order_no: str, mark_id: str, gross: Decimal, net: Decimal, **more: Any) -> dict[str, Any]:
    """Applies for the invoices of the order, or of children of it."""
    payload = {
        "mark_id": mark_id,
        "invoice": {"kind": "special", "title": "郑州市某局", "tax_no": "11410100MB0000001X"},
        "amounts": {"net": str(net), "tax": str(gross - net), "gross": str(gross)},
        "receiver": {"name": "王小明", "mobile": "13800000001"},
        "address": {**PLACE, "supplier_area": more.pop("area", "7_412_3545_0")},
        **more.pop("payload", {}),
    }
    return command(Operation.REQUEST_INVOICE, order_no, payload=payload, **more)


def after_sale(order_no: str, sku: str, pieces: int, service_no: str = "AS-1", **more: Any) -> dict[str, Any]:
    """Asks for goods to be taken back."""
    payload = {
        "service_no": service_no,
        "kind": "return",
        "lines": [{"line_no": 1, "sku": sku, "quantity": str(pieces)}],
        "reason": "打印有底灰",
        "contact": {"name": "王小明", "mobile": "13800000001"},
        "pickup": {"mode": "sent"},
        **more.pop("payload", {}),
    }
    return command(Operation.REQUEST_AFTER_SALE, order_no, payload=payload, **more)


def cancel_after_sale(order_no: str, service_no: str = "AS-1", **more: Any) -> dict[str, Any]:
    """Takes that back."""
    payload = {"service_no": service_no, "reason": "已自行解决", **more.pop("payload", {})}
    return command(Operation.CANCEL_AFTER_SALE, order_no, payload=payload, **more)


def command(operation: Operation, order_no: str, **more: Any) -> dict[str, Any]:
    """A command of today, with a day to go."""
    now = datetime.now(UTC)
    return {
        "command_id": str(uuid.uuid4()),
        "supplier": "jd",
        "tenant": "410100",
        "order_no": order_no,
        "revision": 1,
        "issued_at": now.isoformat(),
        "deadline": (now + timedelta(days=1)).isoformat(),
        "operation": operation.value,
        **more,
    }


def town(simulator: Simulator) -> str:
    """An area of the simulator that orders may go to."""
    return f"7_412_3545_{simulator.world.areas.children(3545)[0].id}"


__all__ = [
    "Core",
    "OrderCommand",
    "after_sale",
    "cancel",
    "cancel_after_sale",
    "confirm",
    "invoice",
    "ordered",
    "submit",
    "town",
]
