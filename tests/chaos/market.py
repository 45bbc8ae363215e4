"""Orders all through a run: cores of the mall, a supplier with an API and one without, and what goes wrong there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import NamedTuple

from contrib.mall.plan import Goods, plan_orders
from contrib.simulators.jd_vop.config import Config
from contrib.simulators.jd_vop.server import open_simulator
from contrib.simulators.jd_vop.simulator import Simulator
from contrib.simulators.native import Config as VendorConfig
from contrib.simulators.native import Vendor
from gateway.embedded import Engines
from tests.chaos.asking import Asking
from tests.chaos.buyers import Buyer, Strays
from tests.chaos.contract_files import ContractFiles
from tests.chaos.conversation import Conversation
from tests.chaos.conversation_read import found_done, write_down
from tests.chaos.ending import comes_to_hold, rows
from tests.chaos.fleet import Fleet
from tests.chaos.forwarding import open_forwarder
from tests.chaos.ledgers import API, FETCHES, HOOK, Ledgers
from tests.chaos.misbehaving import HOOKED, HOOKED_AWAY, JD, JD_AWAY, NATIVE, NATIVE_AWAY, Misbehaving
from tests.chaos.noting import NotingGateway, open_noting_vendor
from tests.chaos.operators import Operator
from tests.chaos.order_operators import OrderOperator
from tests.chaos.orders_read import OffsetLooks, OrdersRead
from tests.chaos.other_buyer import OtherBuyer
from tests.chaos.receiver import Receiver, open_receiver
from tests.chaos.recorder import Recorder
from tests.chaos.supplier_acts import OddWords, SupplierActs
from tests.chaos.webhook_operator import WebhookOperator, webhook_of
from tests.ordering import goods
from tests.pulling import Operator as Declaring
from tests.pulling import row_of
from tests.relaying import town
from tests.vendor import declared

SKUS, SOLD = 2000, 500
TIMEOUT = 3.0
"""Seconds that a call of the first one may take."""

RATE = 2.4
"""Orders that are begun a second."""

SHARE = 0.75
"""Of the time of a run in which orders are begun."""

HASTY, HASTE = 0.1, timedelta(seconds=25)
"""Share of the orders whose commands have to be carried out soon, and how soon."""

LIFE = timedelta(hours=2)

AT_ONCE = 0.3
"""Share of the orders whose commands wait for no answer."""

STILL = 4.0
"""Seconds without an effect after which none is coming: everything takes its next step within one."""

FETCHED, SENT = timedelta(seconds=3), timedelta(seconds=20)
"""How long ago a message was fetched, or sent to a webhook, of which nothing more will be heard."""

# A minute passes for what the vendor never acknowledged: it is visible again. Not for what a person has to decide
# about, once its deadline has passed: it may be on its way to him.
SHOW = """
    UPDATE commands SET sent_at = sent_at - interval '1 minute'
     WHERE supplier = $1 AND state = 'sending' AND sent_at < now() - $2::interval
       AND deadline > now() + interval '1 hour'
"""

OPEN = """
    SELECT command_id || ' is ' || state || ' ' || reason AS text FROM commands WHERE ended_at IS NULL
    UNION ALL SELECT command_id || ' was fetched, and not answered' FROM commands_unanswered
    UNION ALL SELECT supplier_order_no || ' has to be read' FROM order_rereads
    UNION ALL SELECT mark_id || ' has to be read' FROM invoice_rereads
