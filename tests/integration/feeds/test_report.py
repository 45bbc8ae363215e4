"""What vendors and operators are told: of a feed, of its records, of one sku."""

from __future__ import annotations

from typing import Any

from gateway.feeds.chunk import Mode
from gateway.feeds.report import ROWS
from gateway.feeds.versions import version_of
from gateway.store import Pool
from gateway.telemetry.metrics import REGISTRY
from schemas.catalog import Facet
from tests.integration.feeds.workshop import Workshop, price

CONNECTIONS = 20
"""More than the pool has."""


async def rows(workshop: Workshop, feed_no: int) -> list[dict[str, Any]]:
    return [row async for chunk in workshop.reports.rows(feed_no) for row in chunk]


async def test_a_report_names_every_record_that_did_not_come_through_in_order(workshop: Workshop) -> None:
    await workshop.fed(price("S", "1.00", version=9))
    lines = [price(f"A-{number}", "10.00") for number in range(1_200)]
    lines[3], lines[1_100], lines[1_101] = b"{oops", b'{"sku":"B","price":"1e3"}', price("S", "2.00", version=8)
    feed_no = await workshop.fed(*lines)
    assert [(row["record"], row["line"], row["sku"], row["outcome"]) for row in await rows(workshop, feed_no)] == [
        (3, 4, None, "rejected"),
        (1_100, 1_101, "B", "rejected"),
        (1_101, 1_102, "S", "stale"),
    ]
    status = await workshop.reports.feed(feed_no, "acme")
    assert status is not None
    assert (status.state, status.chunks, status.chunks_done) == ("done", 2, 2)
    assert status.counts == {"normalized": 1_197, "rejected": 2, "stale": 1}
    codes = [problem["code"] for problem in await workshop.reports.top_problems(feed_no)]
    assert codes == ["invalid_decimal", "malformed_json", "stale"]


async def test_problems_count_items_not_what_is_wrong_with_them(workshop: Workshop) -> None:
    twice = price("A", "1,0", marketPrice="1,0", market_price="1,0")
    feed_no = await workshop.fed(twice, price("B", "1,0"))
    issues = [issue["code"] for row in await rows(workshop, feed_no) for issue in row["issues"]]
    found = {problem["code"]: problem["count"] for problem in await workshop.reports.top_problems(feed_no)}
    assert len(issues) > sum(found.values())
    assert max(found.values()) <= 2


async def test_what_is_only_validated_is_counted_for_nobody(workshop: Workshop) -> None:
    def counted() -> float:
        labels = {"supplier": "acme", "facet": "price", "outcome": "normalized"}
        return REGISTRY.get_sample_value("mallgate_feed_items_total", labels) or 0.0

    before = counted()
    feed_no = await workshop.fed(price("A", "10.00"), mode=Mode.VALIDATE)
    assert (await workshop.feed(feed_no)).counts == {"normalized": 1}
    assert counted() == before
    await workshop.fed(price("A", "10.00"))
    assert counted() == before + 1


async def test_a_feed_under_way_is_counted_as_far_as_it_is(workshop: Workshop) -> None:
    receipt = await workshop.push(*(price(f"A-{number}", "10.00") for number in range(1_200)))
    await workshop.processor.process((await workshop.waiting())[0])
    status = await workshop.reports.feed(receipt.feed_no, "acme")
    assert status is not None
    assert (status.state, status.chunks, status.chunks_done) == ("produced", 2, 1)
    assert sum(status.counts.values()) in (200, 1_000)


async def test_a_report_holds_no_connection_while_its_readers_take_their_time(workshop: Workshop, pool: Pool) -> None:
    feed_no = await workshop.fed(*(b"{oops" for _ in range(1_200)))
    readers = [workshop.reports.rows(feed_no) for _ in range(CONNECTIONS)]
    begun = [(await anext(reader))[0]["record"] for reader in readers]
    status = await workshop.reports.feed(feed_no, "acme")
    assert status is not None
    assert pool.get_size() == pool.get_idle_size()
    left = [row["record"] for reader in readers async for chunk in reader for row in chunk]
    assert begun == [0] * CONNECTIONS
    assert left == [*range(ROWS, 1_200)] * CONNECTIONS


