"""What a list did not show is asked about before it is withdrawn: a list that moves while it is read misses skus.

A supplier that can be asked about single skus is; of any other a second list is read, one for all facets. What is on
sale after all joins the batches of the run and is read like the rest; what stays absent is withdrawn when the run is
whole. All of it is done again after a restart: what was added meanwhile is listed by then.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import cast

from gateway.deadletters import record as record_letters
from gateway.feeds.queries import FACET_CODES
from gateway.feeds.runs import Run
from gateway.pulls import queries
from gateway.pulls.backoff import Backoff
from gateway.pulls.context import SupplierContext
from gateway.pulls.listing import SkuLists
from gateway.pulls.reading import letter_of
from gateway.sdk.adapter import ConfirmsSkus
from gateway.sdk.errors import ContractError, InvalidMessageError, RejectedError, SupplierError
from gateway.store import Connection
from gateway.store.outage import retry_while_unavailable

PORTION = 10_000
"""Absent skus that are held at once."""


async def confirm_absent(context: SupplierContext, lists: SkuLists, run: Run) -> None:
    """Ask about everything that the mall has of this facet and the list of this run did not show.

    Where the supplier is away it is waited for; what it does not answer is the run's flaw. Raises RunFailedError when
    the second list is not understood, and DrainingError between two questions.
    """
    last = ""
    while absent := await _absent(context, run, last):
        if not context.manifest.confirms:
            await lists.take_second_list(run)
            return
        for skus in _portions(absent, context.manifest.confirms):
            context.drain.check()
            await _confirm(context, run, skus)
        last = absent[-1]


async def _absent(context: SupplierContext, run: Run, last: str) -> list[str]:
    """Some of the absent skus, those behind `last` in order."""
    async with context.looking() as connection:
        rows = await connection.fetch(queries.ABSENT, FACET_CODES[run.facet], run.supplier, run.feed_no, last, PORTION)
    return [row["sku"] for row in rows]


def _portions(skus: Sequence[str], size: int) -> list[list[str]]:
    left = iter(skus)
    return list(iter(lambda: list(islice(left, size)), []))


async def _confirm(context: SupplierContext, run: Run, skus: Sequence[str]) -> None:
    backoff = Backoff(context, f"sweep {run.facet}")
    while True:
        try:
            sold = await cast(ConfirmsSkus, context.adapter).still_sold(context.patient, skus)
        except (ContractError, RejectedError, InvalidMessageError) as error:
            await retry_while_unavailable(_unconfirmed, context, run, skus, error)
            return
        except SupplierError as error:
            await backoff.wait(error)
        else:
            backoff.well()
            await retry_while_unavailable(_keep_sold, context, run, [sku for sku in skus if sku in sold])
            return


async def _keep_sold(context: SupplierContext, run: Run, skus: list[str]) -> None:
    async with context.transaction() as connection:
        await _keep(connection, run, skus, context.manifest.pulls[run.facet])


async def _keep(connection: Connection, run: Run, skus: list[str], size: int) -> None:
    """Cut skus into batches; the last one of the run is filled up first, so that no question is wasted."""
    last = await connection.fetchrow(queries.LAST_BATCH, run.feed_no)
    number = 0
    if last is not None:
        full = len(last["skus"]) >= size or not last["open"]
        number = last["batch_no"] + full
        skus = skus if full else [*last["skus"], *skus]
    for place in range(0, len(skus), size):
        await connection.execute(queries.ADD_BATCH, run.feed_no, number, skus[place : place + size])
        number += 1


async def _unconfirmed(context: SupplierContext, run: Run, skus: Sequence[str], error: Exception) -> None:
    """What nobody can say of is not absent: the run goes on with its flaw, and withdraws nothing."""
    letter = letter_of(error, supplier=run.supplier, facet=run.facet, number=run.feed_no, place=1)
    flaw = f"whether {skus[0]} and maybe others are still sold was not answered"
    async with context.transaction() as connection:
        await connection.execute(queries.NOTE_FLAW, run.supplier, run.facet, flaw)
        await record_letters(connection, [letter])
