"""Sweeps: a facet read as a whole, from the list of everything to the last sku, across restarts and outages.

a list ──► absent ones confirmed ──► batches ──► each: number, question, chunks, acks ──► closed: the feed is whole
A run ends as done, is resumed by the next owner where it stood, or fails with a reason. What may be missing because of
a fault is written down as the run's flaw first: a run with a flaw withdraws nothing.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from gateway.deadletters import DeadLetter
from gateway.deadletters import record as record_letters
from gateway.feeds.runs import Page, Run, pack
from gateway.pulls import queries
from gateway.pulls.backoff import Backoff
from gateway.pulls.confirming import confirm_absent
from gateway.pulls.context import SupplierContext
from gateway.pulls.errors import DrainingError, foremost
from gateway.pulls.listing import SkuLists
from gateway.pulls.reading import Answers, AreaUnansweredError, Lost, letters_of
from gateway.sdk.errors import SupplierError, UnavailableError
from gateway.store.outage import retry_while_unavailable
from gateway.telemetry.failpoints import failpoint

log = structlog.get_logger(__name__)

AT_ONCE = 8
"""Batches under way at once, where as many calls may be: some are a hundred calls, and while one settles others ask."""

CHUNKS_OF_BATCH = 4096
"""Chunk numbers of one batch, those of attempts that a crash ended included."""

REFUSALS = 3
"""Questions in an area of which nothing was answered, before it is asked about no more where it never answered."""

IN_PART = 4
"""Questions of late that some areas answered and others did not, before those that did not are suspected."""

ROUNDS = 5
"""How often a batch may go unanswered while others are answered, before the run goes on without it."""


@dataclass(slots=True)
class Batch:
    """One question. unanswered: rounds in which it alone was not answered; seen: questions answered by then."""

    number: int
    skus: tuple[str, ...]
    unanswered: int = 0
    seen: int = 0


class Areas:
    """The areas of one run. closed: asked about no more, since nothing is answered there whatever is asked.

    in_part: questions of late that only some areas answered.
    """

    def __init__(self) -> None:
        self.closed: set[str] = set()
        self.in_part = 0
        self._answered: set[str] = set()
        self._refused: Counter[str] = Counter()

    def record(self, answers: Answers) -> None:
        """What a question came to; takes out of it what was said of its areas before."""
        if not answers.refused:
            self.in_part = 0
        self._answered |= answers.answered
        self._refused.update(each.area for each in answers.refused)
        answers.refused = [each for each in answers.refused if each.area not in self.closed]
        self.closed |= {each.area for each in answers.refused if each.sure or self._never_answers(each.area)}

    def _never_answers(self, area: str) -> bool:
        return area not in self._answered and self._refused[area] >= REFUSALS


class Sweep:
    """One run of one facet."""

    def __init__(self, context: SupplierContext, lists: SkuLists, run: Run) -> None:
        self._context = context
        self._lists = lists
        self._run = run
        self._batches: deque[Batch] = deque()
        self._turn = asyncio.Lock()
        self._loaded = -1
        self._all_loaded = False
        self._answered = 0
        self._reading = context.reading(run.facet, context.patient)
        self._areas = Areas()

    async def go(self, *, listed: bool) -> None:
        """To the end. listed: its batches have what a list showed.

        Raises RunFailedError; ServiceUnavailableError and DrainingError: go again, it is resumed.
        """
        if not listed:
            await self._lists.take_list(self._run)
        await confirm_absent(self._context, self._lists, self._run)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(min(self._context.concurrency, AT_ONCE)):
                    group.create_task(self._work(), name=f"sweep {self._run.facet}")
        except ExceptionGroup as errors:
            raise foremost(errors) from errors
        if self._batches or not self._all_loaded:
            raise DrainingError

    async def _work(self) -> None:
        """One batch after the other. While PostgreSQL is away it waits: what raises here cuts the others' calls off."""
        backoff = Backoff(self._context, f"sweep {self._run.facet}")
        with suppress(DrainingError):
            while (batch := await retry_while_unavailable(self._next)) is not None:
                try:
                    await self._take(batch)
                    backoff.well()
                except SupplierError as error:
                    await self._put_back(batch, error)
                    await backoff.wait(error)

    async def _next(self) -> Batch | None:
        """A batch that nobody works on: one not asked yet, else one that went unanswered; None when there is none.

        None too while the work is drained.
        """
        async with self._turn:
            if self._context.drain.begun:
                return None
            if not self._batches and not self._all_loaded:
                async with self._context.looking() as connection:
                    rows = await connection.fetch(queries.UNREAD, self._run.feed_no, self._loaded)
                self._batches.extend(Batch(row["batch_no"], tuple(row["skus"])) for row in rows)
                self._loaded = rows[-1]["batch_no"] if rows else self._loaded
                self._all_loaded = not rows
            return self._batches.popleft() if self._batches else None

    async def _take(self, batch: Batch) -> None:
        """Ask about a batch and have what was answered go its way. Raises SupplierError: it was not answered."""
        context, run = self._context, self._run
        async with context.in_flight.asking(run.facet, batch.skus):
            page_no, received_at = await retry_while_unavailable(context.numbers.next), datetime.now(UTC)
            suspect = batch.unanswered > 0 or self._areas.in_part >= IN_PART
            answers = await self._reading.ask(batch.skus, closed=self._areas.closed, suspect=suspect)
        self._answered += 1
        self._areas.record(answers)
        failpoint("sweep.answered")
        await self._bring_in(batch, answers, page_no, received_at)
        failpoint("sweep.settled")

    async def _bring_in(self, batch: Batch, answers: Answers, page_no: int, received_at: datetime) -> None:
        """The answers as chunks of the run, and the batch as read."""
        page = Page(page_no, received_at, pack([exchange.encode() for exchange in answers.exchanges]))
        numbers = await retry_while_unavailable(self._numbers, batch, len(page.chunks))
        failpoint("sweep.numbered")
        await retry_while_unavailable(self._context.runs.send, self._run, page, numbers)
        failpoint("sweep.sent")
        await retry_while_unavailable(self._settle, batch, answers, page_no)

    async def _numbers(self, batch: Batch, count: int) -> list[int]:
        """Every number that was ever given out for the batch, at last as many new ones as it has chunks now."""
        async with self._context.transaction() as connection:
            numbers: list[int] = await connection.fetchval(
                queries.GIVE_NUMBERS, self._run.feed_no, batch.number, batch.number * CHUNKS_OF_BATCH, count
            )
        return numbers

    async def _settle(self, batch: Batch, answers: Answers, number: int) -> None:
        run = self._run
        letters = letters_of(answers, supplier=run.supplier, facet=run.facet, number=number, feed_no=run.feed_no)
        async with self._context.transaction() as connection:
            await connection.execute(queries.READ_BATCH, run.feed_no, batch.number, len(answers.exchanges))
            if letters:
                flaw = f"{_what(letters[0], answers)} and maybe others were not answered for"
                await connection.execute(queries.NOTE_FLAW, run.supplier, run.facet, flaw)
                await record_letters(connection, letters)

    async def _put_back(self, batch: Batch, error: SupplierError) -> None:
        """It waits behind the others; one that goes unanswered while they are answered is given up in the end.

        While the work is drained, that it goes unanswered is our doing.
        """
        if isinstance(error, AreaUnansweredError):
            self._areas.in_part += 1
        if self._answered > batch.seen and not self._context.drain.begun:
            batch.unanswered, batch.seen = batch.unanswered + 1, self._answered
        if batch.unanswered < ROUNDS:
            self._batches.append(batch)
            return
        lost = UnavailableError(f"unanswered {ROUNDS} times: {error}", operation=error.operation)
        answers = Answers(lost=[Lost(sku, lost) for sku in batch.skus])
        await self._bring_in(
            batch, answers, await retry_while_unavailable(self._context.numbers.next), datetime.now(UTC)
        )


def _what(letter: DeadLetter, answers: Answers) -> str:
    """The first thing that was not answered for, in words."""
    if letter.sku is not None:
        return letter.sku
    area = answers.refused[0].area
    return f"area {area}" if area else f"a question about {letter.facet}"
