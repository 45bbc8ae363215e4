"""What commands print: a table for people, one JSON value for machines."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated

import orjson
from cyclopts import Parameter
from rich.box import SIMPLE_HEAD
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

Json = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON for machines.")]

# Into a pipe there is no width to fit: a table must not cut what a person greps for.
console = Console(highlight=False, width=None if sys.stdout.isatty() else 240)

STYLES: Mapping[str, str] = {
    "active": "green",
    "ok": "green",
    "warning": "yellow",
    "problem": "red",
    "done": "green",
    "created": "green",
    "updated": "cyan",
    "paused": "yellow",
    "incomplete": "yellow",
    "open": "yellow",
    "revoked": "dim",
    "expired": "dim",
    "discarded": "dim",
    "unchanged": "dim",
    "cancelled": "dim",
}
"""Colours of states; one that is not here is plain."""


def emit(value: object) -> None:
    """One JSON value on a line of its own."""
    sys.stdout.write(orjson.dumps(value).decode() + "\n")


def table(columns: str, rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """Rows under their columns, `name|#count`: those with `#` hold numbers. empty: said when there are no rows."""
    shown = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for column in columns.split("|"):
        justify: JustifyMethod = "right" if column.startswith("#") else "left"
        shown.add_column(column.removeprefix("#"), justify=justify, overflow="fold")
    for row in rows:
        shown.add_row(*(cell(value) for value in row))
    console.print(shown if shown.row_count else Text(empty, style="dim"))


def facts(pairs: Iterable[tuple[str, object]]) -> None:
    """Names and values beneath each other; what is None or empty is left out."""
    shown = Table.grid(padding=(0, 2))
    shown.add_column(style="bold")
    shown.add_column(overflow="fold")
    for name, value in pairs:
        if value not in (None, "", (), [], {}):
            shown.add_row(name, cell(value))
    console.print(shown)


def cell(value: object) -> Text:
    """A value as a person reads it. Text of vendors is never markup."""
    match value:
        case None:
            return Text("–", style="dim")
        case str():
            return Text(value, style=STYLES.get(value, ""))
        case list() | tuple():
            return Text(", ".join(map(str, value)))
        case dict():
            return Text(", ".join(f"{name} {each}" for name, each in value.items()))
        case _:
            return Text(f"{value:,}" if isinstance(value, int) else str(value))


def moment(text: str | None) -> str | None:
    """An instant of the API in the time of this machine, to the second."""
    return None if text is None else f"{datetime.fromisoformat(text).astimezone():%Y-%m-%d %H:%M:%S}"
