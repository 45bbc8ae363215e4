"""`mallgate feeds`: what suppliers fed, what became of it, and full feeds that a brake holds."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Literal

from cyclopts import App
from rich.text import Text

from gateway.cli.connection import admin
from gateway.cli.output import Json, console, emit, facts, moment, table

feeds = App(name="feeds", help="Look at what suppliers fed; decide about held feeds.")

Facet = Literal["product", "price", "stock", "listing"]
State = Literal["admitted", "produced", "incomplete", "withdrawing", "held", "done", "cancelled"]

LIFE = timedelta(days=6)
"""How long a held feed waits for a decision; then it is rejected."""

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
    """One feed: what became of its items, what was wrong most often, and of a held one what it would withdraw.

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


@feeds.command
async def held(*, supplier: str | None = None, limit: int = 20, json: Json = False) -> None:
    """Full feeds that would withdraw more than their supplier's brake allows, newest first.

    Parameters
    ----------
    supplier: str
        Only of this supplier.
    limit: int
        At most so many.
    """
    async with admin() as client:
        page = await client.get("feeds", supplier=supplier, state="held", limit=limit)
    if json:
        emit(page["feeds"])
    else:
        table(
            "#feed|supplier|facet|#records|would withdraw|brake|held since|decide before",
            (_held_row(feed) for feed in page["feeds"]),
            empty="No feed is held.",
        )


@feeds.command
async def release(feed: int, /, *, reason: str, json: Json = False) -> None:
    """Let a held feed withdraw everything that no feed has named since.

    Parameters
    ----------
    feed: int
        Id of the feed.
    reason: str
        Why; kept in the audit.
    """
    await _decide(feed, "release", reason, json=json)


@feeds.command
async def reject(feed: int, /, *, reason: str, json: Json = False) -> None:
    """Close a held feed: what it named stays, and nothing is withdrawn.

    Parameters
    ----------
    feed: int
        Id of the feed.
    reason: str
        Why; kept in the audit.
    """
    await _decide(feed, "reject", reason, json=json)


async def _decide(feed: int, verb: str, reason: str, *, json: bool) -> None:
    async with admin() as client:
        found = await client.post("feeds", str(feed), verb, body={"reason": reason})
    if json:
        emit(found)
    else:
        facts([("feed", found["feed"]), ("state", found["state"]), ("withdrawn", found["withdrawn"])])


def _row(feed: dict[str, Any]) -> list[object]:
    plain = [feed[name] for name in ("feed", "supplier", "facet", "mode", "origin", "state", "records")]
    return [*plain, outcomes(feed), moment(feed["received_at"])]


def outcomes(feed: dict[str, Any]) -> dict[str, int]:
    """What became of the items, the best first, those of another release last; what none has is left out."""
    counts = feed["counts"]
    return {outcome: counts[outcome] for outcome in dict.fromkeys((*OUTCOMES, *counts)) if counts.get(outcome)}


def _show(feed: dict[str, Any]) -> None:
    done, chunks, deferred = feed["chunks_done"], feed["chunks"], feed["chunks_deferred"]
    facts(
        [
            *(
                (name, feed[name])
                for name in ("feed", "supplier", "facet", "mode", "origin", "state", "lane", "records", "bytes")
            ),
            ("chunks", f"{done} of {'?' if chunks is None else chunks}"),
            ("deferred", f"{deferred} wait for a topic that is away, see /readyz" if deferred else None),
            ("outcomes", outcomes(feed)),
            ("warnings", feed["warnings"]),
            ("withdrawn", _withdrawn(feed)),
            ("flaw", feed["flaw"]),
            ("waits for", feed["waits_for"] and f"feed {feed['waits_for']}, which is older and not whole yet"),
            *_hold(feed),
            *((name.removesuffix("_at"), moment(feed[name])) for name in ("received_at", "produced_at", "finished_at")),
        ]
    )
    if feed["state"] == "held":
        _show_hold(feed)
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


def _withdrawn(feed: dict[str, Any]) -> str | None:
    return None if feed["withdrawn"] is None or feed["state"] == "held" else f"{feed['withdrawn']:,} keys"


def _hold(feed: dict[str, Any]) -> list[tuple[str, object]]:
    if feed["state"] != "held":
        return []
    hold = feed["hold"]
    return [
        ("would withdraw", f"{share(hold)}; the brake allows {hold['limit']:.0%}"),
        ("held since", moment(hold["at"])),
        ("decide before", moment(_end(hold))),
    ]


def _held_row(feed: dict[str, Any]) -> list[object]:
    hold = feed["hold"]
    plain = [feed[name] for name in ("feed", "supplier", "facet", "records")]
    return [*plain, share(hold), f"{hold['limit']:.0%}", moment(hold["at"]), moment(_end(hold))]


def share(hold: dict[str, Any]) -> str:
    """How much a held feed would withdraw: `12 of 40 keys, 30%`."""
    return f"{hold['absent']:,} of {hold['active']:,} keys, {hold['absent'] / hold['active']:.0%}"


def _end(hold: dict[str, Any]) -> str:
    return (datetime.fromisoformat(hold["at"]) + LIFE).isoformat()


def _show_hold(feed: dict[str, Any]) -> None:
    absent, more = feed["absent"], feed["hold"]["absent"] - len(feed["absent"])
    console.print()
    rows = (
        [each["sku"], each["area"], each["last_seen_feed"], describe_item(feed["facet"], each["item"])]
        for each in absent
    )
    table("sku|area|#last fed in|the mall has", rows, empty="Nothing is absent any more.")
    if absent and more > 0:
        console.print(Text(f"and {more:,} more when it was held", style="dim"))
    command = f"mallgate feeds {{}} {feed['feed']} --reason …"
    console.print(Text(f"\nTo withdraw them: {command.format('release')}", style="dim"))
    console.print(Text(f"To keep them:     {command.format('reject')}", style="dim"))


def describe_item(facet: str, item: dict[str, Any] | None) -> str | None:
    """What an item says, in a few words; None where nothing is known of it."""
    if item is None:
        return None
    match facet:
        case "product":
            words = [item["name"]]
        case "price":
            words = [item["agreement_price"] or item["quote"], item["currency"]]
        case "stock":
            words = [item["state"], item["quantity"]]
        case _:
            words = [item["shelf"]]
    return " ".join(str(word) for word in words if word is not None)
