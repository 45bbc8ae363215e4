"""A supplier is paused, or its key ends, while it pushes: what has not been accepted by then is not."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from tests.eventually import eventually
from tests.integration.bad_input.conftest import NOTHING, House, Shop, request
from tests.integration.bad_input.test_credentials import BODY, PATH, signed
from tests.program import ADMIN_TOKEN
from tests.vendor import NDJSON
from tests.wire import Wire


@pytest.fixture
async def operator(house: House) -> AsyncIterator[aiohttp.ClientSession]:
    headers = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    async with aiohttp.ClientSession(f"{house.program.admin_url}/admin/v1/", headers=headers) as session:
        yield session


async def told(operator: aiohttp.ClientSession, method: str, path: str, body: Any = None) -> Any:
    async with operator.request(method, path, json=body) as response:
        assert response.status < 300, await response.text()
        return await response.json() if response.status != 204 else None


async def paused(operator: aiohttp.ClientSession, shop: Shop) -> None:
    await told(operator, "POST", f"suppliers/{shop.name}/pause", {"reason": "odd prices"})


async def revoked(operator: aiohttp.ClientSession, shop: Shop) -> None:
    for key in (await told(operator, "GET", f"suppliers/{shop.name}/keys"))["keys"]:
        await told(operator, "DELETE", f"suppliers/{shop.name}/keys/{key['key_id']}")


async def unfed(operator: aiohttp.ClientSession, shop: Shop) -> None:
    table = {"name": shop.name, "adapter": "native", "facets": ["product", "stock"]}
    await told(operator, "POST", "suppliers/apply", {"suppliers": {shop.name: table}})


def credential(shop: Shop, kind: str) -> list[str]:
    return signed(shop) if kind == "webhook" else [shop.bearer.strip(), f"Content-Type: {NDJSON}"]


async def let_in(house: House, shop: Shop, kind: str, *headers: str) -> Wire:
    """A push whose credential was looked at, and whose body is still to come."""
    wire = await house.connect()
    lines = [*credential(shop, kind), *headers, "Expect: 100-continue", f"Content-Length: {len(BODY)}"]
    await wire.send(f"POST {PATH} HTTP/1.1\r\nHost: x\r\n", *(f"{line}\r\n" for line in lines), "\r\n")
    assert (await wire.answer()).status == 100
    return wire


@pytest.mark.parametrize("kind", ["bearer", "webhook"])
@pytest.mark.parametrize(
    ("happens", "problem"),
    [
        (paused, (503, "supplier_paused")),
        (revoked, (401, "auth_invalid")),
        (unfed, (403, "scope_denied")),
    ],
)
async def test_what_ends_in_mid_upload_is_not_finished_by_it(
    house: House,
    shop: Shop,
    operator: aiohttp.ClientSession,
    kind: str,
    happens: Callable[[aiohttp.ClientSession, Shop], Awaitable[None]],
    problem: tuple[int, str],
) -> None:
    wire = await let_in(house, shop, kind)
    await happens(operator, shop)
    await wire.send(BODY)
    answer = await wire.answer()
    assert answer.problem == problem
    assert "feed" not in answer.json
    await wire.close()
    assert await shop.left() == NOTHING


async def test_a_key_that_ended_in_mid_upload_is_not_told_what_its_repeat_became(
    house: House, shop: Shop, operator: aiohttp.ClientSession
) -> None:
    await shop.done(await shop.push(BODY, "Idempotency-Key: k-1"))
    wire = await let_in(house, shop, "bearer", "Idempotency-Key: k-1")
    await revoked(operator, shop)
    await wire.send(BODY)
    assert (await wire.answer()).problem == (401, "auth_invalid")
    await wire.close()


@pytest.mark.parametrize("kind", ["bearer", "webhook"])
async def test_a_paused_supplier_is_told_when_to_come_back_and_loses_nothing(
    house: House, shop: Shop, operator: aiohttp.ClientSession, kind: str
) -> None:
    await paused(operator, shop)
    sent = request("POST", PATH, credential(shop, kind), BODY)

    async def is_refused() -> bool:
        answer = await house.send(sent)
        assert answer.problem == (503, "supplier_paused")
        assert (answer.headers["retry-after"], answer.json["retryable"]) == ("60", True)
        assert answer.json["detail"] == "Of this request nothing was accepted."
        return True

    await eventually(is_refused)
    assert await shop.left() == NOTHING
    assert (await shop.get("/v1/feeds")).json["feeds"] == []
    await told(operator, "POST", f"suppliers/{shop.name}/resume", {})

    async def is_taken() -> bool:
        return (await house.send(sent)).status == 202

    await eventually(is_taken)
    assert len((await shop.left()).feeds) == 1


async def test_a_paused_supplier_is_told_before_its_body(
    house: House, shop: Shop, operator: aiohttp.ClientSession
) -> None:
    await paused(operator, shop)

    async def is_told() -> bool:
        wire = await house.connect()
        try:
            await wire.send(shop.head("Content-Length: 1000000", "Expect: 100-continue"))
            return (await wire.answer()).status == 503
        finally:
            await wire.close()

    await eventually(is_told)


async def test_what_was_accepted_before_a_pause_takes_effect(
    house: House, shop: Shop, operator: aiohttp.ClientSession
) -> None:
    taken = await shop.push(BODY)
    await paused(operator, shop)
    assert (await shop.done(taken))["items"] == {"normalized": 1}
