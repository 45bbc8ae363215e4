"""What a message pool brings: re-reads once for many messages, letters for what nobody understands, no stalled pool."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import orjson
import pytest

from contrib.simulators.jd_vop.faults import Rule
from contrib.simulators.jd_vop.simulator import Simulator
from tests.eventually import eventually
from tests.integration.pulled.conftest import Ground
from tests.pulling import Operator, calls, row_of, truths
from tests.reader import Entry

SKUS = 8

pytestmark = pytest.mark.timeout(200)


@dataclass
class Pulled:
    """A supplier that was pulled as a whole, and its operator. known: calls it had served by then."""

    ground: Ground
    operator: Operator
    simulator: Simulator
    name: str
    known: int

    @property
    def skus(self) -> list[str]:
        return sorted(truths(self.simulator))

    def asked(self, operation: str) -> list[dict[str, Any]]:
        """Calls of an operation since."""
        return [call for call in calls(self.simulator)[self.known :] if call["operation"] == operation]

    async def settled(self) -> None:
        """Wait until the pool is empty and everything that it asked for is done."""

        async def holds() -> bool:
            if len(self.simulator.messages) or self.simulator.messages.due:
                return False
            facets = (await self.operator.status(self.name))["facets"]
            if any(facet.get("waiting") for facet in facets.values()):
                return False
            return all(feed["finished_at"] for feed in await self.operator.feeds(self.name))

        await eventually(holds, within=90)

    async def latest(self) -> dict[str, dict[str, Entry]]:
        return await self.ground.latest(self.name)

    async def wrong(self) -> list[str]:
        return await self.ground.wrong(self.simulator, self.name)


@pytest.fixture
async def pulled(shared: Ground, operator: Operator, request: pytest.FixtureRequest) -> AsyncIterator[Pulled]:
    """One of its own for each test."""
    name = f"jd-{abs(hash(request.node.name)) % 10**9}"
    async with shared.simulator(skus=SKUS, repeat_seconds=0.5) as simulator:
        await operator.declare(**{name: row_of(simulator)})
        await operator.until_swept(name)
        pulled = Pulled(shared, operator, simulator, name, 0)
        await pulled.settled()
        pulled.known = len(calls(simulator))
        yield pulled
        await operator.ask("POST", f"suppliers/{name}/pause", {"reason": "its test is over"})


async def test_a_burst_about_one_sku_is_one_question_or_two(pulled: Pulled) -> None:
    sku = pulled.skus[0]
    for cents in range(10, 60):
        pulled.simulator.changes.change(int(sku), "price", f"7.{cents}")
    await pulled.settled()
    assert len(pulled.asked("price/getSellPrice")) <= 3
    assert await pulled.wrong() == []


@pytest.mark.parametrize("kind", ["repeated_messages", "reordered_messages"])
async def test_messages_that_come_twice_or_out_of_order_lead_to_what_is_so_now(pulled: Pulled, kind: str) -> None:
    pulled.simulator.faults.add(Rule(kind, "message/get"))
    for sku in pulled.skus[:4]:
        for price in ("3.10", "3.20", "3.30"):
            pulled.simulator.changes.change(int(sku), "price", price)
        pulled.simulator.changes.change(int(sku), "shelf")
    await pulled.settled()
    assert await pulled.wrong() == []
    assert await pulled.operator.letters(pulled.name) == []


async def test_one_id_under_two_types_is_two_messages(pulled: Pulled) -> None:
    sku = pulled.skus[0]
    pulled.simulator.changes.change(int(sku), "price", "8.88", silent=True)
    pulled.simulator.changes.change(int(sku), "detail", silent=True)
    message = pulled.simulator.messages.poison(2, {"skuId": sku})
    assert pulled.simulator.messages.delete(message.id)
    for type_ in (2, 16):
        pile = pulled.simulator.messages._by_type.setdefault(type_, {})
        pile[message.id] = type(message)(message.id, type_, message.result, message.at)
    await pulled.settled()
    assert await pulled.wrong() == []
    assert len(pulled.asked("price/getSellPrice")) == 1
    assert [call["form"]["sku"] for call in pulled.asked("product/getDetail")] == [sku]


@pytest.mark.parametrize(("type_", "result"), [(2, None), (4, {"state": 1}), (50, {"areaLevel": 9})])
async def test_what_is_not_understood_is_a_letter_and_the_pool_goes_on(
    pulled: Pulled, type_: int, result: object
) -> None:
    poison = pulled.simulator.messages.poison(type_, result)
    pulled.simulator.changes.change(int(pulled.skus[0]), "price", "9.99")
    await pulled.settled()
    assert await pulled.wrong() == []
    [letter] = await pulled.operator.letters(pulled.name)
    shown = await pulled.operator.ask("GET", f"deadletters/{letter['id']}")
    assert (letter["stage"], shown["issues"][0]["code"]) == ("pool", "unknown_message")
    assert orjson.loads(shown["original_text"]) == poison.body()


async def test_a_type_that_nobody_knows_is_told_once_and_waits_until_an_operator_decides(pulled: Pulled) -> None:
    unknown = pulled.simulator.messages.poison(777, {"order": 1})
    pulled.simulator.changes.change(int(pulled.skus[0]), "price", "9.99")

    async def fetched_again() -> bool:
        return len(await pulled.operator.letters(pulled.name)) == 1 and len(pulled.asked("message/get")) >= 6

    await eventually(fetched_again, within=60)
    [letter] = await pulled.operator.letters(pulled.name)
    assert [call["form"]["id"] for call in pulled.asked("message/del") if call["form"]["id"] == str(unknown.id)] == []
    faults = (await pulled.operator.status(pulled.name))["faults"]
    assert any("unknown types" in words for words in faults.values())
    discard = {"reason": "nobody's", "selection": {"ids": [letter["id"]]}}
    await pulled.operator.ask("POST", "deadletters/discard", discard)
    await pulled.settled()
    assert await pulled.wrong() == []


async def test_what_cannot_be_deleted_comes_again_and_is_not_read_again(pulled: Pulled) -> None:
    rule = Rule("status", "message/del", {"status": 500})
    pulled.simulator.faults.add(rule)
    for sku in pulled.skus[:3]:
        pulled.simulator.changes.change(int(sku), "price", "4.44")

    async def again() -> bool:
        return rule.struck >= 2 and len(pulled.asked("message/get")) >= 3

    await eventually(again)
    pulled.simulator.faults.clear()
    await pulled.settled()
    assert await pulled.wrong() == []
    asked = Counter(sku for call in pulled.asked("price/getSellPrice") for sku in call["form"]["sku"].split(","))
    told = pulled.simulator.messages.written
    assert asked.total() <= told
    assert await pulled.operator.letters(pulled.name) == []


async def test_taken_out_of_its_pool_goods_are_off_the_shelf_without_a_quote(pulled: Pulled) -> None:
    sku = pulled.skus[0]
    for pool in truths(pulled.simulator)[sku]["pools"]:
        pulled.simulator.changes.change(int(sku), "pool", {"pool": pool, "in": False})
    await pulled.settled()

    async def told() -> bool:
        records = await pulled.latest()
        listing = orjson.loads(records["listing"][sku].value or b"null")
        price = orjson.loads(records["price"][sku].value or b"null")
        return bool(listing["shelf"] == "off" and price["quote"] == "no_quote")

    await eventually(told)
    assert all(entry.value is not None for facet in (await pulled.latest()).values() for entry in facet.values())
    assert await pulled.operator.letters(pulled.name) == []


async def test_a_changed_area_is_read_anew_with_its_neighbours(pulled: Pulled) -> None:
    county = pulled.simulator.world.areas.children(412)[0]
    pulled.simulator.changes.change(None, "area", {"operate": 1, "parent": county.id, "name": "龙子湖新街道"})
    areas: list[asyncpg.Record] = []

    async def read() -> bool:
        connection = await asyncpg.connect(pulled.ground.database)
        try:
            query = "SELECT area, name, parent, level FROM supplier_areas WHERE supplier = $1"
            areas[:] = await connection.fetch(query, pulled.name)
        finally:
            await connection.close()
        return any(area["name"] == "龙子湖新街道" for area in areas)

    await eventually(read)
    assert {(area["parent"], area["level"]) for area in areas} == {(f"7_412_{county.id}", 4)}
    assert len(areas) == len(pulled.simulator.world.areas.children(county.id))


async def test_a_message_that_comes_while_its_question_is_under_way_is_asked_again(pulled: Pulled) -> None:
    sku = pulled.skus[0]
    pulled.simulator.faults.add(Rule("latency", "price/*", {"ms": 2500}, times=1))
    pulled.simulator.changes.change(int(sku), "price", "5.01")

    async def asked() -> bool:
        return len(pulled.asked("price/getSellPrice")) == 1

    await eventually(asked)
    pulled.simulator.changes.change(int(sku), "price", "5.02")
    await pulled.settled()
    assert len(pulled.asked("price/getSellPrice")) >= 2
    assert await pulled.wrong() == []
