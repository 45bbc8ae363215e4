"""/docs in a real browser: everything renders, nothing comes from another host, a feed can be pushed from the page."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Page, Response, async_playwright, expect

from gateway.embedded import Engines
from gateway.intake.docs import POLICY
from gateway.intake.openapi import CALLS
from gateway.intake.openapi_webhooks import PAGE, WEBHOOKS
from tests.program import running
from tests.vendor import Keys, declared

FLAGS = (
    "--headless",
    "--no-sandbox",  # tests may run as root, where Chromium's sandbox refuses to
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

expect.set_options(timeout=30_000)  # milliseconds; a busy machine is no fault of the page

pytestmark = [pytest.mark.browser, pytest.mark.timeout(150)]


@dataclass
class Visit:
    """A page and what happened on it. hosts: that it asked for anything; complaints: of the console and of scripts."""

    url: str
    keys: Keys
    page: Page
    hosts: set[str] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Note what happens from now on."""
        self.page.on("request", lambda request: self.hosts.add(urlsplit(request.url).netloc))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on(
            "console", lambda said: self.complaints.append(said.text) if said.type in {"error", "warning"} else None
        )

    async def docs(self) -> Response:
        """Open /docs and wait until the operations are there."""
        answer = await self.page.goto(f"{self.url}/docs")
        await expect(self.page.locator(".opblock")).to_have_count(len(CALLS) + len(WEBHOOKS))
        assert answer is not None
        return answer


@pytest.fixture
async def visit(engines: Engines, database: str, topic_prefix: str) -> AsyncIterator[Visit]:
    """A gateway with a supplier, and a browser of the system's that has just been started."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("the browser tests drive the system's Chromium; Debian: apt-get install chromium")
    async with running(engines.kafka_bootstrap, database, topic_prefix) as program, async_playwright() as browsers:
        await program.started()
        keys = await declared(program.admin_url, "shop")
        browser = await browsers.chromium.launch(executable_path=chromium, args=[*FLAGS])
        visit = Visit(program.url, keys, await browser.new_page())
        visit.watch()
        yield visit
        await browser.close()


async def test_every_operation_is_explained_and_nothing_comes_from_elsewhere(visit: Visit) -> None:
    answer = await visit.docs()
    for call in CALLS:
        operation = visit.page.locator(f"#operations-{call.tag}-{call.name}")
        await expect(operation.locator(".opblock-summary-description")).to_have_text(call.summary)
        await operation.locator(".opblock-summary-control").click()
        await expect(operation.locator(".responses-table")).to_be_visible()
    await expect(visit.page.get_by_text("Receive a message · 接收订单指令")).to_be_visible()
    await expect(visit.page.get_by_text("供应商接口")).to_be_visible()
    assert answer.headers["content-security-policy"] == POLICY
    assert visit.hosts == {urlsplit(visit.url).netloc}
    assert visit.complaints == []


async def test_how_webhooks_are_received_is_a_page_of_its_own(visit: Visit) -> None:
    await visit.page.goto(f"{visit.url}{PAGE}")
    await expect(visit.page.get_by_role("heading", level=1)).to_be_visible()
    await expect(visit.page.get_by_text("webhook-signature").first).to_be_visible()
    assert visit.hosts == {urlsplit(visit.url).netloc}
    assert visit.complaints == []


async def test_a_feed_is_pushed_from_the_page(visit: Visit) -> None:
    await visit.docs()
    page, operation = visit.page, visit.page.locator("#operations-feeds-pushFeed")
    await page.get_by_role("button", name="Authorize", exact=True).first.click()
    await page.locator("#auth-bearer-value").fill(visit.keys.bearer)
    await page.get_by_role("button", name="Apply credentials").first.click()
    await page.get_by_role("button", name="Close").first.click()
    await operation.locator(".opblock-summary-control").click()
    await operation.get_by_role("button", name="Try it out").click()
    await operation.get_by_role("button", name="Execute").click()
    await expect(operation.locator(".live-responses-table tr.response td.response-col_status")).to_have_text("202")
    await expect(operation.locator(".live-responses-table")).to_contain_text("location: /v1/feeds/1")
    assert visit.complaints == []


async def test_a_script_that_someone_plants_in_the_page_does_not_run(visit: Visit) -> None:
    await visit.docs()
    await visit.page.evaluate(
        """() => {
            const planted = document.createElement("script");
            planted.textContent = "window.planted = true";
            document.body.append(planted);
        }"""
    )
    assert await visit.page.evaluate("() => window.planted") is None
    assert any("Content Security Policy" in complaint for complaint in visit.complaints)
