"""Vendors' answers that cannot be taken, and who may not give them: one clear refusal, and no order moves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from standardwebhooks import Webhook

from tests.integration.bad_input.conftest import House, Shop, request
from tests.integration.bad_input.test_commands import Command, good, told, until_fetched, write
from tests.relaying import ordered
from tests.wire import Answer

pytestmark = pytest.mark.timeout(115)

JSON = "Content-Type: application/json"
ACK = "/v1/messages/ack"
ACCEPTED = {"event": "order.accepted", "supplier_order_nos": ["V-1"]}


@dataclass(frozen=True)
class Sale:
    """An order that a vendor has fetched, and not acknowledged."""

    shop: Shop
    command: Command

    @property
    def order_no(self) -> str:
        """The mall's number."""
        return str(self.command["order_no"])

    @property
    def path(self) -> str:
        """Where its events are told."""
        return f"/v1/orders/{self.order_no}/events"

    async def say(self, said: Mapping[str, Any], key: str, by: Shop | None = None) -> Answer:
        """Tell something of the order, as its vendor or as another one."""
        bearer = (by or self.shop).bearer.strip()
        headers = [bearer, JSON, f"Idempotency-Key: {key}"]
        return await self.shop.house.send(request("POST", self.path, headers, orjson.dumps(said)))

    async def acknowledge(self, *ids: str, by: Shop | None = None) -> list[str]:
        """What an acknowledgement comes to, for each id."""
        headers = [(by or self.shop).bearer.strip(), JSON]
        answer = await self.shop.house.send(request("POST", ACK, headers, orjson.dumps({"ids": ids})))
        assert answer.status == 200, answer.body
        return [each["result"] for each in answer.json["results"]]

    async def events(self) -> list[str]:
        """What the core was told of the order."""
        return sorted(each["event"] for each in await told(self.shop.house, self.order_no))

    async def stands(self) -> tuple[str, str]:
        """The order and its command, in the tables."""
        query = (
            "SELECT o.state, c.state AS command FROM orders o JOIN commands c USING (supplier, order_no)"
            " WHERE o.supplier = $1 AND o.order_no = $2"
        )
        row = await self.shop.house.reading.fetchrow(query, self.shop.name, self.order_no)
        return row["state"], row["command"]


@pytest.fixture
async def sale(house: House, shop: Shop) -> Sale:
    command = ordered(shop.name, f"{shop.name}-1")
    await write(house, [good(command)])
    await until_fetched(shop, command)
    return Sale(shop, command)


async def test_a_foreign_order_is_not_there_and_stays_as_it_is(house: House, sale: Sale) -> None:
    other = await house.shop()
    foreign = await sale.say(ACCEPTED, "k-1", by=other)
    unknown = await Sale(sale.shop, {"order_no": "NOBODYS-1"}).say(ACCEPTED, "k-1")
    assert [foreign.problem, unknown.problem] == [(404, "not_found")] * 2
    assert foreign.json["detail"] == unknown.json["detail"]
    assert (await sale.stands(), await sale.events()) == (("submitting", "sending"), [])


async def test_what_is_said_twice_comes_to_the_same_and_is_told_once(sale: Sale) -> None:
    first, again = [await sale.say(ACCEPTED, "k-1") for _ in range(2)]
    assert (first.status, again.status, again.headers["idempotent-replayed"]) == (202, 202, "true")
    assert first.json == again.json
    assert first.json["answers"] == [sale.command["command_id"]]
    other = await sale.say({"event": "order.confirmed"}, "k-1")
    assert other.problem == (422, "idempotency_key_reused")
    assert (await sale.stands(), await sale.events()) == (("reserved", "confirmed"), ["order.accepted"])


async def test_what_does_not_fit_is_refused_with_what_would(sale: Sale) -> None:
    await sale.say({"event": "order.confirmed"}, "k-1")
    refusal = {"event": "order.refused", "payload": {"operation": "order.submit", "code_class": "other"}}
    answer = await sale.say(refusal, "k-2")
    assert answer.problem == (409, "order_state")
    assert (answer.json["actual"], answer.json["expected"]) == (
        "confirmed",
        "order.split, order.cancelled, shipment.created",
    )
    assert answer.json["retryable"] is False
    assert (await sale.stands(), await sale.events()) == (("confirmed", "confirmed"), ["order.confirmed"])


async def test_sums_that_do_not_match_hold_the_order_and_the_vendor_learns_it(sale: Sale) -> None:
    answer = await sale.say({**ACCEPTED, "payload": {"totals": {"gross": "226.01"}}}, "k-1")
    assert (answer.status, answer.json["event"], answer.json["held"]) == (202, "order.price_mismatch", True)
    assert (await sale.stands(), await sale.events()) == (("held", "confirmed"), ["order.price_mismatch"])


async def test_acknowledgements_of_foreign_and_unknown_messages_move_nothing(house: House, sale: Sale) -> None:
    mine = sale.command["command_id"]
    assert await sale.acknowledge(mine, by=await house.shop()) == ["unknown"]
    assert await sale.acknowledge("never-given") == ["unknown"]
    assert await sale.stands() == ("submitting", "sending")
    assert await sale.acknowledge(mine, mine) == ["acknowledged", "acknowledged"]
    assert await sale.stands() == ("submitting", "confirmed")


