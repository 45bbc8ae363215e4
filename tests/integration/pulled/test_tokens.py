"""Tokens that end before their time: one exchange for each, and no sweep suffers."""

from __future__ import annotations

import pytest

from contrib.simulators.jd_vop.faults import Rule
from contrib.simulators.jd_vop.simulator import Simulator
from contrib.simulators.jd_vop.tokens import credentials
from tests.eventually import eventually
from tests.integration.pulled.conftest import Ground
from tests.pulling import Operator, calls, row_of

pytestmark = pytest.mark.timeout(200)


def exchanges(simulator: Simulator) -> list[str]:
    """Calls that asked for a token, in order."""
    return [call["operation"] for call in calls(simulator) if call["operation"].startswith("oauth2/")]


async def pulled_again(operator: Operator, name: str) -> None:
    """Have prices pulled as a whole once more, and wait for it."""
    before = (await operator.status(name))["facets"]["price"]["fresh_at"]
    await operator.ask("POST", f"suppliers/{name}/pull", {})

    async def again() -> bool:
        facet = (await operator.status(name))["facets"]["price"]
        assert facet["outcome"] == "done", facet["reason"]
        return bool(facet["fresh_at"] > before)

    await eventually(again, within=60)


@pytest.mark.parametrize("code", ["2007", "1004"])
async def test_a_token_that_ends_in_mid_sweep_is_exchanged_once(shared: Ground, operator: Operator, code: str) -> None:
    name = f"expired-{code}"
    async with shared.simulator(skus=24, page_size=1, expired_as=code) as simulator:
        await operator.declare(**{name: row_of(simulator, facets=["price"], pulls={"price": "1d"})})
        await operator.until_swept(name, "price")
        simulator.faults.add(Rule("expired_token", "product/getSkuByPage", times=1, after=5))
        await pulled_again(operator, name)
        assert exchanges(simulator) == ["oauth2/accessToken", "oauth2/refreshToken"]
        assert await operator.letters(name) == []


async def test_a_token_that_somebody_else_ended_is_bought_anew(shared: Ground, operator: Operator) -> None:
    async with shared.simulator(skus=8) as simulator:
        await operator.declare(revoked=row_of(simulator, facets=["price"], pulls={"price": "1d"}))
        await operator.until_swept("revoked", "price")
        simulator.tokens.grant(credentials(simulator.config, simulator.clock()))
        await pulled_again(operator, "revoked")
        assert exchanges(simulator) == ["oauth2/accessToken", "oauth2/refreshToken", "oauth2/accessToken"]
        assert await operator.letters("revoked") == []


@pytest.mark.parametrize("skew", [-300, 300])
async def test_a_clock_that_is_wrong_within_the_window_costs_no_exchange(
    shared: Ground, operator: Operator, skew: int
) -> None:
    name = f"skewed-{'ahead' if skew > 0 else 'behind'}"
    async with shared.simulator(skus=8, skew=skew) as simulator:
        await operator.declare(**{name: row_of(simulator, facets=["price"], pulls={"price": "1d"})})
        await operator.until_swept(name, "price")
        await pulled_again(operator, name)
        assert exchanges(simulator) == ["oauth2/accessToken"]


async def test_a_clock_that_is_hours_off_is_named_and_waited_out(shared: Ground, operator: Operator) -> None:
    async with shared.simulator(skus=8) as simulator:
        simulator.faults.add(Rule("clock_skew", parameters={"seconds": 7200}))
        await operator.declare(hours=row_of(simulator, facets=["price"], pulls={"price": "1d"}))

        async def named() -> bool:
            return any("2006" in words for words in (await operator.status("hours"))["faults"].values())

        await eventually(named)
        simulator.faults.clear()
        await operator.until_swept("hours", "price")
        assert await operator.letters("hours") == []
