"""One supplier never reads, changes or slows down another."""

from __future__ import annotations

import aiohttp
import pytest

from tests.integration.bad_input.conftest import NOTHING, House, Shop, request, send
from tests.program import ADMIN_TOKEN
from tests.vendor import NDJSON

BODY = b'{"sku":"A-1","price":"9.90"}\n'


@pytest.fixture
async def other(house: House) -> Shop:
    """Another supplier, which has a price of its own for the same sku."""
    shop = await house.shop()
    await shop.done(await shop.push(BODY))
    return shop


@pytest.mark.parametrize("name", ["supplier", "vendor", "tenant"])
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/v1/feeds/price"), ("GET", "/v1/feeds"), ("GET", "/v1/items/price/A-1")]
)
async def test_an_address_that_names_another_supplier_does_not_reach_it(
    house: House, shop: Shop, other: Shop, method: str, path: str, name: str
) -> None:
    headers = (shop.bearer.strip(), f"Content-Type: {NDJSON}")
    body = BODY if method == "POST" else b""
    answer = await house.send(request(method, f"{path}?{name}={other.name}", headers, body))
    assert answer.problem == (403, "tenant_mismatch")
    assert await shop.left() == NOTHING
    assert [item["agreement_price"] for item in (await other.left()).items] == ["9.90"]


async def test_a_header_that_names_another_supplier_does_not_reach_it(shop: Shop, other: Shop) -> None:
    assert (await shop.push(BODY, f"webhook-supplier: {other.name}")).problem == (403, "tenant_mismatch")
    assert await shop.left() == NOTHING
    assert [item["agreement_price"] for item in (await other.left()).items] == ["9.90"]


@pytest.mark.parametrize("member", ["supplier", "vendor", "tenant"])
@pytest.mark.parametrize(
    ("facet", "facts"),
    [
        ("product", b'"name":"x"'),
        ("price", b'"price":"1.00"'),
        ("stock", b'"state":"in_stock"'),
        ("listing", b'"shelf":"on"'),
    ],
)
async def test_a_record_that_names_a_supplier_changes_nobodys_sku(
    shop: Shop, other: Shop, facet: str, facts: bytes, member: str
) -> None:
    record = b'{"sku":"A-1",%b,"%b":"%b"}' % (facts, member.encode(), other.name.encode())
    feed = await shop.done(await shop.push(record, facet=facet))
    (row,) = await shop.report(feed)
    assert (row["sku"], row["outcome"]) == ("A-1", "rejected")
    assert [(issue["code"], issue["path"]) for issue in row["issues"]] == [("tenant_mismatch", f"/{member}")]
    left = await shop.left()
    assert (left.items, [letter["original"] for letter in left.letters]) == ([], [record])
    assert [item["agreement_price"] for item in (await other.left()).items] == ["9.90"]


async def test_the_same_sku_of_two_suppliers_is_two_things(shop: Shop, other: Shop) -> None:
    await shop.done(await shop.push(BODY.replace(b"9.90", b"1.00")))
    prices = [item["agreement_price"] for left in (await shop.left(), await other.left()) for item in left.items]
    assert prices == ["1.00", "9.90"]


async def test_another_suppliers_feed_does_not_exist(house: House, shop: Shop, other: Shop) -> None:
    (feed,) = (await other.get("/v1/feeds")).json["feeds"]
    path = feed["links"]["self"]
    assert (await other.get(path)).status == 200
    for place in (path, f"{path}/report", f"{path}/report?format=csv"):
        answer = await shop.get(place)
        assert answer.problem == (404, "not_found")
        nowhere = await shop.get(place.replace(feed["feed"], "999999999"))
        assert {**answer.json, "request_id": "", "trace_id": ""} == {**nowhere.json, "request_id": "", "trace_id": ""}
    assert (await house.send(request("POST", f"{path}/cancel", (shop.bearer.strip(),)))).problem == (404, "not_found")
    assert (await shop.get("/v1/items/price/A-1")).problem == (404, "not_found")
    assert (await shop.get("/v1/feeds")).json["feeds"] == []
    assert (await other.get("/v1/feeds")).json["feeds"] == [feed]


