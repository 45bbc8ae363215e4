"""Orders that a core or a supplier takes for others, calls that crossed a change: nothing is done to another order."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from aiokafka import AIOKafkaProducer

from contrib.simulators.jd_vop import Simulator
from gateway.kafka import client_options
from tests import ordering
from tests.buyer import Buyer
from tests.eventually import eventually
from tests.integration.pulled.conftest import Ground
from tests.integration.relayed.conftest import Market
from tests.ordering import goods
from tests.pulling import control, row_of
from tests.relaying import COMMANDS, entry


def effects(path: Path, kind: str | None = None) -> Sequence[str]:
    """Our numbers of the orders to which a supplier did something of this kind, or anything."""
    entries = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    return [entry["thirdOrder"] for entry in entries if kind in (None, entry["effect"])]


async def test_a_transaction_that_the_core_takes_back_orders_nothing(market: Market) -> None:
    never, after = market.order(1), market.order(2)
    options = client_options(market.core.bootstrap)
    async with AIOKafkaProducer(**options, transactional_id=f"core-{market.supplier}") as producer:
        await producer.begin_transaction()
        await producer.send_and_wait(market.core.prefix + COMMANDS, **entry(never))
        await producer.abort_transaction()
    await market.core.send(after)
    await market.core.ended(after)
    assert set(effects(market.ledger)) == {market.number(2)}


async def test_a_cancel_of_children_touches_no_child_of_another_order(market: Market) -> None:
    mine, others = market.order(1), market.order(2)
    await market.core.send(mine, others)
    _, accepted = await market.core.ended(mine, others)
    stray = market.cancel(1, payload={"scope": "children", "children": accepted["supplier_order_nos"]})
    await market.core.send(stray)
    [told] = await market.core.ended(stray)
    assert (told["event"], told["payload"]["code_class"]) == ("order.cancel_refused", "no_such_order")
    assert effects(market.ledger, "cancel") == []


async def test_a_confirm_of_the_reservation_of_another_order_confirms_nothing(market: Market) -> None:
    mine, others = market.order(1), market.order(2)
    await market.core.send(mine, others)
    _, accepted = await market.core.ended(mine, others)
    stray = market.confirm(1) | {"payload": {"supplier_order_no": accepted["supplier_order_nos"][0]}}
    await market.core.send(stray)
    [told] = await market.core.ended(stray)
    assert (told["event"], told["payload"]["code_class"]) == ("order.refused", "no_such_order")
    assert effects(market.ledger, "confirm") == []


async def test_a_cancel_never_reaches_another_order_whose_number_a_supplier_told(market: Market) -> None:
    first = market.order(1)
    await market.core.send(first)
    [accepted] = await market.core.ended(first)
    await market.fault(
        "envelope",
        "order/submitOrder",
        times=1,
        third=market.number(2),
        parameters={"result": answer(market.simulator, accepted["supplier_order_nos"][0])},
    )
    second = market.order(2)
    await market.core.send(second)
    await market.core.ended(second)
    cancel = market.cancel(2)
    await market.core.send(cancel)
    await market.core.ended(cancel)
    assert effects(market.ledger, "cancel") == [market.number(2)]


def answer(simulator: Simulator, number: str) -> dict[str, Any]:
    """What the supplier answers to a submit of two pieces of the first goods, with this number."""
    item = goods(simulator)[0]
    order = next(each for each in simulator.book.all() if str(each.id) == number)
    gross, net = order.amounts.gross / 100, order.amounts.naked / 100
    line = {"skuId": item.sku, "num": 2, "price": item.price / 100, "name": "货物", "type": 0, "oid": 0}
    sums = {"orderPrice": f"{gross:.2f}", "orderNakedPrice": f"{net:.2f}", "orderTaxPrice": f"{gross - net:.2f}"}
    return {"jdOrderId": number, "freight": f"{order.freight / 100:.2f}", **sums, "sku": [line]}


async def test_what_follows_a_refused_order_reaches_no_order_that_another_buyer_has_under_its_number(
    market: Market,
) -> None:
    async with aiohttp.ClientSession() as session:
        buyer = Buyer(market.simulator, session)
        await buyer.sign_in()
        await ordering.submit(buyer, market.number(), (goods(market.simulator)[0], 9))
    await market.fault("refused", "order/submitOrder", times=1, parameters={"code": "3008", "message": "无货"})
    placed, confirmed, taken_back = market.order(), market.confirm(), market.cancel()
    await market.core.send(placed, confirmed)
    ends = await market.core.ended(placed, confirmed)
    await market.core.send(taken_back)
    ends += await market.core.ended(taken_back)
    assert [end["event"] for end in ends] == ["order.refused", "order.refused", "order.cancel_refused"]
    assert [end["payload"]["code_class"] for end in ends] == ["out_of_stock", "no_such_order", "no_such_order"]
    assert market.done()["effects"] == {"submit": 1}


async def test_what_may_have_taken_effect_is_not_sent_to_another_address(
    market: Market, shared: Ground, tmp_path: Path
) -> None:
    placed, other = market.order(1), tmp_path / "other.jsonl"
    async with shared.simulator(ledger=other) as elsewhere:
        await parked_elsewhere(market, placed, elsewhere)
        shown = await standing(market, placed)
        assert shown["reason"] == "sent_elsewhere"
        assert f"lanes release {market.number(1)}" in shown["advice"]
        after = market.order(2)
        await market.core.send(after)
        await market.core.ended(after)
        assert set(effects(other)) == {market.number(2)}


async def test_what_is_parked_for_its_address_goes_on_once_that_is_declared_again(
    market: Market, shared: Ground, tmp_path: Path
) -> None:
    placed, other = market.order(1), tmp_path / "other.jsonl"
    async with shared.simulator(ledger=other) as elsewhere:
        await parked_elsewhere(market, placed, elsewhere)
    await control(market.simulator, "DELETE", "faults")
    await declare(market, market.simulator)

    async def released() -> bool:
        """As long as the other address is called it is parked anew."""
        if (await standing(market, placed))["state"] == "parked":
            await market.operator.ask("POST", f"lanes/{market.number(1)}/release", {"reason": "it is called again"})
        return bool((await standing(market, placed))["state"] == "confirmed")

    await eventually(released, within=90)
    assert effects(market.ledger) == [market.number(1)]
    assert effects(other) == []


async def parked_elsewhere(market: Market, placed: dict[str, Any], elsewhere: Simulator) -> None:
    """The supplier has the order, no answer of it arrives, and then it is called somewhere else."""
    await market.fault("reset", "order/submitOrder", parameters={})
    await market.core.send(placed)

    async def done() -> bool:
        return bool(effects(market.ledger))

    await eventually(done)
    await declare(market, elsewhere)

    async def stopped() -> bool:
        return bool((await standing(market, placed))["state"] == "parked")

    await eventually(stopped, within=90)


async def declare(market: Market, simulator: Simulator) -> None:
    """Have the supplier be where a simulator is."""
    row = row_of(simulator, facets=["price"], pulls={"price": "30d"})
    await market.operator.ask("POST", "suppliers/apply", {"suppliers": {market.supplier: row}})


async def standing(market: Market, command: dict[str, Any]) -> dict[str, Any]:
    """A command as operators see it."""
    [order] = (await market.operator.ask("GET", f"orders/{command['order_no']}"))["orders"]
    return next(each for each in order["commands"] if each["command_id"] == command["command_id"])


async def test_a_confirm_of_a_reservation_that_lapsed_meanwhile_has_an_end(market: Market) -> None:
    placed = market.order(1)
    await market.core.send(placed)
    await market.core.ended(placed)
    await control(market.simulator, "POST", "order", {"third": market.number(1), "act": "expire"})
    await market.fault("status", "order/confirmOrder", times=1, parameters={"status": 503})
    late = market.confirm(1)
    await market.core.send(late)
    [told] = await market.core.ended(late)
    assert (told["event"], told["payload"]["code_class"]) == ("order.refused", "too_late")
    assert (await standing(market, late))["state"] == "refused"
