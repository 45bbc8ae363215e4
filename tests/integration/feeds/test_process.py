"""One chunk, one transaction: whatever is repeated, misplaced, cancelled or lost, its items take effect once."""

from __future__ import annotations

import asyncio
import random
import string
from typing import Any

import asyncpg
import orjson
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from gateway.feeds.chunk import Mode
from gateway.feeds.process import Step
from gateway.feeds.seal import ChunkSeal
from gateway.feeds.versions import version_of
from gateway.kafka import EXPRESS, PRODUCTS, KafkaRefusedError, Message, client_options
from gateway.store import StoreUnavailableError
from schemas.catalog import Facet
from schemas.envelope import key_of
from tests.eventually import eventually
from tests.integration.feeds.workshop import Workshop, price
from tests.reader import read_topics

BAD = b'{"sku":"B","price":"1e3"}'


async def everything(workshop: Workshop) -> list[Any]:
    """All that a chunk can change, to be compared with itself."""
    books = await workshop.books()
    return [books.chunks, books.keys, books.letters, await workshop.prices()]


async def test_a_chunk_takes_effect(workshop: Workshop) -> None:
    record = await workshop.chunk(7, price("A", "10.00"), BAD)
    assert await workshop.processor.process(record) is Step.TAKEN
    books = await workshop.books()
    assert books.outcomes(7) == {"normalized": 1, "rejected": 1}
    assert await workshop.last("A") == (version_of(7, 0), "10.00")
    assert [(letter["record_index"], letter["original"]) for letter in books.letters] == [(1, BAD)]
    assert workshop.touched == [7]
    assert await workshop.is_true()


async def test_a_chunk_given_again_changes_nothing(workshop: Workshop) -> None:
    record = await workshop.chunk(7, price("A", "10.00"), BAD)
    await workshop.processor.process(record)
    before = await everything(workshop)
    assert await workshop.processor.process(record) is Step.TAKEN
    assert await everything(workshop) == before


async def test_a_chunk_that_stands_twice_on_the_topic_takes_effect_once(workshop: Workshop) -> None:
    """A timed-out send was repeated, and the broker had both."""
    first = await workshop.chunk(7, price("A", "10.00"), BAD)
    second = await workshop.chunk(7, price("A", "10.00"), BAD)
    await workshop.processor.process(first)
    before = await everything(workshop)
    assert await workshop.processor.process(second) is Step.TAKEN
    assert await everything(workshop) == before
    assert await workshop.processor.process(await workshop.chunk(8, price("A", "11.00"))) is Step.TAKEN


async def test_a_chunk_ahead_of_its_partitions_place_waits_its_turn(workshop: Workshop) -> None:
    first = await workshop.chunk(7, price("A", "10.00"))
    second = await workshop.chunk(8, price("A", "11.00"))
    before = await everything(workshop)
    assert await workshop.processor.process(second) is Step.MISPLACED
    assert await everything(workshop) == before
    assert [await workshop.processor.process(each) for each in (first, second)] == [Step.TAKEN, Step.TAKEN]
    assert await workshop.last("A") == (version_of(8, 0), "11.00")


async def test_two_processes_with_the_same_chunk_have_one_effect(workshop: Workshop) -> None:
    record = await workshop.chunk(7, *(price(f"A-{number}", "10.00") for number in range(100)), BAD)
    await asyncio.gather(*(workshop.processor.process(record) for _ in range(4)))
    books = await workshop.books()
    assert books.outcomes() == {"normalized": 100, "rejected": 1}
    assert len(await workshop.prices()) == 100
    assert len(books.letters) == 1


async def test_a_chunk_whose_feed_the_database_has_lost_brings_it_back_as_incomplete(workshop: Workshop) -> None:
    await workshop.processor.process(await workshop.chunk(7, price("A", "10.00"), chunk_no=3, first_record=9))
    [feed] = (await workshop.books()).feeds
    assert (feed["feed_no"], feed["supplier"], feed["state"], feed["chunks"]) == (7, "acme", "incomplete", None)
    assert await workshop.last("A") == (version_of(7, 9), "10.00")


async def test_a_cancelled_feeds_chunk_says_so_of_every_item_and_does_nothing(workshop: Workshop) -> None:
    receipt = await workshop.push(price("A", "10.00"), BAD)
    assert await workshop.reports.cancel(receipt.feed_no, "acme") == "produced"
    await workshop.work()
    books = await workshop.books()
    assert books.outcomes() == {"cancelled": 2}
    assert (books.keys, books.letters, await workshop.prices()) == ([], [], [])
    assert [feed["state"] for feed in books.feeds] == ["cancelled"]


