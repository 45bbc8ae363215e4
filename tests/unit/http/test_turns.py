"""Turns: a crowd of one client is handled one by one, whoever else comes is not behind it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http.turns import IN_A_ROW, PAUSE_SECONDS, Turns


async def until_all_are_done(turns: Turns) -> None:
    """Wait as long as the longest crowd here would have to."""
    for client in "a", "b", "c", "crowd":
        await turns.wait(client)


async def test_who_comes_alone_is_handled_at_once() -> None:
    turns, done = Turns(), list[str]()
    turns.call("a", partial(done.append, "a"))
    turns.call("b", partial(done.append, "b"))
    assert done == ["a", "b"]


async def test_a_crowd_has_one_piece_done_in_each_turn_and_keeps_its_order() -> None:
    turns, done = Turns(), list[int]()
    for number in range(20):
        turns.call("crowd", partial(done.append, number))
    for turn in range(1, 20):
        assert len(done) <= turn
        await asyncio.sleep(0)
    await until_all_are_done(turns)
    assert done == list(range(20))


async def test_who_comes_after_a_crowd_is_not_behind_it() -> None:
    turns, done = Turns(), list[str]()
    for _ in range(1000):
        turns.call("crowd", partial(done.append, "crowd"))
    await asyncio.sleep(0)
    turns.call("other", partial(done.append, "other"))
    assert "other" in done
    await turns.wait("another")
    assert done.count("crowd") < 5


async def test_a_crowd_pauses_and_whoever_comes_alone_does_not() -> None:
    turns, loop = Turns(), asyncio.get_running_loop()
    crowd = [asyncio.create_task(turns.wait("crowd")) for _ in range(IN_A_ROW + 10)]
    began, alone = loop.time(), 0
    while not all(each.done() for each in crowd):
        await turns.wait("alone")
        alone += 1
        await asyncio.sleep(0)
    assert loop.time() - began >= 8 * PAUSE_SECONDS
    assert alone > len(crowd)


async def test_a_piece_that_fails_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    turns, done = Turns(), list[int]()
    failed: list[BaseException] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failed.append(context["exception"]))

    def fail() -> None:
        raise ValueError("a fault")

    pieces: list[Callable[[], object]] = [partial(done.append, 1), fail, partial(done.append, 2)]
    for piece in pieces:
        turns.call("a", piece)
    for _ in range(5):
        await asyncio.sleep(0)
    assert (done, [str(each) for each in failed]) == ([1, 2], ["a fault"])


async def test_who_waits_and_goes_leaves_the_turn_to_the_next() -> None:
    turns = Turns()
    await turns.wait("a")
    waiting = [asyncio.create_task(turns.wait("a")) for _ in range(3)]
    await asyncio.sleep(0)
    waiting[1].cancel()
    await asyncio.gather(waiting[0], waiting[2])
    assert waiting[1].cancelled()


@given(crowd=st.lists(st.sampled_from("abc"), max_size=60))
def test_all_is_done_once_in_the_order_of_each_client(crowd: list[str]) -> None:
    async def done_for(crowd: list[str]) -> list[tuple[str, int]]:
        turns, done = Turns(), list[tuple[str, int]]()
        for number, client in enumerate(crowd):
            turns.call(client, partial(done.append, (client, number)))
            if number % 7 == 0:
                await asyncio.sleep(0)
        await until_all_are_done(turns)
        return done

    done = asyncio.run(done_for(crowd))
    assert sorted(number for _, number in done) == list(range(len(crowd)))
    for client in "abc":
        numbers = [number for whose, number in done if whose == client]
        assert numbers == sorted(numbers)
