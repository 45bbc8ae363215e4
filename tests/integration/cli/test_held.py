"""How an operator decides about full feeds that a brake holds: what they are told, and what their word does."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from tests.eventually import eventually
from tests.integration.cli.conftest import Shell

pytestmark = pytest.mark.engines

SUPPLIER = """
[suppliers.acme]
name = "Acme"
adapter = "native"
facets = ["product", "price"]
brakes = { withdraw = 0.25 }
"""

Push = Callable[..., Awaitable[str]]


@pytest.fixture
async def push(mallgate: Shell) -> Push:
    """Pushes products of these numbers and waits until the feed is in a state; its id."""
    mallgate.write("suppliers.toml", SUPPLIER)
    assert (await mallgate("suppliers", "apply", "suppliers.toml")).status == 0
    key = (
        await mallgate("suppliers", "keys", "add", "acme", "--scope", "feeds:product", "--scope", "read", "--json")
    ).json["secret"]
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/x-ndjson"}

    async def do(*numbers: int, mode: str, state: str) -> str:
        lines = [f'{{"sku": "A-{number}", "name": "A4 复印纸 {number}"}}\n' for number in numbers]
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.post(f"{mallgate.url}/v1/feeds/product?mode={mode}", data="".join(lines).encode()) as response,
        ):
            assert response.status == 202, await response.text()
            feed: str = (await response.json())["feed"]
        await until(mallgate, feed, state)
        return feed

    return do


async def until(mallgate: Shell, feed: str, state: str) -> None:
    async def reached() -> bool:
        return bool((await shown(mallgate, feed))["state"] == state)

    await eventually(reached, within=60)


async def shown(mallgate: Shell, feed: str) -> dict[str, Any]:
    found: dict[str, Any] = (await mallgate("feeds", "show", feed, "--json")).json
    return found


@pytest.fixture
async def held(push: Push) -> str:
    """A full feed that names 2 of 40 products; its id."""
    await push(*range(40), mode="upsert", state="done")
    return await push(0, 1, mode="full", state="held")


async def test_a_held_feed_is_shown_with_what_it_would_withdraw(mallgate: Shell, held: str) -> None:
    listed = (await mallgate("feeds", "held")).out
    assert held in listed
    assert "38 of 40 keys, 95%" in listed
    assert [feed["feed"] for feed in (await mallgate("feeds", "held", "--json")).json] == [held]
    out = (await mallgate("feeds", "show", held)).out
    assert "38 of 40 keys, 95%; the brake allows 25%" in out
    assert "A4 复印纸 11" in out
    assert "and 18 more" in out
    assert f"mallgate feeds release {held}" in out


async def test_released_it_withdraws_and_no_feed_is_held_any_more(mallgate: Shell, held: str) -> None:
    released = await mallgate("feeds", "release", held, "--reason", "they only sell two")
    assert released.status == 0
    await until(mallgate, held, "done")
    assert (await shown(mallgate, held))["withdrawn"] == 38
    assert "38 keys" in (await mallgate("feeds", "show", held)).out
    assert "No feed is held." in (await mallgate("feeds", "held")).out
    tailed = await mallgate("topics", "tail", "catalog.products", "--from-start", "--count", "78", "--json")
    assert tailed.out.count('"value":null') == 38


async def test_rejected_it_keeps_everything(mallgate: Shell, held: str) -> None:
    rejected = await mallgate("feeds", "reject", held, "--reason", "their export broke", "--json")
    assert (rejected.json["state"], rejected.json["withdrawn"]) == ("done", 0)
    assert "hold_rejected" in (await mallgate("feeds", "show", held)).out
    again = await mallgate("feeds", "release", held, "--reason", "after all")
    assert (again.status, again.err.split(":")[1].strip()) == (1, "conflict")


async def test_its_dead_letter_releases_it_as_well(mallgate: Shell, held: str) -> None:
    [letter] = (await mallgate("deadletters", "list", "--code", "held_withdrawal", "--json")).json
    assert (letter["feed"], letter["stage"]) == (held, "withdraw")
    command = ("deadletters", "replay", "--id", letter["id"], "--reason", "they only sell two", "--json")
    assert (await mallgate(*command, "--dry-run")).json["outcome"] == "released"
    replayed = await mallgate(*command)
    assert (replayed.status, replayed.json["outcome"]) == (0, "released")
    await until(mallgate, held, "done")
    assert (await shown(mallgate, held))["withdrawn"] == 38


async def test_a_reason_is_asked_for(mallgate: Shell) -> None:
    for verb in ("release", "reject"):
        assert (await mallgate("feeds", verb, "1")).status == 2
        empty = await mallgate("feeds", verb, "1", "--reason", " ")
        assert (empty.status, empty.err.split(":")[1].strip()) == (1, "reason_required")
        missing = await mallgate("feeds", verb, "999999", "--reason", "which?")
        assert (missing.status, missing.err.split(":")[1].strip()) == (1, "not_found")
