"""Place one order and follow it to its end, by `schemas/asyncapi.json` alone.

    python follow_order.py localhost:9092 SUPPLIER SKU PRICE [AREA]

Needs aiokafka and nothing of the gateway. With SASL, set KAFKA_SECURITY_PROTOCOL, KAFKA_SASL_MECHANISM,
KAFKA_SASL_USERNAME and KAFKA_SASL_PASSWORD; TOPIC_PREFIX stands before the names of the topics. The people are made up.
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import sys
import uuid
from datetime import datetime, timedelta, timezone
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

PREFIX = os.environ.get("TOPIC_PREFIX", "")
COMMANDS, EVENTS = PREFIX + "mall.orders.commands.v1", PREFIX + "mall.orders.events.v1"
CHINA = timezone(timedelta(hours=8))

ENDS = {
    "order.refused": 1,
    "order.price_mismatch": 1,
    "order.expired": 1,
    "order.unsupported": 1,
    "order.cancelled": 1,
    "shipment.rejected": 1,
    "shipment.delivered": 0,
}
"""Events after which this program ends, and its exit status. An order that waits for a person (parked) goes on."""


def connection(bootstrap: str) -> dict[str, Any]:
    """What both clients are told."""
    protocol = os.environ.get("KAFKA_SECURITY_PROTOCOL", "PLAINTEXT")
    options: dict[str, Any] = {"bootstrap_servers": bootstrap, "security_protocol": protocol}
    if protocol.startswith("SASL_"):
        options["sasl_mechanism"] = os.environ["KAFKA_SASL_MECHANISM"]
        options["sasl_plain_username"] = os.environ["KAFKA_SASL_USERNAME"]
        options["sasl_plain_password"] = os.environ["KAFKA_SASL_PASSWORD"]
    if protocol.endswith("SSL"):
        options["ssl_context"] = ssl.create_default_context()
    return options


def command(operation: str, order_no: str, supplier: str, payload: dict[str, Any]) -> dict[str, Any]:
    """A command. A repeat has to carry the same command_id and the same content: keep it until it is answered."""
    now = datetime.now(CHINA)
    return {
        "command_id": str(uuid.uuid4()),
        "supplier": supplier,
        "tenant": "410000",
        "order_no": order_no,
        "revision": 1,
        "issued_at": now.isoformat(),
        "deadline": (now + timedelta(hours=1)).isoformat(),
        "operation": operation,
        "payload": payload,
    }


def submission(sku: str, price: str, area: str | None) -> dict[str, Any]:
    """An order of one piece, which the supplier holds until it is confirmed. Amounts are strings."""
    return {
        "lines": [{"line_no": 1, "sku": sku, "quantity": "1", "price": {"gross": price}, "name": sku}],
        "receiver": {"name": "王小明", "mobile": "13900000000", "email": "buyer@example.com"},
        "address": {"mall_areas": ["410000", "410100"], "supplier_area": area, "text": "建设路某号"},
        "invoice": {"kind": "special", "title": "某某局", "tax_no": "11410000MB0000000X"},
        "payment": "credit",
        "mode": "reserve",
    }


async def send(producer: AIOKafkaProducer, content: dict[str, Any]) -> None:
    """Write a command: the key is the order's number, the kind of message a header."""
    headers = {
        "ce_specversion": "1.0",
        "ce_id": content["command_id"],
        "ce_source": "/mall/core",
        "ce_type": f"mall.orders.{content['operation']}.v1",
        "ce_subject": content["order_no"],
        "ce_time": content["issued_at"],
        "content-type": "application/json",
    }
    encoded = [(name, value.encode()) for name, value in headers.items()]
    value = json.dumps(content, ensure_ascii=False).encode()
    await producer.send_and_wait(COMMANDS, value, content["order_no"].encode(), headers=encoded)


async def follow(consumer: AIOKafkaConsumer, producer: AIOKafkaProducer, order_no: str, supplier: str) -> int:
    """Print what becomes of the order, and confirm it once its goods are held."""
    seen: set[bytes] = set()
    async for record in consumer:
        if record.key != order_no.encode():
            continue
        identity = dict(record.headers)["ce_id"]
        if identity in seen:  # any message may come twice, then with the same ce_id
            continue
        seen.add(identity)
        event = json.loads(record.value)
        print(
            event["occurred_at"],
            event["event"],
            event.get("raw_code"),
            json.dumps(event["payload"], ensure_ascii=False),
        )
        if event["event"] == "order.accepted":
            await send(producer, command("order.confirm", order_no, supplier, {}))
        if event["event"] in ENDS and event["payload"].get("scope") != "children":
            return ENDS[event["event"]]
    return 1


async def main(bootstrap: str, supplier: str, sku: str, price: str, area: str | None = None) -> int:
    """Place and follow."""
    order_no = f"EX-{uuid.uuid4().hex[:12]}"
    consumer = AIOKafkaConsumer(EVENTS, **connection(bootstrap), auto_offset_reset="earliest")
    producer = AIOKafkaProducer(**connection(bootstrap), acks="all", enable_idempotence=True)
    async with consumer, producer:
        print(order_no, flush=True)
        await send(producer, command("order.submit", order_no, supplier, submission(sku, price, area)))
        return await follow(consumer, producer, order_no, supplier)


if __name__ == "__main__":
    if not 5 <= len(sys.argv) <= 6:
        print("usage: follow_order.py BOOTSTRAP SUPPLIER SKU PRICE [AREA]", file=sys.stderr)
        sys.exit(2)
    try:
        sys.exit(asyncio.run(main(*sys.argv[1:])))
    except KeyboardInterrupt:
        sys.exit(130)
