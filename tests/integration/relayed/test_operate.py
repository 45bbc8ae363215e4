"""An operator looks at orders of a gateway that works, and decides about them while it does."""

from __future__ import annotations

from tests.eventually import eventually
from tests.integration.relayed.conftest import Market


async def test_an_order_whose_answer_was_lost_is_understood_at_a_glance(market: Market) -> None:
    await market.fault("reset", "order/submitOrder", times=1)
    placed = market.order(1)
    await market.core.send(placed)
    await market.core.ended(placed)
    [order] = (await market.operator.ask("GET", f"orders/{market.number()}"))["orders"]
    summary, texts = order["commands"][0]["summary"], [entry["text"] for entry in order["timeline"]]
    assert summary.startswith("the answer was lost; ")
    assert summary.endswith("it is done")
    assert texts[0].startswith("received from ")
    assert sum("it may have taken effect" in text for text in texts) == 1
    assert any(text.startswith("the mall was told order.accepted") for text in texts)
    assert order["lane"] is None
    assert market.done()["effects"] == {"submit": 1}


async def test_what_is_parked_is_not_sent_until_it_is_released(market: Market) -> None:
    await market.operator.ask("POST", f"suppliers/{market.supplier}/breakers/open", {"reason": "wait"})

    async def held() -> bool:
        return any(
            each["state"] == "open" for each in (await market.operator.status(market.supplier))["breakers"].values()
        )

    await eventually(held)
    await market.core.send(placed := market.order(1))

    async def received() -> bool:
        waiting = (await market.operator.ask("GET", f"orders?state=waiting&supplier={market.supplier}"))["commands"]
        return [each["order_no"] for each in waiting] == [market.number()]

    await eventually(received)
    await market.operator.ask("POST", f"lanes/{market.number()}/park", {"reason": "odd prices"})
    await market.operator.ask("POST", f"suppliers/{market.supplier}/breakers/close", {"reason": "go on"})
    other = market.order(2)
    await market.core.send(other)
    await market.core.ended(other)
    [lane] = (await market.operator.ask("GET", f"lanes?supplier={market.supplier}"))["lanes"]
    assert (lane["order_no"], lane["state"]) == (market.number(), "parked")
    assert market.done()["effects"] == {"submit": 1}
    await market.operator.ask("POST", f"lanes/{market.number()}/release", {"reason": "prices are right"})
    assert (await market.core.ended(placed))[0]["event"] == "order.accepted"
