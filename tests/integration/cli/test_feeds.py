"""What an operator sees of feeds, dead letters and topics, and how they mend what was rejected."""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from tests.eventually import eventually
from tests.forked import Ended
from tests.integration.cli.conftest import Shell

pytestmark = pytest.mark.engines

SUPPLIER = """
[suppliers.acme]
name = "Acme"
adapter = "native"
facets = ["price"]
"""

GOOD = '{"sku": "A-1", "price": "12.50"}'
BAD = '{"sku": "A-2", "price": "1,50"}'
WORSE = '{"sku": "A-3", "price": "2,50"}'


@pytest.fixture
async def feed(mallgate: Shell) -> str:
    """A feed of one good price and two bad ones, finished; its id."""
    mallgate.write("suppliers.toml", SUPPLIER)
    assert (await mallgate("suppliers", "apply", "suppliers.toml")).status == 0
    key = (
        await mallgate("suppliers", "keys", "add", "acme", "--scope", "feeds:price", "--scope", "read", "--json")
    ).json["secret"]
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/x-ndjson"}
    body = "\n".join([GOOD, BAD, WORSE]) + "\n"
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{mallgate.url}/v1/feeds/price", data=body.encode()) as response,
    ):
        assert response.status == 202
        pushed: str = (await response.json())["feed"]

    async def done() -> bool:
        return bool((await mallgate("feeds", "show", pushed, "--json")).json["state"] == "done")

    await eventually(done, within=60)
    return pushed


async def letters(mallgate: Shell, *options: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await mallgate("deadletters", "list", *options, "--json")).json
    return found


async def test_a_feed_is_shown_with_its_outcomes_and_its_worst_problems(mallgate: Shell, feed: str) -> None:
    shown = await mallgate("feeds", "show", feed)
    assert "normalized 1, rejected 2" in shown.out
    assert "invalid_decimal" in shown.out
    assert "数字格式错误" in shown.out
    [listed] = (await mallgate("feeds", "list", "--supplier", "acme", "--json")).json
    assert (listed["feed"], listed["counts"]["rejected"]) == (feed, 2)
    assert feed in (await mallgate("feeds", "list")).out
    missing = await mallgate("feeds", "show", "999999")
    assert (missing.status, missing.err.split(":")[1].strip()) == (1, "not_found")


async def test_like_letters_stand_in_one_group_and_keep_their_bytes(mallgate: Shell, feed: str) -> None:
    [group] = (await mallgate("deadletters", "groups", "--json")).json
    assert (group["open"], group["code"], group["suppliers"]) == (2, "invalid_decimal", ["acme"])
    assert group["fingerprint"] in (await mallgate("deadletters", "groups")).out
    found = await letters(mallgate, "--group", group["fingerprint"], "--sku", "A-2")
    assert [(letter["sku"], letter["line"], letter["feed"]) for letter in found] == [("A-2", 2, feed)]
    assert (await mallgate("deadletters", "show", found[0]["id"], "--original")).out == BAD
    shown = await mallgate("deadletters", "show", found[0]["id"])
    assert BAD in shown.out
    assert "数字格式错误" in shown.out


async def test_a_mended_letter_is_foretold_and_replayed(mallgate: Shell, feed: str) -> None:
    [letter] = await letters(mallgate, "--sku", "A-2")
    command = ("deadletters", "replay", "--id", letter["id"], "--reason", "comma", "--json")
    unmended = await mallgate(*command)
    assert (unmended.status, unmended.json["outcome"]) == (1, "rejected")
    mallgate.write("mended.json", BAD.replace(",50", ".50"))
    assert (await mallgate(*command, "--patch", "mended.json", "--dry-run")).json["outcome"] == "normalized"
    assert (await letters(mallgate, "--sku", "A-2"))[0]["state"] == "open"
    replayed = await mallgate(*command, "--patch", "mended.json")
    assert (replayed.status, replayed.json["outcome"]) == (0, "normalized")
    assert (await letters(mallgate, "--sku", "A-2"))[0]["state"] == "replayed"
    again = await mallgate(*command)
    assert (again.status, again.err.split(":")[1].strip()) == (1, "conflict")


