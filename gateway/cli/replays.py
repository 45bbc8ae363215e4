"""Replaying dead letters: one at once, many as a job that is planned, started, watched and cancelled."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from gateway.cli.connection import admin
from gateway.cli.feeds import describe_item
from gateway.cli.output import Json, console, emit, facts, moment, table
from gateway.cli.selection import LetterSelection
from gateway.outbound import AdminClient
from gateway.sdk.errors import GatewayError

LOOK_SECONDS = 0.5
"""How often a running job is looked at."""

MOST_REASONS = 3
"""Letters of each bad outcome whose reasons are told after a job."""

OVER = ("done", "cancelled")
UNMENDED = ("rejected", "failed", "skipped")

Job = Annotated[str, Parameter(help="Id of the replay.")]


class UnmendedError(GatewayError):
    """Not every dead letter is well after the replay."""


class PatchNeedsOneError(GatewayError):
    """A patch replaces the content of one letter: name it with --id and nothing else."""


async def replay(
    chosen: LetterSelection | None = None,
    *,
    reason: str,
    dry_run: Annotated[bool, Parameter(negative="")] = False,
    patch: Path | None = None,
    rate: float = 50.0,
    json: Json = False,
) -> None:
    """Send open dead letters through the stage that rejected them, under their original identity, version and time.

    One letter is replayed at once. Several are a job: `start` runs the very letters that --dry-run has foretold.

    Parameters
    ----------
    reason: str
        Why; kept in the audit.
    dry_run: bool
        Only foretell what would become of them.
    patch: Path
        File whose content is judged instead of the original; for one letter.
    rate: float
        Letters per second at most, for several.
    """
    wanted = chosen or LetterSelection()
    async with admin() as client:
        if wanted.single is not None:
            await _one(client, wanted.single, {"reason": reason} | _patched(patch), dry_run=dry_run, json=json)
            return
        if patch is not None:
            raise PatchNeedsOneError
        body = {"selection": wanted.selection(), "reason": reason, "rate": rate}
        job = (await client.post("replays", body=body))["id"]
        if dry_run:
            await _finish(client, await _until(client, job, "planned", *OVER, quiet=json), json=json)
            if not json:
                console.print(Text(f"\nNothing was replayed. To do it: mallgate deadletters start {job}", style="dim"))
        else:
            await client.post("replays", job, "start")
            await _finish(client, await _until(client, job, *OVER, quiet=json), json=json)


async def start(job: Job, /, *, json: Json = False) -> None:
    """Start a planned replay and watch it."""
    async with admin() as client:
        await client.post("replays", job, "start")
        await _finish(client, await _until(client, job, *OVER, quiet=json), json=json)


async def watch(job: Job, /, *, json: Json = False) -> None:
    """Watch a replay until it is over, or its dry run is."""
    async with admin() as client:
        await _finish(client, await _until(client, job, "planned", *OVER, quiet=json), json=json)


async def cancel(job: Job, /, *, json: Json = False) -> None:
    """End a replay; what it has done stays done."""
    async with admin() as client:
        found = await client.post("replays", job, "cancel")
    if json:
        emit(found)
    else:
        _show(found)


async def jobs(*, limit: int = 20, json: Json = False) -> None:
    """Replays, newest first.

    Parameters
    ----------
    limit: int
        At most so many.
    """
    async with admin() as client:
        found = (await client.get("replays", limit=limit))["replays"]
    if json:
        emit(found)
    else:
        rows = (
            [*(job[name] for name in ("id", "state", "actor", "reason", "selection")), moment(job["created_at"])]
            for job in found
        )
        table("replay|state|by|reason|selection|created", rows, empty="Nothing was replayed in bulk yet.")


def issues(found: list[dict[str, Any]]) -> None:
    """What is wrong with one record, in both languages."""
    rows = (
        [each[name] for name in ("code", "path", "actual", "expected", "message_zh", "message_en")] for each in found
    )
    table("code|path|actual|expected|问题|problem", rows, empty="")


def side_by_side(found: dict[str, Any]) -> None:
    """A record as it came, its patch, the difference, and what the mall had for its keys."""
    for title, text in (
        ("original", found["original_text"]),
        ("patch", found["patched_text"]),
        ("diff", found["diff"]),
    ):
        titled(title, text)
    if "mall" in found:
        rows = ([each["sku"], each["area"], _in_mall(found["facet"], each)] for each in found["mall"])
        table("sku|area|the mall has", rows, empty="The record names no key that the mall could have.")


def titled(title: str, text: str | None) -> None:
    """A text below its title. Text of vendors is never markup."""
    if text is None:
        text = "(not UTF-8; see --original)"
    console.print(Text(title, style="bold"))
    console.print(Text(text))
    console.print()


def _in_mall(facet: str, key: dict[str, Any]) -> str:
    """What the mall has for a key, in a few words."""
    match key["status"]:
        case "accepted":
            return describe_item(facet, key["item"]) or "something that cannot be read now"
        case "withdrawn":
            return "nothing; it was withdrawn"
        case _:
            return "nothing yet"


async def _one(client: AdminClient, letter: str, body: dict[str, Any], *, dry_run: bool, json: bool) -> None:
    if dry_run:
        trial = {name: value for name, value in body.items() if name != "reason"}
        result = await client.post("deadletters", letter, "predict", body=trial)
    else:
        result = await client.post("deadletters", letter, "replay", body=body)
    if json:
        emit(result)
    else:
        if "patch" in body:
            side_by_side(result)
        facts([("foretold" if dry_run else "outcome", result["outcome"]), ("detail", result["detail"])])
        if result["issues"]:
            issues(result["issues"])
    if result["outcome"] in UNMENDED and not dry_run:
        raise UnmendedError


def _patched(patch: Path | None) -> dict[str, str]:
    try:
        return {} if patch is None else {"patch": patch.read_text("utf-8")}
    except (OSError, UnicodeDecodeError) as error:
        raise GatewayError(f"{patch}: {error}") from error


async def _until(client: AdminClient, job: str, *states: str, quiet: bool) -> dict[str, Any]:
    """Where a job stands once it is in one of the states; shows the way there to a person."""
    found: dict[str, Any] = await client.get("replays", job)  # before there is a bar: there may be no such job
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as progress:
        line = progress.add_task("", total=None)
        while True:
            ahead = found["state"] == "planning"
            done = sum(found["predicted" if ahead else "outcomes"].values())
            progress.update(line, description=found["state"], completed=done, total=found["total"])
            if found["state"] in states:
                return found
            await asyncio.sleep(LOOK_SECONDS)
            found = await client.get("replays", job)


async def _finish(client: AdminClient, found: dict[str, Any], *, json: bool) -> None:
    if json:
        emit(found)
    else:
        _show(found)
        await _print_unrepaired(client, found)
    if found["partial"]:
        raise UnmendedError


async def _print_unrepaired(client: AdminClient, found: dict[str, Any]) -> None:
    """Why the first letters of each bad outcome are not well, or the command that tells."""
    for outcome in UNMENDED:
        if not found["outcomes"].get(outcome):
            continue
        page = await client.get("replays", found["id"], "items", outcome=outcome, limit=MOST_REASONS)
        for item in page["items"]:
            why = item["detail"] or f"see mallgate deadletters show {item['letter']}"
            console.print()
            facts([("letter", item["letter"]), (outcome, why)])
        if found["outcomes"][outcome] > MOST_REASONS:
            console.print(Text(f"The first {MOST_REASONS} of {found['outcomes'][outcome]:,} {outcome}.", style="dim"))


def _show(found: dict[str, Any]) -> None:
    facts(
        [
            ("replay", found["id"]),
            ("state", found["state"]),
            ("letters", found["total"]),
            ("foretold", found["predicted"]),
            ("outcomes", found["outcomes"]),
            ("left", found["left"] or None),
        ]
    )
