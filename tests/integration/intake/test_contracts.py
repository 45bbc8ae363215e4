"""Contracts over HTTP: answered by who may, once; their documents behind addresses that the gateway signed."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from aiohttp import web

from gateway.http.answers import answer_problems
from gateway.http.server import serve
from gateway.intake.contracts import ContractRoutes
from gateway.intake.document import UNVERIFIED
from gateway.intake.orders import OrderRoutes
from gateway.intake.unverified import UnverifiedBytes
from gateway.intake.vendor_messages import VendorMessageReader
from gateway.outbound.document import DocumentSource
from gateway.registry import Registry
from gateway.relay.contract_answer_service import ContractAnswerService
from gateway.relay.document_store import DocumentStore
from gateway.relay.documents import LINK_LIFE, DocumentLinks, signatures_by
from gateway.relay.inbox import Inbox
from gateway.relay.mailbox import Mailbox
from gateway.relay.vendor_event_service import VendorEventService
from gateway.store import Pool, SharedPool
from gateway.suppliers import KeyKind, Keys, Suppliers, watch_suppliers
from schemas.contracts.examples import COMMAND_EXAMPLES, CONTRACT_NO
from schemas.orders.examples import SUPPLIER
from tests.integration.intake.test_orders import declared
from tests.integration.relay.contract_desk import ISSUE, ContractDesk
from tests.integration.relay.desk import Clock
from tests.integration.relay.test_contracts import offered
from tests.integration.relay.test_inbox import BOX, inbox

__all__ = ["inbox"]

PDF = b"%PDF-1.7 contract HT20261123000017\n" * 40_000  # above what is spooled in memory
EVENTS = f"/v1/contracts/{CONTRACT_NO}/events"
LINKS = DocumentLinks(signatures_by(bytes(32)))
SIGNED = {"event": "contract.signed", "revision": 1}


@dataclass(slots=True)
class Core:
    """The file server of the mall core. asked: how often it was asked."""

    url: str = ""
    host: str = ""
    content: bytes = PDF
    status: int = 200
    asked: int = 0

    async def answer(self, request: web.Request) -> web.Response:
        self.asked += 1
        return web.Response(body=self.content, status=self.status)


@dataclass(slots=True)
class Counter:
    """The vendor API of a running gateway, and acme's developer before it."""

    url: str
    desk: ContractDesk
    core: Core
    bearers: dict[str, str]
    session: aiohttp.ClientSession
    keys: int = field(default=0)

    async def say(self, body: Any, key: str = "", path: str = EVENTS, who: str = SUPPLIER) -> tuple[int, Any, Any]:
        self.keys += 1
        headers = {"Authorization": f"Bearer {self.bearers[who]}", "Idempotency-Key": key or f"k{self.keys}"}
        async with self.session.post(f"{self.url}{path}", json=body, headers=headers) as response:
            return response.status, await response.json(content_type=None), response.headers

    async def messages(self) -> list[dict[str, Any]]:
        headers = {"Authorization": f"Bearer {self.bearers[SUPPLIER]}"}
        async with self.session.get(f"{self.url}/v1/messages", headers=headers) as response:
            found: list[dict[str, Any]] = (await response.json())["messages"]
            return found

    async def get(self, path: str) -> tuple[int, bytes, Any]:
        """Without any credential."""
        async with self.session.get(f"{self.url}{path}") as response:
            return response.status, await response.read(), response.headers

    async def problem(self, path: str) -> tuple[int, str]:
        async with self.session.get(f"{self.url}{path}") as response:
            return response.status, (await response.json(content_type=None))["code"]

    async def issued(self, **document: Any) -> str:
        """A contract is issued and fetched; the address of its document."""
        await self.desk.confirmed_order()
        payload = COMMAND_EXAMPLES[ISSUE].model_dump(mode="json")["payload"]
        payload["document"] |= {
            "url": self.core.url,
            "sha256": hashlib.sha256(PDF).hexdigest(),
            "size": len(PDF),
            **document,
        }
        await self.desk.asks(1, payload=payload, deadline="2027-12-23T09:30:00+08:00")
        [message] = await self.messages()
        assert message["type"] == "mall.contracts.contract.issue.v1"
        address: str = message["command"]["payload"]["document"]["url"]
        return address


@pytest.fixture
async def core() -> AsyncIterator[Core]:
    found, app = Core(), web.Application()
    app.add_routes([web.get("/contract.pdf", found.answer)])
    async with serve(app, "127.0.0.1", 0) as port:
        found.host = f"127.0.0.1:{port}"
        found.url = f"http://{found.host}/contract.pdf?of=HT20261123000017"
        yield found


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def counter(pool: Pool, inbox: Inbox, core: Core, clock: Clock) -> AsyncIterator[Counter]:
    await Suppliers(pool, BOX).apply([declared("acme"), declared("other")], "tests")
    keys, shared, registry = Keys(pool, BOX), SharedPool(pool, share=2), Registry()
    bearers = {
        who: (await keys.issue(who, KeyKind.BEARER, actor="tests", scopes=["orders"])).secret
        for who in ("acme", "other")
    }
    desk = ContractDesk(pool, Inbox(pool, BOX, offered), clock)
    await desk.open()
    async with watch_suppliers(pool, BOX) as live:
        unverified = UnverifiedBytes(UNVERIFIED)
        parts = (live.suppliers, live.keys, registry, unverified)
        orders = OrderRoutes(Mailbox(shared, BOX, links=LINKS), VendorEventService(shared, BOX), *parts)
        contracts = ContractRoutes(
            VendorMessageReader(*parts),
            ContractAnswerService(shared, BOX),
            DocumentStore(pool, BOX),
            LINKS,
            DocumentSource([core.host]),
        )
        app = web.Application(middlewares=[answer_problems])
        app.add_routes([*orders.routes(), *contracts.routes()])
        async with serve(app, "127.0.0.1", 0) as port, aiohttp.ClientSession() as session:
            yield Counter(f"http://127.0.0.1:{port}", desk, core, bearers, session)