async def test_a_key_for_stocks_feeds_no_prices(house: House, shop: Shop) -> None:
    operator = {"Authorization": f"Bearer {ADMIN_TOKEN}"}
    async with (
        aiohttp.ClientSession(f"{house.program.admin_url}/admin/v1/", headers=operator) as session,
        session.post(f"suppliers/{shop.name}/keys", json={"kind": "bearer", "scopes": ["feeds:stock"]}) as response,
    ):
        narrow = (await response.json())["secret"]
    headers = (f"Authorization: Bearer {narrow}", f"Content-Type: {NDJSON}")
    for path in ("/v1/feeds/price", "/v1/feeds/product", "/v1/feeds/listing"):
        answer = await house.send(request("POST", path, headers, BODY))
        assert answer.problem == (403, "scope_denied")
    assert (await house.send(request("GET", "/v1/feeds", headers))).problem == (403, "scope_denied")
    assert await shop.left() == NOTHING


async def test_a_facet_that_was_not_declared_is_not_fed(house: House) -> None:
    shop = await house.shop(facets=["stock"])
    assert (await shop.push(BODY)).problem == (403, "scope_denied")
    assert await shop.left() == NOTHING


async def test_a_burst_of_one_supplier_is_its_own_problem(house: House, shop: Shop) -> None:
    hasty = await house.shop(limits={"feeds_per_minute": 2})
    answers = []
    for _ in range(4):
        answers.append(await hasty.push(BODY))
        await shop.done(await shop.push(BODY))
    assert [answer.status for answer in answers] == [202, 202, 429, 429]
    for answer in answers[2:]:
        assert answer.problem == (429, "rate_limited")
        assert 0 < int(answer.headers["retry-after"]) <= 30
        assert answer.json["retryable"]
    assert (len((await hasty.left()).feeds), len((await shop.left()).feeds)) == (2, 4)


async def test_a_supplier_with_too_much_rejected_is_told_its_quota_and_refused(house: House, shop: Shop) -> None:
    broken = await house.shop(limits={"rejected_bytes_per_day": 3 * 1024})
    first = await broken.push(b'{"sku":"A","price":"1e3"}')
    assert first.status == 202
    assert '"rejected-bytes";q=3072;w=86400' in first.headers["ratelimit-policy"]
    assert '"rejected-bytes";r=3072;' in first.headers["ratelimit"]
    await broken.done(first)
    await broken.done(await broken.push(b'{"sku":"A","price":"1e3"}\n{"sku":"A","price":"1e3"}'))
    refused = await broken.push(BODY)
    assert refused.problem == (429, "rejections_quota")
    assert refused.json["actual"].startswith("3,072 bytes today")
    assert refused.json["expected"] == "at most 3,072"
    assert int(refused.headers["retry-after"]) <= 86_400
    assert (await shop.push(BODY)).status == 202


@pytest.mark.parametrize("path", ["/metrics", "/readyz", "/healthz", "/admin/v1/suppliers", "/admin/v1/feeds"])
@pytest.mark.parametrize("prefix", ["", "/", "/.", "/v1/.."])
async def test_nothing_of_operators_is_on_the_vendors_port(house: House, shop: Shop, path: str, prefix: str) -> None:
    for headers in ((), (shop.bearer.strip(),), (f"Authorization: Bearer {ADMIN_TOKEN}",)):
        answer = await house.send(request("GET", prefix + path, headers))
        assert answer.problem == (404, "not_found")


async def test_each_address_has_its_own_and_nothing_of_the_others(house: House) -> None:
    program = house.program
    statuses = {
        (name, path): (await send(url, request("GET", path, ()))).status
        for name, url in (("vendors", program.url), ("admin", program.admin_url), ("ops", program.ops_url))
        for path in ("/docs", "/v1/feeds", "/admin/v1/feeds", "/metrics", "/readyz", "/healthz")
    }
    assert {place: status for place, status in statuses.items() if status != 404} == {
        ("vendors", "/docs"): 200,
        ("vendors", "/v1/feeds"): 401,
        ("admin", "/admin/v1/feeds"): 401,
        ("ops", "/metrics"): 200,
        ("ops", "/readyz"): 200,
        ("ops", "/healthz"): 200,
    }
