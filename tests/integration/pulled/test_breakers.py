"""An operator holds the breakers of a supplier open; whoever owns the supplier does so, until they are closed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.eventually import eventually
from tests.integration.pulled.conftest import Ground
from tests.pulling import Operator, row_of

pytestmark = pytest.mark.timeout(200)


async def order(operator: Operator, verb: str, **body: Any) -> Any:
    return await operator.ask("POST", f"suppliers/jd/breakers/{verb}", {"reason": "they asked us to", **body})


async def breakers(operator: Operator) -> Mapping[str, Any]:
    [status] = (await operator.ask("GET", "pulls"))["suppliers"]
    found: Mapping[str, Any] = status["breakers"]
    return found


async def steps(operator: Operator) -> Mapping[str, bool]:
    found = (await operator.ask("POST", "suppliers/jd/check", {}))["steps"]
    return {step["step"]: step["ok"] for step in found}


async def test_breakers_are_held_open_by_one_owner_after_the_other_until_they_are_closed(ground: Ground) -> None:
    async with ground.simulator() as simulator:
        async with ground.program() as program:
            operator = Operator(program.admin_url)
            await operator.declare(jd=row_of(simulator))
            await eventually(lambda: answered(operator), within=60)
            opened = await order(operator, "open", seconds="2h")
            assert opened["seconds"] == 7200

            async def all_open() -> bool:
                found = await breakers(operator)
                return set(found) == set(opened["operations"]) and all(
                    each["reason"].startswith("they asked us to (bootstrap") for each in found.values()
                )

            await eventually(all_open, within=30)
            assert not all((await steps(operator)).values())
        async with ground.program() as program:
            operator = Operator(program.admin_url)
            await eventually(lambda: held(operator), within=60)
            assert not all((await steps(operator)).values())
            closed = await order(operator, "close")
            assert closed["operations"] == opened["operations"]
            await eventually(lambda: answered(operator), within=60)
            rows = (await operator.ask("GET", "audit?object=jd"))["audit"]
            assert [(row["action"], row["reason"]) for row in rows if row["action"].startswith("breaker")] == [
                ("breaker.close", "they asked us to"),
                ("breaker.open", "they asked us to"),
            ]


async def answered(operator: Operator) -> bool:
    found = await steps(operator)
    return bool(found) and all(found.values())


async def held(operator: Operator) -> bool:
    found = await breakers(operator)
    return bool(found) and all(each["state"] == "open" for each in found.values())
