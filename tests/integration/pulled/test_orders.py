"""Messages about orders: the order is read at the supplier, and the core is told each fact once."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from contrib.simulators.jd_vop.faults import Rule
from contrib.simulators.jd_vop.simulator import Simulator
from gateway.relay.orders import News, publish_news
from gateway.store import Pool, open_pool, transaction
from gateway.suppliers import SecretBox
from schemas.orders import OrderFact
from tests.buyer import Buyer
from tests.eventually import eventually
from tests.integration.pulled.conftest import Ground
from tests.ordering import order_id, sellable, submit
from tests.program import Program, fault
from tests.pulling import Operator, control, row_of
from tests.reader import read_topics

BOX = SecretBox(bytes(32))
EVENTS = "mall.orders.events.v1"
DIRECT = (OrderFact.SUBMIT, OrderFact.CONFIRMED)
RESERVED = (OrderFact.SUBMIT, OrderFact.ACCEPTED)

pytestmark = pytest.mark.timeout(200)


@dataclass
class Placed:
    """An order of the mall at a simulated supplier, before any gateway has read a message."""

    ground: Ground
    simulator: Simulator
    pool: Pool
    name: str
    number: int = 0

    async def place(self, third: str, *facts: OrderFact, count: int = 1, pieces: int = 2, known: bool = True) -> None:
        """Have the supplier take an order. known: the gateway has submitted it."""
        async with buying(self.simulator) as buyer:
            lines = [(item, pieces) for item in sellable(buyer, count)]
            told = await submit(buyer, third, *lines, submitState=int(OrderFact.CONFIRMED in facts))
            assert told["success"], told
            self.number = await order_id(buyer, third)
        if known:
            await self.know(third, *facts)

    async def know(self, third: str, *facts: OrderFact) -> None:
        """Have the gateway have submitted the order."""
        async with transaction(self.pool) as connection:
            news = [News(self.name, third, fact, tenant="410000") for fact in facts]
            await publish_news(connection, BOX, news)
            await publish_news(connection, BOX, [News(self.name, third, None, supplier_order_no=str(self.number))])

    async def act(self, act: str, **facts: Any) -> list[dict[str, Any]]:
        """Let something happen to the order, or to one of its children."""
        said = {"order": self.number, **facts, "act": act}
        return list(await control(self.simulator, "POST", "order", said))

    async def declare(self, program: Program) -> Operator:
        """Have the program look after the supplier."""
        operator = Operator(program.admin_url)
        row = row_of(self.simulator, facets=["listing"], pulls={"listing": "1d"})
        await operator.declare(**{self.name: row})
        return operator

    async def settled(self) -> None:
        """Wait until no message waits and every order that one named was read."""

        async def holds() -> bool:
            if len(self.simulator.messages) or self.simulator.messages.due:
                return False
            async with transaction(self.pool) as connection:
                return not await connection.fetchval(
                    "SELECT count(*) FROM order_rereads WHERE supplier = $1", self.name
                ) and not await connection.fetchval("SELECT count(*) FROM outbox")

        await eventually(holds, within=90)

    async def told(self, third: str) -> list[dict[str, Any]]:
        """The events of an order, as the core reads them."""
        topics = await read_topics(self.ground.engines.kafka_bootstrap, self.ground.prefix, [EVENTS])
        values = [orjson.loads(entry.value or b"{}") for entry in topics[EVENTS] if entry.key == third.encode()]
        return [event for event in values if event["supplier"] == self.name]

    async def state(self, third: str) -> str:
        async with transaction(self.pool) as connection:
            query = "SELECT state FROM orders WHERE supplier = $1 AND order_no = $2"
            return str(await connection.fetchval(query, self.name, third))


@asynccontextmanager
async def buying(simulator: Simulator) -> AsyncIterator[Buyer]:
    """Whoever calls the supplier as the gateway does; its token ends that of the gateway."""
    async with aiohttp.ClientSession() as session:
        buyer = Buyer(simulator, session)
        await buyer.sign_in()
        yield buyer


def kinds(events: Sequence[dict[str, Any]]) -> list[str]:
    return [event["event"] for event in events]


@asynccontextmanager
async def placing(ground: Ground, name: str, **config: Any) -> AsyncIterator[Placed]:
    async with (
        ground.simulator(**{"skus": 400, "repeat_seconds": 0.3, **config}) as simulator,
        open_pool(ground.database, name="tests", size=2) as pool,
    ):
        yield Placed(ground, simulator, pool, name)


@pytest.fixture
async def placed(shared: Ground, operator: Operator, request: pytest.FixtureRequest) -> AsyncIterator[Placed]:
    """A supplier of the test's own; the program of the module looks after it once it is declared."""
    name = f"jd-{abs(hash(request.node.name)) % 10**9}"
    async with placing(shared, name) as found:
        yield found
        await operator.ask("POST", f"suppliers/{name}/pause", {"reason": "its test is over"})


async def issues(operator: Operator, placed: Placed) -> list[Any]:
    """Why there are dead letters."""
    return [(letter["stage"], letter["issues"]) for letter in await operator.letters(placed.name)]


async def declare(placed: Placed, operator: Operator) -> None:
    row = row_of(placed.simulator, facets=["listing"], pulls={"listing": "1d"})
    await operator.declare(**{placed.name: row})


