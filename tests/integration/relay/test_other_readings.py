"""Suppliers that answer for another order: what is read of one takes nothing from the other."""

from __future__ import annotations

import pytest

from gateway.relay.sealed import WORDS
from gateway.sdk import ContractError
from gateway.sdk.orders import OrderTree, Progress
from tests.integration.relay.test_rereads import BOX, Ground, ground
from tests.unit.relay.readings import child, order, split, stated

__all__ = ["ground"]

DELIVERED = Progress.DELIVERED


async def test_a_child_that_has_the_number_of_another_order_takes_no_news_from_it(ground: Ground) -> None:
    await ground.place()
    await ground.place(order_no="B", number="200")
    ground.supplier.trees["100"] = OrderTree(
        order("100", stated=stated(2)), (child("101", DELIVERED), child("200", DELIVERED))
    )
    await ground.ask("100")
    await ground.settled()
    assert (await ground.kinds(), [letter[1] for letter in await ground.letters()]) == ([], ["unknown_order"])
    ground.supplier.trees["200"] = OrderTree(order("200", order_no="B", progress=DELIVERED))
    await ground.ask("200", "5", "m2")
    await ground.settled()
    assert "shipment.delivered" in [event["event"] for event in await ground.told() if event["order_no"] == "B"]


@pytest.mark.parametrize(
    "tree",
    [
        OrderTree(order("100", order_no="B", progress=DELIVERED)),
        OrderTree(order("100", order_no=None, parent_no="200", progress=DELIVERED)),
        OrderTree(order("300", order_no=None, progress=DELIVERED)),
        OrderTree(order("100"), (child("101", DELIVERED, order_no="B"),)),
    ],
    ids=["our other number", "the parent of another", "another number", "a child of another"],
)
async def test_what_is_read_in_place_of_an_order_tells_nothing_of_it(ground: Ground, tree: OrderTree) -> None:
    await ground.place()
    await ground.place(order_no="B", number="200")
    ground.supplier.trees |= {"100": tree, "200": OrderTree(order("200", order_no=None, progress=DELIVERED))}
    await ground.ask("100")
    await ground.settled()
    assert (await ground.kinds(), len(await ground.letters())) == ([], 1)
    assert await ground.states() == {"A": "confirmed", "B": "confirmed"}


async def test_a_new_number_whose_parent_is_of_one_order_and_names_another_is_of_neither(ground: Ground) -> None:
    await ground.place()
    await ground.place(order_no="B", number="200")
    ground.supplier.trees["301"] = OrderTree(order("301", order_no="B", parent_no="100", progress=DELIVERED))
    ground.supplier.trees["100"] = OrderTree(order("100", order_no="B", progress=DELIVERED))
    await ground.ask("301")
    await ground.settled()
    assert (await ground.kinds(), [letter[1] for letter in await ground.letters()]) == ([], ["unknown_order"])


async def test_children_that_vanish_and_come_back_are_told_once_each_time(ground: Ground) -> None:
    await ground.place()
    both, one = split(child("1"), child("2", DELIVERED)), split(child("1"))
    for number, tree in enumerate((both, one, OrderTree(order("100")), both, both)):
        ground.supplier.trees["100"] = tree
        await ground.ask("100", "1", f"m{number}")
        await ground.settled()
    kinds = await ground.kinds()
    assert kinds.count("order.split") == 3
    assert kinds.count("shipment.delivered") == 1


@pytest.mark.parametrize("words", ["9999: 收货人欧阳某某13911112222地址异常", "no code: 收货人欧阳某某13911112222"])
async def test_the_words_of_a_supplier_about_an_order_are_in_no_dead_letter(ground: Ground, words: str) -> None:
    """As the adapter of VOP says a code that no table lists."""

    async def says(_: str) -> None:
        raise ContractError(words, operation="select_jd_order", supplier_code="9999", status=200)

    await ground.place()
    ground.supplier.before = says
    await ground.ask("100")
    await ground.settled()
    kept = str([tuple(row) for row in await ground.rows("SELECT issues, original FROM dead_letters")])
    assert "13911112222" not in kept
    assert "欧阳" not in kept
    assert "select_jd_order: ContractError 9999" in kept
    assert not any("欧阳" in (told or "") for told in ground.faults)
    [step] = await ground.rows("SELECT facts, words FROM order_steps WHERE kind = 'read'")
    assert "欧阳" not in str(step["facts"])
    assert BOX.open("jd", WORDS, step["words"]).decode() == words
