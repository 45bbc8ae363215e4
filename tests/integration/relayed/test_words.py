"""Suppliers that name people in whatever they say: nothing of it is in a log or in a status."""

from __future__ import annotations

from pathlib import Path

import orjson

from tests.eventually import eventually
from tests.integration.pulled.conftest import Ground, ground
from tests.ordering import goods
from tests.pulling import Operator, control, row_of
from tests.relaying import Core, confirm, submit, town

__all__ = ["ground"]

TELEPHONE = "13911112222"
WORDS = {"code": "6000", "message": f"订单收货人欧阳某某{TELEPHONE}查询异常"}
"""What VOP says of a service that failed, about an order."""


async def test_what_a_supplier_says_as_an_order_is_read_is_in_no_log_and_no_status(
    ground: Ground, tmp_path: Path
) -> None:
    async with ground.simulator(ledger=tmp_path / "ledger.jsonl") as simulator, ground.program() as program:
        operator, core = Operator(program.admin_url), Core(ground.engines.kafka_bootstrap, ground.prefix)
        await operator.declare(jd=row_of(simulator, facets=["price"], pulls={"price": "30d"}))
        placed = submit("WORDS-1", [(goods(simulator)[0], 1)], area=town(simulator))
        await core.send(placed, confirmed := confirm("WORDS-1"))
        await core.ended(placed, confirmed)
        fault = {"kind": "refused", "operation": "order/selectJdOrder", "parameters": WORDS}
        await control(simulator, "POST", "faults", fault)
        await control(simulator, "POST", "order", {"third": "WORDS-1", "act": "deliver"})

        async def shut() -> bool:
            return bool(program.events("breaker.opened"))

        await eventually(shut, within=90)
        shown = {"status": await operator.status("jd"), "log": program.log, "letters": await operator.letters("jd")}
        assert [name for name, told in shown.items() if TELEPHONE in orjson.dumps(told).decode()] == []
