"""Commands of the core that are none: each has one end or one dead letter, and what lies behind it is carried out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaProducer

from gateway.kafka import client_options
from schemas.envelope import CE_TYPE, Headers
from schemas.orders import Operation
from schemas.orders.examples import COMMAND_EXAMPLES, command_headers
from tests.eventually import eventually
from tests.integration.bad_input.conftest import House, Shop
from tests.pulling import Operator
from tests.relaying import COMMANDS, EVENTS, ordered

pytestmark = pytest.mark.timeout(115)

Command = dict[str, Any]
HEADERS = command_headers(COMMAND_EXAMPLES[Operation.SUBMIT])
PARTITION = 1
TEN_MEGABYTES = 10 * 1024 * 1024


def typed(name: str) -> Headers:
    """Headers of a submit but for its type."""
    return tuple((each, name.encode() if each == CE_TYPE else value) for each, value in HEADERS)


def line(**members: Any) -> Callable[[Command], Command]:
    """A submit whose line is another in some members."""

    def changed(command: Command) -> Command:
        [known] = command["payload"]["lines"]
        return {**command, "payload": {**command["payload"], "lines": [{**known, **members}]}}

    return changed


def member(**members: Any) -> Callable[[Command], Command]:
    """A submit that is another in some members."""
    return lambda command: {**command, **members}


def totals(gross: str) -> Callable[[Command], Command]:
    """A submit that states what it comes to."""
    return lambda command: {**command, "payload": {**command["payload"], "totals": {"gross": gross}}}


@dataclass(frozen=True)
class Ended:
    """A command that ends at once. event, reason: as the core is told; said: words that it finds among the problems."""

    change: Callable[[Command], Command] = lambda command: command
    headers: Headers = HEADERS
    event: str = "order.unsupported"
    reason: str | None = None
    said: str = ""


YESTERDAY = (datetime.now(UTC) - timedelta(days=1)).isoformat()

ENDED: Mapping[str, Ended] = {
    "unknown supplier": Ended(member(supplier="nobody"), reason="unknown_supplier"),
    "unknown operation": Ended(
        member(operation="order.burn"), typed("mall.orders.order.burn.v1"), reason="unknown_operation"
    ),
    "unknown schema version": Ended(headers=typed("mall.orders.order.submit.v2"), reason="unknown_schema_version"),
    "past deadline": Ended(member(deadline=YESTERDAY), event="order.expired"),
    "negative quantity": Ended(line(quantity="-1"), reason="invalid", said="/payload/lines/0/quantity"),
    "sum mismatch": Ended(totals("226.01"), reason="invalid", said="226.00"),
    "without a supplier": Ended(member(supplier=None), reason="invalid", said="/supplier"),
}


@dataclass(frozen=True)
class Kept:
    """A record whose writer cannot be told. reason: what its dead letter says behind its code."""

    value: Callable[[Command], bytes | None] = orjson.dumps
    key: Callable[[Command], bytes | None] = lambda command: str(command["order_no"]).encode()
    reason: str = ""


KEPT: Mapping[str, Kept] = {
    "without a key": Kept(key=lambda _: None, reason="no_key"),
    "the key of another order": Kept(key=lambda command: b"X" + command["order_no"].encode(), reason="other_key"),
    "a key that is no text": Kept(key=lambda _: b"\xff", reason="invalid_key"),
    "ten megabytes": Kept(lambda command: orjson.dumps({**command, "remark": "x" * TEN_MEGABYTES}), reason="too_large"),
    "not JSON": Kept(lambda _: b"<order/>", reason="not_json"),
    "no value": Kept(lambda _: None, reason="no_value"),
    "nothing": Kept(lambda _: b"", reason="no_value"),
    "a list": Kept(lambda command: orjson.dumps([command]), reason="not_json"),
}


async def write(house: House, records: Sequence[tuple[bytes | None, bytes | None, Headers]]) -> list[tuple[int, int]]:
    """Write records one behind the other into one partition; their places. What is large is packed."""
    size = 2 * TEN_MEGABYTES
    async with AIOKafkaProducer(
        **client_options(house.bootstrap), compression_type="gzip", max_request_size=size
    ) as producer:
        sent = [
            await producer.send_and_wait(
                house.prefix + COMMANDS, key=key, value=value, headers=list(headers), partition=PARTITION
            )
            for key, value, headers in records
        ]
    return [(each.partition, each.offset) for each in sent]


def good(command: Command) -> tuple[bytes, bytes, Headers]:
    """A command as the core writes it."""
    return command["order_no"].encode(), orjson.dumps(command), HEADERS


async def until_fetched(shop: Shop, command: Command) -> list[str]:
    """Fetch until a command is given to the vendor; all that was."""
    found: list[str] = []

    async def given() -> bool:
        found.extend(each["id"] for each in (await shop.get("/v1/messages")).json["messages"])
        return command["command_id"] in found

    await eventually(given)
    return found


async def told(house: House, order_no: str) -> list[dict[str, Any]]:
    """What the core was told of an order, or will be."""
    waiting = await house.reading.fetch(
        "SELECT value FROM outbox WHERE topic = $1 AND key = $2", EVENTS, order_no.encode()
    )
    entries = {each.ce_id: each.value for each in await house.tail.catch_up() if each.topic == EVENTS}
    said = [orjson.loads(each or b"null") for each in {*entries.values(), *(row["value"] for row in waiting)}]
    return [each for each in said if each["order_no"] == order_no]


async def letters(house: House, place: tuple[int, int]) -> list[dict[str, Any]]:
    """The dead letters of a record of the commands topic."""
    query = 'SELECT * FROM dead_letters WHERE topic = $1 AND partition = $2 AND "offset" = $3'
    return [dict(row) for row in await house.reading.fetch(query, COMMANDS, *place)]


@pytest.mark.parametrize("name", ENDED)
async def test_a_command_that_nobody_can_carry_out_ends_once_and_those_behind_it_go_on(
    house: House, shop: Shop, name: str
) -> None:
    case = ENDED[name]
    bad, behind = case.change(ordered(shop.name, f"{shop.name}-1")), ordered(shop.name, f"{shop.name}-2")
    places = await write(house, [(bad["order_no"].encode(), orjson.dumps(bad), case.headers), good(behind)])
    assert await until_fetched(shop, behind) == [behind["command_id"]]
    [event] = await told(house, bad["order_no"])
    assert (event["event"], event["cause"]["command_id"]) == (case.event, bad["command_id"])
    assert event["payload"].get("reason") == case.reason
    assert case.said in " ".join(event["payload"].get("problems", ()))
    assert await letters(house, places[0]) == []
    assert await told(house, behind["order_no"]) == []


@pytest.mark.parametrize("name", KEPT)
async def test_a_record_that_names_no_command_is_kept_once_and_those_behind_it_go_on(
    house: House, shop: Shop, name: str
) -> None:
    case = KEPT[name]
    bad, behind = ordered(shop.name, f"{shop.name}-1"), ordered(shop.name, f"{shop.name}-2")
    places = await write(house, [(case.key(bad), case.value(bad), HEADERS), good(behind)])
    assert await until_fetched(shop, behind) == [behind["command_id"]]
    [letter] = await letters(house, places[0])
    assert (letter["stage"], letter["code"], letter["state"]) == ("commands", "poison_pill", "open")
    assert orjson.loads(letter["issues"])[0]["actual"] == case.reason
    assert "王小明".encode() not in letter["original"]
    assert await told(house, bad["order_no"]) == []

    async def exported() -> bool:
        entries = [each for each in await house.tail.catch_up() if each.topic == "gateway.deadletters.v1"]
        return [each.value for each in entries if each.ce_id == str(letter["id"])] == [letter["original"]]

    await eventually(exported)


async def test_an_id_that_was_another_command_is_kept_and_the_first_one_stands(house: House, shop: Shop) -> None:
    first, behind = ordered(shop.name, f"{shop.name}-1"), ordered(shop.name, f"{shop.name}-2")
    other = line(quantity="3")(first)
    places = await write(house, [good(first), good(other), good(first), good(behind)])
    assert await until_fetched(shop, behind) == [first["command_id"], behind["command_id"]]
    found = [await letters(house, place) for place in places]
    assert [[each["code"] for each in at] for at in found] == [[], ["command_conflict"], [], []]
    assert await told(house, first["order_no"]) == []


async def test_commands_for_a_paused_supplier_wait_and_those_behind_them_go_on(house: House, shop: Shop) -> None:
    paused, operator = await house.shop(), Operator(house.program.admin_url)
    await operator.ask("POST", f"suppliers/{paused.name}/pause", {"reason": "stock-taking"})
    waits, behind = ordered(paused.name, f"{paused.name}-1"), ordered(shop.name, f"{shop.name}-1")
    late = ordered(paused.name, f"{paused.name}-2", deadline=YESTERDAY)
    places = await write(house, [good(waits), good(late), good(behind)])
    assert await until_fetched(shop, behind) == [behind["command_id"]]
    assert (await paused.get("/v1/messages")).problem == (503, "supplier_paused")
    assert [await letters(house, place) for place in places] == [[], [], []]

    async def expired() -> bool:
        return [each["event"] for each in await told(house, late["order_no"])] == ["order.expired"]

    await eventually(expired)
    await operator.ask("POST", f"suppliers/{paused.name}/resume", {"reason": "done"})
    assert await until_fetched(paused, waits) == [waits["command_id"]]
    assert await told(house, waits["order_no"]) == []
