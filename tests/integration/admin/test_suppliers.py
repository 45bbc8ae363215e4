"""Suppliers over /admin/v1: who may, what is refused and how, and what is never shown."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.outbound import AdminClient, GatewayAwayError, RefusedError
from tests.integration.admin.conftest import TOKEN

pytestmark = pytest.mark.engines


def document(**changes: Any) -> dict[str, Any]:
    table = {"name": "Acme 办公", "adapter": "native", "facets": ["product", "price"], **changes}
    return {"suppliers": {"acme": table}}


async def refusal(call: Any) -> RefusedError:
    with pytest.raises(RefusedError) as caught:
        await call
    return caught.value


@pytest.mark.parametrize("token", ["", "wrong", TOKEN + "x", TOKEN.upper()])
async def test_without_the_token_nobody_gets_in(url: str, token: str) -> None:
    async with AdminClient(url, token) as stranger:
        for path in (["suppliers"], ["audit"], ["no", "such", "place"]):
            error = await refusal(stranger.get(*path))
            assert (error.status, error.code) == (401, "admin_auth_invalid")


async def test_a_supplier_is_declared_shown_paused_and_resumed(client: AdminClient) -> None:
    applied = await client.post("suppliers", "apply", body=document(periods={"price": "24h"}))
    assert applied == {"applied": [{"supplier": "acme", "revision": 1, "change": "created"}]}
    assert (await client.post("suppliers", "apply", body=document(periods={"price": "1d"})))["applied"][0] == {
        "supplier": "acme",
        "revision": 1,
        "change": "unchanged",
    }
    [listed] = (await client.get("suppliers"))["suppliers"]
    assert (listed["id"], listed["state"], listed["config"]["name"]) == ("acme", "active", "Acme 办公")
    assert listed["config"]["periods"] == {"price": 86_400}
    assert (await client.post("suppliers", "acme", "pause", body={"reason": "odd prices"}))["state"] == "paused"
    assert (await client.post("suppliers", "acme", "resume"))["state"] == "active"


async def test_every_change_is_in_the_audit_with_who_said_to_be_there(client: AdminClient) -> None:
    await client.post("suppliers", "apply", body=document(secrets={"api_password": "hunter2"}))
    await client.post("suppliers", "acme", "pause", body={"reason": "odd prices"})
    issued = await client.post("suppliers", "acme", "keys", body={"scopes": ["read"]})
    await client.delete("suppliers", "acme", "keys", issued["key_id"], reason="leaked")
    first = await client.get("audit", limit=3)
    second = await client.get("audit", limit=3, before=first["next"])
    rows = first["audit"] + second["audit"]
    assert [(row["actor"], row["action"], row["object"], row["reason"]) for row in rows] == [
        ("bootstrap:ann", "key.revoke", "acme", "leaked"),
        ("bootstrap:ann", "key.issue", "acme", None),
        ("bootstrap:ann", "supplier.pause", "acme", "odd prices"),
        ("bootstrap:ann", "supplier.apply", "acme", None),
    ]
    assert rows[-1]["detail"] == {"change": "created", "revision": 1, "secrets": ["api_password"]}
    assert second["next"] is None
    assert "hunter2" not in repr(rows)
    assert issued["secret"].split("_", 2)[2] not in repr(rows)


async def test_old_revisions_can_be_read(client: AdminClient) -> None:
    await client.post("suppliers", "apply", body=document(name="First"))
    await client.post("suppliers", "apply", body=document(name="Second"))
    assert (await client.get("suppliers", "acme", "revisions", "1"))["config"]["name"] == "First"
    assert [each["revision"] for each in (await client.get("suppliers", "acme"))["revisions"]] == [2, 1]
    assert (await refusal(client.get("suppliers", "acme", "revisions", "3"))).code == "not_found"


async def test_secrets_go_in_and_never_come_out(client: AdminClient) -> None:
    await client.post("suppliers", "apply", body=document(secrets={"api_password": "hunter2"}))
    shown = await client.get("suppliers", "acme")
    assert [secret["name"] for secret in shown["secrets"]] == ["api_password"]
    assert "hunter2" not in repr([shown, await client.get("suppliers"), await client.get("audit")])


async def test_one_wrong_declaration_keeps_all_of_them_out(client: AdminClient) -> None:
    declared = document()
    declared["suppliers"]["bolt"] = {"name": "Bolt", "adapter": "nativ", "facets": ["price"], "colour": "red"}
    declared["suppliers"]["core"] = {"name": "Core", "adapter": "native", "facets": ["colour"]}
    error = await refusal(client.post("suppliers", "apply", body=declared))
    assert (error.status, error.code) == (422, "config_invalid")
    assert [problem.split(":")[0] for problem in error.problems] == ["suppliers.bolt.colour", "suppliers.core.facets.0"]
    assert (await client.get("suppliers"))["suppliers"] == []


async def test_a_key_is_shown_once(client: AdminClient) -> None:
    await client.post("suppliers", "apply", body=document())
    issued = await client.post("suppliers", "acme", "keys", body={"kind": "webhook", "scopes": ["feeds:price"]})
    assert issued["secret"].startswith("whsec_")
    [listed] = (await client.get("suppliers", "acme", "keys"))["keys"]
    assert (listed["key_id"], listed["kind"], listed["scopes"]) == (issued["key_id"], "webhook", ["feeds:price"])
    assert "secret" not in listed


async def test_a_key_allows_what_was_asked_for_and_ends_in_a_year(client: AdminClient) -> None:
    await client.post("suppliers", "apply", body=document())
    issued = await client.post("suppliers", "acme", "keys", body={"scopes": ["read"]})
    assert (issued["kind"], issued["scopes"]) == ("bearer", ["read"])
    left = datetime.fromisoformat(issued["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=364) < left < timedelta(days=366)


@pytest.mark.parametrize(
    ("body", "code", "path"),
    [
        ({"scopes": ["read"], "kind": "password"}, "validation_failed", "/kind"),
        ({}, "validation_failed", "/scopes"),
        ({"scopes": []}, "validation_failed", "/scopes"),
        ({"scopes": ["read"], "expires_at": "2099-01-01T00:00:00Z"}, "validation_failed", "/expires_at"),
        ({"scopes": ["read"], "expires_at": "9999-12-31T23:59:59-23:59"}, "validation_failed", "/expires_at"),
        ({"scopes": ["feeds:colour"]}, "validation_failed", "/scopes/0"),
        ({"scopes": ["read"], "expires_at": "2020-01-01T00:00:00Z"}, "validation_failed", "/expires_at"),
        ({"scopes": ["read"], "expires_at": "2040-01-01T00:00:00"}, "validation_failed", "/expires_at"),
        ({"scopes": ["read"], "colour": "red"}, "validation_failed", "/colour"),
        ([], "validation_failed", "/"),
    ],
)
async def test_a_key_that_cannot_be_meant_is_refused(client: AdminClient, body: Any, code: str, path: str) -> None:
    await client.post("suppliers", "apply", body=document())
    error = await refusal(client.post("suppliers", "acme", "keys", body=body))
    assert (error.code, error.path) == (code, path)


async def test_a_third_live_key_is_a_conflict(client: AdminClient) -> None:
    await client.post("suppliers", "apply", body=document())
    for _ in range(2):
        await client.post("suppliers", "acme", "keys", body={"scopes": ["read"]})
    error = await refusal(client.post("suppliers", "acme", "keys", body={"scopes": ["read"]}))
    assert (error.status, error.code) == (409, "conflict")
    assert "two live keys" in error.detail


@pytest.mark.parametrize("body", [{}, {"reason": ""}, {"reason": "  "}, {"reason": None}])
async def test_nobody_pauses_a_supplier_without_a_reason(client: AdminClient, body: dict[str, Any]) -> None:
    await client.post("suppliers", "apply", body=document())
    assert (await refusal(client.post("suppliers", "acme", "pause", body=body))).code == "reason_required"


@pytest.mark.parametrize(
    "path",
    [
        ["suppliers", "nobody"],
        ["suppliers", "nobody", "keys"],
        ["nothing"],
        ["suppliers", "a/b"],
        ["suppliers", "%2e%2e"],
    ],
)
async def test_what_is_not_there_is_not_found(client: AdminClient, path: list[str]) -> None:
    error = await refusal(client.get(*path))
    assert (error.status, error.code) == (404, "not_found")


async def test_a_wrong_query_is_refused(client: AdminClient) -> None:
    for query in ({"limit": 0}, {"limit": "many"}, {"colour": "red"}):
        assert (await refusal(client.get("audit", **query))).code == "bad_parameter"


async def test_a_gateway_that_is_not_there_is_said_to_be_away() -> None:
    async with AdminClient("http://127.0.0.1:9", TOKEN) as client:
        with pytest.raises(GatewayAwayError, match="is it running"):
            await client.get("suppliers")
