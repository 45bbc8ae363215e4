"""Credentials as they come in requests, against real keys in a real database."""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from aiohttp import web

from gateway.http.server import serve
from gateway.intake.auth import authenticate
from gateway.intake.body import BodyLimits
from gateway.intake.expect import note_expectation
from gateway.store import Pool
from gateway.suppliers import Caller, IssuedKey, KeyKind, Keyring, Keys, SecretBox, SupplierConfig, Suppliers
from tests.integration.intake.conftest import Desk, Gate, head
from tests.wire import Answer

pytestmark = pytest.mark.engines


@dataclass(frozen=True, slots=True)
class Office:
    """A running server that knows suppliers and their keys."""

    gate: Gate
    keys: Keys
    keyring: Keyring

    async def who(self, **headers: str) -> Answer:
        return await self.gate.push(b"{}", path="/who", **headers)


@pytest.fixture
async def office(pool: Pool) -> AsyncIterator[Office]:
    box = SecretBox(bytes(range(32)))
    declared = [
        {"supplier": name, "name": name, "adapter": "native", "facets": ["price"]} for name in ("acme", "globex")
    ]
    await Suppliers(pool, box).apply([SupplierConfig.model_validate(each) for each in declared], actor="test")
    keyring = Keyring(pool, box)

    async def who(request: web.Request) -> web.Response:
        who = await authenticate(request, keyring)
        if not isinstance(who, Caller):
            who.update(await request.read())
            who = who.settle()
        return web.Response(body=orjson.dumps([who.supplier, who.key_id, sorted(who.scopes)]))

    app = web.Application()
    app.router.add_post("/who", who, expect_handler=note_expectation)
    async with AsyncExitStack() as stack:
        port = await stack.enter_async_context(serve(app, "127.0.0.1", 0))
        gate = Gate(port, Desk(BodyLimits()), stack)
        yield Office(gate, Keys(pool, box), keyring)
        for wire in gate.wires:
            await wire.close()


async def issued(office: Office, kind: KeyKind, supplier: str = "acme", lives: float = 60) -> IssuedKey:
    expires_at = datetime.now(UTC) + timedelta(seconds=lives)
    return await office.keys.issue(supplier, kind, actor="test", scopes=["feeds:price"], expires_at=expires_at)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def signed(
    secret: str,
    supplier: str = "acme",
    body: bytes = b"{}",
    timestamp: float | None = None,
    identity: str = "price:upsert:ndjson:1",
) -> dict[str, str]:
    at = int(time.time() if timestamp is None else timestamp)
    head = f"{identity}.{at}.".encode()
    mac = hmac.new(base64.b64decode(secret.removeprefix("whsec_")), head + body, hashlib.sha256)
    return {
        "webhook_id": identity,
        "webhook_timestamp": str(at),
        "webhook_signature": f"v1,{base64.b64encode(mac.digest()).decode()}",
        "webhook_supplier": supplier,
    }


async def test_a_token_says_who_is_calling(office: Office) -> None:
    key = await issued(office, KeyKind.BEARER)
    assert (await office.who(**bearer(key.secret))).json == ["acme", key.key_id, ["feeds:price"]]
    assert (await office.who(Authorization=f"bearer  {key.secret}")).json[0] == "acme"


async def test_a_signature_says_who_is_calling(office: Office) -> None:
    old, new = await issued(office, KeyKind.WEBHOOK), await issued(office, KeyKind.WEBHOOK)
    assert (await office.who(**signed(old.secret))).json[:2] == ["acme", old.key_id]
    assert (await office.who(**signed(new.secret))).json[:2] == ["acme", new.key_id]


async def test_a_secret_that_cannot_be_read_keeps_no_other_from_signing_and_is_not_called_wrong(
    office: Office, pool: Pool
) -> None:
    lost = await Keys(pool, SecretBox(bytes(32))).issue("acme", KeyKind.WEBHOOK, actor="test", scopes=["feeds:price"])
    good = await issued(office, KeyKind.WEBHOOK)
    assert (await office.who(**signed(good.secret))).json[:2] == ["acme", good.key_id]
    assert (await office.who(**signed(lost.secret))).status == 500