async def test_an_order_is_followed_until_it_is_delivered(placed: Placed, operator: Operator) -> None:
    await placed.place("D1", *DIRECT)
    await declare(placed, operator)
    await placed.settled()
    assert kinds(await placed.told("D1")) == []
    for act in ("print", "leave_store", "ship", "await_receipt"):
        await placed.act(act)
    await placed.settled()
    await placed.act("deliver")
    await placed.act("finish")
    await placed.settled()
    told = await placed.told("D1")
    assert Counter(kinds(told)) >= Counter(["shipment.created", "shipment.tracked", "shipment.delivered"])
    assert kinds(told).count("shipment.delivered") == 1
    assert kinds(told)[-1] == "shipment.delivered"
    steps = [
        step["text"] for event in told if event["event"] == "shipment.tracked" for step in event["payload"]["steps"]
    ]
    assert len(steps) == len(set(steps))
    assert {event["cause"]["message"]["type"] for event in told} <= {"18", "5", "31"}
    assert await placed.state("D1") == "delivered"
    assert await issues(operator, placed) == []


async def test_a_split_that_a_later_one_replaces_is_told_as_the_whole_set(placed: Placed, operator: Operator) -> None:
    await placed.place("S1", *DIRECT, count=2, pieces=4)
    await declare(placed, operator)
    await placed.settled()
    await placed.act("split", into=2)
    await placed.settled()
    [first] = await placed.told("S1")
    before = [child["supplier_order_no"] for child in first["payload"]["children"]]
    assert len(before) == 2
    replaced = before[0]
    await placed.act("split", order=int(replaced), into=2)
    await placed.settled()
    second = (await placed.told("S1"))[-1]
    after = [child["supplier_order_no"] for child in second["payload"]["children"]]
    assert (len(after), second["payload"]["superseded"]) == (3, [replaced])
    for child in after:
        await placed.act("deliver", order=int(child))
    await placed.settled()
    told = await placed.told("S1")
    delivered = [event["payload"]["delivery_no"] for event in told if event["event"] == "shipment.delivered"]
    assert sorted(delivered) == sorted(after)
    assert "order.price_mismatch" not in kinds(told)
    assert await placed.state("S1") == "delivered"
    assert await issues(operator, placed) == []


async def test_a_reservation_that_nobody_confirmed_lapses(placed: Placed, operator: Operator) -> None:
    await placed.place("T1", *RESERVED)
    await placed.act("expire")
    await declare(placed, operator)
    await placed.settled()
    [event] = await placed.told("T1")
    assert (event["event"], event["payload"]["by"]) == ("order.cancelled", "time_out")
    assert await placed.state("T1") == "expired"


@pytest.mark.parametrize("kind", ["repeated_messages", "reordered_messages"])
async def test_messages_that_come_twice_or_out_of_order_tell_each_fact_once(
    placed: Placed, operator: Operator, kind: str
) -> None:
    placed.simulator.faults.add(Rule(kind, "message/get"))
    await placed.place("R1", *DIRECT, count=2, pieces=4)
    await placed.act("split", into=2)
    await placed.act("ship")
    await placed.act("deliver")
    await declare(placed, operator)
    await placed.settled()
    told = await placed.told("R1")
    count = Counter(kinds(told))
    assert (count["order.split"], count["shipment.delivered"]) == (1, 2)
    assert count["shipment.created"] == len(
        {orjson.dumps(e["payload"]) for e in told if e["event"] == "shipment.created"}
    )
    assert await placed.state("R1") == "delivered"
    assert await issues(operator, placed) == []


async def test_an_order_that_is_none_of_the_malls_is_a_dead_letter(placed: Placed, operator: Operator) -> None:
    await placed.place("F1", *DIRECT, known=False)
    await declare(placed, operator)
    await placed.settled()
    assert [letter["stage"] for letter in await operator.letters(placed.name)] == ["order_rereads"]
    assert await placed.told("F1") == []


async def test_progress_of_an_order_that_is_over_is_a_dead_letter(placed: Placed, operator: Operator) -> None:
    await placed.place("L1", *DIRECT, OrderFact.CANCELLED)
    await placed.act("deliver")
    await declare(placed, operator)
    await placed.settled()
    assert await placed.told("L1") == []
    assert {letter["stage"] for letter in await operator.letters(placed.name)} == {"order_events"}
    assert await placed.state("L1") == "cancelled"


@pytest.mark.parametrize("point", ["pool.remembered", "order.read", "order.told"])
async def test_what_a_message_said_is_told_once_although_the_program_was_killed(
    ground: Ground, tmp_path: Path, point: str
) -> None:
    async with placing(ground, "jd") as placed:
        await placed.place("K1", *DIRECT)
        await placed.act("deliver")
        async with ground.program(**fault(point, "kill", tmp_path / "mark")) as program:
            await placed.declare(program)
            assert await program.ended(within=90) < 0
        async with ground.program() as program:

            async def delivered() -> bool:
                return "shipment.delivered" in kinds(await placed.told("K1"))

            await eventually(delivered, within=90)
            await placed.settled()
            assert await issues(Operator(program.admin_url), placed) == []
        assert kinds(await placed.told("K1")).count("shipment.delivered") == 1
        assert await placed.state("K1") == "delivered"
