"""What is asked of a supplier for which nobody can work, through the real program."""

from __future__ import annotations

from gateway.store import acquired, open_pool
from gateway.suppliers import lease_of
from tests.eventually import eventually
from tests.integration.pulled.conftest import Ground
from tests.integration.relayed.conftest import Market
from tests.pulling import row_of

NO_ADAPTER = """
    UPDATE suppliers SET config = jsonb_set(config, '{adapter}', '"of_another_release"'), revision = revision + 1
     WHERE supplier = $1
"""


async def test_a_command_to_a_supplier_without_an_adapter_expires(market: Market, shared: Ground) -> None:
    supplier = f"{market.supplier}-gone"
    row = row_of(market.simulator, facets=["price"], pulls={"price": "30d"})
    await market.operator.ask("POST", "suppliers/apply", {"suppliers": {supplier: row}})
    async with open_pool(shared.database, name="tests", size=1) as pool:

        async def owned() -> bool:
            async with acquired(pool) as connection:
                query = "SELECT EXISTS (SELECT FROM leases WHERE name = $1 AND until > now())"
                return bool(await connection.fetchval(query, lease_of(supplier)))

        async def left() -> bool:
            return not await owned()

        await eventually(owned)
        async with acquired(pool) as connection:
            await connection.execute(NO_ADAPTER, supplier)
        await eventually(left)
    placed = {**market.order(1, deadline="2026-01-01T10:00:00+08:00"), "supplier": supplier}
    await market.core.send(placed)
    assert (await market.core.ended(placed))[0]["event"] == "order.expired"
    assert market.done()["effects"] == {}