PATCH = '{"sku": "A-2", "price": "1.50"}'
ANOTHER = '{"sku": "A-1", "price": "0.01"}'


async def prices(mallgate: Shell) -> list[str]:
    tailed = await mallgate("topics", "tail", "catalog.prices", "--from-start", "--count", "1", "--json")
    return [line for line in tailed.out.splitlines() if line]


async def test_a_patch_of_another_article_is_refused_and_nothing_goes_live(mallgate: Shell, feed: str) -> None:
    [letter] = await letters(mallgate, "--sku", "A-2")
    mallgate.write("another.json", ANOTHER)
    command = ("deadletters", "replay", "--id", letter["id"], "--reason", "oops", "--patch", "another.json")
    foretold = (await mallgate(*command, "--dry-run", "--json")).json
    replayed = await mallgate(*command, "--json")
    for answer in (foretold, replayed.json):
        [issue] = answer["issues"]
        assert (answer["outcome"], issue["code"]) == ("rejected", "patch_other_key")
        assert (issue["expected"], issue["actual"]) == ("A-2", "A-1")
    assert replayed.status == 1
    refused = await mallgate(*command)
    assert refused.status == 1
    assert "patch_other_key" in refused.out
    assert "0.01" not in "".join(await prices(mallgate))
    [after] = await letters(mallgate, "--sku", "A-2")
    assert (after["state"], after["code"], after["issues"]) == ("open", "invalid_decimal", letter["issues"])


async def test_original_patch_and_what_the_mall_has_stand_side_by_side(mallgate: Shell, feed: str) -> None:
    [letter] = await letters(mallgate, "--sku", "A-2")
    mallgate.write("mended.json", PATCH)
    command = ("deadletters", "replay", "--id", letter["id"], "--reason", "comma", "--patch", "mended.json")
    foretold = (await mallgate(*command, "--dry-run", "--json")).json
    assert (foretold["original_text"], foretold["patched_text"]) == (BAD, PATCH)
    assert '+ "price": "1.50"}' in foretold["diff"]
    [nothing] = foretold["mall"]
    assert (nothing["sku"], nothing["area"], nothing["status"], nothing["item"]) == ("A-2", "*", "never_accepted", None)
    for options in (("--dry-run",), ()):
        out = (await mallgate(*command, *options)).out
        places = [out.index(words) for words in (BAD, PATCH, "nothing yet", "normalized")]
        assert places == sorted(places)
    shown = (await mallgate("deadletters", "show", letter["id"])).out
    assert shown.index(BAD) < shown.index(PATCH)


async def test_what_the_mall_has_is_read_back_from_its_topic(mallgate: Shell, feed: str) -> None:
    scopes = ("--scope", "feeds:price", "--scope", "read")
    key = (await mallgate("suppliers", "keys", "add", "acme", *scopes, "--json")).json["secret"]
    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {key}", "Prefer": "wait=30"}) as session:
        record = b'[{"sku": "A-1", "price": "1,1"}]'
        sending = {"Content-Type": "application/json"}
        async with session.post(f"{mallgate.url}/v1/feeds/price", data=record, headers=sending) as response:
            assert response.status == 200, await response.text()
        [letter] = await letters(mallgate, "--sku", "A-1")
        mallgate.write("still.json", '{"sku": "A-1", "price": "7;7"}')
        command = ("deadletters", "replay", "--id", letter["id"], "--reason", "a try", "--patch", "still.json")
        replayed = await mallgate(*command)
        assert replayed.status == 1
        assert "12.50 CNY" in replayed.out
        async with session.get(f"{mallgate.url}/v1/items/price/A-1") as response:
            seen = await response.text()
    assert "1,1" in seen
    assert "7;7" not in seen
    shown = await mallgate("deadletters", "show", letter["id"], "--json")
    assert [issue["actual"] for issue in shown.json["replay_issues"]] == ["7;7"]
    assert "7;7" in (await mallgate("deadletters", "show", letter["id"])).out


