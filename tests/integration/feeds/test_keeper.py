"""The keeper: whatever is appended behind its back, the topic ends on what the states say."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import orjson
import pytest

from gateway.feeds import keeper
from gateway.feeds.keys import lock_stored, move_keys, read_stored
from gateway.feeds.process import Step
from gateway.feeds.reconciliation import Stored
from gateway.feeds.recover import raise_feed_no
from gateway.feeds.versions import version_of
from gateway.kafka import CATALOG_TOPIC, PRICES, PRODUCTS, Message, Position
from gateway.store import acquired, transaction
from schemas.catalog import Facet
from schemas.envelope import GW_VERSION, ItemHeaders, ItemKey, key_of
from tests.eventually import eventually
from tests.integration.feeds.workshop import NOON, SEAL, Workshop, cut, price
from tests.reader import Entry

KEY = key_of("acme", "A", "*")


async def settled(workshop: Workshop) -> None:
    """Wait until the topic is true and the keeper has read all of it."""

    async def holds() -> bool:
        return await workshop.is_true() and await all_read(workshop)

    await eventually(holds)


async def all_read(workshop: Workshop) -> bool:
    """Whether the keeper's stored places lie behind every record of the prices topic."""
    ends = await workshop.bus.end_offsets(PRICES)
    return {number: next_ for number, next_ in (await stored(workshop)).items() if ends[number]} == {
        number: end for number, end in ends.items() if end
    }


async def stored(workshop: Workshop) -> dict[int, int]:
    async with acquired(workshop.pool) as connection:
        rows = await connection.fetch("SELECT partition, next FROM source_offsets WHERE topic = $1", PRICES)
    return {row["partition"]: row["next"] for row in rows}


async def entries_of(workshop: Workshop, sku: str = "A") -> list[Entry]:
    return [entry for entry in await workshop.prices() if entry.key == key_of("acme", sku, "*")]


async def test_an_older_record_behind_the_newest_is_answered_with_the_newest(workshop: Workshop) -> None:
    await workshop.fed(price("A", "10.00"))
    newest = await workshop.fed(price("A", "11.00"))
    old, new = await entries_of(workshop)
    async with workshop.keeping():
        await workshop.append(old)
        await settled(workshop)
    *_, stale, last = await entries_of(workshop)
    assert (stale.version, last.version) == (old.version, version_of(newest, 0))
    assert (last.value, last.headers) == (new.value, new.headers)


async def test_an_older_record_of_a_key_unchanged_since_is_answered_under_the_state_s_version(
    workshop: Workshop,
) -> None:
    await workshop.fed(price("A", "10.00"))
    await workshop.fed(price("A", "11.00"))
    unchanged = await workshop.fed(price("A", "11.00"))
    old, _ = await entries_of(workshop)
    async with workshop.keeping():
        await workshop.append(old)
        await settled(workshop)
    assert await workshop.last("A") == (version_of(unchanged, 0), "11.00")


async def test_a_whole_batch_appended_late_is_answered_key_by_key(workshop: Workshop) -> None:
    skus = [f"A-{number}" for number in range(600)]
    await workshop.fed(*(price(sku, "10.00") for sku in skus))
    old = await workshop.prices()
    newest = await workshop.fed(*(price(sku, "11.00") for sku in skus))
    async with workshop.keeping():
        await workshop.append(*old)
        await settled(workshop)
    assert len(await workshop.prices()) == 4 * len(skus)
    assert (await workshop.state("A-7"))["version"] >> 24 == newest


async def test_a_repeat_behind_the_newest_becomes_its_place_and_is_not_answered(workshop: Workshop) -> None:
    await workshop.fed(price("A", "10.00"))
    [entry] = await entries_of(workshop)
    async with workshop.keeping():
        [position] = await workshop.append(entry)
        await settled(workshop)
    assert len(await entries_of(workshop)) == 2
    assert (await workshop.state("A"))["offset"] == position.offset


async def test_records_of_a_chunk_that_has_not_committed_are_left_alone_until_it_has(workshop: Workshop) -> None:
    """What a worker published before it died: the same chunk comes again and settles it."""
    await workshop.fed(price("A", "10.00"))
    [entry] = await entries_of(workshop)
    receipt = await workshop.push(price("A", "11.00"))
    version = version_of(receipt.feed_no, 0)
    headers = {**entry.headers, GW_VERSION: b"%d" % version}
    async with workshop.keeping():
        await workshop.append(replace(entry, headers=headers))

        async def waits() -> bool:
            return (await stored(workshop)).get(entry.partition) == entry.offset + 1

        await eventually(waits)
        assert (await workshop.state("A"))["version"] == entry.version
        await workshop.work()
        await settled(workshop)
    assert await workshop.last("A") == (version, "11.00")


