"""`mallgate catalog`: rebuilding a topic, the rebuilds there were, what is missing, and what is refused."""

from __future__ import annotations

import pytest

from gateway.kafka import PRICES, STOCKS
from gateway.store import connect
from tests.integration.cli.conftest import Shell
from tests.integration.cli.test_feeds import feed

__all__ = ["feed"]

pytestmark = pytest.mark.engines


async def test_a_facet_is_rebuilt_and_told_of(mallgate: Shell, feed: str) -> None:
    shown = await mallgate("catalog", "rebuild", "price")
    assert shown.status == 0
    assert "published" in shown.out
    [listed] = (await mallgate("catalog", "rebuilds", "--json")).json
    assert (listed["facet"], listed["supplier"], listed["state"], listed["published"]) == ("price", None, "done", 1)
    assert "Nothing of facet price is missing." in (await mallgate("catalog", "missing", "price")).out
    trail = (await mallgate("audit", "list", "--json")).out
    assert "catalog.rebuild" in trail


async def test_what_is_nowhere_is_named_with_who_has_to_push_it(mallgate: Shell, feed: str) -> None:
    async with connect(mallgate.environment["DATABASE_URL"], name="tests") as connection:
        await connection.execute("UPDATE feed_state SET hash = 'what nobody has', partition = NULL")
    shown = await mallgate("catalog", "rebuild", "price", "--supplier", "acme", "--rate", "10")
    assert shown.status == 0
    assert "acme has to push price again" in shown.out
    [missing] = (await mallgate("catalog", "missing", "price", "--supplier", "acme", "--json")).json
    assert (missing["supplier"], missing["sku"], missing["asked"]) == ("acme", "A-1", False)


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("rebuild", "price", "--supplier", "nobody"), 1, "nobody"),
        (("rebuild", "price", "--rate", "0"), 1, "rate"),
        (("rebuild", "prices"), 2, "prices"),
        (("missing", "price", "--supplier", "nobody"), 1, "nobody"),
    ],
)
async def test_what_cannot_be_rebuilt_is_refused(
    mallgate: Shell, arguments: tuple[str, ...], status: int, words: str
) -> None:
    ended = await mallgate("catalog", *arguments)
    assert ended.status == status
    assert words in ended.err


async def test_check_names_the_command_for_a_topic_that_lost_records(mallgate: Shell) -> None:
    async with connect(mallgate.environment["DATABASE_URL"], name="tests") as connection:
        await connection.execute("UPDATE known_topics SET lost_at = now() WHERE topic = $1", PRICES)
        await connection.execute("UPDATE known_topics SET id = gen_random_uuid() WHERE topic = $1", STOCKS)
    found = {each["subject"]: each for each in (await mallgate("check", "--json")).json}
    assert found["catalog"]["verdict"] == "warning"
    assert "mallgate catalog rebuild price" in found["catalog"]["words"]
    assert "mallgate catalog rebuild stock" in found["catalog"]["words"]
