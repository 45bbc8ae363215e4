"""One run: suppliers, operators and faults on real programs for so long, then the end and the verdicts."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from gateway.embedded import Engines, open_engines
from tests.chaos.breaking import Breaker
from tests.chaos.contents import FACETS
from tests.chaos.contract_files import ContractFiles
from tests.chaos.ending import Ending
from tests.chaos.fleet import Fleet
from tests.chaos.goods import Goods
from tests.chaos.market import open_market
from tests.chaos.operators import Operator
from tests.chaos.plan import plan
from tests.chaos.pulled import open_pulled
from tests.chaos.recorder import Recorder
from tests.chaos.vendors import Follower, Stream
from tests.history import conversation
from tests.history.events import History, read
from tests.history.findings import Finding
from tests.history.orders import summary
from tests.history.verdicts import green, stories, table, verdicts
from tests.supplier_site import open_site
from tests.vendor import declared

SUPPLIERS = ("acme", "bolt", "curt")
"""The last one gives up now and then, and pushes without keys."""

PROGRAMS = 2

SETTLED = 150.0
"""Seconds after the last fault in which every vendor who goes on asking has to be answered."""

VALUES = 1_000_000
"""Numbers of one stream."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is asked for. think: how much slower than usual the vendors are."""

    seed: int
    seconds: float
    think: float = 1.0


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it. path: of the recorded history."""

    order: Order
    path: Path
    history: History
    found: dict[str, Finding]

    @property
    def green(self) -> bool:
        """Whether no check found anything."""
        return green(self.found)

    def lines(self) -> Sequence[str]:
        """The whole account."""
        feeds = Counter(
            f"{feed.facet} {feed.mode} {feed.view['state'] if feed.view else 'taken' if feed.numbers else 'not taken'}"
            for feed in self.history.feeds.values()
        )
        replays = Counter(str(replay.outcome or "unknown") for replay in self.history.replays.values())
        faults = self.history.faults
        return [
            f"seed {self.order.seed}, {self.order.seconds / 60:g} minutes, {sum(faults.values())} faults",
            *(f"  {count:4} {kind}" for kind, count in sorted(faults.items())),
            f"{len(self.history.feeds)} feeds, {len(self.history.published)} records on the catalog topics",
            *(f"  {count:4} {kind}" for kind, count in sorted(feeds.items())),
            *self._orders(),
            *conversation.summary(self.history.conversation),
            f"{len(self.history.replays)} replays: " + ", ".join(f"{n} {what}" for what, n in sorted(replays.items())),
            table(self.found),
            *stories(self.found),
            f"verdict: {'green' if self.green else 'red'}; history: {self.path}",
        ]

    def _orders(self) -> Sequence[str]:
        told = summary(self.history.orders)
        states = ", ".join(f"{count} {state}" for state, count in told["by_state"].items())
        return [
            f"{told['placed']} orders, {told['commands']} commands, {told['ledger_effects']} submits in the ledgers: "
            f"{told['duplicates']} duplicates, {told['refused']} refusals, "
            f"{told['lost']} lost, {told['waiting']} waiting",
            f"  {states}",
            f"{len(self.history.orders.effects)} effects, {len(self.history.orders.calls)} calls that suppliers noted",
        ]


async def run(order: Order, directory: Path) -> Result:
    """Carry one run out in a directory of its own and judge it."""
    path = directory / "history.jsonl"
    recorder = Recorder(path)
    try:
        async with open_engines(directory / "engines") as engines, open_site() as site:
            files = ContractFiles(site, Random(f"files {order.seed}"))
            allowed = {"MALLGATE_CONTRACT_DOCUMENT_HOSTS": files.host}
            fleet = Fleet(engines.kafka_bootstrap, engines.database_url, directory, recorder, PROGRAMS, allowed)
            try:
                await fleet.start()
                await _live(order, engines, fleet, directory, recorder, files)
            finally:
                await fleet.stop()
    finally:
        recorder.close()
    history = read(path)
    return Result(order, path, history, verdicts(history))


async def _live(
    order: Order, engines: Engines, fleet: Fleet, directory: Path, recorder: Recorder, files: ContractFiles
) -> None:
    streams, followers = await _vendors(order, fleet, recorder)
    goods = {(stream.keys.supplier, stream.goods.facet): stream.goods for stream in streams}
    operator = Operator(fleet.admin_urls, goods, recorder, Random(f"operator {order.seed}"))
    pushing, looking = asyncio.Event(), asyncio.Event()
    rng = Random(f"pulled {order.seed}")
    async with (
        open_pulled(fleet, engines.kafka_bootstrap, recorder, rng) as pulled,
        open_market(engines, fleet, directory, recorder, files, order.seed, order.seconds) as market,
        asyncio.TaskGroup() as group,
    ):
        trading = group.create_task(market.run(pushing))
        others = [group.create_task(follower.run(looking)) for follower in followers]
        others += [group.create_task(operator.run(looking)), group.create_task(pulled.run(pushing))]
        vendors = [group.create_task(stream.run(pushing)) for stream in streams]
        await Breaker(engines, fleet, recorder).run(plan(order.seed, order.seconds))
        pushing.set()
        _, pending = await asyncio.wait(vendors, timeout=SETTLED)
        for vendor in pending:
            vendor.cancel()
        looking.set()
        await asyncio.wait([*others, trading])
        await Ending(engines, operator, followers, recorder).reach(pulled.swept)
        await pulled.write_down()


async def _vendors(order: Order, fleet: Fleet, recorder: Recorder) -> tuple[list[Stream], list[Follower]]:
    streams: list[Stream] = []
    followers: list[Follower] = []
    for supplier in SUPPLIERS:
        keys = await declared(fleet.admin_urls()[0], supplier, limits={"feeds_per_minute": 60_000})
        followers.append(Follower(keys, fleet.urls, recorder, Random(f"{supplier} {order.seed}")))
        for facet in FACETS:
            rng = Random(f"{supplier} {facet} {order.seed}")
            goods = Goods(facet, VALUES * (1 + len(streams)), rng)
            gives_up = supplier == SUPPLIERS[-1]
            streams.append(Stream(keys, goods, fleet.urls, recorder, rng, order.think, gives_up))
    return streams, followers
