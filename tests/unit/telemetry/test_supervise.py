"""What one unit of a loop suffers reaches no other, is said once, and is tried again ever less often."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from gateway.sdk.errors import GatewayError, ServiceUnavailableError
from gateway.telemetry import metrics
from gateway.telemetry.supervise import AWAY, FAULT, OUTAGE, SHOWN, Backoff, Supervisor, described


class LostError(GatewayError):
    """The loop is to end."""


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Units:
    """Units that go well, or end by what a test gave them; worked: which were tried, in order."""

    def __init__(self, faults: dict[str, Exception] | None = None) -> None:
        self.faults = dict(faults or {})
        self.worked: list[str] = []

    async def work(self, unit: str) -> str:
        self.worked.append(unit)
        if unit in self.faults:
            raise self.faults[unit]
        return unit.upper()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def supervisor(clock: Callable[[], float], loop: str = "trial") -> Supervisor[str]:
    return Supervisor(loop, "unit", passes=(LostError,), clock=clock, chance=lambda: 1.0)


def set_aside(loop: str) -> float | None:
    return metrics.REGISTRY.get_sample_value("mallgate_units_set_aside", {"loop": loop})


def failures(loop: str, error: str) -> float:
    labels = {"loop": loop, "error": error}
    return metrics.REGISTRY.get_sample_value("mallgate_unit_failures_total", labels) or 0.0


@pytest.mark.parametrize(
    "error", [KeyError("a_newer_code"), ValueError("no such facet"), ExceptionGroup("", [OSError()])]
)
async def test_a_unit_that_fails_keeps_no_neighbour_from_its_turn(clock: Clock, error: Exception) -> None:
    units = Units({"b": error})
    assert await supervisor(clock).each(["a", "b", "c"], units.work) == ["A", "C"]


async def test_a_unit_that_fails_is_not_tried_before_its_time(clock: Clock) -> None:
    units, loop = Units({"b": KeyError()}), supervisor(clock)
    for _ in range(3):
        await loop.each(["a", "b"], units.work)
    assert units.worked.count("b") == 1
    assert loop.not_due() == ["b"]
    clock.now += FAULT.first
    await loop.each(["a", "b"], units.work)
    assert units.worked.count("b") == 2


async def test_a_unit_that_goes_well_again_is_like_any_other(clock: Clock) -> None:
    units, loop = Units({"b": KeyError()}), supervisor(clock)
    await loop.each("ab", units.work)
    clock.now += FAULT.longest
    units.faults.clear()
    assert await loop.each("ab", units.work) == ["A", "B"]
    assert loop.set_aside() == []


async def test_a_fault_is_said_once_with_its_traceback(clock: Clock) -> None:
    units, loop = Units({"b": KeyError("code")}), supervisor(clock)
    with capture_logs() as logs:
        for _ in range(5):
            await loop.each("ab", units.work)
            clock.now += FAULT.longest
    (said,) = logs
    assert (said["event"], said["unit"], said["log_level"]) == ("trial.set_aside", "unit b", "error")
    assert said["exc_info"] is units.faults["b"]


async def test_faults_that_take_turns_are_said_once_each(clock: Clock) -> None:
    units, loop = Units(), supervisor(clock)
    with capture_logs() as logs:
        for error in [KeyError(), ServiceUnavailableError(), KeyError(), ServiceUnavailableError(), KeyError()]:
            units.faults["b"] = error
            await loop.run("b", lambda: units.work("b"))
            clock.now += FAULT.longest
    assert [log["event"] for log in logs] == ["trial.set_aside", "trial.waiting"]


async def test_an_outage_between_does_not_shorten_the_wait_for_a_fault(clock: Clock) -> None:
    units, loop = Units(), supervisor(clock)
    for error in [KeyError(), ServiceUnavailableError(), KeyError()]:
        units.faults["b"] = error
        await loop.run("b", lambda: units.work("b"))
        clock.now += 1.0
    clock.now += 0.5
    assert not loop.due("b")
    clock.now += 0.5
    assert loop.due("b")


async def test_failures_are_counted_by_loop_and_class(clock: Clock) -> None:
    units, loop = Units({"b": KeyError(), "c": ValueError()}), supervisor(clock, "counted")
    before = failures("counted", "KeyError")
    await loop.each("abc", units.work)
    assert failures("counted", "KeyError") == before + 1
    assert set_aside("counted") == 2
    units.faults.clear()
    clock.now += FAULT.longest
    await loop.each("abc", units.work)
    assert set_aside("counted") == 0


async def test_one_unit_for_which_a_service_is_away_does_not_stop_the_others(clock: Clock) -> None:
    """A lock that one feed waits for looks like PostgreSQL being away."""
    units, loop = Units({"a": ServiceUnavailableError("lock timeout")}), supervisor(clock)
    with pytest.raises(ServiceUnavailableError):
        await loop.each("abc", units.work)
    assert units.worked == ["a", "b", "c"]
    assert await loop.each("abc", units.work) == ["B", "C"]  # it is not tried again so soon


async def test_several_in_a_row_tell_of_an_outage(clock: Clock) -> None:
    units = Units({unit: ServiceUnavailableError(unit) for unit in "abcdef"})
    with pytest.raises(ServiceUnavailableError):
        await supervisor(clock).each("abcdef", units.work)
    assert len(units.worked) == OUTAGE


async def test_units_that_a_service_is_away_for_hold_up_no_other_however_many_they_are(clock: Clock) -> None:
    units, loop = Units({f"stuck {number}": ServiceUnavailableError() for number in range(20)}), supervisor(clock)
    for _ in range(10):
        with suppress(ServiceUnavailableError):
            await loop.each([*units.faults, "last"], units.work)
        clock.now += AWAY.longest
    assert "last" in units.worked


async def test_the_end_of_the_loop_passes(clock: Clock) -> None:
    units, loop = Units({"a": LostError()}), supervisor(clock)
    with pytest.raises(LostError):
        await loop.each("ab", units.work)
    assert loop.set_aside() == []


async def test_being_cancelled_is_no_fault(clock: Clock) -> None:
    loop, begun = supervisor(clock), asyncio.Event()

    async def endless() -> None:
        begun.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(loop.run("a", endless))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert loop.set_aside() == []


async def test_a_unit_that_nobody_asks_for_any_more_is_forgotten(clock: Clock) -> None:
    units, loop = Units({"b": KeyError()}), supervisor(clock, "forgetful")
    await loop.each("ab", units.work)
    assert [aside.unit for aside in loop.set_aside()] == ["unit b"]
    clock.now += 2 * FAULT.longest
    assert loop.set_aside() == []
    assert set_aside("forgetful") == 0


async def test_work_that_comes_to_nothing_is_work_all_the_same(clock: Clock) -> None:
    async def nothing(_: str) -> None:
        return None

    assert await supervisor(clock).each("ab", nothing) == [None, None]


async def test_rest_ends_when_the_unit_is_due(clock: Clock) -> None:
    units, loop = Units({"b": KeyError()}), supervisor(clock)
    await loop.rest("never seen")
    await loop.each("b", units.work)
    clock.now += FAULT.longest
    await loop.rest("b")
    assert loop.due("b")


@given(st.integers(1, 10_000), st.floats(0, 1), st.sampled_from([FAULT, AWAY, Backoff(3.0, 4.0)]))
def test_waits_grow_to_their_bound_and_never_vanish(failed: int, chance: float, backoff: Backoff) -> None:
    wait = backoff.delay(failed, chance)
    assert backoff.first / 2 <= wait <= backoff.longest
    assert backoff.delay(failed + 1, chance) >= wait


async def test_operators_are_told_what_is_set_aside_but_not_of_thousands(clock: Clock) -> None:
    first, second = supervisor(clock, "first"), supervisor(clock, "second")
    assert described([first, second]) == "nothing"
    units = Units({f"{number}": KeyError() for number in range(SHOWN + 1)})
    await first.run("old", lambda: units.work("0"))
    clock.now += FAULT.first
    await first.run("old", lambda: units.work("0"))
    assert described([second, first]) == "first: unit old: KeyError, 2x in 3 s"
    await second.each(units.faults, units.work)
    told = described([second, first]).split("; ")
    assert told[0].startswith("first: unit old")
    assert (len(told), told[-1]) == (SHOWN + 1, "and 2 more")


class PartAwayError(ServiceUnavailableError):
    """A part of a service is away."""

    partial = True


async def test_any_number_of_units_that_need_a_part_that_is_away_are_no_outage(clock: Clock) -> None:
    letters = [f"b{number}" for number in range(4 * OUTAGE)]
    faults: dict[str, Exception] = {letter: PartAwayError("prices") for letter in letters}
    units, loop = Units(faults), supervisor(clock)
    assert await loop.each(["a", *letters, "c"], units.work) == ["A", "C"]
    loop.raise_outage()
    assert len(loop.not_due()) == len(letters)


async def test_a_service_that_is_away_is_told_though_a_part_of_it_was(clock: Clock) -> None:
    units = Units({"a": PartAwayError("prices"), "b": ServiceUnavailableError()})
    with pytest.raises(ServiceUnavailableError):
        await supervisor(clock).each(["a", "b"], units.work)


async def test_what_many_units_wait_for_is_said_once(clock: Clock) -> None:
    faults: dict[str, Exception] = {unit: PartAwayError("prices") for unit in ("a", "b", "c")}
    faults["d"] = PartAwayError("stocks")
    units, loop = Units(faults), supervisor(clock)
    with capture_logs() as logs:
        for _ in range(3):
            await loop.each(faults, units.work)
            clock.now += AWAY.longest
    said = [(log["event"], log["unit"], log["error"]) for log in logs]
    assert said == [("trial.waiting", "unit a", "prices"), ("trial.waiting", "unit d", "stocks")]
    assert "trial: unit d: stocks, 3x" in described([loop])
