"""A supplier's row changes while it is pulled: a run of two rows withdraws nothing, a pause is a pause."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from contrib.simulators.jd_vop.faults import Rule
from contrib.simulators.jd_vop.simulator import Simulator
from tests.crash.pulled import (
    LEASE,
    drop_some,
    judged,
    pull_again,
    questions,
    runs,
    slow_row,
    tokens,
    until_calls,
    withdrawn,
)
from tests.eventually import eventually
from tests.integration.pulled.conftest import Ground
from tests.pulling import AREA, FACETS, Operator, calls

pytestmark = [pytest.mark.crash, pytest.mark.timeout(180)]

SLOW = Rule("latency", "product/getDetail", {"ms": 30})
"""Keeps the sweep of products under way for some seconds."""


@asynccontextmanager
async def under_way(ground: Ground, simulator: Simulator) -> AsyncIterator[tuple[Operator, list[str]]]:
    """A program whose second sweep of all facets is under way; goods that the supplier stopped offering before."""
    async with ground.program(**LEASE) as program:
        operator = Operator(program.admin_url)
        await operator.declare(jd=slow_row(simulator))
        await operator.until_swept("jd")
        await operator.until_finished()
        gone, asked = drop_some(simulator), questions(simulator).total()
        simulator.faults.add(SLOW)
        await operator.ask("POST", "suppliers/jd/pull", {})
        await until_calls(simulator, asked + 40)
        yield operator, gone


async def until_ended(ground: Ground, *facets: str, count: int = 2) -> None:
    """Wait until facets have had so many sweeps, and the last of each has come to its end."""

    async def holds() -> bool:
        found = await runs(ground)
        return all(
            len(found[facet]) >= count and found[facet][-1]["state"] in ("done", "incomplete") for facet in facets
        )

    await eventually(holds, within=60)


@pytest.mark.parametrize(
    "change",
    [
        {"category_map": {"办公设备/打印机": "激光式打印机"}},
        {"price_mismatch": "reject"},
        {"options": {"areas": [AREA, "7_412_3546"]}},
    ],
    ids=["category-map", "price-mismatch", "areas"],
)
async def test_a_run_whose_settings_changed_withdraws_nothing_and_the_next_is_clean(
    ground: Ground, change: Mapping[str, Any]
) -> None:
    async with ground.simulator(skus=230) as simulator:
        row = slow_row(simulator)
        async with under_way(ground, simulator) as (operator, gone):
            changed = {name: {**row[name], **value} if name in row else value for name, value in change.items()}
            await operator.declare(jd={**row, **changed})
            await until_ended(ground, "product")
            last = (await runs(ground))["product"][-1]
            assert (last["state"], bool(last["withdrawn"])) == ("done", False)
            assert "settings changed" in last["flaw"]
            assert not (await withdrawn(ground))["product"]
            status = (await operator.status("jd"))["facets"]["product"]
            assert (status["outcome"], status["reason"]) == ("failed", last["flaw"])
            simulator.faults.clear()
            await pull_again(ground, operator)
            assert await withdrawn(ground) == dict.fromkeys(FACETS, gone)
            found = await runs(ground)
            assert [found[facet][-1]["flaw"] for facet in FACETS] == [None] * 4
            assert simulator.stats.gone == 0


async def test_a_run_during_which_a_name_a_limit_and_a_schedule_changed_is_whole(ground: Ground) -> None:
    async with ground.simulator(skus=230) as simulator:
        row = slow_row(simulator)
        async with under_way(ground, simulator) as (operator, gone):
            http = {**row["http"], "rate_per_second": 400, "concurrency": 3}
            await operator.declare(
                jd={**row, "name": "京东（改名）", "http": http, "pulls": dict.fromkeys(FACETS, "2d")}
            )
            await until_ended(ground, *FACETS)
            await operator.until_finished()
            assert await withdrawn(ground) == dict.fromkeys(FACETS, gone)
            assert await judged(ground, simulator) == []
            assert simulator.stats.gone == 0
            assert tokens(simulator) == 1
            asked = questions(simulator)
            confirmed = {question for question in asked if question[0] == "product/check"}  # by each facet
            assert max(asked[question] for question in asked.keys() - confirmed) == 2  # once by each of two sweeps


async def until_quiet(simulator: Simulator) -> None:
    """Wait until the supplier is called no more, which nothing but its log tells."""

    async def quiet() -> bool:
        served = len(calls(simulator))
        await asyncio.sleep(2)
        return len(calls(simulator)) == served

    await eventually(quiet, within=30)


async def test_a_paused_supplier_is_not_called_and_goes_on_where_it_stood(ground: Ground) -> None:
    async with ground.simulator(skus=230) as simulator, under_way(ground, simulator) as (operator, gone):
        begun = await runs(ground)
        await operator.ask("POST", "suppliers/jd/pause", {"reason": "the test wants it"})
        await until_quiet(simulator)
        assert any(found[-1]["state"] == "admitted" for found in (await runs(ground)).values())
        await operator.ask("POST", "suppliers/jd/resume", {"reason": "it has seen enough"})
        await until_ended(ground, *FACETS)
        await operator.until_finished()
        ended = await runs(ground)
        assert {facet: [run["feed_no"] for run in found] for facet, found in ended.items()} == {
            facet: [run["feed_no"] for run in found] for facet, found in begun.items()
        }
        assert await withdrawn(ground) == dict.fromkeys(FACETS, gone)
        assert await judged(ground, simulator) == []
        assert tokens(simulator) == 1
        assert simulator.stats.gone == 0


async def test_the_run_of_a_facet_that_is_fed_no_more_is_given_up_with_a_reason(ground: Ground) -> None:
    async with ground.simulator(skus=230) as simulator:
        row = slow_row(simulator)
        async with under_way(ground, simulator) as (operator, _):
            rest = ["price", "stock", "listing"]
            await operator.declare(jd={**row, "facets": rest, "pulls": dict.fromkeys(rest, "1d")})
            await until_ended(ground, "product")
            last = (await runs(ground))["product"][-1]
            assert (last["state"], last["flaw"]) == ("incomplete", "the facet is not pulled any more")
            await operator.until_finished()
            assert not (await withdrawn(ground))["product"]
            asked = sum(call["operation"] == "product/getDetail" for call in calls(simulator))
            await operator.ask("POST", "suppliers/jd/pull", {"facets": ["price"]})
            await until_ended(ground, "price", count=3)
            assert sum(call["operation"] == "product/getDetail" for call in calls(simulator)) == asked


async def test_new_secrets_are_used_without_a_restart(ground: Ground) -> None:
    async with ground.simulator(skus=50) as simulator, ground.program(**LEASE) as program:
        operator = Operator(program.admin_url)
        row = slow_row(simulator)
        await operator.declare(jd={**row, "secrets": {**row["secrets"], "password": "not this one"}})

        async def refused() -> bool:
            return bool((await operator.status("jd"))["faults"])

        await eventually(refused, within=60)
        assert not any(call["token"] for call in calls(simulator))
        await operator.declare(jd=row)
        await operator.until_swept("jd")
        await operator.until_finished()
        assert await judged(ground, simulator) == []
        assert simulator.tokens.issued == 1
        await operator.declare(jd={**row, "secrets": {**row["secrets"], "password": "not this one"}})
        await eventually(refused, within=60)  # a token of other secrets is not used any more


async def test_a_wish_while_a_run_is_under_way_is_a_run_after_it(ground: Ground) -> None:
    async with ground.simulator(skus=230) as simulator, under_way(ground, simulator) as (operator, gone):
        later = drop_some(simulator)
        assert (await operator.ask("POST", "suppliers/jd/pull", {"facets": ["product"]}))["due"] == ["product"]
        simulator.faults.clear()
        await until_ended(ground, "product", count=3)
        await operator.until_finished()
        assert len((await runs(ground))["product"]) == 3
        assert (await withdrawn(ground))["product"] == sorted(gone + later)