async def test_many_letters_are_planned_foretold_started_and_told_apart(mallgate: Shell, feed: str) -> None:
    planned = await mallgate("deadletters", "replay", "--supplier", "acme", "--reason", "try", "--dry-run", "--json")
    assert planned.status == 0
    assert (planned.json["state"], planned.json["predicted"]) == ("planned", {"rejected": 2})
    assert {letter["replays"] for letter in await letters(mallgate)} == {0}
    done = await mallgate("deadletters", "start", planned.json["id"], "--json")
    assert (done.status, done.json["outcomes"]) == (1, {"rejected": 2})
    assert planned.json["id"] in (await mallgate("deadletters", "jobs")).out
    late = await mallgate("deadletters", "cancel", planned.json["id"])
    assert (late.status, late.err.split(":")[1].strip()) == (1, "conflict")


async def test_a_plan_can_be_cancelled(mallgate: Shell, feed: str) -> None:
    planned = await mallgate("deadletters", "replay", "--feed", feed, "--reason", "try", "--dry-run", "--json")
    cancelled = await mallgate("deadletters", "cancel", planned.json["id"], "--json")
    assert cancelled.json["state"] == "cancelled"
    assert {letter["state"] for letter in await letters(mallgate)} == {"open"}


async def test_letters_are_discarded_for_a_reason_and_only_if_named(mallgate: Shell, feed: str) -> None:
    everything = await mallgate("deadletters", "discard", "--reason", "tidy")
    assert (everything.status, everything.err.split(":")[1].strip()) == (1, "bad_request")
    discarded = await mallgate("deadletters", "discard", "--feed", feed, "--reason", "test data", "--json")
    assert discarded.json == {"discarded": 2}
    assert {letter["state"] for letter in await letters(mallgate)} == {"discarded"}
    [group] = (await mallgate("deadletters", "groups", "--json")).json
    assert (group["open"], group["state"]) == (0, "resolved")


async def test_a_topic_is_listed_and_read_from_its_start(mallgate: Shell, feed: str) -> None:
    counts = {each["topic"]: each["records"] for each in (await mallgate("topics", "list", "--json")).json}
    assert counts["mall.catalog.prices.v1"] == 1
    tailed = await mallgate("topics", "tail", "catalog.prices", "--from-start", "--count", "1", "--json")
    assert (tailed.json["key"], tailed.json["value"]["agreement_price"]) == ("acme:A-1:*", "12.50")
    assert tailed.json["headers"]["gw-feed"] == feed
    line = await mallgate("topics", "tail", "mall.catalog.prices.v1", "--from-start", "--count", "1")
    assert '"agreement_price":"12.50"' in line.out
    of_sku = await mallgate("topics", "tail", "prices", "--from-start", "--key", "acme:A-1:", "--count", "1", "--json")
    assert of_sku.json["key"] == "acme:A-1:*"
    unknown = await mallgate("topics", "tail", "catalog")
    assert (unknown.status, "names 4 topics" in unknown.err) == (1, True)


async def test_a_gateway_that_could_run_is_told_from_one_that_could_not(mallgate: Shell) -> None:
    fit = await mallgate("check", "--json")
    assert fit.status == 0, fit
    assert {each["verdict"] for each in fit.json} == {"ok", "warning"}
    unfit = await mallgate("check", MALLGATE_PARTITIONS="7", KAFKA_BOOTSTRAP=None, DATABASE_URL=None)
    assert unfit.status == 78
    assert "KAFKA_BOOTSTRAP is not set" in unfit.out
    assert "DATABASE_URL is not set" in unfit.out
    other = await mallgate("check", MALLGATE_PARTITIONS="7")
    assert (other.status, "has 1 partitions, should have 7" in other.out) == (78, True)


async def test_a_database_of_a_newer_program_is_not_touched(mallgate: Shell) -> None:
    absent: Ended = await mallgate("check", DATABASE_URL=mallgate.environment["DATABASE_URL"] + "_not_there")
    assert (absent.status, "does not exist" in absent.out) == (78, True)
