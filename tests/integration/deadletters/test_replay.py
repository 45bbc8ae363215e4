"""Replaying one letter: effect and state together, or neither; and never a false success."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from gateway.deadletters import (
    DeadLetters,
    LetterClosedError,
    NoHandlerError,
    Patch,
    ReplayResult,
    Replays,
    Selection,
    UnknownLetterError,
)
from gateway.sdk.errors import ServiceUnavailableError
from gateway.store import Pool, transaction
from gateway.telemetry.metrics import REGISTRY
from tests.integration.deadletters.stage import TOO_LONG, Stage, letter, recorded

KIND = letter().kind.fingerprint


async def audit_details(pool: Pool) -> list[dict[str, object]]:
    async with transaction(pool) as connection:
        return [row["detail"] for row in await connection.fetch("SELECT detail FROM audit ORDER BY id")]


async def test_a_mended_letter_takes_effect_and_is_closed(
    pool: Pool, stage: Stage, replays: Replays, deadletters: DeadLetters
) -> None:
    (one,) = await recorded(pool, [letter()])
    assert await replays.replay(one, actor="ann", reason="adapter 1.1") == ReplayResult("normalized")
    found = await deadletters.show(one)
    assert (found.state, found.outcome, found.replays) == ("replayed", "normalized", 1)
    assert await stage.ledger() == [one]
    assert (await deadletters.group(KIND)).state == "resolved"
    assert await audit_details(pool) == [{"outcome": "normalized"}]


@pytest.mark.parametrize("outcome", ["unchanged", "stale", "cancelled"])
async def test_what_was_overtaken_meanwhile_is_closed_too(
    pool: Pool, stage: Stage, replays: Replays, deadletters: DeadLetters, outcome: str
) -> None:
    (one,) = await recorded(pool, [letter()])
    stage.outcomes["A-0"] = ReplayResult(outcome)
    await replays.replay(one, actor="ann", reason="adapter 1.1")
    found = await deadletters.show(one)
    assert (found.state, found.outcome) == ("replayed", outcome)


async def test_a_letter_rejected_again_stays_open_and_shows_the_latest_reasons(
    pool: Pool, stage: Stage, replays: Replays, deadletters: DeadLetters
) -> None:
    (one,) = await recorded(pool, [letter()])
    stage.outcomes["A-0"] = ReplayResult("rejected", (TOO_LONG,))
    await replays.replay(one, actor="ann", reason="adapter 1.1")
    found = await deadletters.show(one)
    assert (found.state, found.outcome, found.replays) == ("open", "rejected", 1)
    assert (found.code, found.issues) == (TOO_LONG.code, (TOO_LONG,))
    assert (await deadletters.group(found.fingerprint)).failed_again == 1
    assert [group.fingerprint for group in (await deadletters.groups()).rows] == [found.fingerprint]


async def test_rejected_for_the_same_reason_it_stays_in_its_group(
    pool: Pool, stage: Stage, replays: Replays, deadletters: DeadLetters
) -> None:
    (one,) = await recorded(pool, [letter()])
    stage.outcomes["A-0"] = ReplayResult("rejected")
    await replays.replay(one, actor="ann", reason="a try")
    await replays.replay(one, actor="ann", reason="another try")
    group = await deadletters.group(KIND)
    assert (group.state, group.open, group.failed_again) == ("open", 1, 1)
    assert (await deadletters.show(one)).replays == 2


async def test_a_handlers_fault_undoes_its_effect_and_is_no_success(
    pool: Pool, stage: Stage, replays: Replays, deadletters: DeadLetters
) -> None:
    (one,) = await recorded(pool, [letter()])
    stage.failing["A-0"] = KeyError("price")
    result = await replays.replay(one, actor="ann", reason="adapter 1.1")
    assert (result.outcome, result.detail) == ("failed", "KeyError: 'price'")
    found = await deadletters.show(one)
    assert (found.state, found.outcome, found.replays) == ("open", "failed", 1)
    assert await stage.ledger() == []
    assert await audit_details(pool) == [{"outcome": "failed", "detail": "KeyError: 'price'"}]


async def test_an_outage_is_no_outcome(pool: Pool, stage: Stage, replays: Replays, deadletters: DeadLetters) -> None:
    (one,) = await recorded(pool, [letter()])
    stage.failing["A-0"] = ServiceUnavailableError("Kafka is away")
    with pytest.raises(ServiceUnavailableError):
        await replays.replay(one, actor="ann", reason="adapter 1.1")
    found = await deadletters.show(one)
    assert (found.state, found.outcome, found.replays) == ("open", None, 0)
    assert await stage.ledger() == []


async def test_two_operators_at_once_make_one_effect(pool: Pool, stage: Stage, replays: Replays) -> None:
    (one,) = await recorded(pool, [letter()])
    results = await asyncio.gather(
        *(replays.replay(one, actor=actor, reason="mended") for actor in ("ann", "bob")), return_exceptions=True
    )
    assert {type(result) for result in results} == {ReplayResult, LetterClosedError}
    assert await stage.ledger() == [one]


async def test_closed_unknown_and_foreign_letters_are_refused(
    pool: Pool, stage: Stage, replays: Replays, deadletters: DeadLetters
) -> None:
    discarded, foreign = await recorded(pool, [letter(0), letter(1, stage="elsewhere")])
    await deadletters.discard(Selection(ids=(discarded,)), actor="ann", reason="a test")
    with pytest.raises(LetterClosedError):
        await replays.replay(discarded, actor="ann", reason="mended")
    with pytest.raises(NoHandlerError):
        await replays.replay(foreign, actor="ann", reason="mended")
    with pytest.raises(UnknownLetterError):
        await replays.replay(uuid4(), actor="ann", reason="mended")
    assert await stage.ledger() == []
    assert (await deadletters.show(foreign)).replays == 0


async def test_a_patch_is_judged_instead_and_kept_and_audited(
    pool: Pool, stage: Stage, replays: Replays, deadletters: DeadLetters
) -> None:
    (one,) = await recorded(pool, [letter(original=b'{"sku":"A-0","price":"1,5"}')])
    patch = Patch(b'{"sku":"A-0","price":"1.5"}')
    await replays.replay(one, actor="ann", reason="vendor confirmed", patch=patch)
    async with transaction(pool) as connection:
        assert await connection.fetchval("SELECT content FROM ledger") == patch.content
    found = await deadletters.show(one)
    assert (found.original, found.patched) == (b'{"sku":"A-0","price":"1,5"}', patch.content)
    (detail,) = await audit_details(pool)
    assert '+"price":"1.5"}' in str(detail["diff"])


async def test_a_patch_that_was_rejected_is_not_kept(
    pool: Pool, stage: Stage, replays: Replays, deadletters: DeadLetters
) -> None:
    (one,) = await recorded(pool, [letter()])
    stage.outcomes["A-0"] = ReplayResult("rejected", (TOO_LONG,))
    await replays.replay(one, actor="ann", reason="a try", patch=Patch(b"{}"))
    found = await deadletters.show(one)
    assert (found.patched, found.content) == (None, letter().original)


async def test_a_rejected_patch_says_nothing_new_of_what_the_supplier_sent(
    pool: Pool, stage: Stage, replays: Replays, deadletters: DeadLetters
) -> None:
    (one,) = await recorded(pool, [letter()])
    stage.outcomes["A-0"] = ReplayResult("rejected", (TOO_LONG,))
    await replays.replay(one, actor="ann", reason="a try", patch=Patch(b"{}"))
    found = await deadletters.show(one)
    assert (found.code, found.fingerprint, found.issues) == (letter().code, KIND, letter().issues)
    assert (found.outcome, found.replay_issues) == ("rejected", (TOO_LONG,))
    stage.outcomes.clear()
    await replays.replay(one, actor="ann", reason="mended")
    assert (await deadletters.show(one)).replay_issues == ()


async def test_replays_one_by_one_are_counted_too(pool: Pool, stage: Stage, replays: Replays) -> None:
    def counted(outcome: str) -> float:
        return REGISTRY.get_sample_value("mallgate_replays_total", {"outcome": outcome}) or 0.0

    before = {outcome: counted(outcome) for outcome in ("normalized", "failed")}
    mended, faulty = await recorded(pool, [letter(0), letter(1)])
    stage.failing["A-1"] = KeyError("price")
    for one in (mended, faulty):
        await replays.replay(one, actor="ann", reason="mended")
    assert {outcome: counted(outcome) - count for outcome, count in before.items()} == {"normalized": 1, "failed": 1}


async def test_a_prediction_has_no_effect(pool: Pool, stage: Stage, replays: Replays, deadletters: DeadLetters) -> None:
    (one,) = await recorded(pool, [letter()])
    stage.outcomes["A-0"] = ReplayResult("stale")
    assert (await replays.predict(one)).outcome == "stale"
    assert (await replays.predict(one, Patch(b"{}"))).outcome == "stale"
    assert await stage.ledger() == []
    assert (await deadletters.show(one)).replays == 0


async def test_a_prediction_tells_what_a_replay_would_refuse(pool: Pool, stage: Stage, replays: Replays) -> None:
    closed, foreign, faulty = await recorded(pool, [letter(0), letter(1, stage="elsewhere"), letter(2)])
    await replays.replay(closed, actor="ann", reason="mended")
    stage.failing["A-2"] = KeyError("price")
    predicted = [await replays.predict(one) for one in (closed, foreign, faulty)]
    assert [one.outcome for one in predicted] == ["skipped", "failed", "failed"]
    assert "elsewhere" in predicted[1].detail