async def test_what_was_published_twice_and_committed_behind_an_older_feed_ends_on_no_older_version(
    workshop: Workshop,
) -> None:
    """The newer feed's worker died before it committed, the older one says the same, the newer one comes again."""
    await workshop.fed(price("A", "10.00"))
    [entry] = await entries_of(workshop)
    older = await workshop.push(price("A", "11.00"))
    newer = await workshop.push(price("A", "11.00"))
    version = version_of(newer.feed_no, 0)
    async with workshop.keeping():
        value = orjson.dumps({**orjson.loads(entry.value or b""), "agreement_price": "11.00", "version": version})
        await workshop.append(replace(entry, value=value, headers={**entry.headers, GW_VERSION: b"%d" % version}))
        for record in sorted(await workshop.waiting(), key=lambda each: int(dict(each.headers)["gw-feed"] or b"0")):
            assert await workshop.processor.process(record) is Step.TAKEN

        async def ends_above() -> bool:
            return (await workshop.last("A"))[0] > version

        await eventually(ends_above)
        await settled(workshop)
    entries = await entries_of(workshop)
    assert [each.version for each in entries[:3]] == [entry.version, version, version_of(older.feed_no, 0)]
    assert (await workshop.last("A"))[1] == "11.00"
    assert (await workshop.state("A"))["version"] == entries[-1].version == max(each.version for each in entries)


