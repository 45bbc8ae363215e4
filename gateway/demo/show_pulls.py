"""The pulled suppliers of the demo on a terminal: what the sweeps took, a price that changed, the one that hangs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console, RenderableType
from rich.text import Text

from gateway.demo.pull_story import FACETS, JD, LIST, SLOW, PullAccount, seconds_of, state_of
from gateway.demo.tables import OUTCOMES, counts, titled

STATES = {
    "done": ("已完成", "green"),
    "failed": ("失败", "red"),
    "listing": ("取列表中", "yellow"),
    "reading": ("读取中", "yellow"),
    "waiting": ("等待", "dim"),
}


def show_pulls(console: Console, pulled: PullAccount) -> None:
    """What was fetched, in how many calls; what a change took; what became of the supplier that hangs."""
    console.print(_sweeps(pulled))
    console.print(_supplier_rows(pulled))
    change = pulled.change
    console.print(Text("价格变动  ·  a price changes there, and is on the topic", style="italic"))
    console.print(
        Text.assemble(
            f"\n  {JD} sku {change.sku}  ",
            (change.before, "dim"),
            " → ",
            (change.after, "bold green"),
            f"  {change.milliseconds:,} ms 后可见 · until it is seen\n",
        )
    )


def _sweeps(pulled: PullAccount) -> RenderableType:
    table = titled(f"拉取与结果  ·  what was pulled of {JD}, and what became of it")
    table.add_column("feed")
    table.add_column("全量\nsweep")
    table.add_column("调用\ncalls", justify="right")
    table.add_column("用时\ntook", justify="right")
    for name, words, _ in OUTCOMES:
        table.add_column(f"{words}\n{name}", justify="right")
    table.add_row("", f"{LIST} 商品列表", f"{pulled.calls[LIST]:,}")
    for facet, feed in pulled.sweeps.items():
        took = f"{seconds_of(feed):.1f} s"
        table.add_row(feed["feed"], facet, f"{pulled.calls[facet]:,}", took, *counts(feed["counts"]))
    return table


def _supplier_rows(pulled: PullAccount) -> RenderableType:
    table = titled(f"故障隔离  ·  {SLOW} hangs, {JD} does not notice")
    table.add_column("supplier")
    table.add_column("全量\nsweeps", no_wrap=True)
    table.add_column("熔断\nbreakers", no_wrap=True)
    table.add_column("最近故障\nlast fault", overflow="fold")
    for supplier in (JD, SLOW):
        fares = pulled.supplier_states[supplier]
        table.add_row(supplier, _states(fares["facets"]), _breakers(fares["breakers"]), _faults(fares))
    return table


def _states(facets: Mapping[str, Any]) -> Text:
    """One line for each state that a facet is in."""
    found = {facet: state_of(facets.get(facet, {})) for facet in FACETS}
    lines = []
    for state in dict.fromkeys(found.values()):
        words, style = STATES[state]
        count = sum(each == state for each in found.values())
        lines.append(Text(f"{count} {state} {words}", style=style))
    return Text("\n").join(lines)


def _breakers(breakers: Mapping[str, Any]) -> Text:
    if not breakers:
        return Text("all closed 正常", style="green")
    return Text("\n").join(Text(f"{name} {each['state']}", style="red") for name, each in sorted(breakers.items()))


def _faults(fares: Mapping[str, Any]) -> Text:
    reasons: Iterable[str] = dict.fromkeys(each["reason"] for each in fares["breakers"].values())
    return Text("\n".join(reasons) or "–", style="dim")