"""


class Sellers(NamedTuple):
    """Who sells: one with an API, one who fetches, one who has a webhook, each of the latter with his way to us."""

    simulator: Simulator
    fetches: Vendor
    fetching: NotingGateway
    hook: Vendor
    hooked: NotingGateway
    receiver: Receiver


class Market:
    """Places orders and follows them to their end, with contracts, invoices and services."""

    def __init__(
        self,
        engines: Engines,
        fleet: Fleet,
        recorder: Recorder,
        buyers: Sequence[Buyer],
        ledgers: Ledgers,
        sellers: Sellers,
        asking: Asking,
        rng: Random,
    ) -> None:
        self._engines = engines
        self._fleet = fleet
        self._recorder = recorder
        self._buyers = buyers
        self._ledgers = ledgers
        self._simulator = sellers.simulator
        self._rng = rng
        self._wrong = _misbehaving(sellers, rng)
        self._strays = Strays(engines.kafka_bootstrap, buyers, Random(rng.random()))
        self._other = OtherBuyer(sellers.simulator, self._next, Random(rng.random()))
        self._looks = OffsetLooks(engines, fleet, recorder)
        plans = [plan for buyer in buyers for plan in buyer.plans]
        self._conversation = Conversation(engines.kafka_bootstrap, plans, asking, recorder)
        operator = Operator(fleet.admin_urls, {}, recorder, Random(rng.random()))
        self._webhooks = WebhookOperator(operator, HOOK, sellers.receiver, Random(rng.random()))
        self._acts = (
            SupplierActs(sellers.simulator, ledgers.api, API, recorder, Random(rng.random())),
            OddWords(sellers.fetches, sellers.fetching, Random(rng.random())),
            OddWords(sellers.hook, sellers.hooked, Random(rng.random())),
            self._webhooks,
        )
        self._operator = OrderOperator(
            operator,
            API,
            self._begun,
            lambda: ledgers.effects(self._other.tokens),
            lambda id_: found_done(self._conversation.placed[id_], ledgers),
            lambda id_: str(self._conversation.placed[id_]["order_no"]),
            recorder,
            Random(rng.random()),
        )
        self._changed = (0, 0.0)

    async def run(self, stopping: asyncio.Event) -> None:
        """Trade until told to stop; returns when everything is answered, or it is given up, and all is written down."""
        async with asyncio.TaskGroup() as group:
            buying = [group.create_task(buyer.run()) for buyer in self._buyers]
            looking = group.create_task(self._looks.run())
            asking = group.create_task(self._conversation.run())
            others = [group.create_task(each.run(stopping)) for each in self._acts]
            others += [group.create_task(each.run(stopping)) for each in self._wrong.values()]
            others.append(group.create_task(self._strays.run(stopping)))
            others.append(group.create_task(self._other.run(stopping)))
            others.append(group.create_task(self._operator.run(stopping)))
            others += [
                group.create_task(buyer.run_killed(stopping, Random(self._rng.random()), self._recorder))
                for buyer in self._buyers
            ]
            await asyncio.wait(others)
            reached = await comes_to_hold(self._ended, self._waiting)
            for task in [*buying, looking, asking]:
                task.cancel()
            await asyncio.wait([*buying, looking, asking])
        self._note_faults()
        placed = [command for buyer in self._buyers for command in buyer.placed()]
        reading = OrdersRead(self._engines, self._fleet, self._recorder)
        tokens, waiting = self._other.tokens, await self._waiting()
        await reading.write_down(placed, self._ledgers, tokens, reached=reached, waiting=waiting)
        await write_down(self._engines, self._recorder, self._ledgers, [*self._conversation.placed])

    def _next(self) -> Sequence[str]:
        """Numbers of orders that are placed soon."""
        begun = {*self._begun()}
        left = (plan for buyer in self._buyers for plan in buyer.plans if plan.order_no not in begun)
        return [plan.order_no for plan in left if plan.lines[0][0].supplier == API][2:8]

    def _begun(self) -> Sequence[str]:
        return [command.order_no for buyer in self._buyers if buyer.core for command in buyer.core.placed]

    async def _ended(self) -> bool:
        """Whether nothing is under way any more, once all stops are taken back and people have decided."""
        await self._operator.set_free()
        await self._operator.decide()
        await self._webhooks.send_anew()
        await rows(self._engines.database_url, SHOW, FETCHES, FETCHED)
        await rows(self._engines.database_url, SHOW, HOOK, SENT)
        pool = self._simulator.messages
        return not len(pool) and not pool.due and self._is_still() and not await self._waiting()

    def _is_still(self) -> bool:
        """Whether nobody has done anything for a while."""
        now, (size, since) = self._ledgers.size + len(self._conversation.placed), self._changed
        if size != now:
            self._changed = (now, time.monotonic())
            return False
        return time.monotonic() - since >= STILL

    async def _waiting(self) -> list[str]:
        """What has not ended."""
        found = await rows(self._engines.database_url, OPEN)
        unanswered = [text for buyer in self._buyers for text in buyer.unanswered()] + self._conversation.unanswered()
        unbegun = [f"{buyer.path.stem} is not idle" for buyer in self._buyers if buyer.core and not buyer.core.idle]
        return [*(str(row["text"]) for row in found), *unanswered, *unbegun]

    def _note_faults(self) -> None:
        for supplier, wrong in self._wrong.items():
            for kind, times in wrong.struck().items():
                for _ in range(times):
                    self._recorder.record("fault", kind=f"{supplier}: {kind}", hold=0.0)


def _misbehaving(sellers: Sellers, rng: Random) -> Mapping[str, Misbehaving]:
    return {
        API: Misbehaving(sellers.simulator.faults, JD, JD_AWAY, Random(rng.random())),
        FETCHES: Misbehaving(sellers.fetches.faults, NATIVE, NATIVE_AWAY, Random(rng.random())),
        HOOK: Misbehaving(sellers.hook.faults, HOOKED, HOOKED_AWAY, Random(rng.random())),
    }


def _offered(simulator: Simulator) -> Sequence[Goods]:
    """What is sold: of the first supplier what its catalog holds, of the others some made-up goods."""
    area = town(simulator)
    called = [Goods(API, str(item.sku), "货物", Decimal(item.price) / 100, area) for item in goods(simulator, SOLD)]
    fetched = [
        Goods(supplier, f"S-{number}", "货物", Decimal(number) + Decimal("12.30"))
        for supplier in (FETCHES, HOOK)
        for number in range(20)
    ]
    return [*called, *fetched]


def _buyers(engines: Engines, directory: Path, seed: int, seconds: float, offered: Sequence[Goods]) -> Sequence[Buyer]:
    """One with time, and one without."""
    found = []
    for name, share, life in (("patient", 1 - HASTY, LIFE), ("hasty", HASTY, HASTE)):
        count = max(1, int(RATE * share * SHARE * seconds))
        plans = plan_orders(f"{name}-{seed}", seed, count, offered, at_once=AT_ONCE)
        path = directory / f"{name}.jsonl"
        found.append(Buyer(plans, path, life, RATE * share, engines.kafka_bootstrap))
    return found


@asynccontextmanager
async def open_market(
    engines: Engines,
    fleet: Fleet,
    directory: Path,
    recorder: Recorder,
    files: ContractFiles,
    seed: int,
    seconds: float,
) -> AsyncIterator[Market]:
    """Suppliers that answer until the end of the block, and buyers for so many seconds."""
    rng, ledgers = Random(f"market {seed}"), Ledgers.below(directory)
    async with _open_sellers(fleet, ledgers, recorder, rng) as sellers:
        row = row_of(sellers.simulator, facets=["price"], pulls={"price": "30d"})
        row |= {
            "http": {**row["http"], "timeout_seconds": TIMEOUT},
            "options": {**row["options"], "invoice_org": "544"},
        }
        await Declaring(fleet.admin_urls()[0]).declare(**{API: row})
        buyers = _buyers(engines, directory, seed, seconds, _offered(sellers.simulator))
        asking = Asking(seed, files, API)
        yield Market(engines, fleet, recorder, buyers, ledgers, sellers, asking, rng)


@asynccontextmanager
async def _open_sellers(fleet: Fleet, ledgers: Ledgers, recorder: Recorder, rng: Random) -> AsyncIterator[Sellers]:
    config = Config(
        skus=SKUS,
        seed=rng.randrange(1000),
        step_seconds=1.0,
        split_share=0.1,
        reject_share=0.1,
        log=ledgers.log,
        ledger=ledgers.api,
    )
    async with AsyncExitStack() as stack:
        simulator = await stack.enter_async_context(open_simulator(config))
        url = await stack.enter_async_context(open_forwarder(fleet.urls, Random(rng.random())))
        receiver = await stack.enter_async_context(open_receiver(HOOK, recorder, Random(rng.random())))
        ways: list[tuple[Vendor, NotingGateway]] = []
        for supplier, path in ((FETCHES, ledgers.fetches), (HOOK, ledgers.hook)):
            its = receiver if supplier == HOOK else None
            keys = await declared(
                fleet.admin_urls()[0], supplier, **(webhook_of(receiver, receiver.secrets) if its else {})
            )
            vendor = VendorConfig(url, path, keys.bearer, rng.randrange(1000), step_seconds=1.0)
            way = open_noting_vendor(vendor, supplier, recorder, Random(rng.random()), its)
            ways.append(await stack.enter_async_context(way))
        (fetches, fetching), (hook, hooked) = ways
        yield Sellers(simulator, fetches, fetching, hook, hooked, receiver)