async def test_a_feed_that_only_validates_stores_publishes_and_keeps_nothing(workshop: Workshop) -> None:
    await workshop.fed(price("A", "10.00", version=4))
    before = await workshop.books()
    published = await workshop.prices()
    feed_no = await workshop.fed(price("A", "11.00", version=4), price("C", "1.00"), BAD, mode=Mode.VALIDATE)
    books = await workshop.books()
    assert books.outcomes(feed_no) == {"rejected": 2, "normalized": 1}
    assert (books.keys, books.letters, await workshop.prices()) == (before.keys, before.letters, published)
    assert books.feeds[-1]["state"] == "done"
    assert [row["issues"][0]["code"] async for rows in workshop.reports.rows(feed_no) for row in rows] == [
        "version_conflict",
        "invalid_decimal",
    ]


async def test_a_rejected_record_marks_the_keys_of_its_sku_as_seen(workshop: Workshop) -> None:
    accepted = await workshop.fed(price("B", "10.00", area="1"), price("B", "11.00", area="2"))
    refused = await workshop.fed(BAD)
    item = await workshop.reports.item("acme", Facet.PRICE, "B")
    assert item is not None
    assert [(key["last_seen_feed"], key["last_outcome"], key["feed"]) for key in item["keys"]] == [
        (refused, "rejected", accepted)
    ] * 2


async def test_a_key_that_its_feed_took_is_not_called_rejected_for_another_area_of_its_sku(workshop: Workshop) -> None:
    await workshop.fed(price("B", "10.00", area="1"), price("B", "11.00", area="2"))
    await workshop.fed(price("B", "12.00", area="1"), price("B", "1e3", area="2"))
    item = await workshop.reports.item("acme", Facet.PRICE, "B")
    assert item is not None
    assert [(key["area"], key["last_outcome"]) for key in item["keys"]] == [("1", "normalized"), ("2", "rejected")]


async def test_an_older_feed_that_comes_late_does_not_hide_what_the_newer_one_came_to(workshop: Workshop) -> None:
    await workshop.processor.process(await workshop.chunk(8, price("A", "11.00")))
    await workshop.processor.process(await workshop.chunk(7, price("A", "10.00")))
    item = await workshop.reports.item("acme", Facet.PRICE, "A")
    assert item is not None
    assert [(key["last_seen_feed"], key["last_outcome"]) for key in item["keys"]] == [(8, "normalized")]
    assert (await workshop.books()).outcomes(7) == {"stale": 1}


async def test_what_nobody_can_read_is_kept_and_the_partition_goes_on(workshop: Workshop) -> None:
    position, _ = await workshop.append(
        Message(EXPRESS, None, b"\x00garbage", (), 0), Message(EXPRESS, None, b"", (), 0)
    )
    await workshop.chunk(7, price("A", "10.00"))
    await workshop.work()
    books = await workshop.books()
    assert [(letter["stage"], letter["original"]) for letter in books.letters] == [
        ("feeds.read", b"\x00garbage"),
        ("feeds.read", b""),
    ]
    assert books.outcomes(7) == {"normalized": 1}
    assert position.offset == 0


