"""Answers of a supplier that say no to one sku or one area, name some, or come from a list that moves."""

from __future__ import annotations

from collections import Counter

import pytest

from contrib.simulators.jd_vop.faults import Rule
from tests.eventually import eventually
from tests.integration.pulled.conftest import Ground
from tests.pulling import AREA, Operator, calls, row_of, truths

OTHER = "7_420_9720"

pytestmark = pytest.mark.timeout(200)


async def _ended(operator: Operator, facet: str, *, within: float = 90) -> None:
    async def holds() -> bool:
        return bool((await operator.status("jd"))["facets"].get(facet, {}).get("ended_at"))

    await eventually(holds, within=within)
    await operator.until_finished(within=90)


async def test_goods_that_moved_up_a_page_while_the_list_was_read_stay_on_sale(ground: Ground) -> None:
    async with ground.simulator(skus=240, page_size=10) as simulator, ground.swept(simulator) as operator:
        before = await ground.latest()
        simulator.faults.add(Rule("moved_list", "getSkuByPage", {"by": 2}, times=8, after=1))
        seen = len(calls(simulator))
        await operator.ask("POST", "suppliers/jd/pull", {"facets": ["listing"]})

        async def confirmed() -> bool:
            return not simulator.faults.rules and (await operator.status("jd"))["facets"]["listing"]["ended_at"]

        await eventually(confirmed, within=90)
        await operator.until_finished()
        asked = Counter(call["operation"] for call in calls(simulator)[seen:])
        assert asked["product/check"] > asked["product/skuState"]  # some were missed, and asked about
        after = await ground.latest()
        assert after["listing"].keys() == before["listing"].keys()
        assert all(entry.value is not None for entry in after["listing"].values())


async def test_goods_that_are_always_busy_keep_no_others_from_their_prices(ground: Ground) -> None:
    async with ground.simulator(skus=60) as simulator, ground.program() as program:
        bad = sorted(truths(simulator))[7]
        busy = {"code": "5001", "message": "服务异常，请稍后重试"}
        simulator.faults.add(Rule("refused", "price/*", busy, skus=[bad]))
        operator = Operator(program.admin_url)
        await operator.declare(jd=row_of(simulator, facets=["price"], pulls={"price": "1d"}))
        await _ended(operator, "price")
        prices = (await ground.latest())["price"]
        assert {*truths(simulator)} - {*prices} == {bad}


async def test_goods_that_are_named_one_at_a_time_cost_one_question_each(ground: Ground) -> None:
    async with ground.simulator(skus=60) as simulator, ground.program() as program:
        bad = sorted(truths(simulator))[3:8]
        words = {"code": "0010", "names": "{sku}不在您的商品池中", "each": 1}
        simulator.faults.add(Rule("refused", "price/*", words, skus=bad))
        operator = Operator(program.admin_url)
        await operator.declare(jd=row_of(simulator, facets=["price"], pulls={"price": "1d"}))
        await operator.until_swept("jd", "price")
        await operator.until_finished()
        prices = (await ground.latest())["price"]
        assert {sku for sku, entry in prices.items() if b"no_quote" in (entry.value or b"")} >= {*bad}
        assert {*prices} == {*truths(simulator)}
        asked = Counter(call["operation"] for call in calls(simulator))["price/getSellPrice"]
        assert asked <= len(bad) + 1


async def test_a_yes_with_a_word_as_code_and_without_result_takes_no_price_away(ground: Ground) -> None:
    async with ground.simulator(skus=60) as simulator, ground.swept(simulator) as operator:
        before = (await ground.latest())["price"]
        odd = {"resultCode": "PARAM_VALUE_ERROR", "resultMessage": "参数错误", "result": None}
        rule = Rule("envelope", "price/*", odd)
        simulator.faults.add(rule)
        ended = (await operator.status("jd"))["facets"]["price"]["ended_at"]
        await operator.ask("POST", "suppliers/jd/pull", {"facets": ["price"]})

        async def again() -> bool:
            now = (await operator.status("jd"))["facets"]["price"]
            return bool(rule.struck and now["ended_at"] and now["ended_at"] > ended and now["feed"] is None)

        await eventually(again, within=90)
        after = (await ground.latest())["price"]
        assert {sku: entry.value for sku, entry in after.items()} == {sku: entry.value for sku, entry in before.items()}
        assert {letter["stage"] for letter in await operator.letters("jd")} == {"pull"}


async def test_an_area_that_is_refused_leaves_stock_of_the_others(ground: Ground) -> None:
    async with ground.simulator(skus=60) as simulator, ground.program() as program:
        refused = {"code": "3009", "message": "区域限制校验没通过"}
        simulator.faults.add(Rule("refused", "stock/*", refused, area=OTHER))
        operator = Operator(program.admin_url)
        options = {"areas": [AREA, OTHER]}
        await operator.declare(jd=row_of(simulator, facets=["stock"], pulls={"stock": "1d"}, options=options))
        await _ended(operator, "stock")
        stock = (await ground.latest())["stock"]
        assert {*stock} == {*truths(simulator)}
        asked = Counter(call["form"].get("area") for call in calls(simulator))
        assert asked[OTHER] <= 2 * asked[AREA]


@pytest.mark.timeout(300)
async def test_an_area_that_goes_unanswered_leaves_stock_of_the_others(ground: Ground) -> None:
    async with ground.simulator(skus=60) as simulator, ground.program() as program:
        simulator.faults.add(Rule("status", "stock/*", {"status": 503}, area=OTHER))
        operator = Operator(program.admin_url)
        options = {"areas": [OTHER, AREA]}
        await operator.declare(jd=row_of(simulator, facets=["stock"], pulls={"stock": "1d"}, options=options))
        await _ended(operator, "stock", within=150)
        assert {*(await ground.latest())["stock"]} == {*truths(simulator)}
        letters = await operator.letters("jd")
        assert {letter["stage"] for letter in letters} == {"pull"}
        assert len(letters) == 1
