"""Whatever a supplier does to its answers: it is waited out or said, nothing is withdrawn, the others go on.

Every kind of fault has a supplier of its own, and all of them are struck at once in one program. Each is pulled as a
whole, changes, is struck while it is pulled again and while what its messages name is read anew, and recovers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest

from contrib.simulators.jd_vop.effects import KINDS
from contrib.simulators.jd_vop.faults import Rule
from contrib.simulators.jd_vop.simulator import Simulator
from tests.eventually import eventually
from tests.integration.pulled.conftest import Ground
from tests.pulling import FACETS, TOPIC_OF, Operator, calls, differences, row_of, truths
from tests.reader import Entry, read_topics

GOODS = "[ps]*/*"
"""Operations about goods: their lists, details, prices and stock."""

PAGE = "product/getSkuByPage"
STRIKES = 3

pytestmark = pytest.mark.timeout(400)


@dataclass(frozen=True)
class Struck:
    """A kind of fault as it is ordered. operation: about goods or a page; pool: whether the message pool suffers too;
    times: strikes, None until it is taken back; page: of a list, "" for all; failed: what the reason of a run that
    fails says; stages: of the dead letters it leaves.
    """

    kind: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    operation: str = GOODS
    pool: bool = True
    times: int | None = None
    page: str = ""
    failed: str = ""
    stages: Sequence[str] = ()


OUTAGES = {
    "latency": Struck("latency", {"ms": 300}),
    "hang": Struck("hang"),
    "a-byte-a-second": Struck("drip"),
    "reset": Struck("reset"),
    "status-503": Struck("status", {"status": 503}),
    "wait-a-second": Struck("rate_limited", {"retry_after": 1}),
    "wait-until-a-date": Struck("rate_limited", {"retry_after": "date", "seconds": 2}),
    "wait-for-nonsense": Struck("rate_limited", {"retry_after": "soon"}),
    "wait-for-nothing-named": Struck("rate_limited", {"retry_after": None}, pool=False, times=2),
    "html": Struck("html"),
    "garbage": Struck("garbage"),
    "cut-off": Struck("cut_off"),
    "cut-json": Struck("cut_json"),
    "expired-token": Struck("expired_token", times=1),
    "clock-skew": Struck("clock_skew", {"seconds": 7200}, operation="*", pool=False),
    "cookie": Struck("set_cookie"),
    "messages-twice": Struck("repeated_messages", operation="message/get", pool=False),
    "messages-newest-first": Struck("reordered_messages", operation="message/get", pool=False),
}
"""What leaves no dead letter."""

BREACHES = {
    "redirect": Struck("redirect", operation=PAGE, pool=False, times=1, failed="HTTP status 302", stages=("pull",)),
    "ten-gigabytes": Struck("huge_body", operation=PAGE, pool=False, times=1, failed="larger than", stages=("pull",)),
    "gzip-bomb": Struck("gzip_bomb", operation=PAGE, pool=False, times=1, failed="larger than", stages=("pull",)),
    "short-page": Struck(
        "short_page", operation=PAGE, pool=False, times=1, page="2", failed="expected", stages=("pull",)
    ),
    "page-again": Struck(
        "repeated_page", operation=PAGE, pool=False, times=1, page="2", failed="the page before again", stages=("pull",)
    ),
    "broken-page": Struck("unbalanced_json", operation=PAGE, pool=False, times=1, failed="JSON", stages=("pull",)),
    "broken-detail": Struck(
        "unbalanced_json", operation="product/getDetail", pool=False, times=1, stages=("normalise",)
    ),
    "gbk": Struck("gbk", operation="product/getDetail", pool=False, times=1, stages=("normalise",)),
    "broken-prices": Struck("unbalanced_json", operation="price/*", pool=False, times=1),
    "huge-prices": Struck("huge_body", operation="price/*", pool=False, times=1),
    "prices-elsewhere": Struck("redirect", operation="price/*", pool=False, times=1),
    "poison": Struck(
        "poison_message",
        {"type": 4, "result": {"state": 1}},
        operation="message/get",
        pool=False,
        times=1,
        stages=("pool",),
    ),
    "poison-without-content": Struck(
        "poison_message", {"type": 2, "result": None}, operation="message/get", pool=False, times=1, stages=("pool",)
    ),
}
"""What breaks the contract: said once, and nobody else pays for it."""

ELSEWHERE = frozenset({"empty", "envelope", "moved_list", "refused"})
"""Their own tests are in test_empty and test_answers."""

OF_ORDERS = frozenset(
    {
        "cancel_races_confirm",
        "cut_reset",
        "duplicate_answer",
        "key_ignored",
        "out_of_stock",
        "partial_confirmation",
        "price_changed",
        "split",
        "status_after",
    }
)
"""Of calls that change something; theirs are in tests/integration/relayed and tests/unit/simulators."""

CASES = {**OUTAGES, **BREACHES}


def about_pages(case: str) -> bool:
    """Whether the case needs pools of several pages; all others have one, and fewer skus, to save time."""
    return CASES[case].operation == PAGE


def facets_of(case: str) -> tuple[str, ...]:
    """One facet where it matters in what order pages are asked for."""
    return FACETS[:1] if about_pages(case) else FACETS


def catalog_of(case: str) -> dict[str, int]:
    """What its simulator sells: three pages in each pool, or one."""
    return {"skus": 24, "page_size": 1} if about_pages(case) else {"skus": 12, "page_size": 10_000}


@dataclass
class Story:
    """What one supplier went through. failures: reasons by facet and end; calls: up to the end."""

    simulator: Simulator
    stuck: str = ""
    strikes: int = 0
    failures: dict[tuple[str, str], str] = field(default_factory=dict)
    letters: list[dict[str, Any]] = field(default_factory=list)
    feeds: list[dict[str, Any]] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    tombstones: int = 0
    calls: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Board:
    """How all suppliers fare, asked for a few times a second whoever looks."""

    operator: Operator
    at: float = 0.0
    suppliers: dict[str, dict[str, Any]] = field(default_factory=dict)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def facets(self, supplier: str) -> dict[str, dict[str, Any]]:
        async with self.turn:
            if time.monotonic() - self.at > 0.3:
                found = (await self.operator.ask("GET", "pulls"))["suppliers"]
                self.suppliers = {each["supplier"]: each for each in found}
                self.at = time.monotonic()
        facets: dict[str, dict[str, Any]] = self.suppliers.get(supplier, {}).get("facets", {})
        return facets


@pytest.fixture(scope="module")
async def stories(shared: Ground, operator: Operator) -> Mapping[str, Story]:
    """All of it, by case."""
    async with AsyncExitStack() as stack:
        told = {case: Story(await stack.enter_async_context(shared.simulator(**catalog_of(case)))) for case in CASES}
        await operator.declare(**{case: _row(case, story.simulator) for case, story in told.items()})
        board = Board(operator)
        await asyncio.gather(*(_told("pulling", _lived(board, case, story), story) for case, story in told.items()))
        for case, story in told.items():
            await _told("settling", _end(operator, case, story), story)
        topics = await read_topics(shared.engines.kafka_bootstrap, shared.prefix)
        for case, story in told.items():
            _hold_against(topics, case, story)
    return told


def _row(case: str, simulator: Simulator) -> dict[str, Any]:
    facets = facets_of(case)
    row = row_of(simulator, facets=facets, pulls=dict.fromkeys(facets, "1d"), messages="2s")
    timeout = 1.5 if case in OUTAGES else 15.0  # what breaks the contract once must be heard
    return {**row, "http": {**row["http"], "timeout_seconds": timeout}}


async def _told(name: str, part: Coroutine[Any, Any, None], story: Story) -> None:
    """One that gets stuck is told by its own tests."""
    try:
        await part
    except TimeoutError:
        story.stuck = f"{story.stuck} {name}"


async def _lived(board: Board, case: str, story: Story) -> None:
    simulator, struck = story.simulator, CASES[case]
    await eventually(lambda: _swept(board, case), within=150)
    before = await board.facets(case)
    _change(simulator)
    rules = [Rule(struck.kind, struck.operation, struck.parameters, times=struck.times, page=struck.page)]
    rules += [Rule(struck.kind, "message/*", struck.parameters, times=struck.times, after=1)] if struck.pool else []
    for rule in rules:
        simulator.faults.add(rule)
    await board.operator.ask("POST", f"suppliers/{case}/pull", {"facets": facets_of(case)})
    await eventually(lambda: _struck(rules), within=60)
    simulator.faults.clear()
    story.strikes = sum(rule.struck for rule in rules)
    await eventually(lambda: _recovered(board, case, before, story), within=150)


async def _end(operator: Operator, case: str, story: Story) -> None:
    simulator = story.simulator
    await eventually(lambda: _settled(operator, case, simulator), within=20)
    story.letters, story.feeds = await operator.letters(case), await operator.feeds(case)
    story.calls = calls(simulator)


def _change(simulator: Simulator) -> None:
    """Some goods change, some with a message and some without."""
    skus = sorted(truths(simulator))
    for place, sku in enumerate(skus[:4]):
        simulator.changes.change(int(sku), "price", f"{place + 1}.25")
    for sku in skus[4:6]:
        simulator.changes.change(int(sku), "shelf")
    for sku in skus[6:8]:
        simulator.changes.change(int(sku), "detail", silent=True)


async def _struck(rules: Sequence[Rule]) -> bool:
    return all(rule.struck >= (rule.times or (STRIKES if place == 0 else 1)) for place, rule in enumerate(rules))


async def _swept(board: Board, case: str) -> bool:
    facets = await board.facets(case)
    return all(facets.get(facet, {}).get("fresh_at") for facet in facets_of(case))


async def _recovered(board: Board, case: str, before: Mapping[str, Any], story: Story) -> bool:
    """Whether every facet was pulled as a whole since; runs that failed are noted and asked for again."""
    now = await board.facets(case)
    failed = [
        facet
        for facet in facets_of(case)
        if now[facet]["outcome"] == "failed" and now[facet]["feed"] is None and not _due(now[facet])
    ]
    if failed:
        story.failures |= {(facet, now[facet]["ended_at"]): now[facet]["reason"] for facet in failed}
        await board.operator.ask("POST", f"suppliers/{case}/pull", {"facets": failed})
        board.at = 0.0
        return False
    return all(now[facet]["fresh_at"] > before[facet]["fresh_at"] for facet in facets_of(case))


def _due(facet: Mapping[str, Any]) -> bool:
    """Whether a run that was asked for has not begun."""
    return bool(facet["next_at"]) and facet["next_at"] <= facet["ended_at"]


async def _settled(operator: Operator, case: str, simulator: Simulator) -> bool:
    """Whether its pool is empty, nothing waits to be read anew, and no feed is under way."""
    if len(simulator.messages) or simulator.messages.due:
        return False
    if any(facet.get("waiting") for facet in (await operator.status(case))["facets"].values()):
        return False
    return all(feed["finished_at"] or feed["flaw"] for feed in await operator.feeds(case))


def _hold_against(topics: Mapping[str, Sequence[Entry]], case: str, story: Story) -> None:
    """Read what the topics say of a supplier by its keys."""
    records: dict[str, dict[str, Entry]] = {facet: {} for facet in FACETS}
    for facet, topic in TOPIC_OF.items():
        for entry in topics.get(topic, []):
            supplier, sku, *_ = (entry.key or b"").decode().split(":")
            if supplier == case:
                records[facet][sku] = entry
                story.tombstones += entry.value is None
    told = {facet: records[facet] for facet in facets_of(case)}
    story.wrong = differences(told, truths(story.simulator))


def test_every_kind_of_fault_that_the_simulator_knows_is_struck() -> None:
    assert {struck.kind for struck in CASES.values()} | ELSEWHERE | OF_ORDERS == KINDS


@pytest.mark.parametrize("case", CASES)
def test_once_a_fault_is_gone_the_topics_say_what_is_so_and_nothing_was_withdrawn(
    stories: Mapping[str, Story], case: str
) -> None:
    story = stories[case]
    assert story.stuck == ""
    assert story.strikes >= (CASES[case].times or STRIKES)
    assert story.wrong == []
    assert story.tombstones == 0
    assert {feed["state"] for feed in story.feeds} <= {"done", "incomplete"}


@pytest.mark.parametrize("case", OUTAGES)
def test_an_outage_fails_no_run_and_leaves_no_dead_letter(stories: Mapping[str, Story], case: str) -> None:
    assert stories[case].failures == {}
    assert stories[case].letters == []


@pytest.mark.parametrize("case", BREACHES)
def test_a_breach_of_the_contract_is_said_once(stories: Mapping[str, Story], case: str) -> None:
    story, struck = stories[case], BREACHES[case]
    assert tuple(letter["stage"] for letter in story.letters) == struck.stages
    assert len(story.failures) == bool(struck.failed)
    assert all(struck.failed in reason for reason in story.failures.values())
