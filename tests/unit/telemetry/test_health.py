"""Readiness tells what is, not what was hoped for."""

from __future__ import annotations

import asyncio

import pytest

from gateway.sdk.errors import ServiceUnavailableError
from gateway.telemetry import health
from gateway.telemetry.health import CheckResult, Health


async def well() -> str:
    return "well"


async def away() -> str:
    raise ServiceUnavailableError("PostgreSQL: connection refused")


async def silent() -> str:
    await asyncio.Event().wait()
    return "never"


async def test_a_process_without_checks_is_ready() -> None:
    readiness = await Health().readiness()
    assert readiness.ready
    assert readiness.checks == {}


async def test_one_bad_check_makes_the_process_unready_and_says_why() -> None:
    checks = Health()
    checks.add("kafka", well)
    checks.add("postgres", away)
    readiness = await checks.readiness()
    assert readiness.as_json() == {
        "ready": False,
        "checks": {
            "kafka": {"ok": True, "detail": "well"},
            "postgres": {"ok": False, "detail": "PostgreSQL: connection refused"},
        },
    }


async def test_a_check_that_does_not_answer_is_bad(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "CHECK_SECONDS", 0.0)
    checks = Health()
    checks.add("kafka", silent)
    assert (await checks.readiness()).checks == {"kafka": CheckResult(ok=False, detail="no answer within 0 s")}


async def test_checks_are_asked_afresh_each_time() -> None:
    answers = iter([well, away])

    async def next_answer() -> str:
        return await next(answers)()

    checks = Health()
    checks.add("postgres", next_answer)
    assert (await checks.readiness()).ready
    assert not (await checks.readiness()).ready


async def test_who_asks_while_others_are_being_answered_costs_nothing_more() -> None:
    asked, go_on = 0, asyncio.Event()

    async def counted() -> str:
        nonlocal asked
        asked += 1
        await go_on.wait()
        return "well"

    checks = Health()
    checks.add("postgres", counted)
    gone, *probes = [asyncio.create_task(checks.readiness()) for _ in range(1_000)]
    await asyncio.sleep(0)
    gone.cancel()  # its client did not wait for the answer
    go_on.set()
    assert all(readiness.ready for readiness in await asyncio.gather(*probes))
    assert asked == 1
    await checks.readiness()
    assert asked == 2


async def test_a_mistake_of_ours_is_not_taken_for_an_outage() -> None:
    async def broken() -> str:
        raise TypeError

    checks = Health()
    checks.add("broken", broken)
    with pytest.raises(TypeError):
        await checks.readiness()


async def test_names_are_given_once_and_can_be_given_back() -> None:
    checks = Health()
    checks.add("kafka", well)
    with pytest.raises(ValueError, match="kafka"):
        checks.add("kafka", well)
    checks.remove("kafka")
    checks.add("kafka", well)
