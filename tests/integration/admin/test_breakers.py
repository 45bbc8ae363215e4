"""What an operator may want of breakers, and what is refused."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from gateway.admin.app import PREFIX, build_admin
from gateway.admin.audit import FailedLogins
from gateway.admin.breakers import BreakerRoutes
from gateway.http.server import serve
from gateway.outbound import AdminClient, RefusedError
from gateway.registry import Registry
from gateway.sessions import BreakerOrders
from gateway.store import Pool, Row, acquired
from gateway.suppliers import SecretBox, SupplierCache, SupplierConfig, Suppliers
from tests.integration.admin.conftest import TOKEN

pytestmark = pytest.mark.engines


@pytest.fixture
async def client(pool: Pool) -> AsyncIterator[AdminClient]:
    rows = [
        {"supplier": name, "name": name, "adapter": adapter, "facets": ["price"]}
        for name, adapter in (("jd", "jd_vop"), ("acme", "native"))
    ]
    await Suppliers(pool, SecretBox(bytes(32))).apply(list(map(SupplierConfig.model_validate, rows)), "ann")
    app = web.Application()
    routes = BreakerRoutes(BreakerOrders(pool, SecretBox(bytes(32)), SupplierCache(pool), Registry()))
    app.add_subapp(PREFIX, build_admin([routes], TOKEN, FailedLogins(pool)))
    async with (
        serve(app, "127.0.0.1", 0, drain_timeout=1.0) as port,
        AdminClient(f"http://127.0.0.1:{port}", TOKEN, operator="ann") as client,
    ):
        yield client


async def order(client: AdminClient, verb: str, supplier: str = "jd", **body: Any) -> Any:
    return await client.post("suppliers", supplier, "breakers", verb, body={"reason": "they asked us to", **body})


async def orders(pool: Pool) -> list[Row]:
    async with acquired(pool) as connection:
        return list(
            await connection.fetch(
                """SELECT operation, extract(epoch FROM open_until - given_at)::float8 AS seconds, actor
                     FROM breaker_orders ORDER BY operation"""
            )
        )


async def test_one_operation_is_held_for_an_hour_where_nothing_else_is_said(client: AdminClient, pool: Pool) -> None:
    operation = Registry().load("jd_vop").manifest.orders["submit"].call
    opened = await order(client, "open", operation=operation)
    assert opened == {"supplier": "jd", "operations": [operation], "seconds": 3600}
    [row] = await orders(pool)
    assert (row["operation"], round(row["seconds"]), row["actor"]) == (operation, 3600, "bootstrap:ann")


async def test_without_an_operation_all_are_meant_and_the_last_word_counts(client: AdminClient, pool: Pool) -> None:
    everything = sorted(Registry().load("jd_vop").manifest.operations)
    assert (await order(client, "open", seconds="15m"))["operations"] == everything
    await order(client, "close", operation=everything[0])
    found = await orders(pool)
    assert [row["operation"] for row in found] == everything
    assert [row["seconds"] is None for row in found] == [True, *[False] * (len(everything) - 1)]


@pytest.mark.parametrize(
    ("supplier", "body", "code"),
    [
        ("nobody", {}, "not_found"),
        ("acme", {}, "not_found"),
        ("jd", {"operation": "polish"}, "not_found"),
        ("jd", {"operation": ""}, "not_found"),
        ("jd", {"seconds": "soon"}, "validation_failed"),
        ("jd", {"seconds": 0}, "validation_failed"),
        ("jd", {"seconds": "31d"}, "validation_failed"),
        ("jd", {"reason": " "}, "reason_required"),
    ],
)
async def test_what_cannot_be_done_is_refused_and_nothing_is_written(
    client: AdminClient, pool: Pool, supplier: str, body: dict[str, Any], code: str
) -> None:
    with pytest.raises(RefusedError) as caught:
        await order(client, "open", supplier, **body)
    assert caught.value.code == code
    assert await orders(pool) == []
