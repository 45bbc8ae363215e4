"""What commands print: a table for people, one JSON value for machines."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Annotated

import orjson
from cyclopts import Parameter
from rich.box import SIMPLE_HEAD
from rich.console import JustifyMethod
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from gateway.cli.terminal import Terminal, escaped, visible

Json = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON for machines.")]

# Into a pipe there is no width to fit: a table must not cut what a person greps for.
console = Terminal(highlight=False, width=None if sys.stdout.isatty() else 240)

UNLIMITED = 10_000
"""Characters: wider than any table."""

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
    "held": "yellow",
    "withdrawing": "cyan",
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
    sys.stdout.write(escaped(orjson.dumps(value).decode()) + "\n")


def table(columns: str, rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """Rows under their columns, `name|#count`: those with `#` hold numbers. empty: said when there are no rows.

    Where the terminal is too narrow for the longest words, which are identifiers to be copied, each row becomes lines.
    """
    names = columns.split("|")
    cells = [[cell(value) for value in row] for row in rows]
    shown = _grid(names, cells)
    if not cells:
        console.print(Text(empty, style="dim"))
    elif Measurement.get(console, console.options.update(max_width=UNLIMITED), shown).minimum <= console.width:
        console.print(shown)
    else:
        for row in cells:
            console.print()
            _lines(zip((name.removeprefix("#") for name in names), row, strict=True))


def _grid(names: Sequence[str], cells: Sequence[Sequence[Text]]) -> Table:
    shown = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for number, name in enumerate(names):
        justify: JustifyMethod = "right" if name.startswith("#") else "left"
        whole = not any(" " in row[number].plain for row in cells)
        shown.add_column(name.removeprefix("#"), justify=justify, overflow="fold", no_wrap=whole)
    for row in cells:
        shown.add_row(*row)
    return shown


def facts(pairs: Iterable[tuple[str, object]]) -> None:
    """Names and values beneath each other; what is None or empty is left out."""
    _lines((name, cell(value)) for name, value in pairs if value not in (None, "", (), [], {}))


def _lines(pairs: Iterable[tuple[str, Text]]) -> None:
    shown = Table.grid(padding=(0, 2))
    shown.add_column(style="bold")
    shown.add_column(overflow="fold")
    for name, value in pairs:
        shown.add_row(name, value)
    console.print(shown)


def cell(value: object) -> Text:
    """A value as a person reads it. Text of vendors is never markup; it is made visible before a width is reckoned."""
    match value:
        case None:
            return Text("–", style="dim")
        case str():
            return Text(visible(value), style=STYLES.get(value, ""))
        case list() | tuple():
            return Text(visible(", ".join(map(str, value))))
        case dict():
            return Text(visible(", ".join(f"{name} {each}" for name, each in value.items())))
        case _:
            return Text(f"{value:,}" if isinstance(value, int) else str(value))


def moment(text: str | None) -> str | None:
    """An instant of the API in the time of this machine, to the second."""
    return None if text is None else f"{datetime.fromisoformat(text).astimezone():%Y-%m-%d %H:%M:%S}"
