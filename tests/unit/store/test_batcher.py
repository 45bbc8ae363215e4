"""Batcher: a crowd of questions is few statements, and every answer is as of after its question came."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from gateway.store import Batcher


class Clerk:
    """Answers each question with how often it was asked anything; holds rounds back until let go."""

    def __init__(self) -> None:
        self.rounds: list[list[str]] = []
        self.free = asyncio.Event()
        self.fault: Exception | None = None

    async def answer(self, questions: Sequence[str]) -> list[str]:
        self.rounds.append(list(questions))
        await self.free.wait()
        if self.fault is not None:
            raise self.fault
        return [f"{question}{len(self.rounds)}" for question in questions]


@pytest.fixture
def clerk() -> Clerk:
    return Clerk()


async def test_those_that_come_while_some_are_asked_are_asked_together(clerk: Clerk) -> None:
    batcher = Batcher(clerk.answer)
    first = asyncio.create_task(batcher.ask("a"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    others = [asyncio.create_task(batcher.ask(name)) for name in "bcb"]
    await asyncio.sleep(0)
    assert clerk.rounds == [["a"]]
    clerk.free.set()
    assert [await each for each in (first, *others)] == ["a1", "b2", "c2", "b2"]
    assert clerk.rounds == [["a"], ["b", "c", "b"]]
    assert await batcher.ask("d") == "d3"


async def test_a_fault_is_of_its_round_alone(clerk: Clerk) -> None:
    batcher = Batcher(clerk.answer)
    clerk.fault = ValueError("away")
    clerk.free.set()
    assert [str(each) for each in await asyncio.gather(*map(batcher.ask, "ab"), return_exceptions=True)] == ["away"] * 2
    clerk.fault = None
    assert await batcher.ask("c") == "c2"


async def test_who_goes_takes_nobodys_answer_along(clerk: Clerk) -> None:
    batcher = Batcher(clerk.answer)
    waiting = [asyncio.create_task(batcher.ask(name)) for name in "abc"]
    for _ in range(3):
        await asyncio.sleep(0)
    waiting[1].cancel()
    clerk.free.set()
    assert [await waiting[0], await waiting[2]] == ["a1", "c1"]
    with pytest.raises(asyncio.CancelledError):
        await waiting[1]
