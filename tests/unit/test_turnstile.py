"""Long work gives way."""

from __future__ import annotations

import asyncio
import contextvars

from gateway.turnstile import STRETCH_SECONDS, Precedence, Stretch, Turnstile


async def test_only_one_at_a_time_is_let_through_in_order_of_arrival() -> None:
    turnstile, seen = Turnstile(), list[str]()

    async def work(name: str) -> None:
        async with turnstile:
            for _ in range(3):
                seen.append(name)
                await asyncio.sleep(0)

    await asyncio.gather(work("a"), work("b"))
    assert seen == ["a", "a", "a", "b", "b", "b"]


async def test_what_fails_behind_the_turnstile_does_not_block_it() -> None:
    turnstile = Turnstile()

    async def fail() -> None:
        async with turnstile:
            raise ZeroDivisionError

    assert isinstance((await asyncio.gather(fail(), return_exceptions=True))[0], ZeroDivisionError)
    async with turnstile:
        pass


async def test_others_have_their_turn_once_a_stretch_is_used_up() -> None:
    heard, stretch, loop = asyncio.Event(), Stretch(), asyncio.get_running_loop()
    loop.call_soon(heard.set)
    until = loop.time() + 100 * STRETCH_SECONDS
    while not heard.is_set() and loop.time() < until:
        await stretch.rest()
    assert heard.is_set()


async def test_long_work_rests_until_nothing_urgent_is_under_way() -> None:
    precedence = Precedence(spacing=3600)
    outside = contextvars.copy_context()
    with precedence.urgent():
        resting = [asyncio.create_task(precedence.give_way(), context=outside) for _ in range(2)]
        await asyncio.wait(resting, timeout=0.01)
        with precedence.urgent():
            pass
        assert not any(task.done() for task in resting)
    async with asyncio.timeout(30):
        await asyncio.gather(*resting)


async def test_long_work_keeps_a_share_however_much_is_urgent() -> None:
    precedence = Precedence(spacing=0.001)
    outside = contextvars.copy_context()
    with precedence.urgent():
        async with asyncio.timeout(30):
            await asyncio.create_task(precedence.give_way(), context=outside)


async def test_what_is_urgent_does_not_wait_for_itself() -> None:
    precedence = Precedence(spacing=3600)
    with precedence.urgent():
        async with asyncio.timeout(30):
            await precedence.give_way()


async def test_a_rest_that_is_cancelled_is_forgotten() -> None:
    precedence = Precedence(spacing=3600)
    outside = contextvars.copy_context()
    with precedence.urgent():
        resting = asyncio.create_task(precedence.give_way(), context=outside)
        await asyncio.sleep(0)
        resting.cancel()
        await asyncio.gather(resting, return_exceptions=True)
    await precedence.give_way()
