"""A list of nothing, however it is written, is a list of nothing: what it did not show is asked about.

What the supplier still sells stays; what goes with the rest is for the brake to say.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from contrib.simulators.jd_vop.faults import Rule
from tests.eventually import eventually
from tests.integration.pulled.conftest import Ground
from tests.pulling import FACETS, Operator, row_of, truths

pytestmark = pytest.mark.timeout(200)

NOTHING: Mapping[str, object] = {"null": None, "text": "", "list": [], "object": {}}


@pytest.mark.parametrize("written", NOTHING)
async def test_a_catalog_that_is_suddenly_empty_is_held_and_nothing_is_withdrawn(
    shared: Ground, operator: Operator, written: str
) -> None:
    name = f"emptied-{written}"
    async with shared.simulator(skus=8) as simulator:
        await operator.declare(**{name: row_of(simulator, facets=["listing"], pulls={"listing": "1d"})})
        await operator.until_swept(name, "listing")
        operation = "product/getPageNum" if written in ("null", "list") else "product/getSkuByPage"
        simulator.faults.add(Rule("empty", operation, {"as": NOTHING[written]}))
        simulator.faults.add(Rule("empty", "message/get", {"as": NOTHING[written]}))
        words = {"code": "2004", "names": "{sku}不在您的商品池中"}
        simulator.faults.add(Rule("refused", "product/check", words, skus=[*truths(simulator)]))
        await operator.ask("POST", f"suppliers/{name}/pull", {})

        async def held() -> bool:
            return any(feed["state"] == "held" for feed in await operator.feeds(name))

        await eventually(held, within=60)
        listing = (await shared.latest(name))["listing"]
        assert set(listing) == set(truths(simulator))
        assert all(entry.value is not None for entry in listing.values())
        assert [letter["stage"] for letter in await operator.letters(name)] == ["withdraw"]
        assert "pool feeds" not in (await operator.status(name))["faults"]


async def test_what_is_still_sold_stays_though_the_list_is_suddenly_empty(shared: Ground, operator: Operator) -> None:
    async with shared.simulator(skus=8) as simulator:
        await operator.declare(kept=row_of(simulator, facets=["listing"], pulls={"listing": "1d"}))
        await operator.until_swept("kept", "listing")
        before = (await operator.status("kept"))["facets"]["listing"]["fresh_at"]
        simulator.faults.add(Rule("empty", "product/getPageNum", {"as": None}))
        await operator.ask("POST", "suppliers/kept/pull", {})

        async def again() -> bool:
            return bool((await operator.status("kept"))["facets"]["listing"]["fresh_at"] > before)

        await eventually(again, within=60)
        await operator.until_finished("kept")
        listing = (await shared.latest("kept"))["listing"]
        assert {sku for sku, entry in listing.items() if entry.value is not None} == set(truths(simulator))
        assert await operator.letters("kept") == []


async def test_a_catalog_that_was_never_filled_is_pulled_as_a_whole(shared: Ground, operator: Operator) -> None:
    async with shared.simulator(skus=0) as simulator:
        await operator.declare(bare=row_of(simulator))
        await operator.until_swept("bare")

        async def done() -> bool:
            return all(feed["state"] == "done" for feed in await operator.feeds("bare"))

        await eventually(done)
        assert not any((await shared.latest("bare")).values())
        assert len(await operator.feeds("bare")) == len(FACETS)
        assert await operator.letters("bare") == []
