"""The demo on a terminal: what was pushed and what became of it, why things were rejected, where to look next."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import orjson
from rich.console import Console, RenderableType
from rich.text import Text

from gateway.demo.order_account import OrderAccount
from gateway.demo.pull_story import JD, SLOW, PullAccount
from gateway.demo.show_orders import show_orders
from gateway.demo.show_pulls import show_pulls
from gateway.demo.story import Account, totals
from gateway.demo.tables import OUTCOMES, counts, titled

WORST = 6

MALLGATE = (
    shlex.quote(sys.argv[0]) if Path(sys.argv[0]).name == "mallgate" else f"{shlex.quote(sys.executable)} -m gateway"
)
"""How the program was called, so that a pasted line finds it."""


class Urls(NamedTuple):
    """Where the gateway of the demo answers whom."""

    vendors: str
    admin: str
    ops: str


def show(console: Console, account: Account) -> None:
    """What was pushed, pulled and ordered, what became of it and why, and what it made on Kafka."""
    console.print()
    console.print(_feeds(account))
    console.print(_rejections(account))
    if account.pulled is not None:
        show_pulls(console, account.pulled)
    if account.ordered is not None:
        show_orders(console, account.ordered)
    console.print(_topics(account))


def show_next(console: Console, account: Account, urls: Urls, data_dir: Path) -> None:
    """Where to look while the demo is up."""
    console.print(Text("接下来  ·  where to look next", style="italic"))
    console.print(Text(f"\n  {urls.vendors}/docs   {urls.ops}/metrics   {urls.ops}/readyz"), soft_wrap=True)
    for words, command in _next(account, urls.vendors, data_dir):
        # Lines to paste: never wrapped, never framed.
        console.print(Text(f"\n  # {words}", style="dim"))
        console.print(Text(f"  {command}", style="cyan"), soft_wrap=True)
    console.print()


def _feeds(account: Account) -> RenderableType:
    table = titled("推送与结果  ·  what was pushed and what became of it")
    table.add_column("feed")
    table.add_column("推送\npushed", overflow="fold")
    table.add_column("记录\nrecords", justify="right")
    for name, words, _ in OUTCOMES:
        table.add_column(f"{words}\n{name}", justify="right")
    for act, status in account.pushed:
        what = Text(f"{act.facet} {act.words[0]}\n").append(act.words[1], style="dim")
        table.add_row(status["feed"], what, f"{status['records']:,}", *counts(status["items"]))
    total = totals(status for _, status in account.pushed)
    table.add_section()
    table.add_row("", Text("合计 · total", style="bold"), f"{total['submitted']:,}", *counts(total))
    return table


def _rejections(account: Account) -> RenderableType:
    table = titled("主要拒绝原因  ·  the worst rejections")
    table.add_column("feed")
    table.add_column("items", justify="right")
    table.add_column("code  ·  e.g.")
    table.add_column("原因  ·  why", overflow="fold")
    problems = [
        (status["feed"], problem)
        for _, status in account.pushed
        for problem in status["problems"]
        if problem["code"] != "stale"
    ]
    for feed, problem in sorted(problems, key=lambda each: -each[1]["count"])[:WORST]:
        code = Text(f"{problem['code']}\n", style="red").append(" ".join(problem["skus"][:2]), style="dim")
        why = Text(f"{problem['message_zh']}\n").append(problem["message_en"], style="dim")
        table.add_row(feed, f"{problem['count']:,}", code, why)
    return table


def _topics(account: Account) -> RenderableType:
    table = titled("Kafka 主题  ·  topics")
    table.add_column("topic")
    table.add_column("records", justify="right")
    for topic, count in account.topics.items():
        table.add_row(topic, f"{count:,}")
    return table


def _next(account: Account, url: str, data_dir: Path) -> Iterable[tuple[str, str]]:
    """What to try, and the line that does it."""
    feed = account.pushed[1][1]["feed"]
    curl = 'curl -s -w "\\n" -H "Authorization: Bearer $KEY"'
    yield "供应商密钥 · the vendor's key", f"export KEY={account.token}"
    price = """'[{"sku":"ZZ-00001","price":"9.90"}]'"""
    yield (
        "推送一个价格 · push a price",
        f'{curl} -H "Content-Type: application/json" -d {price} {url}/v1/feeds/price',
    )
    yield "拒绝明细 · what was rejected", f"{curl} '{url}/v1/feeds/{feed}/report?format=csv'"
    yield "一个商品的去向 · what became of one sku", f"{curl} {url}/v1/items/price/ZZ-00001"
    yield "运营命令 · for operators", f"export MALLGATE_DATA_DIR={shlex.quote(str(data_dir))}"
    yield "死信分组 · dead letters by kind", f"{MALLGATE} deadletters groups"
    if account.pulled is not None:
        yield from _next_pulled(account.pulled)
    if account.ordered is not None:
        yield from _next_ordered(account.ordered)
    yield "标准化价格 · normalized prices", f"{MALLGATE} topics tail mall.catalog.prices.v1 --from-start --count 3"


def _next_pulled(pulled: PullAccount) -> Iterable[tuple[str, str]]:
    """The same of the suppliers that are pulled."""
    sku, before = pulled.change.sku, pulled.change.before
    yield "拉取状况 · how pulled suppliers fare", f"{MALLGATE} suppliers status"
    yield "连接测试，指出故障 · a connection test that names the fault", f"{MALLGATE} suppliers check {SLOW}"
    order = orjson.dumps({"sku": sku, "kind": "price", "value": before}).decode()
    yield (
        "在供应商处改回价格 · change the price back, there",
        f"""curl -s -w "\\n" {pulled.control}/change -d '{order}'""",
    )
    yield (
        "该商品的全部价格 · every price it had here",
        f"{MALLGATE} topics tail mall.catalog.prices.v1 --from-start --key {JD}:{sku}: --count 3",
    )


def _next_ordered(ordered: OrderAccount) -> Iterable[tuple[str, str]]:
    """The same of orders: the one whose answer was lost, and those that a person has to decide about."""
    for order_no in ordered.found_again:
        yield (
            "丢失应答的订单经历了什么 · what the order whose answer was lost went through",
            f"{MALLGATE} orders show {order_no}",
        )
    yield "待人工判定的订单 · orders that a person has to decide about", f"{MALLGATE} orders list"