async def test_how_a_finished_feed_stands_is_not_counted_anew(workshop: Workshop) -> None:
    feed_no = await workshop.fed(b"{oops", price("A", "1,0"), price("B", "1,0"), price("C", "10.00"))
    told = await workshop.reports.top_problems(feed_no)
    assert [(each["code"], each["count"], each["skus"]) for each in told] == [
        ("invalid_decimal", 2, ["A", "B"]),
        ("malformed_json", 1, []),
    ]
    await workshop.execute("DELETE FROM feed_chunks WHERE feed_no = $1", feed_no)
    assert await workshop.reports.top_problems(feed_no) == told
    assert (await workshop.feed(feed_no)).counts == {"normalized": 1, "rejected": 3}


async def test_of_a_feed_under_way_problems_are_added_up_not_counted(workshop: Workshop) -> None:
    lines = [price(f"A-{number:04}", "1,0" if number % 100 == 0 else "10.00") for number in range(1_200)]
    receipt = await workshop.push(*lines)
    for record in await workshop.waiting():
        await workshop.processor.process(record)
    await workshop.execute("UPDATE feed_chunks SET problems = '[]' WHERE feed_no = $1", receipt.feed_no)
    [told] = await workshop.reports.top_problems(receipt.feed_no)
    assert (told["code"], told["count"]) == ("invalid_decimal", 12)
    assert told["skus"] == [f"A-{number:04}" for number in (0, 100, 200, 300, 400)]


async def test_nobody_sees_a_feed_of_another(workshop: Workshop) -> None:
    feed_no = await workshop.fed(price("A", "10.00"))
    assert await workshop.reports.feed(feed_no, "other") is None
    assert await workshop.reports.feeds("other", facet=None, state=None) == []
    assert await workshop.reports.cancel(feed_no, "other") is None
    assert await workshop.reports.item("other", Facet.PRICE, "A") is None
    assert [feed.feed_no for feed in await workshop.reports.feeds(None, facet="price", state="done")] == [feed_no]


async def test_a_sku_is_told_key_by_key_with_its_latest_refusals(workshop: Workshop) -> None:
    first = await workshop.fed(price("A", "10.00", area="1", version=3), price("A", "11.00", area="2"))
    refused = await workshop.fed(price("A", "12.00", area="1", version=3))
    item = await workshop.reports.item("acme", Facet.PRICE, "A")
    assert item is not None
    one, two = item["keys"]
    assert (one["area"], one["status"], one["version"], one["feed"]) == ("1", "accepted", version_of(first, 0), first)
    assert (one["source_version"], one["last_seen_feed"], one["last_outcome"]) == (3, refused, "rejected")
    assert (two["area"], two["feed"], two["record"]) == ("2", first, 1)
    assert [(each["feed_no"], each["code"], each["state"]) for each in item["refusals"]] == [
        (refused, "version_conflict", "open")
    ]


async def test_a_sku_of_many_areas_is_told_page_by_page(workshop: Workshop) -> None:
    await workshop.fed(*(price("A", "10.00", area=f"{number:03}") for number in range(7)))
    areas, after, more = [], None, True
    while more:
        item = await workshop.reports.item("acme", Facet.PRICE, "A", after=after, most=3)
        assert item is not None
        assert 1 <= len(item["keys"]) <= 3
        areas += [key["area"] for key in item["keys"]]
        after, more = areas[-1], item["more"]
    assert areas == [f"{number:03}" for number in range(7)]


async def test_a_sku_that_was_only_ever_refused_is_told_so_and_one_never_named_is_not_known(workshop: Workshop) -> None:
    await workshop.fed(b'{"sku":"B","price":"1e3"}')
    item = await workshop.reports.item("acme", Facet.PRICE, "B")
    assert item is not None
    assert (item["keys"], [each["code"] for each in item["refusals"]]) == ([], ["invalid_decimal"])
    assert await workshop.reports.item("acme", Facet.PRICE, "C") is None
    assert await workshop.reports.item("acme", Facet.STOCK, "B") is None


async def test_cancelling_stops_what_has_not_taken_effect_and_says_what_it_found(workshop: Workshop) -> None:
    receipt = await workshop.push(*(price(f"A-{number}", "10.00") for number in range(1_200)))
    first, second = await workshop.waiting()
    await workshop.processor.process(first)
    assert await workshop.reports.cancel(receipt.feed_no, "acme") == "produced"
    await workshop.processor.process(second)
    await workshop.finisher.sweep()
    outcomes = (await workshop.books()).outcomes(receipt.feed_no)
    assert sorted(outcomes) == ["cancelled", "normalized"]
    assert sum(outcomes.values()) == 1_200
    assert await workshop.reports.cancel(receipt.feed_no, "acme") == "cancelled"
