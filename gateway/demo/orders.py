"""The third part of the demo: orders at a supplier that loses an answer, a vendor who fetches them, one that hangs.

The mall's core is a program of its own that knows Kafka alone, and so is the reader who judges afterwards: what it
counts comes from the topics of commands and events and from the suppliers' ledgers and logs, never from the gateway.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from gateway.config import Bootstrap
from gateway.demo.attended import attend
from gateway.demo.order_account import OrderAccount
from gateway.demo.programs import running
from gateway.demo.pull_story import JD, SLOW, ShowStep, until
from gateway.demo.simulators import Books, Simulated
from gateway.demo.story import SUPPLIER
from gateway.demo.topics import published
from gateway.outbound import AdminClient, RefusedError, SimulatorClient
from gateway.store import Pool, acquired

ORDERS = 20
"""Placed at the two suppliers that answer, in turn."""

HANGING_ORDERS = 3
"""Placed at the one that hangs, before all others."""

HANGING_SECONDS = 12
"""From an order at the one that hangs to its deadline: by then it has to be told how the order stands."""

SEED = 28
"""Of the plan: orders that are confirmed, cancelled and refused; at the vendor who delivers none that is confirmed is
cancelled, so that a cancel meets no delivery.
"""

SPARED = 3
"""Orders at the supplier that loses an answer before it does."""

AREA = "7_412_3545_1035450"
"""Where goods go: a town of the supplier's own tree."""

MOST_SECONDS = 90.0
"""Of the core, which then says what it knows."""

ENDING_SECONDS = 30.0

STOPPED = frozenset({"parked", "held", "dead"})
"""States of a lane that waits for a person."""


@dataclass(frozen=True, slots=True)
class Mall:
    """The mall's side. root: where its programs are run from; directory: where they write; documents: the URL that the
    documents of its contracts are below.
    """

    root: Path
    directory: Path
    kafka: Bootstrap
    documents: str

    async def place(self, name: str, *options: str) -> dict[str, Any]:
        """Let the core place orders and follow them; its summary. name: of its files. Raises ProgramError."""
        journal = self.directory / f"{name}.journal.jsonl"
        journal.unlink(missing_ok=True)
        return await self._run_json("contrib.mall", name, "--journal", str(journal), "--json", *options)

    async def read(self, books: Mapping[str, Books]) -> OrderAccount:
        """What the separate reader finds. books: by supplier. Raises ProgramError."""
        words: list[str] = []
        for supplier, each in books.items():
            words += ["--ledger", f"{each.simulator}:{supplier}:{each.ledger}"]
            words += ["--calls", f"{each.simulator}:{supplier}:{each.calls}"]
        return OrderAccount(await self._run_json("contrib.mall.reader", "reader", *words))

    async def _run_json(self, module: str, name: str, *options: str) -> dict[str, Any]:
        words, environment = _login(self.kafka)
        log = self.directory / f"{name}.log"
        async with running(self.root, module, [*words, *options], log, environment) as program:
            return await program.last_line(MOST_SECONDS + ENDING_SECONDS)


def _login(kafka: Bootstrap) -> tuple[Sequence[str], Mapping[str, str]]:
    """How the mall's programs reach Kafka: words for a command line, and the password, which stands on none."""
    named = {
        "bootstrap": kafka.servers,
        "security-protocol": kafka.security_protocol,
        "sasl-mechanism": kafka.sasl_mechanism,
        "sasl-username": kafka.sasl_username,
    }
    words = [word for option, value in named.items() if value for word in (f"--{option}", value)]
    return words, {"KAFKA_SASL_PASSWORD": kafka.sasl_password or ""}


async def order_from_hanging(mall: Mall, slow: Simulated, *, show: ShowStep) -> Sequence[str]:
    """Place a few orders at the supplier that hangs, of goods that the mall knows, and leave; their numbers."""
    show(f"{HANGING_ORDERS} 单，{SLOW} 不应答", "orders at the one that never answers")
    async with SimulatorClient(slow.url) as control:
        goods = await control.goods(HANGING_ORDERS)
    known = mall.directory / f"{SLOW}.goods.jsonl"
    rows = [{"supplier": SLOW, "sku": one["sku"], "name": one["name"], "gross": one["price"]} for one in goods]
    known.write_bytes(b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows))
    options = ("--supplier", f"{SLOW}={AREA}", "--goods", str(known), "--orders", str(HANGING_ORDERS))
    placed = await mall.place("mall-hanging", *options, "--deadline", str(HANGING_SECONDS), "--seconds", "0.5")
    orders: Sequence[str] = placed["unanswered"]
    return orders


async def order(mall: Mall, jd: Simulated, *, show: ShowStep) -> None:
    """Place orders at those that answer, lose the answer to one, and follow all of them to their end: contracts of the
    vendor who fetches, invoices and after-sale of both.
    """
    show(f"{ORDERS} 单，其一丢失应答", f"{ORDERS} orders; one answer is lost")
    async with SimulatorClient(jd.url) as control:
        await control.lose_answer("order/submitOrder", after=SPARED)
    options = ["--supplier", f"{JD}={AREA}", "--supplier", SUPPLIER, "--orders", str(ORDERS), "--seed", str(SEED)]
    options += ["--contracts", SUPPLIER, "--documents", mall.documents]
    options += [word for each in (JD, SUPPLIER) for word in ("--invoices", each, "--after-sales", each)]
    attending = asyncio.create_task(attend(jd))
    try:
        await mall.place("mall", *options, "--linger", "0.5", "--seconds", str(MOST_SECONDS))
    finally:
        attending.cancel()
        await asyncio.wait([attending])
    if not attending.cancelled():
        attending.result()


async def settle(admin: AdminClient, pool: Pool, jd: Simulated, hanging: Sequence[str]) -> None:
    """Return when nothing more is told of any order. hanging: orders at the supplier that hangs."""
    for order_no in hanging:
        await until(partial(_decided, admin, order_no))
    async with SimulatorClient(jd.url) as control:
        await until(partial(_all_heard, control, pool))
    await published(pool)


async def _decided(admin: AdminClient, order_no: str) -> bool:
    """No step is left for an order but a person's word."""
    try:
        found = (await admin.get("orders", order_no))["orders"]
    except RefusedError:  # it was not read from its topic yet
        return False
    return all(each["lane"] is None or each["lane"]["state"] in STOPPED for each in found)


async def _all_heard(control: SimulatorClient, pool: Pool) -> bool:
    """Every message of the supplier about its orders was taken, and what it is about was reread."""
    if await control.unread_messages():
        return False
    async with acquired(pool) as connection:
        return not await connection.fetchval("SELECT EXISTS (SELECT FROM order_rereads WHERE supplier = $1)", JD)
