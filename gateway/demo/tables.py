"""The look of the demo's tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

OUTCOMES = (
    ("normalized", "已发布", "green"),
    ("unchanged", "未变化", "dim"),
    ("stale", "已过期", "yellow"),
    ("rejected", "已拒绝", "red"),
)


def titled(title: str) -> Table:
    """An empty table under its title."""
    return Table(box=SIMPLE_HEAD, header_style="bold", title=title, title_justify="left", padding=(0, 1, 0, 0))


def counts(items: Mapping[str, int]) -> Iterable[Text]:
    """A cell for each of the outcomes."""
    for name, _, style in OUTCOMES:
        count = items.get(name, 0)
        yield Text(f"{count:,}", style=style) if count else Text("–", style="dim")
