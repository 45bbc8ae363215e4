"""The example of a receiver, which has the public library alone, before a real gateway: it verifies and stores."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from tests.eventually import eventually
from tests.integration.pulled.conftest import Ground, ground
from tests.integration.relay.endpoint import FORMER, SECRET
from tests.program import ADMIN_TOKEN
from tests.pulling import Operator
from tests.relaying import Core, confirm, ordered
from tests.vendor import Vendor, declared

__all__ = ["ground"]

pytestmark = pytest.mark.engines

RECEIVER = Path(__file__).parents[3] / "contrib" / "examples" / "webhook_receiver.py"


@asynccontextmanager
async def receiver(database: Path, secrets: str) -> AsyncIterator[str]:
    """The example as a program of its own; where it listens."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-W", "error", str(RECEIVER), "--port", "0", "--database", str(database)),
        env={**os.environ, "WEBHOOK_SECRET": secrets},
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        port = orjson.loads(await process.stdout.readline())["port"]
        yield f"http://127.0.0.1:{port}/mallgate"
    finally:
        process.kill()
        await process.wait()


def stored(database: Path) -> list[tuple[str, str]]:
    """Ids and types of what the receiver has stored, in order."""
    with closing(sqlite3.connect(database)) as connection:
        return list(connection.execute("SELECT id, type FROM messages ORDER BY rowid"))


def row(url: str, **secrets: str) -> dict[str, Any]:
    return {"webhook": {"url": url, "allow_private": True}, "secrets": secrets}


async def test_the_example_takes_what_the_gateway_signs_and_nothing_else(ground: Ground, tmp_path: Path) -> None:
    database, core = tmp_path / "messages.sqlite", Core(ground.engines.kafka_bootstrap, ground.prefix)
    submit, follows = ordered("shop", "R-1"), confirm("R-1", supplier="shop")
    async with receiver(database, SECRET) as url, ground.program(MALLGATE_LEASE_SECONDS="2") as program:
        vendor = Vendor(program.url, await declared(program.admin_url, "shop", **row(url, webhook=SECRET)))
        operator = Operator(program.admin_url)
        assert (await operator.ask("POST", "webhooks/shop/test"))["outcome"] == "delivered"
        await core.send(submit, follows)

        async def both() -> bool:
            return len(stored(database)) == 2

        await eventually(both)
        assert stored(database) == [
            (submit["command_id"], "mall.orders.order.submit.v1"),
            (follows["command_id"], "mall.orders.order.confirm.v1"),
        ]
        headers = {"Idempotency-Key": "a-1", "Content-Type": "application/json"}
        said = orjson.dumps({"event": "order.accepted", "supplier_order_nos": ["V-1"], "payload": {}})
        status, _, _ = await vendor.request("POST", "/v1/orders/R-1/events", headers=headers, data=said)
        assert status == 202
        [accepted] = await core.ended(submit)
        assert accepted["event"] == "order.accepted"
        await declared_anew(operator, url, webhook=FORMER)
        tested = await operator.ask("POST", "webhooks/shop/test")
        assert (tested["outcome"], tested["words"]) == ("refused", "HTTP status 400")
        await declared_anew(operator, url, webhook=FORMER, webhook_former=SECRET)
        assert (await operator.ask("POST", "webhooks/shop/test"))["outcome"] == "delivered"
        assert (await operator.ask("GET", "webhooks/shop"))["secrets"] == 2
    assert len(stored(database)) == 2


async def declared_anew(operator: Operator, url: str, **secrets: str) -> None:
    """Declare the shop with other secrets."""
    facets = ["product", "price", "stock", "listing"]
    await operator.declare(shop={"name": "shop", "adapter": "native", "facets": facets, **row(url, **secrets)})


async def test_the_page_for_receivers_is_served(ground: Ground) -> None:
    async with ground.program() as program, aiohttp.ClientSession() as session:
        async with session.get(f"{program.url}/docs/webhooks") as response:
            assert (response.status, response.content_type) == (200, "text/html")
            page = await response.text()
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
        async with session.get(f"{program.admin_url}/admin/v1/webhooks/nobody", headers=headers) as response:
            assert response.status == 404
    for words in ("webhook-signature", "whsec_", "75:35:05", "Retry-After", "POST /v1/messages/ack"):
        assert words in page
