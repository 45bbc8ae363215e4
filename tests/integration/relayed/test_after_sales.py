"""After-sale through the real program: from the core's topic to the supplier's ledger, and what moves there back."""

from __future__ import annotations

from typing import Any

import pytest

from tests.eventually import eventually
from tests.integration.relayed.conftest import Market
from tests.ordering import goods
from tests.pulling import calls, control
from tests.relaying import after_sale, cancel_after_sale

SERVICES = "afterSale/"
WRITES = ("afterSale/createAfsApply", "afterSale/auditCancel")


def asked(market: Market, pieces: int = 1, number: int = 1, **more: Any) -> dict[str, Any]:
    """A request about the goods of an order of the market."""
    sku = str(goods(market.simulator)[0].sku)
    return after_sale(market.number(number), sku, pieces, supplier=market.supplier, **more)


async def delivered(market: Market, pieces: int = 2, number: int = 1) -> None:
    """An order whose goods have arrived."""
    await market.core.send(placed := market.order(number, pieces=pieces), confirmed := market.confirm(number))
    await market.core.ended(placed, confirmed)
    await control(market.simulator, "POST", "order", {"third": market.number(number), "act": "deliver"})
    await market.core.told(market.number(number), "shipment.delivered")


async def happens(market: Market, *acts: str) -> None:
    """Let things happen to the services of the first order."""
    for act in acts:
        await control(market.simulator, "POST", "service", {"third": market.number(), "act": act})


async def stands(market: Market, state: str) -> dict[str, Any]:
    """What the core is told of a service that stands there."""
    found: list[dict[str, Any]] = []

    async def holds() -> bool:
        told = [each["payload"] for each in await market.core.events(market.number())]
        found[:] = [each for each in told if each.get("state") == state]
        return bool(found)

    await eventually(holds, within=60.0)
    return found[0]


def called(market: Market) -> list[str]:
    return [each["operation"] for each in calls(market.simulator) if each["operation"].startswith(SERVICES)]


async def test_goods_go_back_and_the_money_comes(market: Market) -> None:
    await delivered(market)
    await market.core.send(request := asked(market, 2))
    [accepted] = await market.core.ended(request)
    assert (accepted["event"], accepted["payload"]["service_no"]) == ("aftersale.accepted", "AS-1")
    await happens(market, "audit", "approve")
    approved = await stands(market, "approved")
    assert (approved["audit"], approved["return_address"]["name"]) == ("approved", "售后组")
    await happens(market, "send_goods", "receive", "handle", "refund", "close")
    await stands(market, "done")
    refund = await market.core.told(market.number(), "refund.made")
    [service] = await control(market.simulator, "GET", "services", {})
    price = goods(market.simulator)[0].price * 2
    assert refund["payload"]["amount"] == f"{price // 100}.{price % 100:02d}"
    assert refund["payload"]["credit_note"] == f"F{service['afsServiceId']}"
    assert refund["cause"]["message"] is not None  # whichever had the order read: its services are read with it
    assert market.done()["effects"]["after_sale"] == 1
    refunds = [each for each in await market.core.events(market.number()) if each["event"] == "refund.made"]
    assert len(refunds) == 1
    [shown] = (await market.operator.ask("GET", f"orders/{market.number()}"))["orders"]
    [kept] = shown["after_sales"]
    assert (kept["service_no"], kept["kind"], kept["state"]) == ("AS-1", "return", "done")
    assert kept["supplier_service_no"] == service["afsServiceId"]


@pytest.mark.parametrize("kind", ["cut_reset", "status_after"])
async def test_a_lost_answer_leaves_one_service(market: Market, kind: str) -> None:
    await delivered(market)
    parameters = {"status": 503} if kind == "status_after" else {}
    await market.fault(kind, "afterSale/createAfsApply", times=1, parameters=parameters)
    await market.core.send(request := asked(market))
    [accepted] = await market.core.ended(request)
    [service] = await control(market.simulator, "GET", "services", {})
    assert accepted["event"] == "aftersale.accepted"
    assert accepted["payload"]["supplier_service_no"] == service["afsServiceId"]
    assert market.done()["effects"]["after_sale"] == 1
    assert called(market).count("afterSale/createAfsApply") == 1


async def test_what_the_gateway_knows_to_be_wrong_never_reaches_the_supplier(market: Market) -> None:
    await market.core.send(nowhere := asked(market, number=7))
    await market.core.send(placed := market.order(2), unconfirmed := asked(market, number=2))
    await market.core.ended(placed)
    await market.core.send(confirmed := market.confirm(2), undelivered := asked(market, number=2, service_no="AS-2"))
    await market.core.ended(confirmed)
    await delivered(market, pieces=2)
    first, too_many = asked(market, 1), asked(market, 2, service_no="AS-2")
    foreign = asked(market, 1, service_no="AS-3", payload={"supplier_order_no": "404404404"})
    same_number = asked(market, 1)
    no_service = cancel_after_sale(market.number(), "AS-9", supplier=market.supplier)
    await market.core.send(first, too_many, foreign, same_number, no_service)
    wrong = (nowhere, unconfirmed, undelivered, too_many, foreign, same_number, no_service)
    ends = await market.core.ended(*wrong)
    assert [(end["event"], end["payload"]["code_class"], end["payload"]["by"]) for end in ends] == [
        ("aftersale.refused", code_class, "mall")
        for code_class in (
            "not_confirmed",
            "not_confirmed",
            "not_delivered",
            "quantity",
            "not_of_order",
            "number_used",
            "no_such_service",
        )
    ]
    assert (await market.core.ended(first))[0]["event"] == "aftersale.accepted"
    assert [each for each in called(market) if each in WRITES] == ["afterSale/createAfsApply"]


async def test_a_service_is_cancelled_once_and_gives_its_goods_back(market: Market) -> None:
    await delivered(market)
    taken_back = cancel_after_sale(market.number(), supplier=market.supplier)
    await market.core.send(request := asked(market, 2), taken_back)
    [_, cancelled] = await market.core.ended(request, taken_back)
    assert (cancelled["event"], cancelled["payload"]["state"]) == ("aftersale.progress", "cancelled")
    again = cancel_after_sale(market.number(), supplier=market.supplier)
    await market.core.send(again, anew := asked(market, 2, service_no="AS-2"))
    [refused, accepted] = await market.core.ended(again, anew)
    assert (refused["event"], refused["payload"]["code_class"]) == ("aftersale.refused", "too_late")
    assert accepted["event"] == "aftersale.accepted"
    effects = market.done()["effects"]
    assert (effects["after_sale"], effects["cancel_after_sale"]) == (2, 1)


async def test_a_supplier_that_refuses_is_told_of_in_the_malls_words(market: Market) -> None:
    await delivered(market)
    refusal = {"code": "6012", "message": "不属于支持的服务类型"}
    await market.fault("refused", "afterSale/createAfsApply", times=1, parameters=refusal)
    await market.core.send(request := asked(market))
    [refused] = await market.core.ended(request)
    assert (refused["event"], refused["raw_code"]) == ("aftersale.refused", "6012")
    assert (refused["payload"]["code_class"], refused["payload"]["by"]) == ("not_offered", "supplier")
    assert "after_sale" not in market.done()["effects"]
