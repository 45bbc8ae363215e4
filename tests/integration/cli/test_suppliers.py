"""`mallgate suppliers`: what an operator types, and what they are told."""

from __future__ import annotations

import pytest

from tests.integration.cli.conftest import Shell

pytestmark = pytest.mark.engines

FILE = """
[suppliers.acme]
name = "Acme 办公"
adapter = "native"
facets = ["product", "price"]
periods = { price = "24h" }
category_map = { "办公设备/打印机" = "激光式打印机" }
limits = { feeds_per_minute = 30 }
secrets = { api_password = "env:ACME_PW", token = "file:token.txt" }

[suppliers.bolt]
name = "Bolt"
adapter = "native"
facets = ["stock"]
"""


async def applied(mallgate: Shell) -> None:
    mallgate.write("suppliers.toml", FILE)
    mallgate.write("token.txt", "s3cret-of-the-file\n")
    ended = await mallgate("suppliers", "apply", "suppliers.toml", ACME_PW="hunter2")
    assert (ended.status, ended.err) == (0, "")


async def test_a_file_is_applied_once_and_then_changes_nothing(mallgate: Shell) -> None:
    await applied(mallgate)
    again = await mallgate("suppliers", "apply", "suppliers.toml", "--json", ACME_PW="hunter2")
    assert again.json == [
        {"supplier": "acme", "revision": 1, "change": "unchanged"},
        {"supplier": "bolt", "revision": 1, "change": "unchanged"},
    ]
    mallgate.write("suppliers.toml", FILE.replace('"Bolt"', '"Bolt & Co"'))
    changed = await mallgate("suppliers", "apply", "suppliers.toml", ACME_PW="hunter2")
    assert "unchanged" in changed.out
    assert "updated" in changed.out


async def test_suppliers_are_shown_without_their_secrets(mallgate: Shell) -> None:
    await applied(mallgate)
    for command in (["list"], ["list", "--json"], ["show", "acme"], ["show", "acme", "--json"]):
        ended = await mallgate("suppliers", *command)
        assert ended.status == 0
        assert "Acme 办公" in ended.out
        assert "hunter2" not in ended.out
        assert "s3cret" not in ended.out
    shown = await mallgate("suppliers", "show", "acme", "--json")
    assert [secret["name"] for secret in shown.json["secrets"]] == ["api_password", "token"]
    assert shown.json["revisions"][0]["actor"] == "bootstrap:ann"


async def test_nobody_is_no_supplier_that_is_not_pulled(mallgate: Shell) -> None:
    await applied(mallgate)
    for options in ((), ("--json",)):
        unknown = await mallgate("suppliers", "status", "nobody", *options)
        assert (unknown.status, unknown.out) == (1, "")
        assert (unknown.err.count("\n"), "nobody" in unknown.err) == (1, True)
    pushing = await mallgate("suppliers", "status", "acme")
    assert (pushing.status, pushing.err) == (0, "")
    assert "acme is not pulled" in pushing.out
    assert (await mallgate("suppliers", "status", "acme", "--json")).json == []


async def test_everything_wrong_in_a_file_is_said_at_once(mallgate: Shell) -> None:
    mallgate.write("suppliers.toml", FILE.replace('"native"', '"nativ"').replace("24h", "soon"))
    ended = await mallgate("suppliers", "apply", "suppliers.toml", ACME_PW="x")
    assert ended.status == 78
    assert ended.err.startswith("mallgate: suppliers.acme.secrets.token: ")
    mallgate.write("token.txt", "t")
    ended = await mallgate("suppliers", "apply", "suppliers.toml", ACME_PW="x")
    assert ended.status == 78
    assert "suppliers.acme.periods.price: " in ended.err
    assert "suppliers.bolt.adapter: " in ended.err
    assert (await mallgate("suppliers", "list", "--json")).json == []


@pytest.mark.parametrize("source", ["hunter2", "env:", "env:NOT_SET", "file:", "file:none.txt"])
async def test_a_secret_is_named_never_written(mallgate: Shell, source: str) -> None:
    mallgate.write("suppliers.toml", FILE.replace("env:ACME_PW", source).replace("file:token.txt", "env:ACME_PW"))
    ended = await mallgate("suppliers", "apply", "suppliers.toml", ACME_PW="x")
    assert ended.status == 78
    assert "suppliers.acme.secrets.api_password: " in ended.err
    assert "hunter2" not in ended.err


