"""A supplier is one row of configuration; its catalog comes by itself."""

from __future__ import annotations

from collections import Counter

from tests.eventually import eventually
from tests.integration.pulled.conftest import Ground
from tests.pulling import AREA, Operator, calls, drop, truths


async def test_a_declared_supplier_is_on_all_four_topics_as_it_is_over_there(ground: Ground) -> None:
    async with ground.simulator() as simulator, ground.swept(simulator):
        assert await ground.wrong(simulator) == []
        records = await ground.latest()
        assert {facet: len(each) for facet, each in records.items()} == dict.fromkeys(records, len(truths(simulator)))
        stock = next(iter(records["stock"].values()))
        assert AREA.encode() in (stock.key or b"")


async def test_a_sweep_asks_no_more_than_its_batches_need(ground: Ground) -> None:
    async with ground.simulator(skus=250) as simulator, ground.swept(simulator):
        asked = Counter(call["operation"] for call in calls(simulator))
    offered = len(truths(simulator))
    batches = -(-offered // 100)
    assert asked["product/getDetail"] == offered
    for operation in ("product/skuImage", "product/skuState", "product/check", "price/getSellPrice"):
        assert asked[operation] == batches
    assert asked["oauth2/accessToken"] == 1


async def test_what_the_supplier_stopped_offering_is_withdrawn_by_the_next_sweep(ground: Ground) -> None:
    async with ground.simulator() as simulator, ground.swept(simulator) as operator:
        gone = sorted(truths(simulator))[:5]
        for sku in gone:
            drop(simulator, sku)
        await _pulled_again(operator)
        assert await ground.wrong(simulator) == []
        records = await ground.latest()
        for facet in records.values():
            assert [sku for sku, entry in sorted(facet.items()) if entry.value is None] == gone


async def test_a_sweep_that_would_withdraw_too_much_is_held(ground: Ground) -> None:
    async with ground.simulator() as simulator, ground.swept(simulator) as operator:
        before = await ground.latest()
        for sku in sorted(truths(simulator))[: len(truths(simulator)) // 2]:
            drop(simulator, sku)
        due = await operator.ask("POST", "suppliers/jd/pull", {"facets": ["listing"]})
        assert due["due"] == ["listing"]
        await _until_state(operator, "listing", "held")
        assert (await ground.latest())["listing"].keys() == before["listing"].keys()
        assert all(entry.value is not None for entry in (await ground.latest())["listing"].values())


async def _pulled_again(operator: Operator) -> None:
    before = (await operator.status("jd"))["facets"]
    await operator.ask("POST", "suppliers/jd/pull", {})

    async def again() -> bool:
        now = (await operator.status("jd"))["facets"]
        return all(
            now[facet]["fresh_at"] > before[facet]["fresh_at"] for facet in before if "fresh_at" in before[facet]
        )

    await eventually(again, within=60)
    await operator.until_finished()


async def _until_state(operator: Operator, facet: str, state: str) -> None:
    async def holds() -> bool:
        return bool((await operator.ask("GET", f"feeds?facet={facet}&state={state}"))["feeds"])

    await eventually(holds, within=60)
