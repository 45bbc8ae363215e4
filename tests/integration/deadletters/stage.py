"""A stage that fails, takes its dead letters back, and writes down every effect it has."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from uuid import UUID

import orjson

from gateway.deadletters import DeadLetter, DeadLetterRow, Handler, Predictor, ReplayResult, Replays, record
from gateway.sdk.errors import Issue
from gateway.store import Connection, Pool, transaction

STAGE = "normalise"
TOO_LONG = Issue("number_out_of_range", "/price", actual="9" * 30, expected="at most 18 digits")
WRONG = Issue("invalid_decimal", "/items/3/price", actual="1,5", expected="a decimal with at most 2 places")


def letter(number: int = 0, **changes: object) -> DeadLetter:
    """A dead letter but for the changes; other numbers are other records of one feed."""
    valid: dict[str, object] = {
        "stage": STAGE,
        "issues": (WRONG,),
        "original": orjson.dumps({"sku": f"A-{number}", "price": "1,5"}),
        "supplier": "acme",
        "facet": "price",
        "sku": f"A-{number}",
        "feed_no": 7,
        "record_index": number,
        "line": number + 1,
    }
    return DeadLetter(**{**valid, **changes})  # type: ignore[arg-type]


async def recorded(pool: Pool, letters: Sequence[DeadLetter]) -> list[UUID]:
    """Keep the letters in a transaction of their own; their ids."""
    async with transaction(pool) as connection:
        await record(connection, letters)
    return [one.id for one in letters]


class Stage:
    """Takes dead letters back and enters what took effect into a ledger, a table in the same database.

    outcomes: what a letter comes to by its sku, `normalized` otherwise; failing: what is raised once, by sku, after
    the effect was entered.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self.outcomes: dict[str, ReplayResult] = {}
        self.failing: dict[str, Exception] = {}
        self.begun = asyncio.Event()
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()

    async def replay(self, connection: Connection, found: DeadLetterRow) -> ReplayResult:
        """A Handler."""
        await connection.execute("INSERT INTO ledger (letter, content) VALUES ($1, $2)", found.id, found.content)
        self.begun.set()
        await self.may_go_on.wait()
        if (error := self.failing.pop(found.sku or "", None)) is not None:
            raise error
        return self.outcomes.get(found.sku or "", ReplayResult("normalized"))

    async def predict(self, connection: Connection, found: DeadLetterRow) -> ReplayResult:
        """A Predictor that goes the whole way; what it writes must not last."""
        return await self.replay(connection, found)

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """What Replays are composed with."""
        return {STAGE: self.replay}

    @property
    def predictors(self) -> Mapping[str, Predictor]:
        """What Replays are composed with."""
        return {STAGE: self.predict}

    def replays(self, owner: str = "here") -> Replays:
        """Replays of one process, with a lease that is soon over."""
        return Replays(self._pool, self.handlers, self.predictors, owner=owner, lease_term=1.0)

    async def ledger(self) -> list[UUID]:
        """The letters that took effect, in that order."""
        async with transaction(self._pool) as connection:
            return [row["letter"] for row in await connection.fetch("SELECT letter FROM ledger ORDER BY entry")]


@asynccontextmanager
async def running(work: Callable[[], Awaitable[None]]) -> AsyncIterator[asyncio.Task[None]]:
    """A task of a process that is up for the length of the block."""
    task = asyncio.ensure_future(work())
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
