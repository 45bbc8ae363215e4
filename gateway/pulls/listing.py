"""The list of everything a supplier sells, read page by page to its end: one list serves the sweeps of all facets.

A list has a number, taken before its first page was asked for. A sweep may use any list whose number is higher than its
own: whatever came on sale too late to be listed is newer than the sweep, which withdraws none of it. So sweeps that are
due together wait for one list; for those that are due a little later a list keeps a lower number for each facet. How
far it was read and what it showed stands in PostgreSQL, so that the next owner goes on there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NoReturn, cast

import structlog
from pydantic import JsonValue

from gateway.deadletters import DeadLetter
from gateway.deadletters import record as record_letters
from gateway.feeds.runs import Run
from gateway.pulls import listing_queries as queries
from gateway.pulls.backoff import Backoff
from gateway.pulls.context import SupplierContext
from gateway.pulls.errors import DECISIVE
from gateway.pulls.reading import letter_of
from gateway.pulls.schedule import list_life
from gateway.sdk.adapter import PullsFeeds, SkuPage
from gateway.sdk.errors import ContractError, InvalidMessageError, RejectedError, SupplierError
from gateway.store import Connection, Row
from gateway.store.outage import retry_while_unavailable
from gateway.telemetry.failpoints import failpoint
from gateway.turnstile import Stretch
from schemas.base import valid_sku
from schemas.catalog import Facet

log = structlog.get_logger(__name__)

LOOKED_AT = 500
"""Skus of a page that are looked at in one stretch."""

MOST_ODD = 100
"""Of one page that can be no skus; more, and it is no list of skus."""


class RunFailedError(SupplierError):
    """The list of skus could not be read to its end."""


@dataclass(frozen=True, slots=True)
class SkuList:
    """One list. numbers: kept for sweeps that begin later, by facet; cursor: of the next page, None for the first.

    ended: it was read to its end, unless there is a failure.
    """

    listing_no: int
    revision: int
    started_at: datetime
    numbers: Mapping[str, int]
    cursor: JsonValue
    pages: int
    skus: int
    ended: bool
    failure: str | None


def keeps_number(
    listing: SkuList, facet: Facet, *, same_since: int, wished_at: datetime | None, life: timedelta, now: datetime
) -> bool:
    """Whether a sweep that begins now may use a list that began before it.

    same_since: the first revision of the supplier that a list may be of; wished_at: when an operator asked for the
    sweep, None for one that is due by schedule: what is so by then shows only in a list that began later. life: how old
    the list may be. A facet uses a list once.
    """
    return (
        facet in listing.numbers
        and listing.revision >= same_since
        and listing.failure is None
        and listing.started_at >= now - life
        and (wished_at is None or listing.started_at >= wished_at)
    )


def is_usable(listing: SkuList, number: int, same_since: int) -> bool:
    """Whether a list, be it under way, ended or failed, is one for a sweep, or after a list, of this number."""
    return listing.listing_no > number and listing.revision >= same_since


class SkuLists:
    """The lists of one supplier, one after the other."""

    def __init__(self, context: SupplierContext) -> None:
        self._context = context
        self._turn = asyncio.Lock()

    async def number_for(
        self, connection: Connection, facet: Facet, wished_at: datetime | None
    ) -> tuple[int, datetime] | None:
        """The number that the newest list kept for a sweep of this facet, and when that was; from now on it is used.

        None: no list will do that began before now. Within the caller's transaction.
        """
        supplier = self._context.supplier
        row = await connection.fetchrow(queries.NEWEST_THAT_KEEPS_NUMBERS, supplier.id)
        if row is None:
            return None
        listing, now = _listing(row), row["now"]
        life = list_life(supplier.config, facet, now)
        if not keeps_number(
            listing, facet, same_since=self._context.same_since, wished_at=wished_at, life=life, now=now
        ):
            return None
        await connection.execute(queries.USE_NUMBER, listing.listing_no, facet)
        return listing.numbers[facet], listing.started_at

    async def take_list(self, run: Run) -> None:
        """Have everything that a list shows read by a run that has nothing to read yet.

        Where the supplier is away it is waited for. A sku that can be none is the run's flaw. Raises RunFailedError
        when an answer is not understood, and when the list is longer than the manifest's `[catalog]` allows; and
        DrainingError between two pages.
        """
        async with self._turn:
            listing = await self._usable_list(run, after=run.feed_no)
            async with self._context.transaction() as connection:
                await connection.execute(queries.TAKE, run.supplier, run.facet, listing.listing_no)
                await connection.execute(queries.TAKE_SKUS, run.feed_no, listing.listing_no, self._size(run))
                await connection.execute(queries.USE_NUMBER, listing.listing_no, run.facet)
        failpoint("sweep.taken")

    async def take_second_list(self, run: Run) -> None:
        """Have read as well what a list shows that began after the end of the run's own. Raises as `take_list`."""
        async with self._turn:
            async with self._context.looking() as connection:
                taken: int = await connection.fetchval(queries.TAKEN, run.supplier, run.facet)
            listing = await self._usable_list(run, after=taken)
            async with self._context.transaction() as connection:
                await connection.execute(queries.NOTE_FLAW, run.supplier, run.facet, listing.listing_no)
                await connection.execute(queries.TAKE_OTHER_SKUS, run.feed_no, listing.listing_no, self._size(run))

    def _size(self, run: Run) -> int:
        return self._context.manifest.pulls[run.facet]

    async def _usable_list(self, run: Run, *, after: int) -> SkuList:
        """A list of a number higher than `after`, at its end; the newest if it has one, else a new one."""
        context = self._context
        async with context.looking() as connection:
            row = await connection.fetchrow(queries.NEWEST, context.supplier.id)
        context.drain.check()
        listing = None if row is None else _listing(row)
        if listing is None or not is_usable(listing, after, context.same_since):
            listing = await self._begin()
        if listing.failure is not None:
            raise RunFailedError(listing.failure)
        return await self._to_its_end(listing, run)

    async def _begin(self) -> SkuList:
        context = self._context
        numbers = {facet.value: await context.numbers.next() for facet in context.facets}
        number = await context.numbers.next()
        async with context.transaction() as connection:
            await connection.execute(queries.FORGET_SKUS, context.supplier.id)
            row = await connection.fetchrow(
                queries.BEGIN, context.supplier.id, number, context.supplier.revision, numbers
            )
        return _listing(cast(Row, row))

    async def _to_its_end(self, listing: SkuList, run: Run) -> SkuList:
        if listing.ended:
            return listing
        try:
            while not listing.ended:
                self._context.drain.check()
                listing = await retry_while_unavailable(self._add_page, listing, await self._next_page(listing.cursor))
        except (ContractError, RejectedError, InvalidMessageError) as error:
            letter = letter_of(error, supplier=run.supplier, facet=run.facet, number=run.feed_no)
            await self._fail(listing, RunFailedError(f"The list of skus is not understood: {error}"), error, [letter])
        except RunFailedError as error:
            await self._fail(listing, error)
        except DECISIVE:
            raise
        except Exception as error:
            log.exception("list.failed", supplier=run.supplier, listing=listing.listing_no)
            await self._fail(listing, RunFailedError(f"a fault of the gateway: {type(error).__name__}"), error)
        log.info(
            "list.ended", supplier=run.supplier, listing=listing.listing_no, skus=listing.skus, pages=listing.pages
        )
        return listing

    async def _next_page(self, cursor: JsonValue) -> SkuPage:
        """Raises what says that the answer is not understood."""
        backoff = Backoff(self._context, "list")
        while True:
            try:
                page = await cast(PullsFeeds, self._context.adapter).list_skus(self._context.patient, cursor)
            except (ContractError, RejectedError, InvalidMessageError):
                raise
            except SupplierError as error:
                await backoff.wait(error)
            else:
                backoff.well()
                return page

    async def _add_page(self, listing: SkuList, page: SkuPage) -> SkuList:
        """The list with one page more. Raises RunFailedError: it is longer than it may be."""
        limits = self._context.manifest.catalog
        skus, odd = await _split_skus(page.skus)
        flaw = f"the list names what can be no sku: {odd[0][:64]!r}" if odd else None
        async with self._context.transaction() as connection:
            added = await connection.fetchval(queries.ADD_SKUS, listing.listing_no, skus)
            row = await connection.fetchrow(
                queries.ADD_PAGE, listing.listing_no, page.cursor, added, flaw, page.cursor is None
            )
            longer = _listing(cast(Row, row))
            if longer.skus > limits.most_skus or longer.pages > limits.most_pages or len(odd) > MOST_ODD:
                raise RunFailedError(_too_long(longer.skus, longer.pages, len(odd)))
        failpoint("sweep.listed")
        return longer

    async def _fail(
        self,
        listing: SkuList,
        failure: RunFailedError,
        cause: Exception | None = None,
        letters: Sequence[DeadLetter] = (),
    ) -> NoReturn:
        """Have every run that waits for the list fail for the same reason. Raises it."""
        async with self._context.transaction() as connection:
            await connection.execute(queries.FAIL, listing.listing_no, str(failure))
            await record_letters(connection, letters)
        raise failure from cause


def _listing(row: Row) -> SkuList:
    return SkuList(
        listing_no=row["listing_no"],
        revision=row["revision"],
        started_at=row["started_at"],
        numbers=row["numbers"],
        cursor=row["cursor"],
        pages=row["pages"],
        skus=row["skus"],
        ended=row["ended"],
        failure=row["failure"],
    )


def _too_long(skus: int, pages: int, odd: int) -> str:
    sizes = f"{skus:,} skus, {pages:,} pages, {odd:,} of one page that can be no skus"
    return f"The list of skus is longer than it may be: {sizes}"


async def _split_skus(listed: Sequence[str]) -> tuple[list[str], list[str]]:
    """What can be skus, and what can be none: a page may hold tens of thousands."""
    skus: list[str] = []
    odd: list[str] = []
    stretch = Stretch()
    for start in range(0, len(listed), LOOKED_AT):
        for sku in listed[start : start + LOOKED_AT]:
            (odd if valid_sku(sku) is None else skus).append(sku)
        await stretch.rest()
    return skus, odd
