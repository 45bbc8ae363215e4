"""The rate at which a supplier is called: its own limit is found, its wishes are heeded, urgent calls come first."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.calls.budget import FLOOR, ORDER_FLOOR, RetryBudget
from gateway.calls.limiter import LONGEST_WAIT, Limiter, Priority, Rate
from tests.eventually import eventually

TIMEOUT = 10.0


def middle() -> float:
    return 0.5


@dataclass
class Strict:
    """A supplier that takes so many calls in each second of its clock and refuses the rest."""

    per_second: float
    retry_after: float | None
    second: int = -1
    taken: int = 0
    refusals: int = 0
    calls: int = 0

    def refuses(self, now: float) -> bool:
        self.calls += 1
        if int(now) != self.second:
            self.second, self.taken = int(now), 0
        self.taken += 1
        self.refusals += self.taken > self.per_second
        return self.taken > self.per_second


@dataclass
class Bucket:
    """A supplier with a token bucket, as most have."""

    per_second: float
    retry_after: float | None
    tokens: float = field(init=False)
    at: float = 0.0
    refusals: int = 0
    calls: int = 0

    def __post_init__(self) -> None:
        self.tokens = self.per_second

    def refuses(self, now: float) -> bool:
        self.calls += 1
        self.tokens = min(self.per_second, self.tokens + (now - self.at) * self.per_second)
        self.at = now
        if self.tokens >= 1:
            self.tokens -= 1
            return False
        self.refusals += 1
        return True


def an_hour_with(supplier: Strict | Bucket, rate: Rate, *, concurrency: int, latency: float) -> None:
    """Call as often as the rate allows, so many at once, each answered after a while."""
    now, under_way = 0.0, deque[tuple[float, float, bool]]()  # back at, sent at, refused
    while now < 3600:
        if under_way and (len(under_way) == concurrency or under_way[0][0] <= now + rate.wait(now)):
            now, sent_at, refused = under_way.popleft()
            if refused:
                rate.refused(now, sent_at, supplier.retry_after)
            else:
                rate.answered(now, latency)
            continue
        now += rate.wait(now)
        rate.take(now)
        under_way.append((now + latency, now, supplier.refuses(now)))


@pytest.mark.parametrize("retry_after", [None, 1.0, 5.0])
@pytest.mark.parametrize("kind", [Strict, Bucket])
@pytest.mark.parametrize(("maximum", "concurrency", "latency"), [(20.0, 8, 0.05), (20.0, 8, 0.3), (60.0, 32, 0.1)])
def test_a_supplier_that_takes_half_of_what_is_configured_refuses_few_calls_in_an_hour(
    kind: type[Strict | Bucket], retry_after: float | None, maximum: float, concurrency: int, latency: float
) -> None:
    supplier = kind(maximum / 2, retry_after)
    an_hour_with(supplier, Rate(maximum, TIMEOUT, 0.0, middle), concurrency=concurrency, latency=latency)
    assert supplier.refusals <= 0.05 * supplier.calls
    assert supplier.calls - supplier.refusals >= 0.5 * 3600 * maximum / 2


def test_a_supplier_that_takes_what_is_configured_is_called_that_often() -> None:
    supplier = Strict(20, 1.0)
    an_hour_with(supplier, Rate(20, TIMEOUT, 0.0, middle), concurrency=8, latency=0.1)
    assert supplier.calls - supplier.refusals >= 0.9 * 3600 * 20


def test_a_refusal_halves_the_rate_and_silences_everything_for_as_long_as_it_says() -> None:
    rate = Rate(20, TIMEOUT, 0.0, middle)
    rate.refused(1.0, 0.9, 30.0)
    assert rate.current == 10
    assert rate.wait(1.0) == 30.0
    assert rate.wait(31.0) == 0


@pytest.mark.parametrize(
    ("asked", "waited"), [(None, 1.0), (0.0, 0.0), (-5.0, 0.0), (120.0, 120.0), (1e9, LONGEST_WAIT)]
)
def test_what_a_supplier_asks_for_is_heeded_within_reason(asked: float | None, waited: float) -> None:
    rate = Rate(20, TIMEOUT, 0.0, middle)
    rate.refused(10.0, 9.0, asked)
    assert rate.wait(10.0) == waited


def test_refusals_of_calls_that_were_under_way_together_halve_once() -> None:
    rate = Rate(32, TIMEOUT, 0.0, middle)
    for _ in range(8):
        rate.refused(1.0, 0.5, 1.0)
    assert rate.current == 16
    rate.refused(3.0, 2.5, 1.0)
    assert rate.current == 8


def test_the_rate_never_falls_below_a_sixtieth_and_comes_back_within_a_minute_of_success() -> None:
    rate = Rate(60, TIMEOUT, 0.0, middle)
    for now in range(1, 20):
        rate.refused(now, now, 0.0)
    assert rate.current == 1
    for now in range(20, 80):
        rate.answered(now, 0.1)
    assert rate.current == 60


@pytest.mark.parametrize(("maximum", "current"), [(40, 10), (8, 8), (1200, 20)])
def test_other_limits_keep_what_the_supplier_has_asked_for(maximum: float, current: float) -> None:
    rate = Rate(20, TIMEOUT, 0.0, middle)
    rate.refused(1.0, 1.0, retry_after=30.0)
    assert rate.current == 10
    rate.configure(maximum, TIMEOUT, 2.0)
    assert rate.current == current
    assert rate.wait(2.0) >= 29.0
    rate.configure(20, TIMEOUT, 3.0)
    assert rate.current <= 20


@pytest.mark.parametrize("maximum", [5, 80])
def test_a_supplier_that_asked_for_nothing_is_called_as_often_as_its_new_limit_says(maximum: float) -> None:
    rate = Rate(20, TIMEOUT, 0.0, middle)
    rate.configure(maximum, TIMEOUT, 1.0)
    assert rate.current == maximum


def test_a_supplier_that_becomes_slow_is_called_less() -> None:
    rate = Rate(20, TIMEOUT, 0.0, middle)
    for _ in range(20):
        rate.answered(1.0, 6.0)
    assert rate.current == 16
    for _ in range(20):
        rate.answered(1.0, 4.0)
    assert rate.current == 16


times = st.lists(st.tuples(st.floats(0, 5), st.sampled_from(["take", "answered", "refused"])), max_size=200)


@given(times, st.floats(0.1, 1000))
def test_however_calls_go_the_rate_stays_within_its_bounds(steps: list[tuple[float, str]], maximum: float) -> None:
    now, rate = 0.0, Rate(maximum, TIMEOUT, 0.0, middle)
    for pause, step in steps:
        now += pause
        match step:
            case "take":
                now += rate.wait(now)
                assert rate.wait(now) <= 1e-6
                rate.take(now)
            case "answered":
                rate.answered(now, pause)
            case _:
                rate.refused(now, now - pause, None)
        assert maximum / 60 * 0.999 <= rate.current <= maximum
        assert 0 <= rate.wait(now) <= max(90.0, 60 / maximum * 2.1)


@pytest.fixture
def limiter() -> Limiter:
    """With one place, and a rate that stops nobody."""
    return unhurried(places=1)


def unhurried(*, places: int) -> Limiter:
    return Limiter(Rate(10_000, TIMEOUT, time.monotonic(), middle), places, time.monotonic)


async def one_after_the_other(limiter: Limiter, *priorities: Priority) -> list[Priority]:
    """In which order waiting calls had their turn."""
    order: list[Priority] = []

    async def call(priority: Priority) -> None:
        async with limiter.turn(priority):
            order.append(priority)

    async with asyncio.TaskGroup() as calls, limiter.turn(Priority.SWEEP):
        for priority in priorities:
            calls.create_task(call(priority))
        await until_waiting(limiter, len(priorities))
    return order


async def test_a_few_calls_are_not_kept_by_very_many_of_another_operation(limiter: Limiter) -> None:
    order: list[str] = []

    async def call(operation: str) -> None:
        async with limiter.turn(Priority.SWEEP, operation):
            order.append(operation)

    async with asyncio.TaskGroup() as calls, limiter.turn(Priority.SWEEP):
        for operation in ["detail"] * 6 + ["price"] * 2:
            calls.create_task(call(operation))
        await until_waiting(limiter, 8)
    assert order == ["detail", "price", "detail", "price", "detail", "detail", "detail", "detail"]


async def until_waiting(limiter: Limiter, calls: int) -> None:
    async def holds() -> bool:
        return limiter.waiting == calls

    await eventually(holds, within=5)


async def test_what_has_changed_is_read_before_what_is_read_in_any_case(limiter: Limiter) -> None:
    waiting = [Priority.SWEEP] * 3 + [Priority.DELTA] * 3
    assert await one_after_the_other(limiter, *waiting) == [Priority.DELTA] * 3 + [Priority.SWEEP] * 3


async def test_a_sweep_goes_on_however_much_changes(limiter: Limiter) -> None:
    order = await one_after_the_other(limiter, *[Priority.DELTA] * 40, *[Priority.SWEEP] * 4)
    assert [place for place, priority in enumerate(order) if priority is Priority.SWEEP] == [9, 19, 29, 39]


async def test_a_call_that_is_cancelled_leaves_no_place_taken() -> None:
    limiter = unhurried(places=2)

    async def call(hold: asyncio.Event) -> None:
        async with limiter.turn(Priority.SWEEP):
            await hold.wait()

    calls = [asyncio.create_task(call(asyncio.Event())) for _ in range(6)]
    await until_waiting(limiter, 4)
    calls[4].cancel()
    calls[0].cancel()
    await until_waiting(limiter, 2)
    for each in calls:
        each.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    free = asyncio.Event()
    free.set()
    await asyncio.gather(call(free), call(free))
    assert limiter.waiting == 0


async def test_calls_under_way_outlive_a_lower_concurrency_and_a_higher_one_lets_more_through_at_once() -> None:
    limiter, leave, under_way = unhurried(places=3), asyncio.Event(), asyncio.Semaphore(0)

    async def call() -> None:
        async with limiter.turn(Priority.SWEEP):
            under_way.release()
            await leave.wait()

    async with asyncio.TaskGroup() as calls:
        for _ in range(3):
            calls.create_task(call())
        for _ in range(3):
            await under_way.acquire()
        limiter.configure(maximum=10_000, timeout=TIMEOUT, concurrency=1)
        for _ in range(4):
            calls.create_task(call())
        await until_waiting(limiter, 4)
        limiter.configure(maximum=10_000, timeout=TIMEOUT, concurrency=5)
        await until_waiting(limiter, 2)
        leave.set()
    async with limiter.turn(Priority.SWEEP), limiter.turn(Priority.SWEEP):
        assert limiter.waiting == 0


async def test_a_call_that_waits_for_a_slow_rate_goes_as_soon_as_the_rate_is_a_quick_one() -> None:
    limiter = Limiter(Rate(1 / 3600, TIMEOUT, time.monotonic(), middle), 2, time.monotonic)

    async def call() -> None:
        async with limiter.turn(Priority.SWEEP):
            pass

    await call()
    waiting = asyncio.create_task(call())
    await until_waiting(limiter, 1)
    limiter.configure(maximum=10_000, timeout=TIMEOUT, concurrency=2)
    await asyncio.wait_for(waiting, 5)


async def test_a_turn_given_to_a_call_that_is_just_cancelled_goes_to_the_next(limiter: Limiter) -> None:
    async def call() -> None:
        async with limiter.turn(Priority.DELTA):
            pass

    async with limiter.turn(Priority.DELTA):
        first, second = asyncio.create_task(call()), asyncio.create_task(call())
        await until_waiting(limiter, 2)
    first.cancel()  # it has its turn by now, and has not run since
    await asyncio.wait_for(second, 5)
    with pytest.raises(asyncio.CancelledError):
        await first


def test_retries_are_a_fifth_of_the_calls_of_a_minute_and_never_fewer_than_a_few() -> None:
    budget = RetryBudget()
    assert sum(budget.spend(0.0) for _ in range(100)) == FLOOR
    for _ in range(200):
        budget.call(59.0)
    assert sum(budget.spend(59.5) for _ in range(100)) == 40 - FLOOR
    assert sum(budget.spend(100.0) for _ in range(100)) == 40 - 30
    assert sum(budget.spend(500.0) for _ in range(100)) == FLOOR


def test_retries_of_commands_are_a_fifth_of_first_attempts_or_two_a_second() -> None:
    budget = RetryBudget(ORDER_FLOOR)
    assert sum(budget.spend(0.0) for _ in range(500)) == 120
    for _ in range(1000):
        budget.call(1.0)
    assert sum(budget.spend(1.0) for _ in range(500)) == 80


def test_what_a_budget_has_left_is_what_may_be_spent_until_the_minute_is_over() -> None:
    budget = RetryBudget()
    assert budget.left(0.0) == FLOOR
    assert sum(budget.spend(0.0) for _ in range(4)) == 4
    assert budget.left(30.0) == FLOOR - 4
    assert sum(budget.spend(30.0) for _ in range(100)) == FLOOR - 4
    assert [budget.left(now) for now in (30.0, 60.0, 90.0)] == [0, 4, FLOOR]
    for _ in range(51):
        budget.call(90.0)
    assert budget.left(90.0) == 11  # a fifth of 51 is 10.2: an eleventh is allowed as long as ten were spent
