"""One list of a supplier's skus serves the sweeps of all its facets, and whatever becomes of it becomes of all."""

from __future__ import annotations

from collections import Counter

from contrib.simulators.jd_vop.faults import Rule
from contrib.simulators.jd_vop.simulator import Simulator
from contrib.simulators.jd_vop.words import POOLS
from gateway.store import connect
from tests.crash.pulled import messages_taken
from tests.eventually import eventually
from tests.integration.pulled.conftest import Ground
from tests.pulling import AREA, FACETS, Operator, calls, drop, row_of, truths

PAGE = "product/getSkuByPage"


def list_calls(simulator: Simulator) -> Counter[str]:
    """How often the supplier was asked for its pools and for their pages."""
    asked = Counter(call["operation"] for call in calls(simulator))
    return Counter({operation: asked[operation] for operation in ("product/getPageNum", PAGE)})


async def until_again(operator: Operator, before: dict[str, dict[str, str]], *facets: str) -> None:
    """Wait until these were pulled as a whole once more."""

    async def holds() -> bool:
        now = (await operator.status("jd"))["facets"]
        return all(now[facet]["fresh_at"] > before[facet]["fresh_at"] for facet in facets)

    await eventually(holds, within=60)
    await operator.until_finished()


async def test_facets_that_are_due_together_cost_one_list(ground: Ground) -> None:
    async with ground.simulator() as simulator, ground.swept(simulator):
        assert list_calls(simulator) == {"product/getPageNum": 1, PAGE: len(POOLS)}
        assert await ground.wrong(simulator) == []


async def test_a_wish_is_never_answered_by_a_list_that_is_older(ground: Ground) -> None:
    async with ground.simulator() as simulator, ground.swept(simulator, messages="1h") as operator:
        for count, facet in enumerate(FACETS, start=2):
            gone = sorted(truths(simulator))[0]
            drop(simulator, gone)
            before = (await operator.status("jd"))["facets"]
            await operator.ask("POST", "suppliers/jd/pull", {"facets": [facet]})
            await until_again(operator, before, facet)
            assert list_calls(simulator)["product/getPageNum"] == count
            assert (await ground.latest())[facet][gone].value is None


async def test_a_list_that_is_not_understood_fails_every_sweep_that_waits_for_it_and_withdraws_nothing(
    ground: Ground,
) -> None:
    async with ground.simulator() as simulator, ground.program() as program:
        operator = Operator(program.admin_url)
        row = row_of(simulator, messages="1h")
        await operator.declare(jd=row)
        await operator.until_swept("jd")
        await operator.until_finished()
        simulator.faults.add(Rule("redirect", PAGE, times=1, after=3))
        before = (await operator.status("jd"))["facets"]
        await operator.ask("POST", "suppliers/jd/pull", {})

        async def failed() -> bool:
            now = (await operator.status("jd"))["facets"]
            return all(now[facet]["outcome"] == "failed" for facet in FACETS)

        await eventually(failed, within=60)
        now = (await operator.status("jd"))["facets"]
        assert {now[facet]["reason"] for facet in FACETS} == {now["product"]["reason"]}
        assert "302" in now["product"]["reason"]
        assert [letter["stage"] for letter in await operator.letters("jd")] == ["pull"]
        assert {now[facet]["fresh_at"] for facet in FACETS} == {before[facet]["fresh_at"] for facet in FACETS}
        assert all(entry.value is not None for each in (await ground.latest()).values() for entry in each.values())
        await operator.ask("POST", "suppliers/jd/pull", {})
        await until_again(operator, before, *FACETS)
        assert await ground.wrong(simulator) == []


async def test_a_facet_that_is_due_later_uses_the_same_list_and_withdraws_nothing_that_came_after_it(
    ground: Ground,
) -> None:
    async with ground.simulator() as simulator, ground.swept(simulator) as operator:
        sku = sorted(truths(simulator))[0]
        pools = truths(simulator)[sku]["pools"]
        drop(simulator, sku)
        await _swept_by_schedule(ground, operator, "product")
        asked = list_calls(simulator)
        assert asked["product/getPageNum"] == 2
        assert (await ground.latest())["product"][sku].value is None
        for pool in pools:
            simulator.changes.change(int(sku), "pool", {"pool": pool, "in": True})
        await messages_taken(simulator, operator)
        await _swept_by_schedule(ground, operator, "price")
        assert list_calls(simulator) == asked
        assert await ground.wrong(simulator) == []
        await _swept_by_schedule(ground, operator, "price")
        assert list_calls(simulator)["product/getPageNum"] == 3


async def test_a_list_of_other_settings_is_not_used(ground: Ground) -> None:
    async with ground.simulator() as simulator, ground.program() as program:
        operator = Operator(program.admin_url)
        await operator.declare(jd=row_of(simulator))
        await operator.until_swept("jd")
        await operator.until_finished()
        await _swept_by_schedule(ground, operator, "product")
        asked = list_calls(simulator)["product/getPageNum"]
        await operator.declare(jd=row_of(simulator, options={"areas": [AREA, "7_412_3546"]}))

        async def taken_up() -> bool:
            return bool(program.events("session.changed"))

        await eventually(taken_up, within=60)
        await _swept_by_schedule(ground, operator, "price")
        assert list_calls(simulator)["product/getPageNum"] == asked + 1


async def _swept_by_schedule(ground: Ground, operator: Operator, facet: str) -> None:
    """A facet's time has come, and nobody asked for it."""
    before = (await operator.status("jd"))["facets"]
    async with connect(ground.database, name="tests") as connection:
        await connection.execute("UPDATE pulls SET due_at = now() WHERE facet = $1", facet)
    await until_again(operator, before, facet)