async def test_a_commit_whose_answer_was_lost_is_absorbed_by_the_repeat(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection breaks between PostgreSQL's commit and its answer: only the next attempt can tell."""
    record = await workshop.chunk(7, price("A", "10.00"), BAD)
    transaction = asyncpg.transaction.Transaction
    commit = transaction._Transaction__commit

    async def committed_unheard(self: Any) -> None:
        await commit(self)
        raise ConnectionResetError

    with monkeypatch.context() as patched:
        patched.setattr(transaction, "_Transaction__commit", committed_unheard)
        with pytest.raises(StoreUnavailableError):
            await workshop.processor.process(record)
    before = await everything(workshop)
    assert before[1] != []
    assert await workshop.processor.process(record) is Step.TAKEN
    assert await everything(workshop) == before
    await workshop.finisher.sweep()


async def test_a_fault_of_ours_costs_its_own_records_and_the_partition_goes_on(workshop: Workshop) -> None:
    await workshop.execute("ALTER TABLE feed_state ADD CHECK (sku NOT LIKE 'CURSED%')")
    cursed = [price(f"CURSED{number}", "11.00") for number in range(3)]
    lines = [price("A", "10.00"), cursed[0], price("B", "10.00"), price("C", "10.00"), *cursed[1:], price("D", "10.00")]
    assert await workshop.processor.process(await workshop.chunk(7, *lines)) is Step.TAKEN
    assert await workshop.processor.process(await workshop.chunk(8, price("A", "12.00"))) is Step.TAKEN
    books = await workshop.books()
    assert (books.outcomes(7), books.outcomes(8)) == ({"rejected": 3, "normalized": 4}, {"normalized": 1})
    assert [(each["code"], each["original"]) for each in books.letters] == [
        ("processing_failed", line) for line in cursed
    ]
    assert await workshop.on_sale() == {"A": "12.00", "B": "10.00", "C": "10.00", "D": "10.00"}


@pytest.mark.parametrize("condition", ["version >> 24 <> 8 OR version & 1 = 0", "version >> 24 <> 8"])
async def test_what_postgresql_refuses_late_was_never_published(workshop: Workshop, condition: str) -> None:
    """The keys are there already: only their new states are refused, of one record or of all."""
    await workshop.fed(price("A", "10.00"), price("B", "10.00"))
    await workshop.execute(f"ALTER TABLE feed_state ADD CHECK ({condition})")
    await workshop.processor.process(await workshop.chunk(8, price("A", "11.00"), price("B", "11.00")))
    on_sale, outcomes = await workshop.on_sale(), (await workshop.books()).outcomes(8)
    accepted = {entry.key for entry in await workshop.prices() if entry.version >> 24 == 8}
    assert outcomes.get("normalized", 0) == len(accepted) == list(on_sale.values()).count("11.00")
    assert sum(outcomes.values()) == 2
    assert await workshop.is_true()


async def test_what_kafka_refuses_costs_its_own_record(workshop: Workshop) -> None:
    noise = "".join(random.Random(7).choices(string.ascii_letters + string.digits, k=60_000))
    product = {"sku": "LARGE", "name": "one", "category": ["x"], "description": noise}
    lines = [orjson.dumps({**product, "sku": sku, "description": "small"}) for sku in "ABC"]
    lines.insert(1, orjson.dumps(product))
    await limit(workshop, PRODUCTS, 20_000)
    record = await workshop.chunk(7, *lines, facet=Facet.PRODUCT)
    assert await workshop.processor.process(record) is Step.TAKEN
    books = await workshop.books()
    assert books.outcomes(7) == {"normalized": 3, "rejected": 1}
    assert [(each["code"], each["original"]) for each in books.letters] == [("processing_failed", lines[1])]
    found = (await read_topics(workshop.engines.kafka_bootstrap, workshop.prefix, [PRODUCTS]))[PRODUCTS]
    assert {entry.key for entry in found} - {b"probe"} == {key_of("acme", sku) for sku in "ABC"}


async def limit(workshop: Workshop, topic: str, size: int) -> None:
    """Have a topic refuse larger batches, as a cluster may be set up; wait until it does."""
    admin = AIOKafkaAdminClient(**client_options(workshop.engines.kafka_bootstrap))
    await admin.start()
    config = {"max.message.bytes": str(size)}
    try:
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, workshop.prefix + topic, config)])
    finally:
        await admin.close()

    async def refuses() -> bool:
        try:
            await workshop.producer.send([Message(topic, b"probe", random.Random(7).randbytes(2 * size), ())])
        except KafkaRefusedError:
            return True
        return False

    await eventually(refuses)


OFFSETS = ["+16:00", "-16:00", "+23:59", "-23:59", "+15:59", "+14:00", "-12:00", "+0530"]


async def test_a_row_that_postgresql_refuses_costs_itself_alone(workshop: Workshop) -> None:
    odd = [price(f"odd{offset}", "10.00", observed_at=f"2026-11-20T08:00:00{offset}") for offset in OFFSETS]
    await workshop.processor.process(await workshop.chunk(7, *odd, *(price(f"A{n}", "10.00") for n in range(300))))
    books = await workshop.books()
    assert books.outcomes(7) == {"rejected": 4, "normalized": 304}
    assert {each["code"] for each in books.letters} == {"validation_failed"}
    assert len(await workshop.on_sale()) == 304


TIMES = ["0001-01-01T00:00:00+08:00", "1000-01-01T00:00Z", "9999-12-31T23:59:59-15:59", "2026-11-20T08:00:00+08:60"]
ODD: dict[str, list[Any]] = {
    "sku": [
        "\x00",
        "a\x00b",
        "x" * 128,
        "货" * 128,
        "\U0001f600" * 128,
        "x" * 129,
        "a:b%00",
        "",
        " ",
        7,
        None,
        "\ufffe",
    ],
    "area": ["\x00", "*", "a" * 64, "a" * 65, "", "a:b", 1],
    "version": [-1, 0, 2**53, 2**53 + 1, 2**63 - 1, 2**63, 10**400, 1.5, True, "1", None],
    "price": ["0.01", "9" * 12, "9" * 13, "1e400", "NaN", -1, 10**30, "0", "０", "1\x00"],
    "observed_at": [*TIMES, "2026-11-20", 0, "\x00", "2026-11-20T08:00:00.123456789+08:00"],
}


