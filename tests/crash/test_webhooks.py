"""SIGKILL while a message is sent to a vendor's webhook: it is sent again under the same id, and counts once."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from gateway.telemetry.failpoints import WEBHOOK_POINTS
from tests.crash.pulled import rows
from tests.crash.test_mailboxes import A_MINUTE_PASSES, SHOP, SOON, core_of
from tests.eventually import eventually
from tests.integration.pulled.conftest import Ground
from tests.integration.relay.endpoint import SECRET
from tests.program import fault
from tests.relaying import confirm, ordered
from tests.supplier_site import Site, open_site
from tests.vendor import declared

pytestmark = [pytest.mark.crash, pytest.mark.timeout(180)]


def webhook_of(site: Site) -> dict[str, Any]:
    """What a supplier with this webhook declares."""
    webhook = {"url": f"http://127.0.0.1:{site.port}/hook", "allow_private": True}
    return {"webhook": webhook, "secrets": {"webhook": SECRET}}


def acknowledged(ground: Ground, count: int) -> Callable[[], Awaitable[bool]]:
    """Whether so many commands were acknowledged."""

    async def holds() -> bool:
        found = await rows(ground, "SELECT FROM commands WHERE state = 'confirmed' AND reason = 'acknowledged'")
        return len(found) == count

    return holds


@pytest.mark.parametrize("point", WEBHOOK_POINTS)
async def test_a_message_under_way_is_sent_again_under_its_id(ground: Ground, tmp_path: Path, point: str) -> None:
    mark, placed = tmp_path / "mark", ordered(SHOP, "W-1")
    follows = confirm("W-1", supplier=SHOP)
    async with open_site() as site:
        async with ground.program(**SOON, **fault(point, "kill", mark)) as program:
            await declared(program.admin_url, SHOP, **webhook_of(site))
            await core_of(ground).send(placed, follows)
            assert await program.ended() == -signal.SIGKILL
        assert mark.read_text() == f"{point}\n"
        before = [request.headers["webhook-id"] for request in site.requests]
        assert before == ([placed["command_id"]] if point == "webhook.answered" else [])
        assert [row["state"] for row in await rows(ground, "SELECT state FROM commands ORDER BY place")] == [
            "sending",
            "waiting",
        ]
        await rows(ground, A_MINUTE_PASSES)
        async with ground.program(**SOON):
            await eventually(acknowledged(ground, 2), within=60)
        ids = [request.headers["webhook-id"] for request in site.requests]
        assert ids == [*before, placed["command_id"], follows["command_id"]]


async def test_a_webhook_that_hangs_keeps_no_other_supplier_waiting(ground: Ground) -> None:
    let_go, hanging = asyncio.Event(), asyncio.Event()

    async def hang(request: web.BaseRequest) -> web.StreamResponse:
        hanging.set()
        await let_go.wait()
        return web.Response()

    async with open_site() as slow, open_site() as quick, ground.program(**SOON) as program:
        slow.answer = hang
        await declared(program.admin_url, "slow", **webhook_of(slow))
        await declared(program.admin_url, "quick", **webhook_of(quick))
        await core_of(ground).send(*(ordered("slow", f"S-{number}") for number in range(20)))
        await hanging.wait()
        await core_of(ground).send(*(ordered("quick", f"Q-{number}") for number in range(20)))
        await eventually(acknowledged(ground, 20))
        waiting = await rows(ground, "SELECT DISTINCT supplier FROM commands WHERE ended_at IS NULL")
        assert [row["supplier"] for row in waiting] == ["slow"]
        let_go.set()
        await eventually(acknowledged(ground, 40))


async def test_a_program_that_stops_awaits_the_answers_under_way(ground: Ground) -> None:
    asked = asyncio.Event()
    let_go = asyncio.Event()

    async def slow(request: web.BaseRequest) -> web.StreamResponse:
        asked.set()
        await let_go.wait()
        return web.Response()

    async with open_site() as site, ground.program(**SOON) as program:
        site.answer = slow
        await declared(program.admin_url, SHOP, **webhook_of(site))
        await core_of(ground).send(ordered(SHOP, "D-1"))
        await asked.wait()
        program.signal(signal.SIGTERM)
        await eventually(lambda: _stopping(program.events("process.stopping")))
        let_go.set()
        assert await program.ended() == 0
        assert await acknowledged(ground, 1)()


async def _stopping(events: list[dict[str, Any]]) -> bool:
    return bool(events)
