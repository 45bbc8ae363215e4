"""`python -m contrib.mall`: place orders by a plan, follow them to their end, and say what became of them."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import orjson
import uvloop

from contrib.journal import open_journal, restore
from contrib.mall import kafka
from contrib.mall.catalog import goods_in, read_goods
from contrib.mall.core import Core, Pace, commands_in, run
from contrib.mall.plan import plan_orders
from contrib.mall.records import write_events
from contrib.mall.services import Serving
from contrib.mall.verdict import Record, counts

ASKED = {
    "contracts": "contracts of confirmed orders are issued",
    "invoices": "invoices of confirmed orders are asked for",
    "after-sales": "a piece of each delivered order is sent back",
}


def parse(arguments: list[str] | None = None) -> argparse.Namespace:
    """What a command line asks for."""
    parser = argparse.ArgumentParser("python -m contrib.mall", description=__doc__)
    kafka.add_options(parser)
    parser.add_argument("--supplier", action="append", required=True, help="ID or ID=AREA of its own tree; repeat it")
    for name, words in ASKED.items():
        parser.add_argument(f"--{name}", action="append", default=[], help=f"supplier at whom {words}; repeat it")
    parser.add_argument("--documents", default="", help="URL of the documents of contracts, see contrib.mall.documents")
    parser.add_argument("--goods", type=Path, help="JSON lines of what may be ordered, instead of the catalog topics")
    parser.add_argument("--orders", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=float, default=0, help="orders that are begun a second, 0 for all at once")
    parser.add_argument("--journal", type=Path, required=True, help="what was placed; a core that was killed goes on")
    parser.add_argument("--events", type=Path, help="where to leave the events of these orders, one line each")
    parser.add_argument("--deadline", type=float, default=3600, help="seconds from a command to its deadline")
    parser.add_argument("--seconds", type=float, default=120, help="how long to wait for everything at most")
    parser.add_argument("--linger", type=float, default=2, help="seconds without news after the last answer")
    parser.add_argument("--json", action="store_true", help="the summary as one JSON object")
    return parser.parse_args(arguments)


async def work(arguments: argparse.Namespace) -> dict[str, object]:
    """Place and follow; returns the summary of what the core itself knows."""
    options = kafka.client_options(arguments)
    entries = restore(arguments.journal)
    suppliers = _suppliers(arguments.supplier)
    if arguments.goods is None:
        goods = await read_goods(options, arguments.prefix, suppliers)
    else:
        goods = goods_in(arguments.goods, suppliers)
    name = str(entries[0]["run"]) if entries else f"M{uuid4().hex[:8]}"
    async with open_journal(arguments.journal) as journal:
        if not entries:
            await journal.record({"run": name})
        plans = plan_orders(name, arguments.seed, arguments.orders, goods, serving=_serving(arguments))
        core = Core(plans, commands_in(entries), journal, timedelta(seconds=arguments.deadline))
        await run(core, options, arguments.prefix, Pace(arguments.rate, arguments.seconds, arguments.linger))
    if arguments.events is not None:
        write_events(arguments.events, core.events)
    totals = counts(Record(core.placed, core.events, ()))
    names = ("placed", "commands", "by_state", "lost", "waiting", "answered_twice", "repeats")
    return {each: totals[each] for each in names} | {"unanswered": sorted({each.order_no for each in core.unanswered})}


def _serving(asked: argparse.Namespace) -> Serving:
    contracts, invoices, after_sales = map(frozenset, (asked.contracts, asked.invoices, asked.after_sales))
    return Serving(contracts, invoices, after_sales, asked.documents)


def _suppliers(options: list[str]) -> Mapping[str, str | None]:
    parts = [each.partition("=") for each in options]
    return {supplier: area or None for supplier, _, area in parts}


def main(arguments: list[str] | None = None) -> None:
    """Print the summary of one run."""
    asked = parse(arguments)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        summary = runner.run(work(asked))
    if asked.json:
        print(orjson.dumps(summary).decode())
    else:
        print("\n".join(f"{name}: {value}" for name, value in summary.items()))


if __name__ == "__main__":
    main()