async def test_pausing_needs_a_reason_and_is_undone_by_resuming(mallgate: Shell) -> None:
    await applied(mallgate)
    assert (await mallgate("suppliers", "pause", "acme")).status == 2
    empty = await mallgate("suppliers", "pause", "acme", "--reason", " ")
    assert empty.status == 1
    assert "必须填写原因" in empty.err
    assert "A reason is required" in empty.err
    paused = await mallgate("suppliers", "pause", "acme", "--reason", "odd prices")
    assert (paused.status, "paused" in paused.out) == (0, True)
    resumed = await mallgate("suppliers", "resume", "acme", "--json")
    assert resumed.json["state"] == "active"


async def test_a_key_is_issued_listed_and_revoked(mallgate: Shell) -> None:
    await applied(mallgate)
    command = ("suppliers", "keys", "add", "acme", "--scope", "feeds:price", "--scope", "read", "--expires", "90d")
    issued = (await mallgate(*command, "--json")).json
    assert issued["scopes"] == ["feeds:price", "read"]
    signing = ("suppliers", "keys", "add", "acme", "--kind", "webhook", "--scope", "feeds:price")
    assert "whsec_" in (await mallgate(*signing)).out
    listed = await mallgate("suppliers", "keys", "list", "acme")
    assert issued["key_id"] in listed.out
    assert issued["secret"] not in listed.out
    assert (await mallgate("suppliers", "keys", "revoke", "acme", issued["key_id"], "--reason", "leaked")).status == 0
    [bearer, webhook] = (await mallgate("suppliers", "keys", "list", "acme", "--json")).json
    assert bearer["revoked_at"] is not None
    assert webhook["revoked_at"] is None


@pytest.mark.parametrize("expires", ["tomorrow", "0d", "2040-01-01T00:00:00"])
async def test_an_expiry_that_cannot_be_meant_is_a_usage_error(mallgate: Shell, expires: str) -> None:
    ended = await mallgate("suppliers", "keys", "add", "acme", "--scope", "read", "--expires", expires)
    assert ended.status == 2
    assert "Traceback" not in ended.err


async def test_what_goes_wrong_is_one_line_in_both_languages(mallgate: Shell) -> None:
    ended = await mallgate("suppliers", "show", "nobody")
    assert ended.status == 1
    assert ended.out == ""
    [line] = ended.err.splitlines()
    assert line.startswith("mallgate: not_found: ")
    assert "资源不存在" in line
    assert "There is nothing here" in line
    assert "'nobody'" in line


async def test_a_wrong_token_and_a_gateway_that_is_away_are_told_apart(mallgate: Shell) -> None:
    wrong = await mallgate("suppliers", "list", MALLGATE_ADMIN_TOKEN="another-token-than-that")
    assert (wrong.status, wrong.err.split(":")[1].strip()) == (1, "admin_auth_invalid")
    away = await mallgate("suppliers", "list", MALLGATE_ADMIN_URL="http://127.0.0.1:9")
    assert (away.status, "is it running?" in away.err) == (1, True)
    unset = await mallgate("suppliers", "list", MALLGATE_ADMIN_TOKEN=None)
    assert (unset.status, "MALLGATE_ADMIN_TOKEN" in unset.err) == (78, True)


async def test_wrong_settings_are_all_said(mallgate: Shell) -> None:
    ended = await mallgate("suppliers", "list", MALLGATE_PORT="x", MALLGATE_COLOUR="red")
    assert ended.status == 78
    assert len(ended.err.splitlines()) == 2


async def test_what_was_done_is_listed_and_the_record_of_it_verified(mallgate: Shell) -> None:
    await applied(mallgate)
    await mallgate("suppliers", "pause", "acme", "--reason", "odd prices")
    listed = await mallgate("audit", "list", "--object", "acme")
    assert listed.out.index("supplier.pause") < listed.out.index("supplier.apply")
    assert "odd prices" in listed.out
    assert "127.0.0.1" in listed.out
    verified = await mallgate("audit", "verify")
    assert verified.status == 0
    link = next(line.split()[1] for line in verified.out.splitlines() if line.startswith("link"))
    await mallgate("suppliers", "resume", "acme")
    assert (await mallgate("audit", "verify", "--link", link)).status == 0
    other = await mallgate("audit", "verify", "--link", f"1:{'0' * 64}")
    assert (other.status, "Traceback" in other.err) == (1, False)
    assert (await mallgate("audit", "verify", "--link", "somewhere")).status == 2
