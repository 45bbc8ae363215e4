"""The inbox on PostgreSQL: each command once, in its order's order, whatever is read again, lost or made up."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections.abc import Collection, Sequence
from typing import Any

import orjson
import pytest
from structlog.testing import capture_logs

from gateway.feeds.source_offsets import ENSURE_OFFSETS
from gateway.kafka import ORDER_COMMANDS, ORDER_EVENTS, Partition, Record
from gateway.relay.inbox import LARGE, Inbox
from gateway.store import Pool, Row, acquired
from gateway.suppliers import SecretBox
from schemas.envelope import CE_TYPE, TRACEPARENT, Headers
from schemas.orders import Operation
from schemas.orders.examples import COMMAND_EXAMPLES, command_headers

SUBMIT = COMMAND_EXAMPLES[Operation.SUBMIT]
HEADERS = command_headers(SUBMIT)
PARTITION = Partition(ORDER_COMMANDS, 3)
BOX = SecretBox(bytes(32))
TRACE = "00-" + "a" * 32 + "-" + "b" * 16 + "-01"


async def offered(supplier: str) -> Collection[str] | None:
    return {"unknown": None, "silent": ()}.get(supplier, tuple(Operation))


def identity(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def record(offset: int, *, headers: Headers = HEADERS, partition: Partition = PARTITION, **changes: Any) -> Record:
    """A submit that differs from the example in some members."""
    document = {**orjson.loads(SUBMIT.model_dump_json()), **changes}
    key = str(document["order_no"]).encode()
    return Record(*partition, offset, 1_780_000_000_000 + offset, key, orjson.dumps(document), headers)


@pytest.fixture
async def inbox(pool: Pool) -> Inbox:
    async with acquired(pool) as connection:
        await connection.execute(ENSURE_OFFSETS, [ORDER_COMMANDS] * 12, list(range(12)), [0] * 12)
    return Inbox(pool, BOX, offered)


async def rows(pool: Pool, query: str, *arguments: object) -> list[Row]:
    async with acquired(pool) as connection:
        return list(await connection.fetch(query, *arguments))


async def kept(pool: Pool) -> list[tuple[str, str, str]]:
    found = await rows(pool, "SELECT command_id, state, reason FROM commands ORDER BY place")
    return [(row["command_id"], row["state"], row["reason"]) for row in found]


async def told(pool: Pool) -> list[dict[str, Any]]:
    found = await rows(pool, "SELECT value FROM outbox WHERE topic = $1 ORDER BY id", ORDER_EVENTS)
    return [orjson.loads(row["value"]) for row in found]


async def letters(pool: Pool) -> list[tuple[str, bytes]]:
    found = await rows(pool, 'SELECT code, original FROM dead_letters ORDER BY "offset"')
    return [(row["code"], row["original"]) for row in found]


async def test_a_command_is_kept_once_and_what_it_says_is_sealed(inbox: Inbox, pool: Pool) -> None:
    headers = (*HEADERS, (TRACEPARENT, TRACE.encode()))
    first = record(0, command_id=identity(1), headers=headers)
    assert await inbox.take(PARTITION, [first], stands=0) == 1
    assert await inbox.take(PARTITION, [first], stands=0) == 1
    again = [record(1, command_id=identity(1)), record(2, command_id=identity(2)), record(3, command_id=identity(2))]
    assert await inbox.take(PARTITION, again, stands=1) == 4
    assert await kept(pool) == [(identity(1), "waiting", ""), (identity(2), "waiting", "")]
    [row, _] = await rows(pool, "SELECT * FROM commands ORDER BY place")
    assert (row["traceparent"], row["order_no"], row["offset"]) == (TRACE, SUBMIT.order_no, 0)
    assert "王芳".encode() not in row["sealed"]
    said = orjson.loads(BOX.open(row["supplier"], f"command {identity(1)}", row["sealed"]))
    assert said == {**orjson.loads(SUBMIT.model_dump_json()), "command_id": identity(1)}
    assert (await told(pool), await letters(pool)) == ([], [])


async def test_an_id_that_was_another_command_is_a_dead_letter_and_changes_nothing(inbox: Inbox, pool: Pool) -> None:
    one, other = record(0, command_id=identity(1)), record(1, command_id=identity(1), revision=7)
    third = record(2, command_id=identity(1), order_no="ELSEWHERE-1")
    assert await inbox.take(PARTITION, [one, other], stands=0) == 2
    assert await inbox.take(PARTITION, [third], stands=2) == 3
    assert await kept(pool) == [(identity(1), "waiting", "")]
    assert [code for code, _ in await letters(pool)] == ["command_conflict"] * 2
    for (_, original), conflicting in zip(await letters(pool), (other, third), strict=True):
        kept_value, value = orjson.loads(original), orjson.loads(conflicting.value or b"")
        assert kept_value.pop("payload")["receiver"] == {**value["payload"]["receiver"], **NOBODY}
        assert kept_value == {name: each for name, each in value.items() if name != "payload"}
        assert RECEIVER["name"] not in original.decode()
    assert await told(pool) == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [({"supplier": "unknown"}, "unknown_supplier"), ({"supplier": "silent"}, "unknown_operation")],
)
async def test_a_command_that_nobody_can_act_on_ends_in_one_event(
    inbox: Inbox, pool: Pool, changes: dict[str, Any], reason: str
) -> None:
    for offset in range(3):
        read = [record(offset, command_id=identity(1), **changes)]
        assert await inbox.take(PARTITION, read, stands=offset) == offset + 1
    [event] = await told(pool)
    assert (event["event"], event["payload"]["reason"]) == ("order.unsupported", reason)
    assert event["cause"]["command_id"] == identity(1)
    [(_, state, _)] = await kept(pool)
    assert state == "unsupported"
    assert await rows(pool, "SELECT FROM commands WHERE ended_at IS NULL") == []


async def test_what_does_not_fit_ends_too_and_its_id_cannot_be_used_again(inbox: Inbox, pool: Pool) -> None:
    wrong = record(0, command_id=identity(1), tenant="\ud800".encode("utf-8", "surrogatepass").decode("latin1"))
    mended = record(1, command_id=identity(1))
    assert await inbox.take(PARTITION, [wrong, mended], stands=0) == 2
    [event] = await told(pool)
    assert event["payload"]["reason"] == "invalid"
    assert await kept(pool) == [(identity(1), "unsupported", "invalid")]
    [(code, original)] = await letters(pool)
    assert (code, orjson.loads(original)["command_id"]) == ("command_conflict", identity(1))
    assert (mended.value or b"") != original


RECEIVER = orjson.loads(SUBMIT.model_dump_json())["payload"]["receiver"]


def digest(value: bytes) -> bytes:
    """What is kept of a value in which nobody can look for what names people."""
    return orjson.dumps({"bytes": len(value), "sha256": hashlib.sha256(value).hexdigest()})


NOBODY = {name: "***" for name, each in RECEIVER.items() if each is not None}
"""The receiver of a command as a dead letter shows it."""


@pytest.mark.parametrize("name", ["command_id", None], ids=["nobody can be told", "told"])
async def test_a_wrong_address_is_in_no_log_no_event_and_no_dead_letter(
    inbox: Inbox, pool: Pool, name: str | None
) -> None:
    document = orjson.loads(SUBMIT.model_dump_json())
    document["payload"]["address"]["text"] = "花园路1号院" + "3" * 600
    document |= {} if name is None else {name: "no id"}
    wrong = Record(*PARTITION, 0, 1_780_000_000_000, SUBMIT.order_no.encode(), orjson.dumps(document), HEADERS)
    with capture_logs() as logs:
        assert await inbox.take(PARTITION, [wrong], stands=0) == 1
    async with acquired(pool) as connection:
        shown = await connection.fetch(
            "SELECT row_to_json(l)::text || convert_from(original, 'utf8') FROM dead_letters l"
        )
        groups = await connection.fetch("SELECT row_to_json(g)::text FROM dead_letter_groups g")
        messages = await connection.fetch("SELECT convert_from(value, 'utf8') FROM outbox")
    assert (len(shown), len(messages)) == ((0, 1) if name is None else (1, 1))
    assert "花园路" not in "".join([repr(logs), *(row[0] for row in (*shown, *groups, *messages))])


HOSTILE: Sequence[tuple[bytes | None, bytes | None, Headers]] = [
    (None, None, ()),
    (b"A-1", None, HEADERS),
    (b"A-1", b"", HEADERS),
    (b"A-1", b"not json", HEADERS),
    (b"A-1", b"[" * 5000, HEADERS),
    (b"\xff", b"{}", HEADERS),
    (b"A-1", b"{}", ((CE_TYPE, b"\xff"),)),
    (b"A-1", b'{"command_id": "\\u0000"}', HEADERS),
    (b"A-1", b'{"a": "' + b"x" * (LARGE + 1) + b'"}', HEADERS),
    (b"A-1", b"{}", (*HEADERS, (TRACEPARENT, b"\x00\xff"))),
]


@pytest.mark.parametrize("number", range(len(HOSTILE)))
async def test_whatever_lies_on_the_topic_its_partition_goes_on(inbox: Inbox, pool: Pool, number: int) -> None:
    key, value, headers = HOSTILE[number]
    poison = Record(*PARTITION, 0, 1_780_000_000_000, key, value, headers)
    assert await inbox.take(PARTITION, [poison, record(1, command_id=identity(1))], stands=0) == 2
    assert await kept(pool) == [(identity(1), "waiting", "")]
    [(_, original)] = await letters(pool)
    assert original in (value or b"", digest(value or b""), b'{"a":"***"}')


async def test_the_databases_place_counts(inbox: Inbox, pool: Pool) -> None:
    five = [record(offset, command_id=identity(offset)) for offset in range(5)]
    assert await inbox.take(PARTITION, five[:3], stands=0) == 3
    # A process that lost the partition and does not know it yet.
    assert await inbox.take(PARTITION, five[1:], stands=1) == 5
    assert [command_id for command_id, _, _ in await kept(pool)] == [identity(number) for number in range(5)]
    async with acquired(pool) as connection:
        await connection.execute("UPDATE source_offsets SET next = 2 WHERE topic = $1", ORDER_COMMANDS)
    assert await inbox.take(PARTITION, [record(5, command_id=identity(5))], stands=5) == 2
    assert len(await kept(pool)) == 5
    assert await inbox.take(Partition(ORDER_COMMANDS, 99), five, stands=0) == 0


async def test_offsets_that_the_log_skips_are_passed(inbox: Inbox, pool: Pool) -> None:
    read = [record(offset, command_id=identity(offset)) for offset in (4, 7, 11)]
    assert await inbox.take(PARTITION, read, stands=0) == 12
    assert len(await kept(pool)) == 3


async def test_processes_that_read_the_same_ids_in_any_order_never_lock_each_other_out(
    inbox: Inbox, pool: Pool
) -> None:
    dice = random.Random(11)
    numbers = list(range(40))

    async def read(partition: int) -> int:
        mixed = dice.sample(numbers, len(numbers))
        target = Partition(ORDER_COMMANDS, partition)
        found = [record(at, command_id=identity(number), partition=target) for at, number in enumerate(mixed)]
        return await inbox.take(target, found, stands=0)

    assert await asyncio.gather(*map(read, range(6))) == [40] * 6
    assert len(await kept(pool)) == 40
    assert await letters(pool) == []


async def test_random_reading_keeps_the_order_of_each_order(inbox: Inbox, pool: Pool) -> None:
    """Batches of any size, from any place up to the true one, against a list without repeats."""
    dice = random.Random(7)
    log = [
        record(offset, command_id=identity(dice.randrange(60)), order_no=f"ORDER-{dice.randrange(5)}", revision=1)
        for offset in range(120)
    ]
    stands = 0
    while stands < len(log):
        start = dice.randint(max(0, stands - 5), stands)
        stands = await inbox.take(PARTITION, log[start : start + dice.randint(1, 30)] or log[stands:], stands=start)
    model: dict[str, bytes] = {}
    conflicts = 0
    for each in log:
        said = orjson.loads(each.value or b"")
        known = model.setdefault(said["command_id"], each.value or b"")
        conflicts += known != each.value
    assert [command_id for command_id, _, _ in await kept(pool)] == list(model)
    assert len(await letters(pool)) == conflicts