class Signed:
    """Signed requests of one vendor to one route. prefix: how an id begins that is good for it."""

    def __init__(self, shop: Shop, path: str, prefix: str, body: bytes) -> None:
        self.shop = shop
        self.path = path
        self.prefix = prefix
        self.body = body

    def right(self, identity: str, at: int, by: Shop | None = None) -> str:
        """The signature by the reference library."""
        moment = datetime.fromtimestamp(at, UTC)
        return Webhook((by or self.shop).keys.webhook).sign(identity, moment, self.body.decode())

    async def send(
        self, number: int, *, at: int | str = 0, given: str = "", body: bytes = b"", identity: str = ""
    ) -> tuple[int, str]:
        """Status and code. at: seconds from now, or as it is; given: signatures, R for the right one."""
        identity = identity or f"{self.prefix}{number}"
        moment = int(time.time()) + at if isinstance(at, int) else at
        right = self.right(identity, moment if isinstance(moment, int) else int(time.time()))
        headers = [
            f"webhook-supplier: {self.shop.name}",
            f"webhook-id: {identity}",
            f"webhook-timestamp: {moment}",
            f"webhook-signature: {given.replace('R', right) if given else right}",
            JSON,
        ]
        answer = await self.shop.house.send(request("POST", self.path, headers, body or self.body))
        return (answer.status, "") if answer.status < 300 else answer.problem


INVALID, BAD, LATE = (401, "signature_invalid"), (400, "bad_header"), (401, "timestamp_out_of_window")

REFUSED: Mapping[str, tuple[dict[str, Any], tuple[int, str]]] = {
    "no signature that we know": ({"given": "v9,AAAA"}, INVALID),
    "of another kind": ({"given": "v2,AAAA v3,BBBB"}, INVALID),
    "a hundred": ({"given": " ".join(["R"] * 100)}, BAD),
    "too old": ({"at": -301}, LATE),
    "of the future": ({"at": 330}, LATE),
    "a time in words": ({"at": "hello"}, BAD),
    "before all time": ({"at": "-1760000000"}, BAD),
    "beyond all time": ({"at": str(2**63)}, BAD),
    "half a second": ({"at": "1760000000.5"}, BAD),
    "an id with a dot": ({"identity": "a.b"}, BAD),
    "a long id": ({"identity": "x" * 257}, BAD),
    "an id of something else": ({"identity": "price:upsert:json:1"}, BAD),
}
"""Requests signed or dated wrongly, and what becomes of them; rows 5 to 9 of the specification's table."""


@pytest.mark.parametrize("route", ["ack", "events"])
async def test_who_signs_wrongly_or_too_late_is_refused_and_moves_nothing(house: House, sale: Sale, route: str) -> None:
    signed, other = _signed(sale, route), await house.shop()
    found = {name: await signed.send(number, **sent) for number, (name, (sent, _)) in enumerate(REFUSED.items())}
    assert found == {name: problem for name, (_, problem) in REFUSED.items()}
    changed = signed.body[:-4] + b"x" + signed.body[-3:]
    again = orjson.dumps(orjson.loads(signed.body), option=orjson.OPT_INDENT_2)
    assert [await signed.send(50, body=each) for each in (changed, again)] == [INVALID] * 2
    now = int(time.time())
    assert await signed.send(51, given=signed.right(f"{signed.prefix}51", now, by=other)) == INVALID
    assert (await sale.stands(), await sale.events()) == (("submitting", "sending"), [])


@pytest.mark.parametrize("route", ["ack", "events"])
async def test_a_right_signature_among_others_is_taken_and_a_recorded_request_takes_effect_once(
    sale: Sale, route: str
) -> None:
    signed = _signed(sale, route)
    for _ in range(2):
        assert (await signed.send(1, given=f"v1,{'A' * 43}= v2,{'B' * 43}= R"))[0] in (200, 202)
    assert (await sale.stands())[1] == "confirmed"
    assert await sale.events() == (["order.accepted"] if route == "events" else [])
    if route == "events":
        signed.body = orjson.dumps({**ACCEPTED, "supplier_order_nos": ["V-2"]})
        assert await signed.send(1) == (422, "idempotency_key_reused")


async def test_messages_are_given_to_no_signature_and_other_schemes_are_no_credential(house: House, sale: Sale) -> None:
    signed = Signed(sale.shop, "/v1/messages", "messages:", b"")
    now = int(time.time())
    headers = [
        f"webhook-supplier: {sale.shop.name}",
        "webhook-id: messages:1",
        f"webhook-timestamp: {now}",
        f"webhook-signature: {signed.right('messages:1', now)}",
    ]
    answer = await house.send(request("GET", "/v1/messages", headers))
    assert answer.problem == (401, "bearer_required")
    by_another_standard = ['Signature-Input: s=("@path");created=1', "Signature: s=:AAAA:", JSON]
    for path in (ACK, sale.path):
        answer = await house.send(request("POST", path, by_another_standard, b"{}"))
        assert answer.problem == (401, "auth_missing")


async def test_a_word_without_a_key_is_asked_for_one_and_many_at_once_are_told_once(house: House, sale: Sale) -> None:
    headers = [sale.shop.bearer.strip(), JSON]
    answer = await house.send(request("POST", sale.path, headers, orjson.dumps(ACCEPTED)))
    assert answer.problem == (400, "idempotency_key_missing")
    assert await sale.events() == []
    answers = await asyncio.gather(*(sale.say(ACCEPTED, "k-1") for _ in range(5)))
    assert [each.status for each in answers] == [202] * 5
    assert [each.json for each in answers] == [answers[0].json] * 5
    assert await sale.events() == ["order.accepted"]


def _signed(sale: Sale, route: str) -> Signed:
    if route == "ack":
        return Signed(sale.shop, ACK, "messages-ack:", orjson.dumps({"ids": [sale.command["command_id"]]}))
    return Signed(sale.shop, sale.path, f"order-event:{sale.order_no}:", orjson.dumps(ACCEPTED))
