"""Evidence of orders that a program carried out at a simulated supplier: what was on the wire, and no secret."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import orjson

from gateway.evidence.verification import verify
from gateway.outbound import AdminClient
from tests.integration.relayed.conftest import Market
from tests.program import ADMIN_TOKEN


async def evidence_of(market: Market, path: Path) -> list[dict[str, Any]]:
    """The lines of the first order's chain, which holds."""
    file = io.BytesIO()
    async with AdminClient(market.operator.url, ADMIN_TOKEN, operator="ann") as client:
        await client.download("orders", market.number(), "evidence", into=file)
    path.write_bytes(file.getvalue())  # noqa: ASYNC240 -- some kilobytes
    _, [chain] = verify(str(path))
    assert (chain.supplier, chain.unreadable) == (market.supplier, 0)
    with zipfile.ZipFile(file) as archive:
        return [orjson.loads(line) for line in archive.read("entries-1.jsonl").splitlines()]


async def test_a_lost_answer_and_what_followed_can_be_shown_as_it_was_on_the_wire(
    market: Market, tmp_path: Path
) -> None:
    await market.fault("reset", "order/submitOrder", times=1)
    await market.core.send(placed := market.order(1))
    await market.core.ended(placed)
    await market.core.send(confirmed := market.confirm())
    await market.core.ended(confirmed)
    lines = await evidence_of(market, tmp_path / "e.zip")
    kinds = [line["entry"]["kind"] for line in lines]
    assert kinds[:4] == ["received", "attempt", "exchange", "outcome"]
    exchanges = [line for line in lines if line["entry"]["kind"] == "exchange"]
    lost = exchanges[0]
    assert lost["content"]["value"]["reply"] is None
    assert lost["entry"]["facts"]["error"]
    sent = lost["content"]["value"]["request"]
    assert sent["url"].endswith("/order/submitOrder")
    assert market.number() in sent["body"]["text"]
    answers = {
        each["request"]["url"].rpartition("/")[2]: orjson.loads(each["reply"]["body"]["text"])
        for each in (line["content"]["value"] for line in exchanges[1:])
    }
    assert answers["selectJdOrderIdByThirdOrder"]["success"]
    assert answers["confirmOrder"]["success"]
    told = [line["entry"]["facts"]["event"] for line in lines if line["entry"]["kind"] == "event"]
    assert told == ["order.accepted", "order.confirmed"]
    config = market.simulator.config
    everything = orjson.dumps(lines).decode()
    for secret in (config.client_secret, config.password):
        assert secret not in everything
    assert "token=" not in everything
