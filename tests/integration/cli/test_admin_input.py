"""What an operator's client may send to /admin/v1 by mistake or malice: a refusal each time, never a fault of ours."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import aiohttp
import pytest
from yarl import URL

from tests.integration.cli.conftest import TOKEN, Shell

pytestmark = pytest.mark.engines

SOME_ID = "00000000-0000-4000-8000-000000000000"
VALUES = (
    *("\x00", "a\x00b", "\x1b", "x" * 5_000, "", "\u202e", "../..", "%00", "null"),
    *("0", "-1", "9" * 30, "1e400", "NaN"),
)
PATHS = (
    "suppliers/{}",
    "suppliers/{}/keys",
    "suppliers/{}/revisions/1",
    "suppliers/acme/revisions/{}",
    "deadletters/groups/{}",
    "deadletters/{}",
    "feeds/{}",
    "replays/{}",
    "replays/{}/items",
)
QUERIES = (
    ("audit", ("limit", "before", "object")),
    ("feeds", ("supplier", "facet", "state", "before", "limit")),
    ("deadletters", ("supplier", "fingerprint", "stage", "code", "facet", "sku", "feed", "state", "after", "limit")),
    ("deadletters/groups", ("supplier", "stage", "code", "state", "after", "limit")),
    ("replays", ("after", "limit")),
    (f"replays/{SOME_ID}/items", ("outcome", "after", "limit")),
)
BODIES = (
    ("POST", "suppliers/{}/pause", ("reason",)),
    ("POST", "suppliers/{}/resume", ("reason",)),
    ("POST", "suppliers/{}/keys", ("kind", "scopes", "expires_at")),
    ("POST", "suppliers/{}/pull", ("facets",)),
    ("POST", "suppliers/{}/check", ("steps",)),
    ("POST", "suppliers/apply", ("suppliers",)),
    ("POST", "feeds/1/release", ("reason",)),
    ("POST", "feeds/1/reject", ("reason",)),
    ("POST", "deadletters/groups/{}/acknowledge", ("reason",)),
    ("POST", "deadletters/groups/{}/resolve", ("reason",)),
    ("POST", "deadletters/discard", ("reason", "selection")),
    ("POST", f"deadletters/{SOME_ID}/replay", ("reason", "patch")),
    ("POST", f"deadletters/{SOME_ID}/predict", ("patch",)),
    ("POST", "replays", ("reason", "selection", "rate")),
)
MEMBERS: tuple[Any, ...] = (
    *("a\x00b", "\x00", [["\x00"]], {"\x00": 1}, "9999-12-31T23:59:59-23:59"),
    *(10**30, -1, 1.5e300, None, [], {}, True),
)


def questions() -> Iterator[tuple[str, str, object]]:
    for path, value in itertools.product(PATHS, VALUES):
        yield "GET", path.format(quote(value, safe="")), None
    for path, names in QUERIES:
        for name, value in itertools.product(names, VALUES):
            yield "GET", f"{path}?{name}={quote(value, safe='')}", None
    for method, path, members in BODIES:
        for value in VALUES:
            yield method, path.format(quote(value, safe="")), {"reason": "because"}
        for name, member in itertools.product(members, MEMBERS):
            yield method, path.format("acme"), {"reason": "because", name: member}
    for name, member in itertools.product(("supplier", "sku", "stage", "limit", "ids", "feed"), MEMBERS):
        yield "POST", "deadletters/discard", {"reason": "because", "selection": {"supplier": "acme", name: member}}
    for member in MEMBERS:
        table = {"name": member, "adapter": "native", "facets": ["price"]}
        yield "POST", "suppliers/apply", {"suppliers": {"acme": table}}
        yield "POST", "suppliers/apply", {"suppliers": {"acme": {**table, "name": "Acme", "secrets": {"a": member}}}}
        yield "POST", "suppliers/apply", {"suppliers": {str(member): {**table, "name": "Acme"}}}


async def test_no_input_is_answered_as_a_fault_of_ours(mallgate: Shell) -> None:
    mallgate.write("suppliers.toml", '[suppliers.acme]\nname = "Acme"\nadapter = "native"\nfacets = ["price"]\n')
    assert (await mallgate("suppliers", "apply", "suppliers.toml")).status == 0
    faults, answered = [], set()
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {TOKEN}"}) as session:
        for method, path, body in questions():
            url = URL(f"{mallgate.admin_url}/admin/v1/{path}", encoded=True)
            async with session.request(method, url, json=body) as response:
                answered.add(response.status)
                if response.status >= 500:
                    faults.append((response.status, method, path, body))
    assert faults == []
    assert {200, 400, 404, 422} <= answered


async def test_what_an_operator_typed_is_named_as_it_was_typed(mallgate: Shell) -> None:
    never = await mallgate("suppliers", "breaker", "open", "acme", "--for", "never", "--reason", "x")
    assert (never.status, never.out, never.err.count("\n")) == (1, "", 1)
    assert "--for never: should be seconds or a text such as 90s" in never.err
    assert "/seconds" not in never.err
    for noun in ("orders", "lanes"):
        nobody = await mallgate(noun, "list", "--supplier", "nosuch")
        assert (nobody.status, nobody.out) == (1, "")
        assert "There is no supplier 'nosuch'." in nobody.err