async def test_whatever_a_row_holds_its_neighbours_are_taken_and_nothing_fails(workshop: Workshop) -> None:
    """Every odd value in a row of its own, between sound ones; what is taken stands in the tables and on the topic."""
    odd = [price(f"odd{number}", "10.00") for number in range(3)]
    odd += [
        orjson.dumps({"sku": f"{name}{number}", "price": "10.00"} | {name: value if value != 10**400 else "1" * 400})
        for name, values in ODD.items()
        for number, value in enumerate(values)
        if not isinstance(value, int) or abs(value) < 2**63
    ]
    odd += [b'{"sku":"s%d","price":"10.00","version":%d}' % (number, 2**63 + number * 10**300) for number in range(2)]
    odd += [b'{"sku":"\\ud800","price":"1.00"}', b'{"sku":"\\u0000","price":"1.00"}', b'{"sku":"\xff","price":"1"}']
    lines = [line for number, each in enumerate(odd) for line in (each, price(f"good{number}", "10.00"))]
    await workshop.processor.process(await workshop.chunk(7, *lines))
    books = await workshop.books()
    assert sum(books.outcomes(7).values()) == len(lines)
    assert "processing_failed" not in {each["code"] for each in books.letters}
    taken = {entry.key for entry in await workshop.prices()}
    assert {key_of("acme", f"good{number}", "*") for number in range(len(odd))} <= taken
    assert {key_of("acme", row["sku"], row["area"]) for row in books.keys if row["version"]} == taken
    again = await workshop.fed(*lines)
    assert (await workshop.books()).outcomes(again)["rejected"] == books.outcomes(7)["rejected"]


async def test_a_chunk_of_an_adapter_that_is_gone_waits_as_a_dead_letter(workshop: Workshop) -> None:
    record = await workshop.chunk(7, price("A", "10.00"))
    await workshop.execute("""UPDATE supplier_revisions SET config = config || '{"adapter": "gone"}'""")
    assert await workshop.processor.process(record) is Step.TAKEN
    [letter] = (await workshop.books()).letters
    assert (letter["stage"], letter["code"], letter["original"]) == ("feeds.read", "processing_failed", record.value)


async def test_a_chunk_that_waited_while_the_secret_key_was_changed_is_taken_as_long_as_the_former_is_named(
    workshop: Workshop,
) -> None:
    former, present = b"\x01" * 32, b"\x02" * 32
    waiting = await workshop.chunk(7, price("A-1", "10.00"), seal=ChunkSeal(former))
    rotated = workshop.processor_with(ChunkSeal(present, former))
    assert await rotated.process(waiting) is Step.TAKEN
    assert (await workshop.books()).outcomes(7)["normalized"] == 1
    # In a rolling restart a process that still seals with the old key reads what one with the new key sealed.
    ahead = await workshop.chunk(8, price("A-1", "11.00"), seal=ChunkSeal(present))
    assert await workshop.processor_with(ChunkSeal(former, present)).process(ahead) is Step.TAKEN
    assert (await workshop.books()).outcomes(8)["normalized"] == 1
    late = await workshop.chunk(9, price("A-1", "12.00"), seal=ChunkSeal(former))
    assert await workshop.processor_with(ChunkSeal(present)).process(late) is Step.TAKEN
    assert [letter["code"] for letter in (await workshop.books()).letters] == ["forged_chunk"]


@pytest.mark.parametrize("seal", [None, ChunkSeal(b"\x01" * 32)], ids=["no seal", "another key"])
async def test_a_chunk_that_somebody_else_wrote_is_kept_and_comes_to_nothing(
    workshop: Workshop, seal: ChunkSeal | None
) -> None:
    """It would have put a price on the topic and outranked its true vendor for ever."""
    forged = await workshop.chunk(2**38, price("A-1", "0.01"), seal=seal)
    assert await workshop.processor.process(forged) is Step.TAKEN
    books = await workshop.books()
    assert [(letter["code"], letter["stage"]) for letter in books.letters] == [("forged_chunk", "feeds.read")]
    assert (books.feeds, books.keys, await workshop.prices()) == ([], [], [])
