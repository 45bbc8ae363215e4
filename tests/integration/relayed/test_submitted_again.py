"""Orders that came to nothing and are submitted again: they are followed to their end."""

from __future__ import annotations

import pytest

from tests.integration.relayed.conftest import Market
from tests.pulling import control

PAST = "2026-01-01T10:00:00+08:00"


async def delivered(market: Market, number: int) -> None:
    """The supplier delivers an order, which the mall hears of."""
    await control(market.simulator, "POST", "order", {"third": market.number(number), "act": "deliver"})
    await market.core.told(market.number(number), "shipment.delivered", within=30)


@pytest.mark.parametrize("end", ["refused", "expired"])
async def test_an_order_that_is_submitted_again_is_followed_to_its_end(market: Market, end: str) -> None:
    if end == "refused":
        await market.fault("refused", "order/submitOrder", times=1, parameters={"code": "3008", "message": "无货"})
    first = market.order(1, deadline=PAST) if end == "expired" else market.order(1)
    await market.core.send(first)
    assert (await market.core.ended(first))[0]["event"] == f"order.{end}"
    again, confirmed = market.order(1, revision=2), market.confirm(1)
    await market.core.send(again, confirmed)
    ends = await market.core.ended(again, confirmed)
    assert [each["event"] for each in ends] == ["order.accepted", "order.confirmed"]
    await delivered(market, 1)


async def test_an_order_that_was_cancelled_unsent_and_submitted_again_is_followed_to_its_end(market: Market) -> None:
    await market.operator.ask("POST", f"suppliers/{market.supplier}/pause", {"reason": "stock-taking"})
    first, cancelled = market.order(1), market.cancel(1)
    await market.core.send(first, cancelled)
    await market.core.ended(first, cancelled)
    await market.operator.ask("POST", f"suppliers/{market.supplier}/resume", {"reason": "done"})
    again, confirmed = market.order(1, revision=2), market.confirm(1)
    await market.core.send(again, confirmed)
    await market.core.ended(again, confirmed)
    await delivered(market, 1)
