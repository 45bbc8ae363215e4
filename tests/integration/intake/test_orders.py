"""Orders over HTTP: fetched, acknowledged and answered by who may, once, signed for what they are, refused in words."""

from __future__ import annotations

import base64
import hmac
import io
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import orjson
import pytest
from aiohttp import web

from gateway.http.answers import answer_problems
from gateway.http.server import serve
from gateway.intake.document import MAX_BYTES, UNVERIFIED
from gateway.intake.openapi import CALLS
from gateway.intake.orders import OrderRoutes
from gateway.intake.signature import secret_bytes
from gateway.intake.unverified import UnverifiedBytes
from gateway.registry import Registry
from gateway.relay.inbox import Inbox
from gateway.relay.mailbox import Mailbox
from gateway.relay.vendor_event_service import VendorEventService
from gateway.relay.vendor_events import VENDOR_EVENTS
from gateway.store import Pool, SharedPool, acquired
from gateway.suppliers import KeyKind, Keys, Live, SupplierConfig, Suppliers, watch_suppliers
from schemas.orders import Operation
from tests.integration.relay.desk import Desk
from tests.integration.relay.test_inbox import BOX, inbox

__all__ = ["inbox"]

ORDER_NO = "HN.2026-1"
EVENTS = f"/v1/orders/{ORDER_NO}/events"
CHILDREN = {"event": "order.accepted", "supplier_order_nos": ["V-1"]}


