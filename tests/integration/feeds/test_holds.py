"""The brake: a full feed that would withdraw too much waits for a person, and what the person says is what happens."""

from __future__ import annotations

from uuid import UUID

import orjson
import pytest

from gateway.deadletters import DeadLetterRow, DeadLetters, Filter, Replays, Selection
from gateway.feeds.chunk import Mode
from gateway.feeds.closing import CANCELLED
from gateway.feeds.holds import NotHeldError, UnknownFeedError
from gateway.feeds.passes import LIFE
from gateway.store import transaction
from schemas.catalog import Facet
from tests.integration.feeds.test_withdraw import full, reports, skus
from tests.integration.feeds.workshop import SUPPLIER, Workshop, submission

NO_SKU = b'{"price":"10.00"}'


async def letters(workshop: Workshop) -> list[DeadLetterRow]:
    """Dead letters of held feeds, oldest first."""
    found = DeadLetters(workshop.pool)
    page = await found.list(Filter(stage="withdraw"))
    return [await found.show(letter.id) for letter in reversed(page.rows)]


@pytest.fixture
async def held(workshop: Workshop) -> int:
    """A full feed that names 7 of 10, and is held; its number."""
    await workshop.fed(*skus(*range(10)))
    return await full(workshop, *skus(*range(7)))


async def test_a_full_feed_that_would_withdraw_too_much_is_held(workshop: Workshop, held: int) -> None:
    feed = await workshop.feed(held)
    assert feed.hold is not None
    at = feed.hold.pop("at")
    assert (feed.state, feed.finished_at, feed.withdrawn) == ("held", None, 0)
    assert feed.hold == {"absent": 3, "active": 10, "limit": 0.2, "sample": ["A-7", "A-8", "A-9"]}
    [letter] = await letters(workshop)
    assert (letter.state, letter.code, letter.feed_no) == ("open", "held_withdrawal", held)
    assert (letter.issues[0].actual, letter.issues[0].expected) == ("3 of 10 keys", "at most 20%")
    assert orjson.loads(letter.original) == {"feed": str(held), "at": at, **feed.hold}
    assert len(await workshop.on_sale()) == 10


@pytest.mark.parametrize(
    ("brake", "state"), [(0.0, "held"), (0.29, "held"), (0.3, "withdrawing"), (1.0, "withdrawing")]
)
async def test_the_brake_is_the_suppliers_own_as_it_is_declared_now(
    workshop: Workshop, brake: float, state: str
) -> None:
    await workshop.fed(*skus(*range(10)))
    receipt = await workshop.push(*skus(*range(7)), mode=Mode.FULL)
    await workshop.brake(brake)
    await workshop.work()
    assert (await workshop.feed(receipt.feed_no)).state == state


async def test_an_empty_full_feed_is_held(workshop: Workshop) -> None:
    await workshop.fed(*skus(*range(3)))
    receipt = await workshop.push(mode=Mode.FULL)
    await workshop.finisher.sweep()
    assert (await workshop.feed(receipt.feed_no)).state == "held"
    assert len(await workshop.on_sale()) == 3


async def test_what_it_would_withdraw_is_shown_with_what_the_mall_has(workshop: Workshop, held: int) -> None:
    absent = await workshop.holds.absent(held, SUPPLIER, Facet.PRICE)
    assert [(key.sku, key.area, key.last_seen_feed) for key in absent] == [
        (f"A-{number}", "*", str(held - 1)) for number in (7, 8, 9)
    ]
    assert [key.item and key.item["agreement_price"] for key in absent] == ["10.00"] * 3


async def test_released_it_withdraws(workshop: Workshop, held: int) -> None:
    await workshop.holds.release(held, actor="ann", reason="season is over")
    [letter] = await letters(workshop)
    assert (letter.state, letter.outcome) == ("replayed", "released")
    await workshop.withdraw()
    feed = await workshop.feed(held)
    assert (feed.state, feed.withdrawn, feed.flaw) == ("done", 3, None)
    assert len(await workshop.on_sale()) == 7
    assert await audited(workshop) == [("ann", "feed.release", str(held), "season is over")]


async def audited(workshop: Workshop) -> list[tuple[str, ...]]:
    async with transaction(workshop.pool) as connection:
        rows = await connection.fetch("SELECT actor, action, object, reason FROM audit WHERE action LIKE 'feed.%'")
    return [tuple(row.values()) for row in rows]


async def test_released_it_spares_what_was_named_while_it_was_held(workshop: Workshop, held: int) -> None:
    await workshop.fed(*skus(8))
    await workshop.holds.release(held, actor="ann", reason="season is over")
    await workshop.withdraw()
    assert set(await workshop.on_sale()) == {f"A-{number}" for number in (*range(7), 8)}


