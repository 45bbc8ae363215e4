"""Reading the list of everything a supplier sells, page by page to its end, into batches that wait in PostgreSQL."""

from __future__ import annotations

from itertools import count
from typing import cast

from pydantic import JsonValue

from gateway.deadletters import record as record_letters
from gateway.feeds.runs import Run
from gateway.sdk.adapter import PullsFeeds, SkuPage
from gateway.sdk.errors import ContractError, InvalidMessageError, RejectedError, SupplierError
from gateway.sessions import queries
from gateway.sessions.desk import Desk
from gateway.sessions.patience import Patience
from gateway.sessions.reading import letter_of
from gateway.store import Connection
from gateway.telemetry.faults import reached
from schemas.base import valid_sku

MOST_ODD = 100
"""Of one page that can be no skus; more, and it is no list of skus."""


class RunFailedError(SupplierError):
    """The list of skus could not be read to its end."""


async def read_list(desk: Desk, run: Run, cursor: JsonValue) -> None:
    """Go on behind `cursor`, None for the start; afterwards the batches of the run hold every sku once.

    Where the supplier is away it is waited for. A sku that can be none is the run's flaw. Raises RunFailedError when an
    answer is not understood, and when the list is longer than the manifest's `[catalog]` allows.
    """
    known, limits = await _kept(desk, run), desk.manifest.catalog
    for pages in count(1):
        page = await _page(desk, run, cursor)
        odd = [sku for sku in page.skus if valid_sku(sku) is None]
        fresh = [sku for sku in dict.fromkeys(page.skus) if sku not in known and sku not in odd[:MOST_ODD]]
        known.update(fresh)
        if len(known) > limits.most_skus or pages > limits.most_pages or len(odd) > MOST_ODD:
            raise RunFailedError(_beyond(len(known), pages, len(odd)))
        async with desk.transaction() as connection:
            await keep(connection, run, fresh, desk.manifest.pulls[run.facet])
            if odd:
                flaw = f"the list names what can be no sku: {odd[0][:64]!r}"
                await connection.execute(queries.NOTE_FLAW, run.supplier, run.facet, flaw)
            last = page.cursor is None
            await connection.execute(queries.MOVE_CURSOR, run.supplier, run.facet, page.cursor, last)
        reached("sweep.listed")
        if last:
            return
        cursor = page.cursor


def _beyond(skus: int, pages: int, odd: int) -> str:
    told = f"{skus:,} skus, {pages:,} pages, {odd:,} of one page that can be no skus"
    return f"The list of skus is longer than it may be: {told}"


async def _kept(desk: Desk, run: Run) -> set[str]:
    async with desk.transaction() as connection:
        rows = await connection.fetch(queries.LISTED, run.feed_no)
    return {sku for row in rows for sku in row["skus"]}


async def _page(desk: Desk, run: Run, cursor: JsonValue) -> SkuPage:
    patience = Patience(desk, f"sweep {run.facet}")
    while True:
        try:
            return await cast(PullsFeeds, desk.adapter).list_skus(desk.patient, cursor)
        except (ContractError, RejectedError, InvalidMessageError) as error:
            letter = letter_of(error, supplier=run.supplier, facet=run.facet, number=run.feed_no)
            async with desk.transaction() as connection:
                await record_letters(connection, [letter])
            raise RunFailedError(f"The list of skus is not understood: {error}") from error
        except SupplierError as error:
            await patience.wait(error)


async def keep(connection: Connection, run: Run, skus: list[str], size: int) -> None:
    """Cut skus into batches; the last one of the page before is filled up first, so that no question is wasted."""
    last = await connection.fetchrow(queries.LAST_BATCH, run.feed_no)
    number = 0
    if last is not None:
        full = len(last["skus"]) >= size or not last["open"]
        number = last["batch_no"] + full
        skus = skus if full else [*last["skus"], *skus]
    for place in range(0, len(skus), size):
        await connection.execute(queries.ADD_BATCH, run.feed_no, number, skus[place : place + size])
        number += 1
