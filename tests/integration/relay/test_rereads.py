"""Orders read anew on PostgreSQL: what is asked is read and told once, whatever is asked, moved or lost meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest

from gateway.calls.exchange import Observer
from gateway.kafka import ORDER_EVENTS
from gateway.pulls.pool import ask_orders
from gateway.relay.orders import News, publish_news
from gateway.relay.rereads import OrderRereads, RereadContext
from gateway.sdk import ContractError, Http, OrderRefusedError, Reply, Request, UnavailableError
from gateway.sdk.orders import OrderTree, Progress, Standing, Track
from gateway.store import Lease, Pool, acquired, transaction
from gateway.suppliers import SecretBox
from schemas.orders import OrderFact
from schemas.orders.events import SupplierMessage
from tests.eventually import eventually
from tests.unit.relay.readings import child, order, split

BOX = SecretBox(bytes(32))


class NoCalls:
    """The supplier of these tests is called in this process."""

    async def call(self, request: Request) -> Reply:
        raise AssertionError(request.operation)

    def observed(self, observe: Observer) -> NoCalls:
        return self


NO_CALLS = NoCalls()


@dataclass
class Supplier:
    """A supplier whose orders are here; `before` may do something before one is answered."""

    trees: dict[str, OrderTree] = field(default_factory=dict)
    read: list[str] = field(default_factory=list)
    under_way: int = 0
    most_under_way: int = 0
    before: Callable[[str], Any] | None = None

    async def read_order(self, http: Http, supplier_order_no: str) -> OrderTree:
        self.read.append(supplier_order_no)
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            if self.before is not None:
                await self.before(supplier_order_no)
            if supplier_order_no not in self.trees:
                raise OrderRefusedError("no such order", operation="select", supplier_code="3401")
            return self.trees[supplier_order_no]
        finally:
            self.under_way -= 1

    async def read_track(self, http: Http, supplier_order_no: str) -> Track:
        return Track()


@dataclass
class Ground:
    """A supplier, the tables, and who asks."""

    pool: Pool
    lease: Lease
    supplier: Supplier
    draining: bool = False
    faults: list[str | None] = field(default_factory=list)

    async def ask(self, number: str, type_: str = "5", id_: str = "m1") -> None:
        async with transaction(self.pool) as connection:
            await ask_orders(connection, "jd", {number: SupplierMessage(type=type_, id=id_)})

    async def tell(self, *news: News) -> None:
        async with transaction(self.pool) as connection:
            await publish_news(connection, BOX, news)

    async def place(self, *facts: OrderFact, order_no: str = "A", number: str = "100") -> None:
        """Have an order that the supplier has taken; without facts it is confirmed."""
        told = facts or (OrderFact.SUBMIT, OrderFact.CONFIRMED)
        await self.tell(*(News("jd", order_no, fact, tenant="410000") for fact in told[:-1]))
        await self.tell(News("jd", order_no, told[-1], supplier_order_no=number))

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[None]:
        """What is due is read while the block runs."""
        context = RereadContext(
            supplier="jd",
            adapter=self.supplier,
            calls=NO_CALLS,
            lease=self.lease,
            pool=self.pool,
            box=BOX,
            draining=lambda: self.draining,
            report_health=self.faults.append,
            wait=lambda seconds: asyncio.sleep(0.01),
        )
        task = asyncio.create_task(OrderRereads(context).run())
        try:
            yield
        finally:
            self.draining = True
            await task

    async def settled(self) -> None:
        """Read until nothing is asked any more."""
        async with self.reading():
            await eventually(self.idle, within=30)
        self.draining = False

    async def idle(self) -> bool:
        return not await self.rows("SELECT 1 FROM order_rereads")

    async def has_read(self) -> bool:
        return bool(self.supplier.read)

    async def rows(self, query: str, *arguments: object) -> list[Any]:
        async with acquired(self.pool) as connection:
            return list(await connection.fetch(query, *arguments))

    async def told(self) -> list[dict[str, Any]]:
        found = await self.rows("SELECT value FROM outbox WHERE topic = $1 ORDER BY id", ORDER_EVENTS)
        return [orjson.loads(row["value"]) for row in found]

    async def kinds(self) -> list[str]:
        return [event["event"] for event in await self.told()]

    async def letters(self) -> list[tuple[str, str, bytes]]:
        found = await self.rows("SELECT stage, code, original FROM dead_letters ORDER BY created_at")
        return [(row["stage"], row["code"], row["original"]) for row in found]

    async def states(self) -> Mapping[str, str]:
        return {row["order_no"]: row["state"] for row in await self.rows("SELECT order_no, state FROM orders")}


@pytest.fixture
async def ground(pool: Pool) -> Ground:
    lease = Lease(pool, "supplier:jd", "tests", term=600)
    assert await lease.take()
    return Ground(pool, lease, Supplier())


async def test_what_a_message_names_is_read_and_told_with_the_message_as_its_cause(ground: Ground) -> None:
    await ground.place()
    ground.supplier.trees["100"] = OrderTree(order(progress=Progress.DELIVERED))
    await ground.ask("100", "5", "m7")
    await ground.settled()
    assert await ground.kinds() == ["shipment.created", "shipment.delivered"]
    assert [event["cause"] for event in await ground.told()] == 2 * [
        {"command_id": None, "message": {"type": "5", "id": "m7"}}
    ]
    assert (await ground.states())["A"] == "delivered"
    assert {event["tenant"] for event in await ground.told()} == {"410000"}


async def test_a_message_that_comes_again_is_read_again_and_tells_nothing_new(ground: Ground) -> None:
    await ground.place()
    ground.supplier.trees["100"] = OrderTree(order(progress=Progress.SHIPPED))
    for id_ in ("m1", "m2", "m1"):
        await ground.ask("100", "18", id_)
        await ground.settled()
    assert await ground.kinds() == ["shipment.created"]
    assert len(ground.supplier.read) == 3


async def test_a_child_that_nobody_knew_is_found_to_be_of_our_order(ground: Ground) -> None:
    await ground.place()
    whole = split(child("1", Progress.DELIVERED), child("2"))
    ground.supplier.trees |= {"100": whole, "1": OrderTree(whole.children[0])}
    await ground.ask("1")
    await ground.settled()
    assert await ground.kinds() == ["order.split", "shipment.created", "shipment.delivered"]
    assert (await ground.states())["A"] == "partially_delivered"


async def test_a_child_that_repeats_no_number_of_ours_is_known_by_its_parent(ground: Ground) -> None:
    await ground.place()
    [first] = split(child("1", order_no=None)).children
    ground.supplier.trees |= {"100": OrderTree(order(order_no=None), (first,)), "1": OrderTree(first)}
    await ground.ask("1")
    await ground.settled()
    assert await ground.kinds() == ["order.split"]


@pytest.mark.parametrize("order_no", [None, "ELSEWHERE-1"])
async def test_an_order_of_somebody_else_is_a_dead_letter(ground: Ground, order_no: str | None) -> None:
    await ground.place()
    ground.supplier.trees["900"] = OrderTree(order("900", order_no=order_no))
    await ground.ask("900", "25", "m1")
    await ground.settled()
    [(stage, code, original)] = await ground.letters()
    assert (stage, code) == ("order_rereads", "unknown_order")
    assert orjson.loads(original)["supplier_order_no"] == "900"
    assert await ground.kinds() == []
    assert set(await ground.states()) == {"A"}


async def test_a_second_order_under_one_number_is_a_dead_letter_and_moves_nothing(ground: Ground) -> None:
    await ground.place()
    ground.supplier.trees["200"] = OrderTree(order("200", progress=Progress.DELIVERED))
    await ground.ask("200")
    await ground.settled()
    assert [letter[:2] for letter in await ground.letters()] == [("order_rereads", "unknown_order")]
    assert (await ground.states())["A"] == "confirmed"


async def test_what_does_not_exist_or_is_not_understood_is_a_dead_letter_that_names_nobody(ground: Ground) -> None:
    await ground.place()
    await ground.place(order_no="B", number="200")

    async def odd(number: str) -> None:
        if number == "200":
            raise ContractError("no order", operation="select", reply="王小明".encode())

    ground.supplier.before = odd
    await ground.ask("100")
    await ground.ask("200")
    await ground.settled()
    found = await ground.letters()
    assert [letter[1] for letter in found] == ["contract_error"] * 2
    assert all("王小明".encode() not in letter[2] for letter in found)
    assert await ground.kinds() == []


async def test_a_fault_of_an_adapter_is_a_dead_letter_and_the_others_go_on(ground: Ground) -> None:
    await ground.place()
    await ground.place(order_no="B", number="200")
    ground.supplier.trees["100"] = OrderTree(order(progress=Progress.SHIPPED))

    async def broken(number: str) -> None:
        if number == "200":
            raise KeyError(number)

    ground.supplier.before = broken
    await ground.ask("200")
    await ground.ask("100")
    await ground.settled()
    assert [letter[1] for letter in await ground.letters()] == ["processing_failed"]
    assert await ground.kinds() == ["shipment.created"]


@pytest.mark.parametrize(
    "poison",
    [
        "UPDATE order_numbers SET state = 'of_a_newer_release' WHERE order_no = 'B'",
        "UPDATE orders SET state = 'of_a_newer_release' WHERE order_no = 'B'",
        "ALTER TABLE order_steps ADD CHECK (order_no <> 'B')",
    ],
)
async def test_an_order_whose_rows_cannot_be_read_or_written_keeps_no_other_from_being_read(
    ground: Ground, poison: str
) -> None:
    await ground.place()
    await ground.place(order_no="B", number="200")
    ground.supplier.trees["100"] = OrderTree(order(progress=Progress.SHIPPED))
    ground.supplier.trees["200"] = OrderTree(order("200", order_no="B", progress=Progress.SHIPPED))
    await ground.rows(poison)
    for number in ("200", "100"):
        await ground.ask(number)

    async def waits_alone() -> bool:
        found = await ground.rows("SELECT supplier_order_no, failures > 0 AS failed FROM order_rereads")
        return [tuple(row) for row in found] == [("200", True)]

    async with ground.reading():
        await eventually(waits_alone, within=30)
    assert await ground.kinds() == ["shipment.created"]
    assert await ground.letters() == []


@pytest.mark.parametrize(
    ("asked_by", "cause"),
    [
        ({"type": "5", "id": "m1", "of_a_newer_release": 1}, {"type": "5", "id": "m1"}),
        ({"type": 5}, {"type": "reread", "id": "200/1"}),
        (["5", "m1"], {"type": "reread", "id": "200/1"}),
    ],
)
async def test_whoever_asked_for_an_order_it_is_read(ground: Ground, asked_by: object, cause: dict[str, str]) -> None:
    await ground.place(order_no="B", number="200")
    ground.supplier.trees["200"] = OrderTree(order("200", order_no="B", progress=Progress.SHIPPED))
    await ground.ask("200")
    await ground.rows("UPDATE order_rereads SET asked_by = $1, seq = 1", asked_by)
    await ground.settled()
    [event] = await ground.told()
    assert event["cause"]["message"] == cause


async def test_a_supplier_that_is_away_is_asked_until_it_is_back(ground: Ground) -> None:
    await ground.place()
    ground.supplier.trees["100"] = OrderTree(order(progress=Progress.SHIPPED))
    failures = 2

    async def away(number: str) -> None:
        nonlocal failures
        failures -= 1
        if failures >= 0:
            raise UnavailableError

    ground.supplier.before = away
    await ground.ask("100")
    await ground.settled()
    assert len(ground.supplier.read) == 3
    assert await ground.kinds() == ["shipment.created"]
    assert ground.faults[-1] is None
    assert any(ground.faults)
    assert await ground.letters() == []


async def test_an_order_that_is_asked_about_while_it_is_read_is_read_again(ground: Ground) -> None:
    await ground.place()
    ground.supplier.trees["100"] = OrderTree(order(progress=Progress.SHIPPED))

    async def deliver(number: str) -> None:
        ground.supplier.before = None
        await ground.ask("100", "5", "m2")

    ground.supplier.before = deliver
    await ground.ask("100", "18", "m1")
    await ground.settled()
    assert len(ground.supplier.read) == 2
    assert await ground.kinds() == ["shipment.created"]


async def test_a_reading_that_a_command_overtook_tells_nothing_and_is_done_again(ground: Ground) -> None:
    await ground.place(OrderFact.SUBMIT, OrderFact.ACCEPTED)
    ground.supplier.trees["100"] = OrderTree(order())

    async def cancel(number: str) -> None:
        ground.supplier.before = None
        ground.supplier.trees["100"] = OrderTree(order(standing=Standing.CANCELLED))
        await ground.tell(News("jd", "A", OrderFact.CANCEL), News("jd", "A", OrderFact.CANCELLED))

    ground.supplier.before = cancel
    await ground.ask("100", "26", "m1")
    await ground.settled()
    assert (await ground.kinds(), await ground.letters()) == ([], [])
    assert (await ground.states())["A"] == "cancelled"


async def test_an_order_whose_command_is_under_way_waits_for_its_answer(ground: Ground) -> None:
    await ground.tell(News("jd", "A", OrderFact.SUBMIT, tenant="410000"))
    ground.supplier.trees["100"] = OrderTree(order())
    await ground.ask("100", "25", "m1")
    async with ground.reading():
        await eventually(ground.has_read, within=30)

        async def put_off() -> bool:
            return bool(await ground.rows("SELECT 1 FROM order_rereads WHERE failures > 0"))

        await eventually(put_off, within=30)
        assert await ground.kinds() == []
        await ground.tell(News("jd", "A", OrderFact.CONFIRMED, supplier_order_no="100"))
        await eventually(ground.idle, within=30)
    assert (await ground.kinds(), await ground.letters()) == ([], [])


async def test_an_order_that_repeats_no_number_of_ours_waits_for_the_answers_of_submits(ground: Ground) -> None:
    await ground.tell(News("jd", "A", OrderFact.SUBMIT, tenant="410000"))
    ground.supplier.trees["100"] = OrderTree(order(order_no=None, progress=Progress.SHIPPED))
    await ground.ask("100", "25", "m1")
    async with ground.reading():
        await eventually(ground.has_read, within=30)
        await ground.tell(News("jd", "A", OrderFact.CONFIRMED, supplier_order_no="100"))
        await eventually(ground.idle, within=30)
    assert (await ground.kinds(), await ground.letters()) == (["shipment.created"], [])


async def test_messages_about_one_order_are_one_reading_and_none_overlaps(ground: Ground) -> None:
    await ground.place()
    children = [child(str(number), Progress.DELIVERED) for number in range(1, 9)]
    ground.supplier.trees |= {"100": split(*children)}
    await ground.ask("100", "1", "m0")
    await ground.settled()
    ground.supplier.read.clear()

    async def slow(number: str) -> None:
        await asyncio.sleep(0.01)

    ground.supplier.before = slow
    for number in range(1, 9):
        await ground.ask(str(number), "5", f"m{number}")
    await ground.settled()
    assert ground.supplier.read == ["100"]
    assert ground.supplier.most_under_way == 1


async def test_a_doubt_of_ours_is_read_without_a_message(ground: Ground) -> None:
    await ground.place()
    ground.supplier.trees["100"] = OrderTree(order(standing=Standing.CANCELLED))
    await ground.tell(News("jd", "A", OrderFact.LAPSED), News("jd", "A", OrderFact.NOT_FOUND, supplier_order_no="100"))
    assert (await ground.states())["A"] == "cancelled"
    await ground.place(order_no="B", number="200")
    ground.supplier.trees["200"] = OrderTree(order("200", order_no="B", standing=Standing.CANCELLED))
    await ground.tell(News("jd", "B", OrderFact.NOT_FOUND))
    await ground.settled()
    [event] = [event for event in await ground.told() if event["order_no"] == "B"]
    assert (event["event"], event["payload"]["by"]) == ("order.cancelled", "supplier")
    assert event["cause"]["message"]["type"] == "reread"


async def test_what_comes_of_an_order_that_is_over_is_a_late_event(ground: Ground) -> None:
    await ground.place()
    await ground.tell(News("jd", "A", OrderFact.CANCELLED))
    ground.supplier.trees["100"] = OrderTree(order(progress=Progress.DELIVERED))
    for id_ in ("m1", "m2"):
        await ground.ask("100", "5", id_)
        await ground.settled()
    assert await ground.kinds() == []
    assert [letter[:2] for letter in await ground.letters()] == 3 * [("order_events", "late_event")]
    assert (await ground.states())["A"] == "cancelled"


async def test_nothing_is_told_once_the_lease_is_lost(ground: Ground) -> None:
    await ground.place()
    ground.supplier.trees["100"] = OrderTree(order(progress=Progress.DELIVERED))

    async def lose(number: str) -> None:
        async with transaction(ground.pool) as connection:
            await connection.execute("UPDATE leases SET epoch = epoch + 1")

    ground.supplier.before = lose
    await ground.ask("100")
    with pytest.raises(ExceptionGroup):
        async with ground.reading():
            await eventually(ground.has_read, within=30)
    assert await ground.kinds() == []
    assert await ground.rows("SELECT 1 FROM order_rereads")
