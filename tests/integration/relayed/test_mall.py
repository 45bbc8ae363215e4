"""The core of contrib/mall and a simulated supplier, the program between them: judged by what they recorded."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from contrib.journal import open_journal
from contrib.mall.core import Core as Mall
from contrib.mall.core import Pace, run
from contrib.mall.plan import Goods, plan_orders
from contrib.mall.verdict import Record, counts, effects_of_jd, verdicts
from contrib.simulators.ledger import read
from gateway.kafka import client_options
from tests.integration.relayed.conftest import Market
from tests.ordering import goods
from tests.relaying import town

FAULTS: Sequence[tuple[str, str, dict[str, Any]]] = (
    ("reset", "order/submitOrder", {}),
    ("status_after", "order/confirmOrder", {"status": 503}),
    ("cut_reset", "order/cancel", {}),
    ("duplicate_answer", "order/submitOrder", {}),
    ("out_of_stock", "order/submitOrder", {}),
)


async def test_no_order_is_lost_doubled_or_told_twice_while_answers_are(market: Market, tmp_path: Path) -> None:
    area = town(market.simulator)
    offered = [
        Goods(market.supplier, str(item.sku), "货物", Decimal(item.price) / 100, area)
        for item in goods(market.simulator, 8)
    ]
    for kind, operation, parameters in FAULTS:
        await market.fault(kind, operation, times=2, after=3, parameters=parameters)
    async with open_journal(tmp_path / "placed.jsonl") as journal:
        core = Mall(plan_orders(f"{market.supplier}x", 5, 40, offered), [], journal, timedelta(hours=1))
        pace = Pace(rate=20, seconds=90, linger=3)
        await run(core, client_options(market.core.bootstrap), market.core.prefix, pace)
    record = Record(core.placed, core.events, effects_of_jd(read(market.ledger), market.supplier))
    found = [each for finding in verdicts(record).values() for each in finding.violations]
    assert found == [], counts(record)
    assert counts(record)["placed"] == 40
