"""What operators see of dead letters, and what they decide about groups and discards."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest

from gateway.deadletters import (
    DeadLetters,
    Filter,
    NothingSelectedError,
    ReasonRequiredError,
    Replays,
    Selection,
    UnknownLetterError,
)
from gateway.store import Pool, Row, transaction
from tests.integration.deadletters.stage import STAGE, TOO_LONG, letter, recorded

KIND = letter().kind.fingerprint


async def audited(pool: Pool) -> list[Row]:
    async with transaction(pool) as connection:
        return await connection.fetch("SELECT actor, action, object, reason, detail FROM audit ORDER BY id")


async def listed(deadletters: DeadLetters, matching: Filter) -> set[UUID]:
    return {one.id for one in (await deadletters.list(matching)).rows}


async def test_a_group_counts_whose_letters_are_where(pool: Pool, deadletters: DeadLetters) -> None:
    ids = await recorded(pool, [letter(0), letter(1), letter(2, supplier="bolt"), letter(3, supplier=None)])
    await deadletters.discard(Selection(ids=(ids[0],)), actor="ann", reason="a test")
    group = await deadletters.group(KIND)
    assert (group.open, group.discarded, group.replayed, group.suppliers) == (3, 1, 0, ("acme", "bolt"))
    assert group.first_seen <= group.last_seen


async def test_asked_for_one_supplier_a_group_counts_that_suppliers_letters(
    pool: Pool, deadletters: DeadLetters
) -> None:
    await recorded(pool, [letter(0), letter(1), letter(2, supplier="bolt"), letter(3, issues=(TOO_LONG,))])
    (group,) = (await deadletters.groups(supplier="bolt")).rows
    assert (group.fingerprint, group.open, group.suppliers) == (KIND, 1, ("bolt",))


async def test_groups_are_found_by_code_stage_and_state(pool: Pool, deadletters: DeadLetters) -> None:
    await recorded(pool, [letter(0), letter(1, issues=(TOO_LONG,)), letter(2, stage="guard")])
    await deadletters.acknowledge(KIND, actor="ann", reason="asked the vendor")
    assert [one.stage for one in (await deadletters.groups(stage="guard")).rows] == ["guard"]
    assert [one.code for one in (await deadletters.groups(code=TOO_LONG.code)).rows] == [TOO_LONG.code]
    assert [one.fingerprint for one in (await deadletters.groups(state="acknowledged")).rows] == [KIND]
    assert len((await deadletters.groups(state="open")).rows) == 2


async def test_the_group_with_the_newest_letter_comes_first(pool: Pool, deadletters: DeadLetters) -> None:
    await recorded(pool, [letter(0)])
    await recorded(pool, [letter(1, issues=(TOO_LONG,))])
    await recorded(pool, [letter(2)])
    assert (await deadletters.groups()).rows[0].fingerprint == KIND


async def test_reading_on_misses_no_group_and_repeats_none(pool: Pool, deadletters: DeadLetters) -> None:
    await recorded(pool, [letter(number, stage=f"stage_{chr(97 + number)}") for number in range(7)])
    seen, after = [], None
    while True:
        page = await deadletters.groups(after=after, limit=3)
        seen += [group.stage for group in page.rows]
        if (after := page.next) is None:
            break
    assert sorted(seen) == [f"stage_{chr(97 + number)}" for number in range(7)]


async def test_reading_on_shifts_nothing_while_letters_arrive(pool: Pool, deadletters: DeadLetters) -> None:
    """Letters of one chunk carry one time: the id decides among them."""
    known = set(await recorded(pool, [letter(number) for number in range(25)]))
    seen: list[UUID] = []
    after = None
    for feed_no in range(100):
        page = await deadletters.list(after=after, limit=10)
        seen += [one.id for one in page.rows]
        await recorded(pool, [letter(0, feed_no=1000 + feed_no)])
        if (after := page.next) is None:
            break
    assert len(seen) == len(set(seen)) == 25
    assert set(seen) == known


@pytest.mark.parametrize(
    "matching",
    [
        Filter(supplier="bolt"),
        Filter(fingerprint=letter(stage="guard").kind.fingerprint),
        Filter(stage="guard"),
        Filter(code=TOO_LONG.code),
        Filter(facet="stock"),
        Filter(sku="A-9"),
        Filter(feed_no=99),
        Filter(state="discarded"),
    ],
)
async def test_letters_are_found_by(pool: Pool, deadletters: DeadLetters, matching: Filter) -> None:
    """Each filter finds the one letter that differs in that from the rest."""
    odd = {
        "supplier": letter(1, supplier="bolt"),
        "fingerprint": letter(2, stage="guard"),
        "stage": letter(2, stage="guard"),
        "code": letter(3, issues=(TOO_LONG,)),
        "facet": letter(4, facet="stock"),
        "sku": letter(9),
        "feed_no": letter(5, feed_no=99),
        "state": letter(6),
    }
    await recorded(pool, [letter(0), *odd.values()])
    await deadletters.discard(Selection(ids=(odd["state"].id,)), actor="ann", reason="a test")
    (name,) = [name for name in odd if getattr(matching, name) is not None]
    assert await listed(deadletters, matching) == {odd[name].id}


async def test_nothing_is_known_of_what_never_failed(deadletters: DeadLetters) -> None:
    with pytest.raises(UnknownLetterError):
        await deadletters.show(uuid4())
    with pytest.raises(UnknownLetterError):
        await deadletters.group("fp1:none")
    with pytest.raises(UnknownLetterError):
        await deadletters.resolve("fp1:none", actor="ann", reason="mended")


async def test_decisions_about_a_group_are_audited(pool: Pool, deadletters: DeadLetters) -> None:
    await recorded(pool, [letter()])
    await deadletters.acknowledge(KIND, actor="ann", reason="asked the vendor")
    await deadletters.resolve(KIND, actor="bob", reason=" mended ")
    assert [(row["actor"], row["action"], row["object"], row["reason"]) for row in await audited(pool)] == [
        ("ann", "group.acknowledged", KIND, "asked the vendor"),
        ("bob", "group.resolved", KIND, "mended"),
    ]


async def test_no_decision_without_a_reason(pool: Pool, deadletters: DeadLetters, replays: Replays) -> None:
    (one,) = await recorded(pool, [letter()])
    for refused in (
        deadletters.acknowledge(KIND, actor="ann", reason=" "),
        deadletters.discard(Selection(ids=(one,)), actor="ann", reason=""),
        replays.replay(one, actor="ann", reason=""),
        replays.plan(Selection(ids=(one,)), actor="ann", reason="\t"),
    ):
        with pytest.raises(ReasonRequiredError):
            await refused
    assert (await deadletters.show(one)).state == "open"


async def test_a_discard_is_audited_and_keeps_the_bytes(pool: Pool, deadletters: DeadLetters) -> None:
    ids = await recorded(pool, [letter(0), letter(1), letter(2, issues=(TOO_LONG,))])
    chosen = Selection(matching=Filter(fingerprint=KIND))
    assert await deadletters.discard(chosen, actor="ann", reason="a test of the vendor") == 2
    found = await deadletters.show(ids[0])
    assert (found.state, found.reason, found.original) == ("discarded", "a test of the vendor", letter(0).original)
    (row,) = await audited(pool)
    assert (row["actor"], row["action"], row["reason"]) == ("ann", "deadletter.discard", "a test of the vendor")
    assert row["detail"] == {"selection": {"fingerprint": KIND}, "letters": 2}


async def test_a_group_without_open_letters_is_resolved(pool: Pool, deadletters: DeadLetters) -> None:
    await recorded(pool, [letter(0), letter(1)])
    await deadletters.discard(Selection(matching=Filter(fingerprint=KIND), limit=1), actor="ann", reason="a test")
    assert (await deadletters.group(KIND)).state == "open"
    await deadletters.discard(Selection(matching=Filter(fingerprint=KIND)), actor="ann", reason="a test")
    assert (await deadletters.group(KIND)).state == "resolved"


async def test_a_limited_discard_takes_the_oldest(pool: Pool, deadletters: DeadLetters) -> None:
    (old,) = await recorded(pool, [letter(0)])
    (new,) = await recorded(pool, [letter(1)])
    await deadletters.discard(Selection(matching=Filter(supplier="acme"), limit=1), actor="ann", reason="a test")
    assert (await deadletters.show(old)).state == "discarded"
    assert (await deadletters.show(new)).state == "open"


async def test_one_suppliers_selection_never_touches_another(pool: Pool, deadletters: DeadLetters) -> None:
    mine, other = await recorded(pool, [letter(0), letter(1, supplier="bolt")])
    chosen = Selection(ids=(mine, other), matching=Filter(supplier="acme"))
    assert await deadletters.discard(chosen, actor="ann", reason="a test") == 1
    assert (await deadletters.show(other)).state == "open"


async def test_what_was_discarded_is_never_selected_again(
    pool: Pool, deadletters: DeadLetters, replays: Replays
) -> None:
    await recorded(pool, [letter(0)])
    chosen = Selection(matching=Filter(supplier="acme", stage=STAGE))
    await deadletters.discard(chosen, actor="ann", reason="a test")
    assert await deadletters.discard(chosen, actor="ann", reason="a test") == 0
    with pytest.raises(NothingSelectedError):
        await replays.plan(chosen, actor="ann", reason="mended")
    assert (await replays.jobs()).rows == ()
