"""`mallgate feeds`: what suppliers fed, and what became of it."""

from __future__ import annotations

from typing import Any, Literal

from cyclopts import App

from gateway.cli.connection import admin
from gateway.cli.output import Json, console, emit, facts, moment, table

feeds = App(name="feeds", help="Look at what suppliers fed.")

Facet = Literal["product", "price", "stock", "listing"]
State = Literal["admitted", "produced", "incomplete", "done", "cancelled"]

OUTCOMES = ("normalized", "unchanged", "stale", "held", "rejected", "cancelled")


@feeds.command(name="list")
async def list_(
    *,
    supplier: str | None = None,
    facet: Facet | None = None,
    state: State | None = None,
    before: int | None = None,
    limit: int = 20,
    json: Json = False,
) -> None:
    """Feeds, newest first. Outcomes are counted once a feed is finished.

    Parameters
    ----------
    supplier: str
        Only of this supplier.
    facet: str
        Only of this facet.
    state: str
        Only in this state.
    before: int
        Only those older than this feed.
    limit: int
        At most so many.
    """
    async with admin() as client:
        page = await client.get("feeds", supplier=supplier, facet=facet, state=state, before=before, limit=limit)
    if json:
        emit(page["feeds"])
    else:
        table(
            "#feed|supplier|facet|mode|origin|state|#records|outcomes|received",
            (_row(feed) for feed in page["feeds"]),
            empty="No such feed.",
        )


@feeds.command
async def show(feed: int, /, *, json: Json = False) -> None:
    """One feed: what became of its items, and what was wrong most often.

    Parameters
    ----------
    feed: int
        Id of the feed.
    """
    async with admin() as client:
        found = await client.get("feeds", str(feed))
    if json:
        emit(found)
    else:
        _show(found)


def _row(feed: dict[str, Any]) -> list[object]:
    plain = [feed[name] for name in ("feed", "supplier", "facet", "mode", "origin", "state", "records")]
    return [*plain, outcomes(feed), moment(feed["received_at"])]


def outcomes(feed: dict[str, Any]) -> dict[str, int]:
    """What became of the items, the best first; outcomes that none has are left out."""
    counts = feed["counts"]
    return {outcome: counts[outcome] for outcome in OUTCOMES if counts.get(outcome)}


def _show(feed: dict[str, Any]) -> None:
    done, chunks = feed["chunks_done"], feed["chunks"]
    facts(
        [
            *(
                (name, feed[name])
                for name in ("feed", "supplier", "facet", "mode", "origin", "state", "lane", "records", "bytes")
            ),
            ("chunks", f"{done} of {'?' if chunks is None else chunks}"),
            ("outcomes", outcomes(feed)),
            *((name.removesuffix("_at"), moment(feed[name])) for name in ("received_at", "produced_at", "finished_at")),
        ]
    )
    if feed["problems"]:
        console.print()
        table(
            "#items|code|问题|problem|skus",
            (
                [problem["count"], problem["code"], problem["message_zh"], problem["message_en"], problem["skus"]]
                for problem in feed["problems"]
            ),
            empty="",
        )
