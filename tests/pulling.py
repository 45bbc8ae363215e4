"""A pulled supplier in tests: a simulator that answers, the operator who declares it, and what the topics come to."""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping
from typing import Any

import aiohttp
import orjson

from contrib.simulators.jd_vop.config import Config
from contrib.simulators.jd_vop.simulator import Simulator
from gateway.config import Bootstrap
from tests.eventually import eventually
from tests.program import ADMIN_TOKEN
from tests.reader import Entry, read_topics

AREA = "7_412_3545"
FACETS = ("product", "price", "stock", "listing")
TOPIC_OF = {
    "product": "mall.catalog.products.v1",
    "price": "mall.catalog.prices.v1",
    "stock": "mall.catalog.stocks.v1",
    "listing": "mall.catalog.listings.v1",
}


def row_of(simulator: Simulator, **changes: Any) -> dict[str, Any]:
    """The row of a supplier that a simulator plays: all facets, messages looked at every second."""
    config: Config = simulator.config
    return {
        "name": "京东（模拟）",
        "adapter": "jd_vop",
        "facets": list(FACETS),
        "options": {"areas": [AREA]},
        "pulls": dict.fromkeys(FACETS, "1d"),
        "messages": "1s",
        "http": {"base_url": simulator.url, "allow_private": True, "rate_per_second": 500, "concurrency": 8},
        "secrets": {name: getattr(config, name) for name in ("client_id", "client_secret", "username", "password")},
        **changes,
    }


class Operator:
    """Who declares suppliers and looks after them, through /admin/v1 of one program."""

    def __init__(self, url: str) -> None:
        self.url = url

    async def ask(self, method: str, path: str, body: object = None) -> Any:
        """One request; the answer's JSON. Fails when it is refused."""
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}", "Content-Type": "application/json"}
        data = None if body is None else orjson.dumps(body)
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.request(method, f"{self.url}/admin/v1/{path}", data=data) as response,
        ):
            assert response.status < 300, await response.text()
            return orjson.loads(await response.read())

    async def declare(self, **suppliers: Mapping[str, Any]) -> None:
        """Apply rows; names of suppliers are given with _ for -."""
        rows = {name.replace("_", "-"): row for name, row in suppliers.items()}
        await self.ask("POST", "suppliers/apply", {"suppliers": rows})

    async def status(self, supplier: str) -> dict[str, Any]:
        """How a supplier fares; an empty one that no process has owned yet."""
        found = (await self.ask("GET", "pulls"))["suppliers"]
        return next((each for each in found if each["supplier"] == supplier), {"facets": {}, "faults": {}})

    async def letters(self, supplier: str) -> list[dict[str, Any]]:
        """Every dead letter of a supplier."""
        found: list[dict[str, Any]] = (await self.ask("GET", f"deadletters?supplier={supplier}&limit=200"))["letters"]
        return found

    async def feeds(self, supplier: str) -> list[dict[str, Any]]:
        """Its feeds, newest first."""
        found: list[dict[str, Any]] = (await self.ask("GET", f"feeds?supplier={supplier}&limit=200"))["feeds"]
        return found

    async def until_swept(self, supplier: str, *facets: str, within: float = 60.0) -> None:
        """Wait until every facet was pulled as a whole, without a flaw."""

        async def holds() -> bool:
            found = (await self.status(supplier))["facets"]
            return all(found.get(facet, {}).get("fresh_at") for facet in facets or FACETS)

        await eventually(holds, within=within)

    async def until_finished(self, supplier: str | None = None, within: float = 60.0) -> None:
        """Wait until no feed is under way and nothing waits to be read anew, of one supplier or of all.

        What was given up for good is not under way: a run with a flaw, a re-read that was asked again.
        """
        of_one = f"&supplier={supplier}" if supplier else ""

        async def holds() -> bool:
            suppliers = (await self.ask("GET", "pulls"))["suppliers"]  # first: afterwards no re-read is coming in
            feeds = (await self.ask("GET", f"feeds?limit=200{of_one}"))["feeds"]
            facets = [each["facets"] for each in suppliers if supplier in (None, each["supplier"])]
            waiting = [facet.get("waiting") for each in facets for facet in each.values()]
            return not any(waiting) and not any(map(under_way, feeds))

        await eventually(holds, within=within)


def under_way(feed: Mapping[str, Any]) -> bool:
    """Whether something may still come of a feed."""
    match feed["origin"], feed["state"]:
        case "reread", "admitted" | "incomplete":
            return False
        case "sweep", "incomplete":
            return not feed["flaw"]
        case _:
            return not feed["finished_at"]


async def control(simulator: Simulator, method: str, route: str, body: object = None) -> Any:
    """One call of the simulator's control routes."""
    data = None if body is None else orjson.dumps(body)
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"{simulator.url}/_control/{route}", data=data) as response,
    ):
        assert response.status == 200, await response.text()
        return orjson.loads(await response.read())


def truths(simulator: Simulator) -> dict[str, dict[str, Any]]:
    """What is so at the supplier of every sku that it offers here."""
    return {truth["sku"]: truth for truth in simulator.world.truths(7, 412) if truth["pools"]}


def drop(simulator: Simulator, sku: str) -> None:
    """The supplier stops offering a sku here, and sends no message about it."""
    for pool in simulator.world.truth(simulator.world.catalog.number(int(sku)) or 0)["pools"]:
        simulator.changes.change(int(sku), "pool", {"pool": pool, "in": False}, silent=True)


def calls(simulator: Simulator) -> list[dict[str, Any]]:
    """Every call that the simulator served, from its own file."""
    assert simulator.config.log is not None
    return [orjson.loads(line) for line in simulator.config.log.read_bytes().splitlines()]


async def latest(bootstrap: Bootstrap, prefix: str, supplier: str) -> dict[str, dict[str, Entry]]:
    """By facet and sku the last record of every key of a supplier; a withdrawn one has no value."""
    topics = await read_topics(bootstrap, prefix, [*TOPIC_OF.values()])
    found: dict[str, dict[str, Entry]] = {facet: {} for facet in FACETS}
    for facet, topic in TOPIC_OF.items():
        for entry in topics.get(topic, []):
            owner, sku, *_ = map(urllib.parse.unquote, (entry.key or b"").decode().split(":"))
            if owner == supplier:
                found[facet][sku] = entry
    return found


def differences(records: Mapping[str, Mapping[str, Entry]], truth: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Where the topics do not say what is so at the supplier; withdrawn keys count as absent."""
    wrong = []
    for facet, by_sku in records.items():
        told = {sku: orjson.loads(entry.value) for sku, entry in by_sku.items() if entry.value is not None}
        wrong += [f"{facet} {sku} is missing" for sku in truth.keys() - told.keys()]
        wrong += [f"{facet} {sku} is too much" for sku in told.keys() - truth.keys()]
        for sku in told.keys() & truth.keys():
            wrong += [f"{facet} {sku}: {fault}" for fault in _faults(facet, told[sku], truth[sku])]
    return sorted(wrong)


def _faults(facet: str, told: dict[str, Any], truth: Mapping[str, Any]) -> list[str]:
    match facet:
        case "product":
            pairs = [(told["name"], truth["name"])]
        case "price":
            pairs = [(told["agreement_price"], truth["price"])]
        case "listing":
            pairs = [(told["shelf"] == "on", truth["on_shelf"] and truth["price"] is not None)]
        case _:
            pairs = [(told["area"], AREA)]
    return [f"{got} is not {wanted}" for got, wanted in pairs if got != wanted]
