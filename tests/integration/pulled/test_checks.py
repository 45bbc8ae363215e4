"""What an operator is told of a supplier that cannot be called: at declare, and by `mallgate suppliers check`."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import orjson
import pytest

from contrib.simulators.jd_vop.faults import Rule
from tests.eventually import eventually
from tests.integration.pulled.conftest import Ground
from tests.program import ADMIN_TOKEN
from tests.pulling import Operator, row_of

pytestmark = pytest.mark.timeout(200)

FORBIDDEN = (
    "http://api.example.com",
    "https://user:w0rd@api.example.com",
    "https://api.example.com:22",
    "https://127.0.0.1",
    "https://[::ffff:127.0.0.1]",
    "https://0.0.0.0",
    "https://0x7f000001",
    "https://2130706433",
    "https://localhost",
    "https://127。0。0。1",
    "https://①②⑦.0.0.1",
    "https://169.254.169.254",
    "https://100.64.0.1",
    "https://[64:ff9b::7f00:1]",
    "https://[2002:7f00:1::]",
    "https://[fe80::1%25eth0]",
    "https://224.0.0.1",
)

CREDENTIALS = {"client_id": "c", "client_secret": "s", "username": "u", "password": "p"}


def row_at(url: str, **http: Any) -> dict[str, Any]:
    """A row whose supplier is at this address."""
    return {
        "name": "京东",
        "adapter": "jd_vop",
        "facets": ["price"],
        "http": {"base_url": url, "timeout_seconds": 1, **http},
        "secrets": CREDENTIALS,
    }


@pytest.mark.parametrize("url", FORBIDDEN)
async def test_an_address_that_may_not_be_called_is_refused_when_it_is_declared(operator: Operator, url: str) -> None:
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}", "Content-Type": "application/json"}
    body = orjson.dumps({"suppliers": {"inside": row_at(url)}})
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{operator.url}/admin/v1/suppliers/apply", data=body) as response,
    ):
        text = await response.text()
    assert response.status == 422
    assert "url_forbidden" in text
    assert "suppliers.inside.http.base_url" in text
    assert "w0rd" not in text


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[int, list[bytes]]]:
    """A port of this machine that nobody may reach, and who came."""
    came: list[bytes] = []

    async def note(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(b"somebody")
        writer.close()

    server = await asyncio.start_server(note, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], came


async def failing(operator: Operator, supplier: str) -> str:
    """What the check of a supplier says of the first step that fails."""
    steps = (await operator.ask("POST", f"suppliers/{supplier}/check", {}))["steps"]
    return next((f"{step['step']}: {step['detail']}" for step in steps if not step["ok"]), "")


async def test_a_check_names_what_is_wrong(shared: Ground, operator: Operator) -> None:
    async with AsyncExitStack() as stack:
        simulators = {
            name: await stack.enter_async_context(shared.simulator(skus=8))
            for name in ("well", "password", "html", "hang", "key", "redirect")
        }
        rows: dict[str, Mapping[str, Any]] = {name: row_of(each) for name, each in simulators.items()}
        for name, kind in (("html", "html"), ("hang", "hang")):
            simulators[name].faults.add(Rule(kind))
            rows[name] = {**rows[name], "http": {**rows[name]["http"], "timeout_seconds": 1}}
        for name, secret in (("password", "password"), ("key", "client_secret")):
            rows[name] = {**rows[name], "secrets": {**rows[name]["secrets"], secret: "wrong"}}
        port, came = await stack.enter_async_context(listening())
        simulators["redirect"].faults.add(Rule("redirect", "product/*", {"location": f"http://127.0.0.1:{port}/"}))
        rows["port"] = row_at("http://127.0.0.1:9", allow_private=True)
        rows["resolved"] = row_at(f"https://localtest.example.com:{port}")
        await operator.declare(**rows)
        await operator.until_swept("well")
        said = dict(zip(rows, await asyncio.gather(*(failing(operator, name) for name in rows)), strict=True))
        assert said["well"] == ""
        assert "2002" in said["password"]
        assert "2003" in said["key"]
        assert "out of service" in said["html"] or "breaker" in said["html"] or "too often" in said["html"]
        assert "in time" in said["hang"] or "too often" in said["hang"]
        assert "refused" in said["port"] or "too often" in said["port"]
        assert "does not resolve" in said["resolved"] or "too often" in said["resolved"]
        assert said["redirect"].startswith("list: ContractError: HTTP status 302")
        assert came == []


async def test_words_of_a_supplier_that_no_column_holds_are_told_and_end_no_session(
    shared: Ground, operator: Operator
) -> None:
    async with shared.simulator(skus=8) as simulator:
        await operator.declare(unwritable=row_of(simulator))
        await operator.until_swept("unwritable")
        simulator.faults.add(Rule("refused", "product/getSkuByPage", {"code": "\0", "message": "no"}))
        before = (await operator.status("unwritable"))["seen_at"]
        async with asyncio.timeout(40):
            assert "code \ufffd" in await failing(operator, "unwritable")

        async def goes_on() -> bool:
            return bool((await operator.status("unwritable"))["seen_at"] > before)

        await eventually(goes_on)


async def mallgate(operator: Operator, *arguments: str) -> tuple[int, str]:
    """The command of an operator: exit status and what it shows."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway",
        *arguments,
        env={
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "MALLGATE_ADMIN_URL": operator.url,
            "MALLGATE_ADMIN_TOKEN": ADMIN_TOKEN,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode()


async def test_the_commands_show_how_a_supplier_fares_and_act_on_it(shared: Ground, operator: Operator) -> None:
    async with shared.simulator(skus=8) as simulator:
        await operator.declare(shown=row_of(simulator))
        await operator.until_swept("shown")
        status, out = await mallgate(operator, "suppliers", "status", "shown")
        assert status == 0
        assert all(word in out for word in ("product", "price", "stock", "listing", "500", "due in 2"))
        status, out = await mallgate(operator, "suppliers", "status", "shown", "--json")
        [told] = orjson.loads(out)
        assert (told["supplier"], told["state"]) == ("shown", "active")
        status, out = await mallgate(operator, "suppliers", "check", "shown")
        assert status == 0
        assert "token" in out
        before = told["facets"]["price"]["fresh_at"]
        status, out = await mallgate(operator, "suppliers", "pull-now", "shown", "--facet", "price")
        assert (status, out.strip()) == (0, "Due now: price")

        async def again() -> bool:
            return bool((await operator.status("shown"))["facets"]["price"]["fresh_at"] > before)

        await eventually(again, within=60)


async def test_a_paused_supplier_is_not_called_until_it_is_resumed(shared: Ground, operator: Operator) -> None:
    async with shared.simulator(skus=8) as simulator:
        await operator.declare(rested=row_of(simulator))
        await operator.until_swept("rested")
        await operator.ask("POST", "suppliers/rested/pause", {"reason": "stocktaking over there"})

        async def quiet() -> bool:
            before = simulator.stats.calls.total()
            await asyncio.sleep(2.5)
            return simulator.stats.calls.total() == before

        await eventually(quiet)
        fresh = (await operator.status("rested"))["facets"]["price"]["fresh_at"]
        await operator.ask("POST", "suppliers/rested/pull", {})
        simulator.changes.change(None, "price")
        assert await quiet()
        assert await failing(operator, "rested") == ""
        await operator.ask("POST", "suppliers/rested/resume", {})

        async def again() -> bool:
            facets = (await operator.status("rested"))["facets"]
            return not len(simulator.messages) and bool(facets["price"]["fresh_at"] > fresh)

        await eventually(again, within=60)


async def test_dead_letters_of_pulling_and_of_the_pool_are_replayed(shared: Ground, operator: Operator) -> None:
    async with shared.simulator(skus=24, page_size=1) as simulator:
        await operator.declare(mended=row_of(simulator, facets=["price"], pulls={"price": "1d"}))
        await operator.until_swept("mended", "price")
        fresh = (await operator.status("mended"))["facets"]["price"]["fresh_at"]
        simulator.faults.add(Rule("short_page", "product/getSkuByPage", times=1, after=1))
        simulator.messages.poison(777, {"unheardOf": True})
        await operator.ask("POST", "suppliers/mended/pull", {})
        letters: dict[str, str] = {}

        async def both() -> bool:
            letters.update({each["stage"]: each["id"] for each in await operator.letters("mended")})
            return letters.keys() == {"pull", "pool"}

        await eventually(both, within=60)
        outcomes = {
            stage: (await operator.ask("POST", f"deadletters/{id_}/replay", {"reason": "it was mended"}))["outcome"]
            for stage, id_ in letters.items()
        }
        assert outcomes == {"pull": "requeued", "pool": "rejected"}

        async def again() -> bool:
            return bool((await operator.status("mended"))["facets"]["price"]["fresh_at"] > fresh)

        await eventually(again, within=60)
