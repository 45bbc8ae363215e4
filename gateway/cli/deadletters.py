"""`mallgate deadletters`: what was rejected and why; give it up. Replaying it is in `replays`."""

from __future__ import annotations

import sys
from base64 import b64decode
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from cyclopts import App, Parameter
from rich.text import Text

from gateway.cli import replays
from gateway.cli.connection import admin
from gateway.cli.output import Json, console, emit, facts, moment, table
from gateway.cli.selection import LetterSelection

deadletters = App(name="deadletters", help="Look at what was rejected; replay or discard it.")
for command in (replays.replay, replays.start, replays.cancel, replays.watch, replays.jobs):
    deadletters.command(command)


@deadletters.command
async def groups(
    *,
    supplier: str | None = None,
    stage: str | None = None,
    code: str | None = None,
    state: Literal["open", "acknowledged", "resolved"] | None = None,
    limit: int = 20,
    json: Json = False,
) -> None:
    """Like dead letters together, the group with the newest letter first.

    Parameters
    ----------
    supplier: str
        Count letters of this supplier alone.
    stage: str
        Only of this stage.
    code: str
        Only with this problem.
    state: str
        Only in this state.
    limit: int
        At most so many.
    """
    async with admin() as client:
        page = await client.get(
            "deadletters", "groups", supplier=supplier, stage=stage, code=code, state=state, limit=limit
        )
    if json:
        emit(page["groups"])
    else:
        table(
            "group|state|#open|code|path|message|suppliers|last seen",
            (_group(group) for group in page["groups"]),
            empty="No dead letters.",
        )


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class LetterFilter:
    """What letters to list have in common."""

    group: Annotated[str | None, Parameter(help="Only of this group.")] = None
    supplier: Annotated[str | None, Parameter(help="Only of this supplier.")] = None
    feed: Annotated[int | None, Parameter(help="Only of this feed.")] = None
    facet: Annotated[Literal["product", "price", "stock", "listing"] | None, Parameter(help="Only of this facet.")] = (
        None
    )
    sku: Annotated[str | None, Parameter(help="Only of this sku.")] = None
    code: Annotated[str | None, Parameter(help="Only with this problem.")] = None
    state: Annotated[Literal["open", "replayed", "discarded"] | None, Parameter(help="Only in this state.")] = None


@deadletters.command(name="list")
async def list_(matching: LetterFilter | None = None, *, limit: int = 20, json: Json = False) -> None:
    """Dead letters, newest first.

    Parameters
    ----------
    limit: int
        At most so many.
    """
    chosen = matching or LetterFilter()
    async with admin() as client:
        page = await client.get(
            "deadletters",
            fingerprint=chosen.group,
            supplier=chosen.supplier,
            feed=chosen.feed,
            facet=chosen.facet,
            sku=chosen.sku,
            code=chosen.code,
            state=chosen.state,
            limit=limit,
        )
    if json:
        emit(page["letters"])
    else:
        table(
            "id|supplier|order|facet|sku|feed|#line|state|problem|created",
            (_letter(letter) for letter in page["letters"]),
            empty="No such dead letter.",
        )


@deadletters.command
async def show(
    letter: str, /, *, original: Annotated[bool, Parameter(negative="")] = False, json: Json = False
) -> None:
    """One dead letter: where it failed, why, the bytes as they came, and the patch that was taken instead.

    Parameters
    ----------
    letter: str
        Id of the letter.
    original: bool
        Write nothing but its original bytes.
    """
    async with admin() as client:
        found = await client.get("deadletters", letter)
    if original:
        _write(b64decode(found["original"]))
    elif json:
        emit(found)
    else:
        _show(found)


@deadletters.command
async def discard(chosen: LetterSelection | None = None, *, reason: str, json: Json = False) -> None:
    """Give open dead letters up, permanently; their bytes stay readable.

    Parameters
    ----------
    reason: str
        Why; kept in the audit.
    """
    selection = (chosen or LetterSelection()).selection()
    async with admin() as client:
        found = await client.post("deadletters", "discard", body={"selection": selection, "reason": reason})
    if json:
        emit(found)
    else:
        facts([("discarded", found["discarded"])])


def _write(original: bytes) -> None:
    """The bytes as they are; on a terminal those that it would obey are written out."""
    if sys.stdout.isatty():
        console.print(original.decode(errors="replace"), markup=False, soft_wrap=True)
    else:
        sys.stdout.buffer.write(original)


def _group(group: dict[str, Any]) -> list[object]:
    plain = [group[name] for name in ("fingerprint", "state", "open", "code", "path", "message", "suppliers")]
    return [*plain, moment(group["last_seen"])]


def _letter(letter: dict[str, Any]) -> list[object]:
    plain = [letter[name] for name in ("id", "supplier", "order_no", "facet", "sku", "feed", "line", "state")]
    return [*plain, problem(letter["issues"]), moment(letter["created_at"])]


def problem(issues: list[dict[str, Any]]) -> str:
    """The first issue on one line, and how many more there are."""
    first, more = issues[0], len(issues) - 1
    return f"{first['code']} {first['path']}" + (f" (+{more})" if more else "")


def _show(letter: dict[str, Any]) -> None:
    names = (
        "id",
        "state",
        "outcome",
        "reason",
        "supplier",
        "order_no",
        "facet",
        "sku",
        "feed",
        "page",
        "line",
        "stage",
        "fingerprint",
    )
    facts(
        [
            *((name.removesuffix("_no"), letter[name]) for name in names),
            ("replays", letter["replays"] or None),
            ("created", moment(letter["created_at"])),
        ]
    )
    console.print()
    replays.issues(letter["issues"])
    if letter["replay_issues"] not in ([], letter["issues"]):
        console.print(Text("\nThe last replay was rejected for:"))
        replays.issues(letter["replay_issues"])
    console.print()
    if letter["diff"] is not None:
        replays.side_by_side(letter)
    else:
        replays.titled("original", letter["original_text"])