async def test_every_wrong_token_gets_the_same_answer(office: Office) -> None:
    key = await issued(office, KeyKind.BEARER)
    expired = await issued(office, KeyKind.BEARER, lives=-1)
    webhook = await issued(office, KeyKind.WEBHOOK)
    wrong = [
        f"{key.secret}x",
        key.secret[:-1],
        key.secret.replace(key.key_id, "0" * 16),
        expired.secret,
        webhook.secret,
        "mg_",
        "x",
        "",
        "é",
        "\udcff",
        "x" * 600,
    ]
    told = []
    for token in wrong:
        answer = await office.who(**bearer(token))
        assert answer.problem == (401, "auth_invalid")
        told.append({**answer.json, "request_id": "", "trace_id": ""})
    assert told == [told[0]] * len(wrong)


async def test_a_request_without_a_credential_is_told_what_to_send(office: Office) -> None:
    answer = await office.who()
    assert answer.problem == (401, "auth_missing")
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert (await office.who(Authorization="Basic YTpi")).problem == (401, "auth_invalid")


async def test_every_wrong_signature_gets_the_same_answer(office: Office) -> None:
    key = await issued(office, KeyKind.WEBHOOK)
    other = await issued(office, KeyKind.WEBHOOK, supplier="globex")
    expired = await issued(office, KeyKind.WEBHOOK, supplier="globex", lives=-1)
    wrong = [
        signed(other.secret),
        signed(key.secret, supplier="globex"),
        signed(key.secret, supplier="nobody"),
        signed(expired.secret, supplier="globex"),
        signed(key.secret, body=b"{ }"),
    ]
    told = []
    for headers in wrong:
        answer = await office.who(**headers)
        assert answer.problem == (401, "signature_invalid")
        told.append({**answer.json, "request_id": "", "trace_id": ""})
    assert told == [told[0]] * len(wrong)


async def test_a_signature_has_its_time(office: Office) -> None:
    key = await issued(office, KeyKind.WEBHOOK)
    for off in (-310, 310):
        answer = await office.who(**signed(key.secret, timestamp=time.time() + off))
        assert answer.problem == (401, "timestamp_out_of_window")


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("webhook_supplier", ""),
        ("webhook_supplier", "a b"),
        ("webhook_id", "a.b"),
        ("webhook_timestamp", "hello"),
        ("webhook_signature", " ".join(["v1,x"] * 100)),
    ],
)
async def test_a_malformed_header_is_named(office: Office, header: str, value: str) -> None:
    key = await issued(office, KeyKind.WEBHOOK)
    answer = await office.who(**{**signed(key.secret), header: value})
    assert answer.problem == (400, "bad_header")
    assert answer.json["path"] == header.replace("_", "-")


@pytest.mark.parametrize("supplier", ["nobody", "globex"])
async def test_nobodys_body_is_read_for_a_supplier_that_no_live_secret_signs_for(office: Office, supplier: str) -> None:
    await issued(office, KeyKind.WEBHOOK, supplier="globex", lives=-1)
    key = await issued(office, KeyKind.WEBHOOK)
    given = "".join(f"{n.replace('_', '-')}: {v}\r\n" for n, v in signed(key.secret, supplier=supplier).items())
    wire = await office.gate.connect()
    await wire.send(head(path="/who", rest=f"{given}Content-Length: 1000000\r\n"))
    assert (await wire.answer()).problem == (401, "signature_invalid")


@pytest.mark.parametrize("name", ["webhook_id", "webhook_timestamp", "webhook_signature", "webhook_supplier"])
async def test_a_header_that_comes_twice_is_not_chosen_from(office: Office, name: str) -> None:
    key = await issued(office, KeyKind.WEBHOOK)
    answer = await office.who(**signed(key.secret), **{name.upper(): "x"})
    assert answer.problem == (400, "bad_header")
    assert answer.json["path"] == name.replace("_", "-")
