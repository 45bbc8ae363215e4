"""Long work gives way."""

from __future__ import annotations

import asyncio

from gateway.turnstile import STRETCH_SECONDS, Stretch, Turnstile


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
