"""SIGKILL between a commit about a contract and the event that tells of it: nothing is lost, nothing is told twice."""

from __future__ import annotations

import signal
import uuid
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from aiokafka import AIOKafkaProducer

from gateway.kafka import client_options
from schemas.contracts.commands import ContractOperation
from schemas.contracts.examples import COMMAND_EXAMPLES, command_headers
from tests.eventually import eventually
from tests.integration.pulled.conftest import Ground
from tests.program import Program, fault
from tests.reader import read_topics
from tests.relaying import Core, ordered
from tests.vendor import Keys, Vendor, declared

pytestmark = [pytest.mark.crash, pytest.mark.timeout(400)]

SHOP, ORDER_NO, CONTRACT_NO = "shop", "C-1", "HT-C-1"
EVENTS = "mall.contracts.events.v1"
SOON = {"MALLGATE_LEASE_SECONDS": "2"}
SIGNED = {"event": "contract.signed", "revision": 1}


def issue() -> dict[str, Any]:
    """The contract of the order."""
    now = datetime.now(UTC)
    said: dict[str, Any] = orjson.loads(COMMAND_EXAMPLES[ContractOperation.ISSUE].model_dump_json())
    whose = {"command_id": str(uuid.uuid4()), "supplier": SHOP, "contract_no": CONTRACT_NO, "order_no": ORDER_NO}
    return {**said, **whose, "issued_at": now.isoformat(), "deadline": (now + timedelta(days=1)).isoformat()}


async def send(ground: Ground, command: dict[str, Any]) -> None:
    """The core writes a command."""
    headers = [*command_headers(COMMAND_EXAMPLES[ContractOperation.ISSUE])]
    async with AIOKafkaProducer(**client_options(ground.engines.kafka_bootstrap)) as producer:
        topic = ground.prefix + "mall.contracts.commands.v1"
        await producer.send_and_wait(topic, orjson.dumps(command), CONTRACT_NO.encode(), headers=headers)


async def told(ground: Ground) -> list[tuple[str, str | None]]:
    """What the core read of the contract: event and command, each `ce_id` once."""
    topics = await read_topics(ground.engines.kafka_bootstrap, ground.prefix, [EVENTS])
    once = {each.ce_id: each for each in topics.get(EVENTS, [])}
    values = [orjson.loads(each.value or b"null") for each in once.values()]
    return [(each["event"], each["cause"]["command_id"]) for each in values]


async def say(program: Program, keys: Keys, path: str, body: Any, key: str) -> tuple[int, dict[str, Any]]:
    """What the vendor is answered."""
    headers = {"Content-Type": "application/json", "Idempotency-Key": key}
    status, answered, content = await Vendor(program.url, keys).request(
        "POST", path, headers=headers, data=orjson.dumps(body)
    )
    return status, {**orjson.loads(content), "repeated": answered.get("Idempotent-Replayed") == "true"}


async def fetched(program: Program, keys: Keys, wanted: str) -> None:
    """Wait until the vendor has a message."""

    async def holds() -> bool:
        _, _, body = await Vendor(program.url, keys).request("GET", "/v1/messages")
        return wanted in [each["id"] for each in orjson.loads(body)["messages"]]

    await eventually(holds, within=60)


async def confirmed(ground: Ground) -> Keys:
    """The order, once its vendor confirmed it."""
    placed = ordered(SHOP, ORDER_NO)
    async with ground.program(**SOON) as program:
        keys = await declared(program.admin_url, SHOP)
        core = Core(ground.engines.kafka_bootstrap, ground.prefix)
        await core.send(placed)
        await fetched(program, keys, placed["command_id"])
        await say(program, keys, f"/v1/orders/{ORDER_NO}/events", {"event": "order.confirmed"}, "order-1")
        await core.told(ORDER_NO, "order.confirmed")
    return keys


async def test_a_contract_is_issued_delivered_and_signed_once_although_each_step_was_killed(
    ground: Ground, tmp_path: Path
) -> None:
    """Each program dies right behind the commit of a step; the last two while they publish what is left to tell."""
    keys, asked = await confirmed(ground), issue()
    for point in ("inbox.after_commit", "ack.after_commit", "word.after_commit", "outbox.sent"):
        mark = tmp_path / point
        async with ground.program(**SOON, **fault(point, "kill", mark)) as program:
            with suppress(aiohttp.ClientError):
                match point:
                    case "inbox.after_commit":
                        await send(ground, asked)
                    case "ack.after_commit":
                        await fetched(program, keys, asked["command_id"])
                        await say(program, keys, "/v1/messages/ack", {"ids": [asked["command_id"]]}, "ack-1")
                    case "word.after_commit":
                        await say(program, keys, f"/v1/contracts/{CONTRACT_NO}/events", SIGNED, "signed-1")
                    case _:
                        pass  # what is left to tell is published by itself
            assert await program.ended() == -signal.SIGKILL
        assert mark.read_text() == f"{point}\n"
    async with ground.program(**SOON) as program:
        status, again = await say(program, keys, f"/v1/contracts/{CONTRACT_NO}/events", SIGNED, "signed-1")
        assert (status, again["event"], again["answer"], again["repeated"]) == (
            202,
            "contract.signed",
            "signed",
            True,
        )

        async def holds() -> bool:
            return len(await told(ground)) >= 2

        await eventually(holds, within=60)
    assert await told(ground) == [("contract.delivered", asked["command_id"]), ("contract.signed", None)]