async def put_back(workshop: Workshop, feed_no: int) -> None:
    """Have the tables lose the feed and all after it, as a copy does that is put back; the keys are the test's."""
    await workshop.execute("DELETE FROM feed_chunks WHERE feed_no >= $1", feed_no)
    await workshop.execute("DELETE FROM feeds WHERE feed_no >= $1", feed_no)
    await workshop.execute("SELECT setval('feed_no', $1, false)", feed_no)
    await raise_feed_no(workshop.bus, workshop.pool, SEAL)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A keeper that looks at once into what no chunk explains."""
    monkeypatch.setattr(keeper, "EXPLAIN_SECONDS", 0.1)


@pytest.mark.usefixtures("impatient")
async def test_what_a_restored_database_has_lost_is_believed_once_no_chunk_can_explain_it(workshop: Workshop) -> None:
    await workshop.fed(price("A", "10.00"))
    newest = await workshop.fed(price("A", "11.00"), price("B", "5.00"))
    state = await workshop.state("A")
    await workshop.execute(
        """UPDATE feed_state SET version = 1, hash = '\\x01', "offset" = 0, seen = 0 WHERE sku = 'A'"""
    )
    await workshop.execute("DELETE FROM feed_state WHERE sku = 'B'")
    await put_back(workshop, newest)
    async with workshop.keeping():
        await settled(workshop)
    found = await workshop.state("A")
    assert (found["version"], found["offset"]) == (state["version"], state["offset"])
    assert len(await workshop.prices()) == 3
    again = await workshop.fed(price("A", "11.00"), price("B", "6.00"))
    assert (await workshop.books()).outcomes(again) == {"unchanged": 1, "normalized": 1}
    assert again > newest


@pytest.mark.usefixtures("impatient")
async def test_a_lost_state_that_an_older_repeat_hides_is_believed_and_said_again(workshop: Workshop) -> None:
    """A restored database had an old chunk taken again; the newer one had left the feeds topic already."""
    await workshop.fed(price("A", "10.00"))
    newest = await workshop.fed(price("A", "11.00"))
    old, new = await entries_of(workshop)
    [position] = await workshop.append(old)
    await workshop.execute('UPDATE feed_state SET version = $1, "offset" = $2', old.version, position.offset)
    await put_back(workshop, newest)
    async with workshop.keeping():
        await settled(workshop)
    *_, last = await entries_of(workshop)
    assert (last.version, last.value) == (new.version, new.value)


@pytest.mark.usefixtures("impatient")
async def test_a_withdrawal_that_a_restored_database_has_lost_is_believed(workshop: Workshop) -> None:
    feed_no = await workshop.fed(price("A", "10.00"))
    await workshop.append(withdrawal(feed_no + 1))
    async with workshop.keeping():
        await settled(workshop)
    assert (await workshop.state("A"))["withdrawn"]


async def published(workshop: Workshop, feed_no: int, sku: str, amount: str, *, record: int = 0) -> int:
    """Have a record of the prices topic say that somebody published it and never committed; its version."""
    version = version_of(feed_no, record)
    facts = {"supplier": "acme", "sku": sku, "area": "*", "agreement_price": amount, "currency": "CNY"}
    [template] = [entry for entry in await workshop.prices() if entry.key == key_of("acme", "template", "*")][-1:]
    value = orjson.dumps({**orjson.loads(template.value or b""), **facts, "version": version})
    key = key_of("acme", sku, "*")
    headers = ItemHeaders(Facet.PRICE, "acme", feed_no=feed_no, time=NOON).state(key, version, b"orphan")
    await workshop.producer.send([Message(PRICES, key, value, headers)])
    return version


async def overwritten(workshop: Workshop, sku: str, orphan: int, amount: str | None) -> None:
    """See the keeper answer an orphan under a higher version with what the tables say."""
    async with workshop.keeping():

        async def answered() -> bool:
            version, told = await workshop.last(sku)
            return version > orphan and told == amount

        await eventually(answered)
        await settled(workshop)
    assert (await workshop.state(sku))["version"] == (await workshop.last(sku))[0]
    assert sku in (await workshop.on_sale()) if amount else sku not in (await workshop.on_sale())


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("before", ["10.00", None])
async def test_what_a_cancelled_chunk_had_published_is_answered_with_the_state(
    workshop: Workshop, before: str | None
) -> None:
    """Its process died between the acknowledgement and the commit, and the repeat was cancelled."""
    await workshop.fed(price("template", "1.00"), *([price("A", before)] if before else []))
    receipt = await workshop.push(price("A", "11.00"))
    orphan = await published(workshop, receipt.feed_no, "A", "11.00")
    await workshop.execute("UPDATE feeds SET cancel_requested_at = now() WHERE feed_no = $1", receipt.feed_no)
    await workshop.work()
    await overwritten(workshop, "A", orphan, before)
    again = await workshop.fed(price("A", "11.00"))
    assert await workshop.last("A") == (version_of(again, 0), "11.00")


@pytest.mark.usefixtures("impatient")
async def test_what_a_replay_published_and_never_committed_is_answered_with_the_state(workshop: Workshop) -> None:
    await workshop.fed(price("template", "1.00"), price("A", "10.00"))
    feed_no = await workshop.fed(price("A", "ten"))
    orphan = await published(workshop, feed_no, "A", "12.00")
    await overwritten(workshop, "A", orphan, "10.00")
    assert (await workshop.books()).outcomes(feed_no) == {"rejected": 1}


@pytest.mark.usefixtures("impatient")
async def test_what_a_job_is_about_to_replay_again_is_waited_for(workshop: Workshop) -> None:
    await workshop.fed(price("template", "1.00"), price("A", "10.00"))
    feed_no = await workshop.fed(price("A", "ten"))
    orphan = await published(workshop, feed_no, "A", "12.00")
    await workshop.execute(
        """INSERT INTO replay_jobs (id, state, actor, reason, selection, rate)
           VALUES ('00000000-0000-0000-0000-000000000001', 'running', 'tests', 'tests', '{}', 1)"""
    )
    await workshop.execute(
        """INSERT INTO replay_items (job, position, letter)
           SELECT '00000000-0000-0000-0000-000000000001', 1, id FROM dead_letters WHERE feed_no = $1""",
        feed_no,
    )
    async with workshop.keeping():
        probe = await published(workshop, 2**30, "probe", "1.00")

        async def believed() -> bool:
            return any(row["sku"] == "probe" and row["version"] == probe for row in (await workshop.books()).keys)

        await eventually(believed)
        assert (await workshop.state("A"))["version"] < orphan == (await workshop.last("A"))[0]
        await workshop.execute("UPDATE replay_jobs SET state = 'cancelled'")

        async def answered() -> bool:
            return (await workshop.last("A"))[1] == "10.00"

        await eventually(answered)


@pytest.mark.usefixtures("impatient")
async def test_a_number_that_no_feed_has_is_ours_and_was_never_committed(workshop: Workshop) -> None:
    """Whoever takes a number for one record alone may die before it commits, the keeper among them."""
    await workshop.fed(price("template", "1.00"), price("A", "10.00"))
    number = await workshop.admission.next_feed_no()
    orphan = await published(workshop, number, "A", "12.00")
    await overwritten(workshop, "A", orphan, "10.00")


@pytest.mark.usefixtures("impatient")
async def test_withdrawals_of_a_feed_that_ended_otherwise_are_answered_with_the_state(workshop: Workshop) -> None:
    await workshop.fed(price("A", "10.00"))
    feed_no = await workshop.fed(price("B", "1.00"))
    await workshop.append(withdrawal(feed_no))
    await overwritten(workshop, "A", version_of(feed_no, 2**24 - 1), "10.00")


@pytest.mark.usefixtures("impatient")
async def test_what_is_gone_everywhere_is_withdrawn_where_nobody_took_what_the_topic_says(workshop: Workshop) -> None:
    await workshop.fed(price("template", "1.00"), price("A", "10.00"))
    [old] = await entries_of(workshop)
    receipt = await workshop.push(price("B", "1.00"), price("A", "ten"))
    await workshop.work()
    orphan = await published(workshop, receipt.feed_no, "A", "11.00", record=1)
    await cut(workshop, PRICES, Position(old.partition, old.offset))
    await workshop.execute("DELETE FROM feed_chunks WHERE feed_no <> $1", receipt.feed_no)
    await overwritten(workshop, "A", orphan, None)
    again = await workshop.fed(price("A", "10.00"))
    assert (await workshop.books()).outcomes(again) == {"normalized": 1}


def withdrawal(feed_no: int) -> Message:
    version = version_of(feed_no, 2**24 - 1)
    headers = ItemHeaders(Facet.PRICE, "acme", feed_no=feed_no, time=NOON).withdrawal(KEY, version)
    return Message(PRICES, KEY, None, headers)


async def test_an_older_record_of_a_withdrawn_key_is_answered_with_a_withdrawal(workshop: Workshop) -> None:
    feed_no = await workshop.fed(price("A", "10.00"))
    [entry] = await entries_of(workshop)
    [position] = await workshop.append(withdrawal(feed_no + 1))
    version = version_of(feed_no + 1, 2**24 - 1)
    await workshop.execute(
        'UPDATE feed_state SET version = $1, "offset" = $2, hash = NULL, withdrawn = true', version, position.offset
    )
    async with workshop.keeping():
        await workshop.append(entry)
        await settled(workshop)
    assert await workshop.last("A") == (version, None)


async def test_what_the_topic_no_longer_holds_is_made_again_from_the_raw_chunk(workshop: Workshop) -> None:
    await workshop.fed(price("A", "10.00"))
    newest = await workshop.fed(price("B", "1.00"), price("A", "11.00"))
    old, new = await entries_of(workshop)
    await cut(workshop, PRICES, Position(new.partition, new.offset))
    async with workshop.keeping():
        await workshop.append(old)
        await settled(workshop)
    *_, last = await entries_of(workshop)
    assert last.version == version_of(newest, 1)
    assert (last.value, last.ce_id) == (new.value, new.ce_id)


async def test_what_is_gone_everywhere_is_given_up_so_that_the_supplier_can_say_it_again(workshop: Workshop) -> None:
    await workshop.fed(price("A", "10.00"))
    await workshop.fed(price("A", "11.00"))
    old, new = await entries_of(workshop)
    await cut(workshop, PRICES, Position(new.partition, new.offset))
    await workshop.execute("DELETE FROM feed_chunks")
    async with workshop.keeping():
        await workshop.append(old)

        async def given_up() -> bool:
            return bool((await workshop.state("A"))["offset"] > new.offset)

        await eventually(given_up)
    again = await workshop.fed(price("A", "11.00"))
    assert (await workshop.books()).outcomes(again) == {"normalized": 1}
    assert await workshop.last("A") == (version_of(again, 0), "11.00")


FOREIGN: list[Message] = [
    Message(PRICES, b"not a key", b"{}", ((GW_VERSION, b"7"),)),
    Message(PRICES, key_of("acme", "A"), b"{}", ((GW_VERSION, b"7"),)),
    Message(PRICES, key_of("acme", "A\x00", "*"), b"{}", ((GW_VERSION, b"7"),)),
    Message(PRICES, key_of("acme", "A" * 3_000, "*"), b"{}", ((GW_VERSION, b"7"),)),
    Message(PRICES, KEY, b"{}", ()),
    Message(PRICES, KEY, b"{}", ((GW_VERSION, b"seven"),)),
    Message(PRICES, KEY, b"{}", ((GW_VERSION, b"0"),)),
    Message(PRICES, KEY, b"{}", ((GW_VERSION, b"9" * 19),)),
    Message(PRICES, key_of("acme", "Z", "*"), b"no json", ((GW_VERSION, b"%d" % version_of(9, 0)),)),
    Message(PRICES, key_of("acme", "Z", "*"), b"{}", ((GW_VERSION, b"%d" % version_of(9, 0)),)),
    Message(PRICES, b"acme:Z:", b"{}", ((GW_VERSION, b"%d" % version_of(9, 0)),)),
    Message(PRODUCTS, key_of("acme", "Z", "*"), b"{}", ((GW_VERSION, b"7"),)),
]


async def test_records_that_the_gateway_cannot_have_written_stop_nothing(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper, "EXPLAIN_SECONDS", 0.1)
    await workshop.fed(price("A", "10.00"))
    [old] = await entries_of(workshop)
    newest = await workshop.fed(price("A", "11.00"))
    async with workshop.keeping():
        await workshop.append(*FOREIGN, old)

        async def read() -> bool:
            return await all_read(workshop)

        await eventually(read)
    assert await workshop.last("A") == (version_of(newest, 0), "11.00")
    assert [row["sku"] for row in (await workshop.books()).keys] == ["A"]


async def test_a_keeper_begins_again_where_something_was_pending(workshop: Workshop) -> None:
    """Stopped while it waits for a chunk, it may forget nothing: the next one reads that record again."""
    await workshop.fed(price("A", "10.00"))
    await workshop.fed(price("A", "11.00"))
    old, new = await entries_of(workshop)
    receipt = await workshop.push(price("A", "12.00"))
    newer = replace(new, headers={**new.headers, GW_VERSION: b"%d" % version_of(receipt.feed_no, 0)})
    async with workshop.keeping():
        await workshop.append(newer)

        async def waits() -> bool:
            return (await stored(workshop)).get(new.partition) == new.offset + 1

        await eventually(waits)
    await workshop.append(old)
    async with workshop.keeping():
        await workshop.work()
        await settled(workshop)
    assert await workshop.last("A") == (version_of(receipt.feed_no, 0), "12.00")


async def test_two_keepers_leave_one_truth(workshop: Workshop) -> None:
    """One of them lost its partitions without noticing."""
    skus = [f"A-{number}" for number in range(50)]
    await workshop.fed(*(price(sku, "10.00") for sku in skus))
    old = await workshop.prices()
    await workshop.fed(*(price(sku, "11.00") for sku in skus))
    async with workshop.keeping(), workshop.keeping():
        await workshop.append(*old)
        await settled(workshop)


async def test_every_facet_is_kept(workshop: Workshop) -> None:
    records: dict[Facet, Iterable[dict[str, object]]] = {
        Facet.PRODUCT: ({"sku": "A", "name": name, "category": ["x"]} for name in ("one", "two")),
        Facet.STOCK: ({"sku": "A", "state": state} for state in ("in_stock", "out")),
        Facet.LISTING: ({"sku": "A", "shelf": shelf} for shelf in ("on", "off")),
    }
    old: list[Message] = []
    for facet, values in records.items():
        for number, value in enumerate(values, start=1):
            record = await workshop.chunk(number, orjson.dumps(value), facet=facet, chunk_no=list(Facet).index(facet))
            assert await workshop.processor.process(record) is Step.TAKEN
        for partition in range(3):
            async for found in workshop.bus.scan(CATALOG_TOPIC[facet], partition):
                old.append(Message(CATALOG_TOPIC[facet], found[0].key, found[0].value, found[0].headers, partition))
    async with workshop.keeping():
        await workshop.append(*old)

        async def kept() -> bool:
            ends = [await ends_of_a_facet(workshop, facet) for facet in records]
            return all(versions[-1] == max(versions) and len(versions) == 4 for versions in ends)

        await eventually(kept)


async def ends_of_a_facet(workshop: Workshop, facet: Facet) -> list[int]:
    found: list[int] = []
    for partition in range(3):
        async for records in workshop.bus.scan(CATALOG_TOPIC[facet], partition):
            found += [int(dict(record.headers)[GW_VERSION]) for record in records]
    return found


async def test_a_keeper_waits_for_a_database_and_a_broker_that_are_away(workshop: Workshop) -> None:
    await workshop.fed(price("A", "10.00"))
    await workshop.fed(price("A", "11.00"))
    old, _ = await entries_of(workshop)
    async with workshop.keeping() as running:
        await settled(workshop)
        await workshop.engines.postgres.stop()
        await workshop.append(old)
        await workshop.engines.postgres.start()
        await settled(workshop)
        assert not running.done()


@pytest.mark.parametrize("area", ["7_412_3545", "*", "", None])
async def test_what_is_known_of_a_key_is_told_under_the_key_that_was_asked_for(
    workshop: Workshop, area: str | None
) -> None:
    key = ItemKey("acme", "A", area)
    async with transaction(workshop.pool) as connection:
        await lock_stored(connection, Facet.PRICE, [key])
        await move_keys(connection, Facet.PRICE, {key: Position(2, 7)})
        assert await read_stored(connection, Facet.PRICE, [key]) == {key: Stored(0, 2, 7)}