async def test_a_contract_is_fetched_its_document_read_and_it_is_signed(counter: Counter) -> None:
    address = await counter.issued()
    assert address.startswith(f"/v1/contracts/{CONTRACT_NO}/document?message=")
    status, content, headers = await counter.get(address)
    assert (status, content) == (200, PDF)
    assert headers["Document-SHA256"] == hashlib.sha256(PDF).hexdigest()
    assert headers["Content-Type"] == "application/pdf"
    status, taken, _ = await counter.say(SIGNED, "k")
    assert (status, taken["event"], taken["answer"], len(taken["answers"])) == (202, "contract.signed", "signed", 1)
    status, again, headers = await counter.say(SIGNED, "k")
    assert (status, again, headers["Idempotent-Replayed"]) == (202, taken, "true")
    assert [event for event, _ in await counter.desk.told_of_contracts()] == ["contract.delivered", "contract.signed"]


async def test_what_cannot_be_said_of_a_contract_is_refused_in_words(counter: Counter) -> None:
    await counter.issued()
    status, problem, _ = await counter.say(SIGNED, who="other")
    assert (status, problem["code"]) == (404, "not_found")
    status, problem, _ = await counter.say({"event": "contract.delivered", "revision": 1})
    assert (status, problem["code"], problem["path"]) == (422, "validation_failed", "/event")
    await counter.say({"event": "contract.refused", "revision": 1, "payload": {"code_class": "terms"}})
    status, problem, _ = await counter.say(SIGNED)
    assert (status, problem["code"], problem["actual"], problem["expected"]) == (
        409,
        "contract_state",
        "refused",
        "nothing",
    )
    status, problem, _ = await counter.say({**SIGNED, "revision": 2})
    assert (status, problem["code"], problem["actual"]) == (409, "contract_state", "of revision 1")


async def test_a_key_is_good_for_one_contract(counter: Counter) -> None:
    await counter.issued()
    assert (await counter.say(SIGNED, "k"))[0] == 202
    status, problem, _ = await counter.say(SIGNED, "k", path="/v1/contracts/HT-2/events")
    assert (status, problem["code"]) == (422, "idempotency_key_reused")


@pytest.mark.parametrize(
    "forge",
    [
        lambda said: {**said, "signature": "0" * 64},
        lambda said: {**said, "expires": str(int(said["expires"]) + 1)},
        lambda said: {**said, "message": "00000000-0000-4000-8000-000000000900"},
        lambda said: {**said, "signature": ""},
    ],
    ids=["signature", "expiry", "message", "none"],
)
async def test_an_address_that_the_gateway_did_not_make_leads_nowhere(counter: Counter, forge: Any) -> None:
    address = urlsplit(await counter.issued())
    said = forge({name: values[0] for name, values in parse_qs(address.query).items()})
    query = "&".join(f"{name}={value}" for name, value in said.items())
    assert await counter.problem(f"{address.path}?{query}") == (403, "link_invalid")
    other = address.path.replace(CONTRACT_NO, "HT-2")
    assert await counter.problem(f"{other}?{address.query}") == (403, "link_invalid")
    assert counter.core.asked == 0


async def test_an_address_expires_and_the_message_has_a_new_one(counter: Counter, clock: Clock) -> None:
    await counter.issued()
    long_ago = clock.now - LINK_LIFE - timedelta(days=300)
    stale = LINKS.address(CONTRACT_NO, "00000000-0000-4000-8000-000000000001", long_ago)
    assert await counter.problem(stale) == (410, "link_expired")


@pytest.mark.parametrize(
    "content",
    [PDF[:-1], PDF + b"\n", PDF[:-1] + b"X", b""],
    ids=["shorter", "longer", "another", "empty"],
)
async def test_a_document_that_was_changed_is_not_given_out_and_operators_see_it(
    counter: Counter, content: bytes
) -> None:
    address = await counter.issued()
    counter.core.content = content
    for _ in range(2):
        assert await counter.problem(address) == (502, "document_changed")
    assert await counter.desk.letters() == [("contract_documents", "document_changed")]
    counter.core.content = PDF
    assert (await counter.get(address))[:2] == (200, PDF)


async def test_a_document_that_cannot_be_had_is_asked_for_again(counter: Counter) -> None:
    address = await counter.issued()
    counter.core.status = 500
    assert await counter.problem(address) == (503, "document_unavailable")
    assert await counter.desk.letters() == []


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:9/contract.pdf", "http://169.254.169.254/latest/meta-data", "http://localhost/contract.pdf"],
)
async def test_a_document_is_fetched_from_no_host_but_those_that_are_allowed(counter: Counter, url: str) -> None:
    address = await counter.issued(url=url)
    assert await counter.problem(address) == (503, "document_unavailable")
