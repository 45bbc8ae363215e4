"""The orders of the demo on a terminal: where they stand, what reached the suppliers, and what these really did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.console import Console, RenderableType
from rich.text import Text

from gateway.demo.order_account import OrderAccount
from gateway.demo.pull_story import SLOW
from gateway.demo.tables import titled

STATES = {
    "placed": ("未应答", "red"),
    "reserved": ("已预占", "green"),
    "confirmed": ("已确认", "green"),
    "partially_confirmed": ("部分确认", "yellow"),
    "in_fulfilment": ("履约中", "green"),
    "delivered": ("已妥投", "green"),
    "cancelled": ("已取消", "dim"),
    "rejected": ("已拒收", "yellow"),
    "refused": ("已拒绝", "yellow"),
    "expired": ("已过期", "yellow"),
    "held": ("金额不符", "yellow"),
    "unsupported": ("不支持", "red"),
    "parked": ("待人工", "yellow"),
}
"""Where an order stands, as the mall's core has it."""

COLUMNS = (
    ("下单\nplaced", "placed"),
    ("发送\nattempts", "attempts"),
    ("查单\nlook-up", "lookups_that_prevented_a_duplicate"),
    ("账本\nledger", "ledger_effects"),
)

SERVED_COLUMNS = ("发出\nasked", "完成\ndone", "拒绝\nrefused", "挂起\nheld", "重复\nduplicates", "丢失\nlost")

SERVED = {
    "contracts": ("合同 contracts", ("issued", "signed", "refused", "")),
    "invoices": ("发票 invoices", ("requested", "issued", "refused", "held")),
    "aftersales": ("售后 after-sale", ("requested", "settled", "refused", "")),
}
"""What is shown of each: by the columns."""


def show_orders(console: Console, ordered: OrderAccount) -> None:
    """Every order by its final state, beside what stands in the suppliers' own ledgers."""
    console.print(_table(ordered))
    console.print(_verdict(ordered.account))
    console.print(_served(ordered.account))


def _table(ordered: OrderAccount) -> RenderableType:
    table = titled(f"订单与结果  ·  what was ordered, and what became of it; {SLOW} hangs")
    table.add_column("supplier", no_wrap=True)
    for heading, _ in COLUMNS:
        table.add_column(heading, justify="right")
    table.add_column("应答\nanswer", justify="right", no_wrap=True)
    table.add_column("最终状态\nfinal state", no_wrap=True)
    for supplier, account in ordered.suppliers.items():
        table.add_row(supplier, *_cells(account))
    table.add_section()
    table.add_row(Text("合计 · total", style="bold"), *_cells(ordered.account)[:-2])
    return table


def _cells(account: Mapping[str, Any]) -> list[Text]:
    """What one row says, but for its name."""
    numbers = [Text(f"{account[name]:,}") if account[name] else Text("–", style="dim") for _, name in COLUMNS]
    return [*numbers, Text(_span(account["answer_ms"]), style="dim"), _states(account["by_state"])]


def _span(milliseconds: int | None) -> str:
    return "–" if milliseconds is None else f"{milliseconds / 1000:.1f} s"


def _states(by_state: Mapping[str, int]) -> Text:
    lines = []
    for state, count in sorted(by_state.items(), key=lambda each: -each[1]):
        words, style = STATES.get(state, ("", "red"))
        lines.append(Text(f"{count} {state} {words}", style=style))
    return Text("\n").join(lines)


def _served(account: Mapping[str, Any]) -> RenderableType:
    """Contracts, invoices and after-sale, as topics and ledgers have them."""
    table = titled("合同、发票与售后  ·  contracts, invoices, after-sale")
    table.add_column("")
    for heading in SERVED_COLUMNS:
        table.add_column(heading, justify="right")
    for name, (words, members) in SERVED.items():
        cells = [_count(account[name], member) for member in members]
        table.add_row(Text(words), *cells, *(_wrong(account[name], each) for each in ("duplicates", "lost")))
    return table


def _count(part: Mapping[str, Any], member: str) -> Text:
    """A count with its own word."""
    return Text(f"{part[member]} {member}") if member else Text("–", style="dim")


def _wrong(part: Mapping[str, Any], member: str) -> Text:
    return Text(str(part[member]), style="bold red" if part[member] else "bold green")


def _verdict(account: Mapping[str, Any]) -> Text:
    """Whether every order has one effect or a refusal."""
    wrong = account["duplicates"] or account["lost"]
    done, refused = account["ledger_effects"], account["refused"]
    lines = [
        f"{account['placed']} 订单 orders: {done} 入账 in ledgers, {refused} 拒绝 refused",
        f"{account['duplicates']} 重复 duplicates, {account['lost']} 丢失 lost",
        *(
            f"{order_no} 应答丢失，查单后未重复 · its answer was lost, it was found"
            for order_no in account["found_again"]
        ),
    ]
    styles = ("", "bold red" if wrong else "bold green", "dim", "dim")
    return Text.assemble(*((f"  {line}\n", style) for line, style in zip(lines, styles, strict=False)))
