"""Recording: in the transaction that decides, once, with every byte, and never in each other's way."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway.deadletters import DeadLetter, DeadLetters, Selection, record
from gateway.deadletters.record import join_groups
from gateway.sdk.errors import Issue
from gateway.store import Pool, Row, transaction
from tests.eventually import eventually
from tests.integration.deadletters.stage import TOO_LONG, WRONG, letter, recorded

AT = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)


async def exports(pool: Pool) -> list[Row]:
    async with transaction(pool) as connection:
        return await connection.fetch("SELECT topic, key, value, headers FROM outbox ORDER BY id")


async def waits_for_a_lock(pool: Pool) -> bool:
    async with transaction(pool) as connection:
        return bool(await connection.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"))


async def state_of(deadletters: DeadLetters, fingerprint: str) -> str:
    return (await deadletters.group(fingerprint)).state


async def test_a_letter_comes_back_as_it_was_recorded(pool: Pool, deadletters: DeadLetters) -> None:
    poison = letter(
        stage="feeds.read",
        original=b"\x00\xff\xfe raw",
        revision=3,
        received_at=AT,
        topic="gateway.feeds.bulk.v1",
        partition=2,
        offset=2**40,
        key=b"\x00key",
        headers=(("ce_type", b"\xff\x00"), ("ce_type", b"twice")),
        issues=(WRONG, TOO_LONG),
    )
    await recorded(pool, [poison])
    found = await deadletters.show(poison.id)
    for name in ("stage", "issues", "original", "supplier", "facet", "sku", "feed_no", "record_index", "line"):
        assert getattr(found, name) == getattr(poison, name)
    for name in ("revision", "received_at", "topic", "partition", "offset", "key", "headers", "code"):
        assert getattr(found, name) == getattr(poison, name)
    assert (found.state, found.replays, found.outcome, found.patched) == ("open", 0, None, None)


async def test_a_new_kind_opens_a_group(pool: Pool, deadletters: DeadLetters) -> None:
    await recorded(pool, [letter(0), letter(1), letter(2, issues=(TOO_LONG,))])
    groups = (await deadletters.groups()).rows
    assert {(group.code, group.path, group.state, group.open) for group in groups} == {
        ("invalid_decimal", "/items/*/price", "open", 2),
        ("number_out_of_range", "/price", "open", 1),
    }


async def test_a_letter_recorded_again_stays_given_up(pool: Pool, deadletters: DeadLetters) -> None:
    (known,) = await recorded(pool, [letter()])
    await deadletters.discard(Selection(ids=(known,)), actor="ann", reason="a test of the vendor")
    await recorded(pool, [letter()])
    assert (await deadletters.show(known)).state == "discarded"


async def test_a_chunk_judged_again_exports_nothing_twice(pool: Pool) -> None:
    async with transaction(pool) as connection:
        assert await record(connection, [letter(0), letter(0)]) == 1
    async with transaction(pool) as connection:
        assert await record(connection, [letter(0), letter(1)]) == 1
    assert len(await exports(pool)) == 2


async def test_no_letters_are_no_work(pool: Pool) -> None:
    async with transaction(pool) as connection:
        assert await record(connection, []) == 0


async def test_a_decision_that_is_rolled_back_leaves_nothing(pool: Pool, deadletters: DeadLetters) -> None:
    async def undone() -> None:
        async with transaction(pool) as connection:
            await record(connection, [letter()])
            await connection.execute("SELECT 1 / 0")

    with pytest.raises(Exception, match="division by zero"):
        await undone()
    assert (await deadletters.list()).rows == ()
    assert (await deadletters.groups()).rows == ()
    assert await exports(pool) == []


async def test_the_export_is_the_original_under_its_key(pool: Pool) -> None:
    one = letter(original=b"\x00raw", key=b"acme:A-0")
    await recorded(pool, [one])
    (export,) = await exports(pool)
    assert (export["topic"], export["key"], export["value"]) == ("gateway.deadletters.v1", b"acme:A-0", b"\x00raw")
    assert export["headers"]["gw-dlq-id"] == str(one.id)


async def test_what_no_column_can_hold_stops_no_chunk(pool: Pool, deadletters: DeadLetters) -> None:
    nasty = Issue("invalid_text", "/na\0me", actual="a\0\ud800", expected="no \0")
    one = letter(issues=(nasty,), sku="A\0", supplier="ac\0me", message="\0 \udfff")
    await recorded(pool, [one])
    found = await deadletters.show(one.id)
    assert (found.sku, found.issues[0].actual) == ("A\ufffd", "a\ufffd\ufffd")


async def test_the_next_of_its_kind_opens_a_resolved_group(pool: Pool, deadletters: DeadLetters) -> None:
    kind = letter().kind.fingerprint
    await recorded(pool, [letter(0)])
    await deadletters.resolve(kind, actor="ann", reason="mended")
    await recorded(pool, [letter(1, issues=(TOO_LONG,))])
    assert await state_of(deadletters, kind) == "resolved"
    await recorded(pool, [letter(1, feed_no=8)])
    assert await state_of(deadletters, kind) == "open"


async def test_an_acknowledged_group_stays_so(pool: Pool, deadletters: DeadLetters) -> None:
    kind = letter().kind.fingerprint
    await recorded(pool, [letter(0)])
    await deadletters.acknowledge(kind, actor="ann", reason="asked the vendor")
    await recorded(pool, [letter(1)])
    assert await state_of(deadletters, kind) == "acknowledged"


async def test_chunks_of_one_fault_do_not_wait_for_each_other(pool: Pool, deadletters: DeadLetters) -> None:
    await recorded(pool, [letter(0)])
    async with transaction(pool) as slow:
        await record(slow, [letter(1)])
        await recorded(pool, [letter(2)])  # would end in a lock timeout
        assert len((await deadletters.list()).rows) == 2
    assert len((await deadletters.list()).rows) == 3


async def test_chunks_that_meet_new_faults_in_any_order_all_get_through(pool: Pool, deadletters: DeadLetters) -> None:
    def chunk(feed_no: int) -> list[DeadLetter]:
        return [letter(number, feed_no=feed_no, issues=(Issue(f"code_{chr(97 + number)}"),)) for number in range(20)]

    chunks = [chunk(feed_no) for feed_no in range(1, 7)]
    await asyncio.gather(*(recorded(pool, one[:: (-1) ** number]) for number, one in enumerate(chunks)))
    groups = (await deadletters.groups()).rows
    assert {group.open for group in groups} == {6}
    assert len(groups) == 20


async def test_a_group_is_not_resolved_over_a_letter_on_its_way_in(pool: Pool, deadletters: DeadLetters) -> None:
    kind = letter().kind.fingerprint
    await recorded(pool, [letter(0)])
    async with transaction(pool) as slow:
        await record(slow, [letter(1)])
        resolving = asyncio.create_task(deadletters.resolve(kind, actor="ann", reason="mended"))
        await eventually(lambda: waits_for_a_lock(pool))
    await resolving
    # The operator's word came after the letter, and holds until the next one.
    assert await state_of(deadletters, kind) == "resolved"
    await recorded(pool, [letter(2)])
    assert await state_of(deadletters, kind) == "open"


async def test_once_joined_a_group_is_not_resolved(pool: Pool, deadletters: DeadLetters) -> None:
    """Else a letter could come to lie, unseen, in a group that was resolved between its two statements."""
    await recorded(pool, [letter(0)])
    async with transaction(pool) as slow:
        await join_groups(slow, [letter().kind])
        resolving = asyncio.create_task(deadletters.resolve(letter().kind.fingerprint, actor="ann", reason="mended"))
        await eventually(lambda: waits_for_a_lock(pool))
    await resolving


async def test_a_large_original_keeps_every_byte(pool: Pool, deadletters: DeadLetters) -> None:
    one = replace(letter(), original=bytes(range(256)) * 12_288)  # 3 MiB, the largest that a chunk carries
    await recorded(pool, [one])
    assert (await deadletters.show(one.id)).original == one.original
