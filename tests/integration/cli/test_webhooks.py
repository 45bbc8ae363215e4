"""`mallgate webhooks`: what an operator types, and what they are told."""

from __future__ import annotations

import base64

import pytest
from aiohttp import web

from tests.integration.cli.conftest import Shell
from tests.supplier_site import Site, open_site

pytestmark = pytest.mark.engines

SECRET = "whsec_" + base64.b64encode(b"s" * 32).decode()

FILE = """
[suppliers.shop]
name = "样例商城"
adapter = "native"
facets = ["price"]
webhook = {{ url = "http://127.0.0.1:{port}/hook", allow_private = true }}
secrets = {{ webhook = "env:HOOK" }}
"""


async def applied(mallgate: Shell, site: Site) -> None:
    mallgate.write("suppliers.toml", FILE.format(port=site.port))
    ended = await mallgate("suppliers", "apply", "suppliers.toml", HOOK=SECRET)
    assert (ended.status, ended.err) == (0, "")


async def test_a_webhook_is_shown_tested_and_enabled(mallgate: Shell) -> None:
    async def gone(request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=410)

    async with open_site() as site:
        await applied(mallgate, site)
        shown = await mallgate("webhooks", "show", "--json")
        assert [(each["supplier"], each["waiting"], each["disabled_at"]) for each in shown.json] == [("shop", 0, None)]
        tested = await mallgate("webhooks", "test", "shop")
        assert (tested.status, "delivered" in tested.out) == (0, True)
        site.answer = gone
        refused = await mallgate("webhooks", "test", "shop")
        assert (refused.status, "HTTP status 410" in refused.out) == (1, True)
        enabled = await mallgate("webhooks", "enable", "shop", "--reason", "new release")
        assert (enabled.status, "active" in enabled.out) == (0, True)
        again = await mallgate("webhooks", "replay", "shop", "--since", "2020-01-01T00:00:00+08:00", "--reason", "lost")
        assert (again.status, "within the last 31 days" in again.err) == (1, True)
        audit = await mallgate("audit", "list", "--json")
        assert {"webhook.test", "webhook.enable"} <= {each["action"] for each in audit.json}
        assert SECRET not in (await mallgate("suppliers", "show", "shop", "--json")).out


async def test_who_has_none_is_told_so(mallgate: Shell) -> None:
    async with open_site() as site:
        await applied(mallgate, site)
        ended = await mallgate("webhooks", "show", "nobody")
        assert (ended.status, "not_found" in ended.err) == (1, True)


async def test_a_declaration_that_cannot_be_right_is_refused_as_a_whole(mallgate: Shell) -> None:
    wrong = FILE.replace(", allow_private = true", "").format(port=1)
    mallgate.write("suppliers.toml", wrong)
    ended = await mallgate("suppliers", "apply", "suppliers.toml", HOOK="whsec_c2hvcnQ=")
    assert ended.status == 78
    assert "suppliers.shop.webhook.url: url_forbidden: it has to begin with https://" in ended.err
    assert "suppliers.shop.secrets.webhook: should be whsec_ and the base64 of 24 to 64 bytes" in ended.err
    mallgate.write("suppliers.toml", FILE.format(port=9000).replace('webhook = "env:HOOK"', ""))
    missing = await mallgate("suppliers", "apply", "suppliers.toml")
    assert "suppliers.shop.secrets.webhook: is missing" in missing.err