@dataclass(slots=True)
class Counter:
    """The vendor API of a running gateway, and acme's developer before it."""

    url: str
    desk: Desk
    live: Live
    bearer: str
    webhook: str
    session: aiohttp.ClientSession
    keys: int = field(default=0)

    async def ask(
        self, method: str, path: str, body: Any = None, bearer: str = "", **headers: str
    ) -> tuple[int, dict[str, Any], Any]:
        """Status, answer and headers; underscores in names of headers become dashes."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        named.setdefault("Authorization", f"Bearer {bearer or self.bearer}")
        data = None if body is None else io.BytesIO(body if isinstance(body, bytes) else orjson.dumps(body))
        if data is not None:
            named.setdefault("Content-Type", "application/json")
        async with self.session.request(
            method, f"{self.url}{path}", data=data, headers={k: v for k, v in named.items() if v}
        ) as response:
            return response.status, orjson.loads(await response.read()), response.headers

    async def say(self, body: Any, key: str = "", path: str = EVENTS, **headers: str) -> tuple[int, dict[str, Any]]:
        self.keys += 1
        status, answer, _ = await self.ask(
            "POST", path, body, **({"Idempotency_Key": key or f"k{self.keys}"} | headers)
        )
        return status, answer

    async def signed(
        self, path: str, body: bytes, identity: str, at: int | None = None, secret: str = ""
    ) -> tuple[int, dict[str, Any]]:
        now = str(at if at is not None else int(time.time()))
        mac = hmac.digest(secret_bytes(secret or self.webhook), f"{identity}.{now}.".encode() + body, "sha256")
        headers = {
            "webhook_supplier": "acme",
            "webhook_id": identity,
            "webhook_timestamp": now,
            "webhook_signature": f"v1,{base64.b64encode(mac).decode()}",
        }
        status, answer, _ = await self.ask("POST", path, body, Authorization="", **headers)
        return status, answer

    async def comes(self, number: int = 1, **changes: Any) -> str:
        later = {"deadline": "2027-12-23T09:30:00+08:00"}
        return await self.desk.comes(number, Operation.SUBMIT, ORDER_NO, **(later | changes))


def declared(supplier: str, adapter: str = "native", **more: Any) -> SupplierConfig:
    row = {"supplier": supplier, "name": supplier, "adapter": adapter, "facets": ["price"], **more}
    return SupplierConfig.model_validate(row)


@pytest.fixture
async def counter(pool: Pool, inbox: Inbox) -> AsyncIterator[Counter]:
    await Suppliers(pool, BOX).apply([declared("acme"), declared("other")], "tests")
    keys = Keys(pool, BOX)
    bearer = await keys.issue("acme", KeyKind.BEARER, actor="tests", scopes=["orders"])
    webhook = await keys.issue("acme", KeyKind.WEBHOOK, actor="tests", scopes=["orders"])
    shared = SharedPool(pool, share=2)
    async with watch_suppliers(pool, BOX) as live:
        routes = OrderRoutes(
            Mailbox(shared, BOX),
            VendorEventService(shared, BOX),
            live.suppliers,
            live.keys,
            Registry(),
            UnverifiedBytes(UNVERIFIED),
        )
        app = web.Application(middlewares=[answer_problems])
        app.add_routes(routes.routes())
        async with serve(app, "127.0.0.1", 0) as port, aiohttp.ClientSession() as session:
            url = f"http://127.0.0.1:{port}"
            yield Counter(url, Desk(pool, inbox), live, bearer.secret, webhook.secret, session)


async def test_an_order_is_fetched_acknowledged_and_answered(counter: Counter) -> None:
    command = await counter.comes()
    status, fetched, _ = await counter.ask("GET", "/v1/messages?limit=5")
    [message] = fetched["messages"]
    assert (status, message["id"], message["type"]) == (200, command, "mall.orders.order.submit.v1")
    assert message["command"]["payload"]["receiver"]["name"] == "王芳"
    assert message["command"]["order_no"] == ORDER_NO
    for _ in range(2):
        status, acks, _ = await counter.ask("POST", "/v1/messages/ack", {"ids": [command, "nonsense", command]})
        assert (status, [each["result"] for each in acks["results"]]) == (
            200,
            ["acknowledged", "unknown", "acknowledged"],
        )
    status, taken = await counter.say(CHILDREN, "k1")
    assert (status, taken["event"], taken["state"], taken["answers"]) == (202, "order.accepted", "reserved", [command])
    status, again, headers = await counter.ask("POST", EVENTS, CHILDREN, Idempotency_Key="k1")
    assert (status, again, headers["Idempotent-Replayed"]) == (202, taken, "true")
    assert (await counter.ask("GET", "/v1/messages"))[1] == {"messages": []}


async def test_a_signature_is_good_for_what_its_id_names(counter: Counter) -> None:
    command = await counter.comes()
    await counter.ask("GET", "/v1/messages")
    acks, said = orjson.dumps({"ids": [command]}), orjson.dumps(CHILDREN)
    mine = "order-event:HN%2E2026-1:7f3c"
    assert (await counter.signed("/v1/messages/ack", acks, mine))[1]["code"] == "bad_header"
    assert (await counter.signed(EVENTS, said, "order-event:HN%2E2026-2:7f3c"))[1]["code"] == "bad_header"
    assert (await counter.signed(EVENTS, said, mine, at=1_000_000_000))[1]["code"] == "timestamp_out_of_window"
    other = f"whsec_{base64.b64encode(bytes(32)).decode()}"
    assert (await counter.signed(EVENTS, said, mine, secret=other))[1]["code"] == "signature_invalid"
    assert (await counter.desk.order(ORDER_NO), await counter.desk.told()) == ("submitting", [])
    assert (await counter.signed("/v1/messages/ack", acks, "messages-ack:1"))[0] == 200
    assert (await counter.signed(EVENTS, said, mine))[0] == 202
    assert (await counter.signed(EVENTS, said, mine))[0] == 202
    assert await counter.desk.told() == [("order.accepted", command)]
    status, answer, _ = await counter.ask(
        "GET",
        "/v1/messages",
        Authorization="",
        webhook_supplier="acme",
        webhook_id="messages:1",
        webhook_timestamp=str(int(time.time())),
        webhook_signature="v1,x",
    )
    assert (status, answer["code"]) == (401, "bearer_required")


async def test_what_a_vendor_may_not_say_is_refused_in_words(counter: Counter) -> None:
    await counter.comes()
    await counter.ask("GET", "/v1/messages")
    status, answer, _ = await counter.ask("POST", EVENTS, CHILDREN)
    assert (status, answer["code"]) == (400, "idempotency_key_missing")
    status, answer = await counter.say(CHILDREN, path="/v1/orders/SOMEBODY-ELSES/events")
    assert (status, answer["code"]) == (404, "not_found")
    status, answer = await counter.say({"event": "shipment.delivered", "payload": {"delivery_no": "D"}}, "late")
    assert status == 202  # news that runs ahead is a fact all the same
    status, answer = await counter.say({"event": "shipment.rejected", "payload": {"delivery_no": "D"}}, "contrary")
    assert (status, answer["code"], answer["actual"], answer["expected"]) == (
        409,
        "order_state",
        "delivered",
        "nothing more",
    )
    status, answer = await counter.say(CHILDREN, "late")
    assert (status, answer["code"]) == (422, "idempotency_key_reused")


async def test_a_late_success_is_refused_and_kept(counter: Counter) -> None:
    await counter.comes()
    await counter.ask("GET", "/v1/messages")
    await counter.say({"event": "order.cancelled", "payload": {"scope": "order", "by": "supplier"}})
    status, answer = await counter.say({"event": "order.confirmed"})
    assert (status, answer["code"], answer["actual"]) == (409, "late_event", "cancelled")
    assert await counter.desk.letters() == [("order_events", "late_event")]


@pytest.mark.parametrize(
    ("body", "status", "code", "path"),
    [
        (b"", 400, "malformed_json", None),
        (b"{", 400, "malformed_json", None),
        (b"[]", 422, "validation_failed", None),
        (b'{"event": "order.expired"}', 422, "validation_failed", "/event"),
        (b'{"event": 7}', 422, "validation_failed", "/event"),
        (b'{"event": "order.accepted", "order_no": "X"}', 422, "validation_failed", "/order_no"),
        (b'{"event": "order.accepted", "supplier": "other"}', 403, "tenant_mismatch", "/supplier"),
        (b'{"event": "order.refused"}', 422, "validation_failed", "/payload"),
        (b'{"event": "order.accepted", "payload": {"totals": {"gross": 1.5}}}', 422, None, "/payload/totals/gross"),
        (b'{"event": "order.accepted", "raw_message": 13800000000}', 422, None, "/raw_message"),
        (b"[" * 5000, 400, None, None),
        (b"x" * (MAX_BYTES + 1), 413, "payload_too_large", None),
    ],
)
async def test_what_is_no_event_is_refused_where_it_is_wrong(
    counter: Counter, body: bytes, status: int, code: str | None, path: str | None
) -> None:
    await counter.comes()
    await counter.ask("GET", "/v1/messages")
    found, answer = await counter.say(body)
    assert (found, code or answer["code"]) == (status, answer["code"]), answer
    assert path is None or answer["path"] == path
    assert "13800000000" not in orjson.dumps(answer).decode()
    assert await counter.desk.told() == []


async def test_who_names_no_event_reads_every_one_there_is(counter: Counter) -> None:
    await counter.comes()
    for body in (b"{}", b'{"event": null}', b'{"event": "order.shipped"}'):
        _, answer = await counter.say(body)
        groups = re.findall(r"(\w+)\.\(([a-z_|]+)\)", answer["expected"])
        assert {f"{noun}.{verb}" for noun, verbs in groups for verb in verbs.split("|")} == set(VENDOR_EVENTS)
        assert ("actual" in answer) == (b"event" in body)


@pytest.mark.parametrize("ids", [[], ["a b"], [""], [1], ["x" * 129], "x", ["x"] * 501, None])
async def test_what_is_no_acknowledgement_is_refused(counter: Counter, ids: Any) -> None:
    status, answer, _ = await counter.ask("POST", "/v1/messages/ack", {"ids": ids})
    assert (status, answer["path"].split("/")[1]) == (422, "ids")


async def test_who_may_not_is_refused_and_learns_nothing(counter: Counter, pool: Pool) -> None:
    command = await counter.comes()
    keys = Keys(pool, BOX)
    other = (await keys.issue("other", KeyKind.BEARER, actor="tests", scopes=["orders"])).secret
    reader = (await keys.issue("acme", KeyKind.BEARER, actor="tests", scopes=["read"])).secret
    assert (await counter.ask("GET", "/v1/messages", bearer=other))[1] == {"messages": []}
    await counter.ask("GET", "/v1/messages")
    status, acks, _ = await counter.ask("POST", "/v1/messages/ack", {"ids": [command]}, bearer=other)
    assert (status, acks["results"][0]["result"]) == (200, "unknown")
    status, answer, _ = await counter.ask("POST", EVENTS, CHILDREN, bearer=other, Idempotency_Key="k")
    assert (status, answer["code"]) == (404, "not_found")
    for method, path in (("GET", "/v1/messages"), ("POST", "/v1/messages/ack"), ("POST", EVENTS)):
        body = None if method == "GET" else CHILDREN
        status, answer, _ = await counter.ask(method, path, body, bearer=reader, Idempotency_Key="k")
        assert (status, answer["code"]) == (403, "scope_denied")
        status, answer, _ = await counter.ask(method, path, body, Authorization="")
        assert (status, answer["code"]) == (401, "auth_missing")


async def test_a_paused_supplier_takes_and_gives_nothing(counter: Counter, pool: Pool) -> None:
    command = await counter.comes()
    await counter.ask("GET", "/v1/messages")
    await Suppliers(pool, BOX).pause("acme", "tests", "tests")
    await _refreshed(counter, pool)
    for method, path, body in (
        ("GET", "/v1/messages", None),
        ("POST", "/v1/messages/ack", {"ids": [command]}),
        ("POST", EVENTS, CHILDREN),
    ):
        status, answer, headers = await counter.ask(method, path, body, Idempotency_Key="k")
        assert (status, answer["code"], headers["Retry-After"]) == (503, "supplier_paused", "60")
    assert await counter.desk.states() == [(command, "sending")]


async def test_a_supplier_that_the_gateway_calls_fetches_nothing(counter: Counter, pool: Pool) -> None:
    await counter.comes()
    await Suppliers(pool, BOX).apply([declared("acme", "jd_vop")], "tests")
    await _refreshed(counter, pool)
    status, answer, _ = await counter.ask("GET", "/v1/messages")
    assert (status, answer["code"]) == (403, "scope_denied")
    assert [state for _, state in await counter.desk.states()] == ["waiting"]


async def test_who_waits_is_answered_once_something_waits_for_him(counter: Counter) -> None:
    assert (await counter.ask("GET", "/v1/messages", Prefer="wait=1"))[1] == {"messages": []}
    command = await counter.comes()
    _, fetched, _ = await counter.ask("GET", "/v1/messages", Prefer="wait=30")
    assert [each["id"] for each in fetched["messages"]] == [command]


async def _refreshed(counter: Counter, pool: Pool) -> None:
    async with acquired(pool) as connection:
        await counter.live.suppliers.refresh(connection)


def test_every_route_is_in_the_document() -> None:
    described = {(call.method.upper(), call.path) for call in CALLS if call.tag == "orders"}
    assert described == {
        ("GET", "/v1/messages"),
        ("POST", "/v1/messages/ack"),
        ("POST", "/v1/orders/{order_no}/events"),
    }
