"""Dead letters of orders that an operator replays: done once more where it is safe, else refused in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

import orjson
import pytest

from gateway.deadletters import (
    DeadLetters,
    LetterClosedError,
    NotReplayableError,
    Patch,
    PatchNotTakenError,
    ReplayResult,
    Replays,
)
from gateway.deadletters import record as record_letters
from gateway.kafka import Record
from gateway.relay.ends import undecided_letter
from gateway.relay.inbox import Inbox
from gateway.relay.orders import News
from gateway.relay.replays import OrderReplays
from gateway.relay.states import State
from gateway.relay.store import lanes, move
from gateway.sdk.orders import OrderTree, Progress
from gateway.store import Pool, acquired, transaction
from schemas.orders import Operation, OrderFact
from schemas.orders.examples import COMMAND_EXAMPLES, command_headers
from tests.integration.relay.test_inbox import (
    BOX,
    HEADERS,
    PARTITION,
    SUBMIT,
    identity,
    inbox,
    kept,
    offered,
    record,
    rows,
    told,
)
from tests.integration.relay.test_rereads import Ground, ground
from tests.unit.relay.readings import order

__all__ = ["ground", "inbox"]

CANCEL = COMMAND_EXAMPLES[Operation.CANCEL]
RECEIVER = orjson.loads(SUBMIT.model_dump_json())["payload"]["receiver"]["name"]


@pytest.fixture
def replays(inbox: Inbox, pool: Pool) -> Replays:
    async def reads(supplier: str) -> bool:
        return supplier == "jd"

    handlers = OrderReplays(inbox, BOX, offered, reads, reads).handlers()
    return Replays(pool, handlers, handlers, owner="tests")


async def open_letters(pool: Pool) -> list[UUID]:
    found = await rows(pool, "SELECT id FROM dead_letters WHERE state = 'open' ORDER BY created_at")
    return [row["id"] for row in found]


async def replay(replays: Replays, letter: UUID, patch: bytes | None = None) -> ReplayResult:
    given = None if patch is None else Patch(patch)
    return await replays.replay(letter, actor="ann", reason="mended", patch=given)


def document(number: int = 1, **changes: Any) -> bytes:
    return record(0, command_id=identity(number), **changes).value or b""


def cancelling(offset: int, number: int, **changes: Any) -> Record:
    said = {**orjson.loads(CANCEL.model_dump_json()), "supplier": SUBMIT.supplier, "order_no": SUBMIT.order_no}
    return record(offset, headers=command_headers(CANCEL), **{**said, "command_id": identity(number), **changes})


@pytest.fixture
async def poison(inbox: Inbox, pool: Pool) -> UUID:
    """The letter of a submit without an id, at offset 0."""
    await inbox.take(PARTITION, [record(0, command_id=None)], stands=0)
    [letter] = await open_letters(pool)
    return letter


async def test_a_poisonous_command_that_is_mended_is_taken_once_under_its_place_and_nothing_personal_is_kept(
    poison: UUID, replays: Replays, pool: Pool
) -> None:
    assert await replays.predict(poison, Patch(document())) == await replay(replays, poison, document())
    assert await kept(pool) == [(identity(1), "waiting", "")]
    [row] = await rows(pool, 'SELECT topic, partition, "offset", order_no FROM commands')
    assert tuple(row) == (*PARTITION, 0, SUBMIT.order_no)
    with pytest.raises(LetterClosedError):
        await replay(replays, poison, document())
    found = await DeadLetters(pool).show(poison)
    assert (found.state, found.outcome) == ("replayed", "requeued")
    audited = str([row["detail"] for row in await rows(pool, "SELECT detail FROM audit")])
    assert identity(1) in audited
    for text in ((found.patched or b"").decode(), audited):
        assert RECEIVER not in text
    assert (await told(pool), await open_letters(pool)) == ([], [])


async def test_a_command_that_the_mall_wrote_again_itself_is_not_taken_twice(
    poison: UUID, replays: Replays, inbox: Inbox, pool: Pool
) -> None:
    await inbox.take(PARTITION, [record(1, command_id=identity(1))], stands=1)
    assert (await replay(replays, poison, document())).outcome == "unchanged"
    assert await kept(pool) == [(identity(1), "waiting", "")]


async def test_what_the_mall_asked_for_since_is_not_overtaken_from_behind(
    poison: UUID, replays: Replays, inbox: Inbox, pool: Pool
) -> None:
    await inbox.take(PARTITION, [cancelling(1, 2)], stands=1)
    with pytest.raises(NotReplayableError, match=rf"orders show {SUBMIT.order_no}: .*command {identity(2)}"):
        await replay(replays, poison, document())
    assert await kept(pool) == [(identity(2), "waiting", "")]
    assert await open_letters(pool) == [poison]


async def test_what_came_before_and_other_orders_do_not_stand_in_the_way(
    replays: Replays, inbox: Inbox, pool: Pool
) -> None:
    mended = cancelling(1, 2, command_id=None)
    await inbox.take(PARTITION, [record(0, command_id=identity(1)), mended, record(2, order_no="OTHER-1")], stands=0)
    [letter] = await open_letters(pool)
    assert (await replay(replays, letter, cancelling(1, 2).value)).outcome == "requeued"
    async with acquired(pool) as connection:
        [lane] = (await lanes(connection, SUBMIT.supplier, [SUBMIT.order_no])).found
    assert [each.command_id for each in lane.commands] == [identity(1), identity(2)]


async def test_what_is_masked_is_no_command_again(poison: UUID, replays: Replays, pool: Pool) -> None:
    with pytest.raises(NotReplayableError, match="have the mall write it again"):
        await replay(replays, poison)
    masked = {**orjson.loads((await DeadLetters(pool).show(poison)).original), "command_id": identity(1)}
    result = await replay(replays, poison, orjson.dumps(masked))
    assert (result.outcome, [issue.actual for issue in result.issues]) == ("rejected", ["***"])
    assert (await kept(pool), await open_letters(pool)) == ([], [poison])


BAD_PATCHES: dict[str, Callable[[], bytes]] = {
    "another order": lambda: document(order_no="ELSEWHERE-1"),
    "unknown supplier": lambda: document(supplier="unknown"),
    "unknown operation": lambda: document(operation="order.polish"),
    "no json": lambda: b"{",
    "no order": lambda: b"[]",
    "wrong sum": lambda: document(payload={**orjson.loads(document())["payload"], "totals": {"gross": "0.01"}}),
}


@pytest.mark.parametrize("kind", BAD_PATCHES)
async def test_a_patch_that_is_no_command_of_the_record_s_order_is_rejected_and_nobody_is_told(
    poison: UUID, replays: Replays, pool: Pool, kind: str
) -> None:
    result = await replay(replays, poison, BAD_PATCHES[kind]())
    assert result.outcome == "rejected"
    assert result.issues
    assert (await kept(pool), await told(pool), await open_letters(pool)) == ([], [], [poison])


async def test_an_id_that_was_another_command_s_stays_that_command_s(
    inbox: Inbox, replays: Replays, pool: Pool
) -> None:
    await inbox.take(PARTITION, [record(0, command_id=identity(1)), cancelling(1, 1)], stands=0)
    [letter] = await open_letters(pool)
    again = await replay(replays, letter, cancelling(1, 1).value)
    assert (again.outcome, [issue.code for issue in again.issues]) == ("rejected", ["command_conflict"])
    assert (await replay(replays, letter, cancelling(1, 2).value)).outcome == "requeued"
    assert [command for command, *_ in await kept(pool)] == [identity(1), identity(2)]


async def test_a_record_without_a_key_is_taken_under_that_of_the_patch(
    inbox: Inbox, replays: Replays, pool: Pool
) -> None:
    keyless = Record(*PARTITION, 0, 0, None, b'{"order_no": 7}', HEADERS)
    await inbox.take(PARTITION, [keyless], stands=0)
    [letter] = await open_letters(pool)
    assert (await replay(replays, letter)).outcome == "rejected"
    assert (await replay(replays, letter, document())).outcome == "requeued"
    assert await kept(pool) == [(identity(1), "waiting", "")]


async def test_an_order_that_was_nobody_s_is_read_again_and_told_as_it_would_have_been(
    ground: Ground, replays: Replays
) -> None:
    ground.supplier.trees["100"] = OrderTree(order(progress=Progress.DELIVERED))
    await ground.ask("100", "5", "m7")
    await ground.settled()
    [letter] = await open_letters(ground.pool)
    await replay(replays, letter)
    await ground.settled()
    [again] = await open_letters(ground.pool)  # it is still nobody's: that is told once more, not swallowed
    await ground.place()
    assert (await replay(replays, again)).outcome == "requeued"
    await ground.settled()
    assert "shipment.delivered" in await ground.kinds()
    assert {event["cause"]["message"]["id"] for event in await ground.told()} == {"m7"}
    assert await open_letters(ground.pool) == []
    with pytest.raises(LetterClosedError):
        await replay(replays, again)


async def test_what_cannot_be_read_is_refused_and_no_patch_changes_what_is_read(
    ground: Ground, replays: Replays
) -> None:
    await ground.ask("900")
    await ground.settled()
    [letter] = await open_letters(ground.pool)
    with pytest.raises(PatchNotTakenError):
        await replay(replays, letter, b"{}")
    await ground.rows("UPDATE dead_letters SET supplier = 'native'")
    with pytest.raises(NotReplayableError, match="reads orders of native"):
        await replay(replays, letter)
    assert await ground.rows("SELECT 1 FROM order_rereads") == []


async def test_news_of_an_order_that_is_over_never_reopens_it(ground: Ground, replays: Replays) -> None:
    await ground.place()
    await ground.tell(News("jd", "A", OrderFact.CANCELLED))
    ground.supplier.trees["100"] = OrderTree(order(progress=Progress.DELIVERED))
    await ground.ask("100")
    await ground.settled()
    for letter in await open_letters(ground.pool):
        with pytest.raises(NotReplayableError, match="mallgate orders show A"):
            await replay(replays, letter)
    assert (await ground.states())["A"] == "cancelled"
    assert await ground.rows("SELECT 1 FROM order_rereads") == []


async def test_a_command_that_nobody_can_decide_is_never_sent_by_a_replay(
    inbox: Inbox, replays: Replays, pool: Pool
) -> None:
    await inbox.take(PARTITION, [record(0, command_id=identity(1))], stands=0)
    async with transaction(pool) as connection:
        [lane] = (await lanes(connection, SUBMIT.supplier, [SUBMIT.order_no])).found
        sent = lane.commands[0]
        dead = replace(sent, state=State.DEAD, attempt=1, epoch=1)
        await move(connection, [(sent, dead)])
        await record_letters(connection, [undecided_letter(dead)])
    [letter] = await open_letters(pool)
    with pytest.raises(NotReplayableError, match=f"mallgate orders resolve {identity(1)} done"):
        await replay(replays, letter)
    assert (await replays.predict(letter)).outcome == "failed"
    assert await kept(pool) == [(identity(1), "dead", "")]
    await rows(pool, "UPDATE commands SET state = 'confirmed', ended_at = now()")
    with pytest.raises(NotReplayableError, match=r"it is done.*discard this letter"):
        await replay(replays, letter)