async def test_rejected_it_withdraws_nothing(workshop: Workshop, held: int) -> None:
    await workshop.holds.reject(held, actor="ann", reason="their export broke")
    await workshop.withdraw()
    feed = await workshop.feed(held)
    assert (feed.state, feed.withdrawn, feed.flaw) == ("done", 0, "hold_rejected")
    [letter] = await letters(workshop)
    assert (letter.state, letter.reason) == ("discarded", "their export broke")
    assert (await DeadLetters(workshop.pool).group(letter.fingerprint)).state == "resolved"
    assert (await reports(workshop))[-1]["withdrawn"] == 0
    assert await audited(workshop) == [("ann", "feed.reject", str(held), "their export broke")]


async def test_a_decision_is_made_once(workshop: Workshop, held: int) -> None:
    holds = workshop.holds
    await holds.reject(held, actor="ann", reason="their export broke")
    for decide in (holds.reject, holds.release):
        with pytest.raises(NotHeldError):
            await decide(held, actor="bob", reason="no, yes")
        with pytest.raises(UnknownFeedError):
            await decide(999_999, actor="bob", reason="which?")
    assert len(await audited(workshop)) == 1


async def test_replaying_its_letter_releases_it(workshop: Workshop, held: int) -> None:
    holds = workshop.holds
    replays = Replays(workshop.pool, holds.handlers(), holds.predictors(), owner="tests")
    [letter] = await letters(workshop)
    assert (await replays.predict(letter.id)).outcome == "released"
    assert (await workshop.feed(held)).state == "held"
    assert (await replays.replay(letter.id, actor="ann", reason="season is over")).outcome == "released"
    await workshop.withdraw()
    assert (await workshop.feed(held)).withdrawn == 3


async def test_discarding_its_letter_rejects_it(workshop: Workshop, held: int) -> None:
    [letter] = await letters(workshop)
    await DeadLetters(workshop.pool).discard(Selection(ids=(UUID(str(letter.id)),)), actor="ann", reason="tidy")
    await workshop.finisher.sweep()
    feed = await workshop.feed(held)
    assert (feed.state, feed.withdrawn, feed.flaw) == ("done", 0, "hold_rejected")


async def test_undecided_for_six_days_it_is_rejected(workshop: Workshop, held: int) -> None:
    await workshop.finisher.sweep()
    assert (await workshop.feed(held)).state == "held"
    await workshop.execute(
        "UPDATE feeds SET hold = hold || jsonb_build_object('at', now() - $1::interval) WHERE feed_no = $2", LIFE, held
    )
    await workshop.finisher.sweep()
    feed = await workshop.feed(held)
    assert (feed.state, feed.withdrawn, feed.flaw) == ("done", 0, "hold_expired")
    [letter] = await letters(workshop)
    assert (letter.state, letter.reason) == ("discarded", "hold_expired")


async def test_its_supplier_may_cancel_it(workshop: Workshop, held: int) -> None:
    assert await workshop.reports.cancel(held, SUPPLIER) == "held"
    await workshop.finisher.sweep()
    feed = await workshop.feed(held)
    assert (feed.state, feed.withdrawn, feed.flaw) == ("cancelled", 0, CANCELLED)
    assert [letter.state for letter in await letters(workshop)] == ["discarded"]


@pytest.mark.parametrize(
    ("numbers", "state", "on_sale"),
    [(range(9), "done", range(9)), (range(5), "held", range(10))],
    ids=["whole", "held"],
)
async def test_a_newer_full_feed_takes_the_place_of_a_held_one(
    workshop: Workshop, held: int, numbers: range, state: str, on_sale: range
) -> None:
    newer = await full(workshop, *skus(*numbers))
    assert (await workshop.feed(newer)).state == state
    older = await workshop.feed(held)
    assert (older.state, older.withdrawn, older.flaw) == ("done", 0, f"superseded by feed {newer}")
    assert [letter.state for letter in await letters(workshop)] == ["discarded", *(["open"] if state == "held" else [])]
    assert set(await workshop.on_sale()) == {f"A-{number}" for number in on_sale}


async def test_a_newer_full_feed_that_may_not_be_whole_leaves_a_held_one_alone(workshop: Workshop, held: int) -> None:
    await full(workshop, *skus(*range(9)), NO_SKU)
    assert (await workshop.feed(held)).state == "held"


async def test_an_older_full_feed_that_is_done_last_does_not_hold_beside_a_newer(workshop: Workshop) -> None:
    await workshop.fed(*skus(*range(10)))
    older = await workshop.admission.next_feed_no()
    newer = await full(workshop, *skus(*range(7)))
    await workshop.admission.admit(submission(older, skus(0), mode=Mode.FULL))
    await workshop.work()
    feed = await workshop.feed(older)
    assert (feed.state, feed.withdrawn, feed.flaw) == ("done", 0, f"superseded by feed {newer}")
    assert (await workshop.feed(newer)).state == "held"
