"""Commands of suppliers that are pulled: `mallgate suppliers status | pull-now | check`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from rich.text import Text

from gateway.cli import DONE, FAILED
from gateway.cli.connection import admin
from gateway.cli.output import Json, console, emit, table

Supplier = Annotated[str, Parameter(help="Id of the supplier.")]
Facet = Literal["product", "price", "stock", "listing"]

BREAKER_OPEN = "BreakerOpenError: "
"""What the fault of a task begins with that waits for a breaker to close."""

NAMED = 4
"""Operations that a line names; more are counted."""

UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


async def status(supplier: str | None = None, /, *, json: Json = False) -> int:
    """How suppliers that are pulled fare: owner, pace, freshness, runs, what waits.

    Parameters
    ----------
    supplier: str
        Only this one.
    """
    async with admin() as client:
        found = (await client.get("pulls", supplier=supplier))["suppliers"]
    if json:
        emit(found)
        return DONE
    now = datetime.now(UTC)
    table(
        "supplier|state|owner|calls/s|facet|age|#waiting|sweep",
        (row for each in found for row in _rows(each, now)),
        empty="No supplier is pulled: none has an adapter that pulls feeds."
        if supplier is None
        else f"{supplier} is not pulled: its adapter only takes what is pushed.",
    )
    for each in found:
        _print_faults(each)
    return DONE


async def pull_now(supplier: Supplier, /, *, facet: list[Facet] | None = None, json: Json = False) -> None:
    """Pull facets of a supplier as a whole, now. A run under way goes on; the next one follows it.

    Parameters
    ----------
    facet: str
        Only this facet; may be given several times.
    """
    async with admin() as client:
        answer = await client.post("suppliers", supplier, "pull", body={"facets": facet})
    if json:
        emit(answer)
    else:
        console.print(f"Due now: {', '.join(answer['due']) or 'nothing; no process has owned the supplier yet'}")


async def check(supplier: Supplier, /, *, json: Json = False) -> int:
    """Test the connection to a supplier step by step; what is wrong is named. Nothing changes there."""
    async with admin() as client:
        answer = await client.post("suppliers", supplier, "check", body={})
    steps = answer["steps"]
    if json:
        emit(answer)
    else:
        rows = (
            [each["step"], "ok" if each["ok"] else "problem", f"{each['milliseconds']} ms", each["detail"]]
            for each in steps
        )
        table("step|result|#took|what came of it", rows, empty="There was nothing to test.")
    return DONE if all(each["ok"] for each in steps) else FAILED


def _rows(found: dict[str, Any], now: datetime) -> Iterator[list[object]]:
    """One row for each facet; what is said of the supplier stands in its first."""
    head: list[object] = [found["supplier"], found["state"], _owner(found["owner"]), _pace(found)]
    for facet, each in sorted(found["facets"].items()) or [("–", {})]:
        yield [*head, facet, age(each.get("fresh_at"), now), each.get("waiting") or None, _sweep(each, now)]
        head = ["", "", "", ""]


def _owner(owner: str | None) -> str | None:
    """Host and process; what makes an owner unique is for machines."""
    return None if owner is None else owner.rpartition("-")[0]


def _pace(found: dict[str, Any]) -> str | None:
    """Calls a second at most; what its row allows only where that is more."""
    if found["rate"] is None:
        return None
    now, most = _rate(found["rate"]), _rate(found["rate_limit"])
    return now if now == most else f"{now} of {most}"


def _rate(calls: float) -> str:
    return f"{calls:,.0f}" if calls >= 10 else f"{calls:.2g}"


def _sweep(facet: dict[str, Any], now: datetime) -> str:
    progress = facet.get("progress")
    if progress is not None:
        share = f"{progress['read']:,} of {progress['batches']:,} questions"
        listing = f"listing, {progress['skus']:,} skus so far"
        return f"feed {facet['feed']}: {share if progress['listed'] else listing}"
    last = "" if facet.get("outcome") in (None, "done") else f"failed: {facet['reason']}; "
    due = facet.get("next_at")
    if due is None:
        return f"{last}–"
    ahead = datetime.fromisoformat(due)
    return f"{last}{'due now' if ahead <= now else 'due in ' + span((ahead - now).total_seconds())}"


def _print_faults(found: dict[str, Any]) -> None:
    """What is wrong, a line each; tasks that only wait for a breaker to close are one line together."""
    for line in breaker_lines(found["breakers"]):
        console.print(Text(f"{found['supplier']}: {line}", style="red"))
    waiting = [task for task, words in found["faults"].items() if words.startswith(BREAKER_OPEN)]
    if waiting:
        console.print(Text(f"{found['supplier']}: waiting for it: {', '.join(sorted(waiting))}", style="yellow"))
    for task, words in found["faults"].items():
        if task not in waiting:
            console.print(Text(f"{found['supplier']}: {task}: {words}", style="yellow"))


def breaker_lines(breakers: Mapping[str, dict[str, Any]]) -> Iterator[str]:
    """A line for all breakers that are open for one reason and as long: which, why, and when a call is tried."""
    alike: dict[str, list[str]] = {}
    for operation, breaker in breakers.items():
        left = breaker["seconds"]
        again = f"tried again in {span(left)}" if left >= 1 else "the next call tries again"
        alike.setdefault(f"{breaker['state']}: {breaker['reason']}; {again}", []).append(operation)
    for words, operations in alike.items():
        which = ", ".join(operations) if len(operations) <= NAMED else f"{len(operations)} operations"
        yield f"breaker of {which} is {words}"


def age(instant: str | None, now: datetime) -> str | None:
    """How long ago an instant of the API was."""
    return None if instant is None else span((now - datetime.fromisoformat(instant)).total_seconds())


def span(seconds: float) -> str:
    """A duration in its largest whole unit: 90 s is `1m`."""
    whole = max(0, int(seconds))
    return next((f"{whole // size}{unit}" for unit, size in UNITS if whole >= size), "0s")
