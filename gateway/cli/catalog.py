"""`mallgate catalog`: republish what a catalog topic has lost, and see what could not be."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter
from rich.progress import Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from gateway.cli.connection import admin
from gateway.cli.output import Json, console, emit, facts, moment, table
from gateway.outbound import AdminClient

LOOK_SECONDS = 0.5
"""How often a rebuild is looked at."""

NAMED = 10
"""Missing keys that are named at the end of a rebuild."""

Facet = Annotated[Literal["product", "price", "stock", "listing"], Parameter(help="Which of the catalog topics.")]

catalog = App(name="catalog", help="Publish anew what a catalog topic has lost; see what could not be.")


@catalog.command
async def rebuild(facet: Facet, /, *, supplier: str | None = None, rate: float = 1_000.0, json: Json = False) -> None:
    """Publish the state of every key of a facet again, under newer versions, and watch it. Ctrl-C leaves it running.

    The topic is made if it is missing. A rebuild of the same that is under way is joined.

    Parameters
    ----------
    supplier: str
        Only the keys of this one.
    rate: float
        Keys per second at most.
    """
    async with admin() as client:
        job = await client.post("catalog", facet, "rebuild", body={"supplier": supplier, "rate": rate})
        found = await _until_done(client, job["id"], quiet=json)
        lacking = await _missing(client, facet, supplier, NAMED) if found["asked"] + found["missing"] else []
    if json:
        emit({**found, "first_missing": lacking})
        return
    _show(found)
    if lacking:
        console.print()
        _list(facet, lacking)
        left = found["asked"] + found["missing"] - len(lacking)
        if left > 0:
            console.print(Text(f"… and {left:,} more: mallgate catalog missing {facet}", style="dim"))


@catalog.command
async def rebuilds(*, limit: int = 20, json: Json = False) -> None:
    """Rebuilds, the newest first.

    Parameters
    ----------
    limit: int
        At most so many.
    """
    async with admin() as client:
        found = (await client.get("catalog", "rebuilds", limit=limit))["rebuilds"]
    if json:
        emit(found)
        return
    names = ("id", "facet", "supplier", "state", "published", "asked", "missing", "actor")
    rows = ([*(each[name] for name in names), moment(each["created_at"])] for each in found)
    table("rebuild|facet|supplier|state|#published|#asked|#missing|by|created", rows, empty="Nothing was rebuilt yet.")


@catalog.command
async def missing(facet: Facet, /, *, supplier: str | None = None, limit: int = 50, json: Json = False) -> None:
    """Keys of which the gateway does not have the content any more, and who has to push them.

    Parameters
    ----------
    supplier: str
        Only the keys of this one.
    limit: int
        At most so many.
    """
    async with admin() as client:
        found = await _missing(client, facet, supplier, limit)
    if json:
        emit(found)
    else:
        _list(facet, found)


async def _missing(client: AdminClient, facet: str, supplier: str | None, limit: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    place: dict[str, str] | None = {}
    while place is not None and len(found) < limit:
        size = min(200, limit - len(found))
        page = await client.get("catalog", facet, "missing", supplier=supplier, limit=size, **place)
        found += page["missing"]
        place = page["next"]
    return found


async def _until_done(client: AdminClient, job: int, *, quiet: bool) -> dict[str, Any]:
    """A rebuild once it is over; shows the way there to a person."""
    columns = (TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as progress:
        line = progress.add_task("", total=None)
        while True:
            found: dict[str, Any] = await client.get("catalog", "rebuilds", str(job))
            progress.update(line, description=f"rebuild {job}: {found['published']:,} published")
            if found["state"] == "done":
                return found
            await asyncio.sleep(LOOK_SECONDS)


def _show(found: dict[str, Any]) -> None:
    facts(
        [
            ("rebuild", found["id"]),
            ("facet", found["facet"]),
            ("supplier", found["supplier"] or "all"),
            ("state", found["state"]),
            ("published", found["published"]),
            ("from the topic", found["from_topic"]),
            ("from the archive", found["from_archive"]),
            ("withdrawals", found["withdrawn"]),
            ("asked of suppliers", found["asked"]),
            ("missing", found["missing"]),
        ]
    )


def _list(facet: str, found: list[dict[str, Any]]) -> None:
    rows = ([each["supplier"], each["sku"], each["area"], _who(each)] for each in found)
    table("supplier|sku|area|who brings it", rows, empty=f"Nothing of facet {facet} is missing.")
    for words in _calls(facet, found):
        console.print(Text(words, style="yellow"))


def _who(key: dict[str, Any]) -> str:
    return "is asked for it" if key["asked"] else "has to push it"


def _calls(facet: str, found: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Who has to push, a line for each supplier."""
    pushing = Counter(each["supplier"] for each in found if not each["asked"])
    for supplier in sorted(pushing):
        yield f"{supplier} has to push {facet} again; what the gateway still has is unchanged by that."
