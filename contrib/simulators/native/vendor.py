"""The vendor at work: fetch, take effect, acknowledge, answer; and what goes wrong with it when told so.

An effect and the event that tells of it are in the ledger, on disk, before anything leaves. A vendor that starts with
a ledger knows its messages and orders again, and tells what the gateway has not said yes or no to.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from random import Random
from typing import Any

import aiohttp

from contrib.journal import Journal, background, open_journal, restore
from contrib.simulators.jd_vop.faults import Faults
from contrib.simulators.ledger import read
from contrib.simulators.native import contracts
from contrib.simulators.native.answers import CHINA, out_of_state
from contrib.simulators.native.book import Entry, OrderBook
from contrib.simulators.native.config import Config
from contrib.simulators.native.contracts import TEXTS, Document
from contrib.simulators.native.gateway import Gateway
from contrib.simulators.native.subjects import Order, Subject

KINDS = frozenset(
    {
        "no_ack",
        "ack_twice",
        "ack_foreign",
        "crash",
        "answer_twice",
        "out_of_state",
        "foreign_order",
        "wrong_sum",
        "partial_confirmation",
        "refuse",
        "slow",
    }
)
"""Kinds of faults; see README.md."""


class CrashedError(Exception):
    """The vendor has lost its memory between an effect and its acknowledgement."""


class Vendor:
    """One vendor. faults: `faults.add(Rule(kind, operation, ...))`; sent: statuses of its events, by kind of event."""

    def __init__(self, config: Config, gateway: Gateway, ledger: Journal) -> None:
        self.faults = Faults(Random(config.seed))
        self.sent: Counter[tuple[str, int]] = Counter()
        self.crashes = 0
        self.book = OrderBook((), config.seed)
        self._config = config
        self._gateway = gateway
        self._ledger = ledger
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._tasks = asyncio.TaskGroup()

    async def run(self, entries: list[Entry]) -> None:
        """Work until cancelled, from these entries of the ledger on; a crash starts again with what is on disk."""
        while True:
            self.book = OrderBook(entries, self._config.seed)
            self._turns.clear()
            try:
                async with asyncio.TaskGroup() as self._tasks:
                    self._go_on_where_it_was()
                    await self._fetch_and_take()
            except* CrashedError:
                self.crashes += 1
            await self._ledger.settled()
            entries = read(self._config.ledger)

    def _go_on_where_it_was(self) -> None:
        for entry in [*self.book.unanswered.values()]:
            self._tasks.create_task(self._send_event(entry, {}))
        for subject in self.book.subjects():
            self._follow(subject)

    async def _fetch_and_take(self) -> None:
        while True:
            messages = await self._gateway.fetch()
            for message in messages:
                await self._take(message)
            if not messages:
                await asyncio.sleep(self._config.poll_seconds)

    async def _take(self, message: Mapping[str, Any]) -> None:
        command = message["command"]
        struck = self.faults.struck(command["operation"], {"thirdOrder": command["order_no"]})
        faults = {rule.kind: rule.parameters for rule in struck}
        seen = message["id"] in self.book.by_message
        if not seen:
            document = await self._document(command)
            self._commit(self.book.take(message, faults, document))
        entry = self.book.by_message[message["id"]]
        await self._ledger.settled()
        if "crash" in faults:
            raise CrashedError
        await self._acknowledge(str(message["id"]), faults)
        if not seen:
            if "event" in entry:
                self._tasks.create_task(self._send_event(entry, faults))
            if (subject := self.book.subject_of(entry)) is not None:
                self._follow(subject)

    async def _document(self, command: Mapping[str, Any]) -> Document | None:
        if command["operation"] not in TEXTS:
            return None
        return await self._gateway.document(command["payload"]["document"]["url"])

    async def _acknowledge(self, id_: str, faults: Mapping[str, Any]) -> None:
        if "ack_foreign" in faults:
            await self._gateway.acknowledge([f"{id_}-of-another"])
        if "no_ack" not in faults:
            for _ in range(2 if "ack_twice" in faults else 1):
                await self._gateway.acknowledge([id_])

    async def _send_event(self, entry: Entry, faults: Mapping[str, Mapping[str, Any]]) -> None:
        """Tell of an effect or a refusal, after all that was told of the same before; wrongly first, if ordered so."""
        about = _about(entry)
        async with self._turns[about]:
            if "slow" in faults:
                await asyncio.sleep(float(faults["slow"].get("seconds", 1)))
            event, key = entry["event"], entry["key"]
            if "foreign_order" in faults:
                another = str(faults["foreign_order"].get("order_no", "FOREIGN-1"))
                await self._send_once(f"{about.partition('/')[0]}/{another}", event, f"{key}-foreign")
            if "out_of_state" in faults:
                await self._send_once(about, {**_out_of_state(entry), **faults["out_of_state"]}, f"{key}-wrong")
            if "answer_twice" in faults:
                await self._send_once(about, event, key)
            status = await self._send_once(about, event, key)
            self._commit(self.book.answer(key, status))

    async def _send_once(self, about: str, event: Mapping[str, Any], key: str) -> int:
        status = await self._gateway.send_event(about, event, key)
        self.sent[event["event"], status] += 1
        return status

    def _follow(self, subject: Subject) -> None:
        """Go on with something by and by; an order is shipped and delivered only where steps take time."""
        if subject.next is not None and (self._config.step_seconds or not isinstance(subject, Order)):
            self._tasks.create_task(self._step(subject))

    async def _step(self, subject: Subject) -> None:
        while (step := subject.next) is not None:
            await asyncio.sleep(self._config.step_seconds)
            if subject.next == step:
                entry = self.book.step(subject)
                self._commit(entry)
                await self._ledger.settled()
                await self._send_event(entry, {})

    def _commit(self, entry: Entry) -> None:
        now = datetime.now(CHINA)
        entry |= {"at": now.timestamp(), "time": now.isoformat(timespec="milliseconds")}
        self.book.apply(entry)
        self._ledger.add(entry)


def _about(entry: Entry) -> str:
    """What an event is told of."""
    return f"contracts/{entry['contract_no']}" if "contract_no" in entry else f"orders/{entry['order_no']}"


def _out_of_state(entry: Entry) -> Entry:
    return contracts.out_of_state(entry) if "contract_no" in entry else out_of_state(entry["operation"])


@asynccontextmanager
async def open_vendor(config: Config) -> AsyncIterator[Vendor]:
    """A vendor that works until the end."""
    entries = restore(config.ledger)
    async with open_journal(config.ledger) as ledger, aiohttp.ClientSession() as session:
        vendor = Vendor(config, Gateway(session, config), ledger)
        async with background(vendor.run(entries)):
            yield vendor
