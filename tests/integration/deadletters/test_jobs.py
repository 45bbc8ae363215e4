"""Bulk replays: what is selected stays selected, every letter gets its own outcome, and no crash replays one twice."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID, uuid4

import pytest
from structlog.testing import capture_logs

from gateway.deadletters import (
    DeadLetterRow,
    DeadLetters,
    Filter,
    InvalidParameterError,
    JobStateError,
    Progress,
    ReplayResult,
    Replays,
    Selection,
    UnknownLetterError,
)
from gateway.sdk.errors import ServiceUnavailableError
from gateway.store import Connection, Pool, transaction
from tests.eventually import eventually
from tests.integration.deadletters.stage import TOO_LONG, Stage, letter, recorded, running

ALL = Selection(matching=Filter(supplier="acme"))


async def planned(replays: Replays, chosen: Selection = ALL, *, rate: float = 1000.0) -> UUID:
    return await replays.plan(chosen, actor="ann", reason="adapter 1.1", rate=rate)


async def reached(replays: Replays, job: UUID, state: str) -> Progress:
    async def there() -> bool:
        return (await replays.progress(job)).job.state == state

    await eventually(there)
    return await replays.progress(job)


async def test_a_plan_foretells_and_does_nothing(
    pool: Pool, stage: Stage, replays: Replays, deadletters: DeadLetters
) -> None:
    await recorded(pool, [letter(number) for number in range(5)])
    stage.outcomes |= {"A-3": ReplayResult("stale"), "A-4": ReplayResult("rejected", (TOO_LONG,))}
    async with running(replays.run):
        progress = await reached(replays, await planned(replays), "planned")
    assert progress.predicted == {"normalized": 3, "stale": 1, "rejected": 1}
    assert (progress.total, progress.left, progress.outcomes) == (5, 5, {})
    assert await stage.ledger() == []
    assert {one.replays for one in (await deadletters.list()).rows} == {0}


async def test_every_letter_of_a_job_gets_its_own_outcome(
    pool: Pool, stage: Stage, replays: Replays, deadletters: DeadLetters
) -> None:
    ids = await recorded(pool, [letter(number) for number in range(5)])
    stage.outcomes |= {"A-1": ReplayResult("stale"), "A-2": ReplayResult("rejected", (TOO_LONG,))}
    stage.failing["A-3"] = KeyError("price")
    job = await planned(replays)
    await replays.start(job, actor="ann")
    async with running(replays.run):
        progress = await reached(replays, job, "done")
    assert progress.outcomes == {"normalized": 2, "stale": 1, "rejected": 1, "failed": 1}
    assert (progress.left, progress.unmended, progress.partial) == (0, 2, True)
    items = {item.letter: (item.outcome, item.detail) for item in await replays.items(job)}
    assert items[ids[3]] == ("failed", "KeyError: 'price'")
    assert sorted(await stage.ledger()) == sorted([ids[0], ids[1], ids[2], ids[4]])
    assert {one.id for one in (await deadletters.list(Filter(state="open"))).rows} == {ids[2], ids[3]}


async def test_a_job_that_mends_everything_is_not_partial(
    pool: Pool, stage: Stage, replays: Replays, deadletters: DeadLetters
) -> None:
    await recorded(pool, [letter(number) for number in range(3)])
    job = await planned(replays)
    await replays.start(job, actor="ann")
    async with running(replays.run):
        progress = await reached(replays, job, "done")
    assert not progress.partial
    assert progress.job.finished_at is not None
    assert (await deadletters.group(letter().kind.fingerprint)).state == "resolved"


async def test_more_letters_than_a_batch_are_all_replayed_oldest_first(
    pool: Pool, stage: Stage, replays: Replays
) -> None:
    ids = [(await recorded(pool, [letter(number)]))[0] for number in range(120)]
    job = await planned(replays)
    await replays.start(job, actor="ann")
    async with running(replays.run):
        await reached(replays, job, "done")
    assert await stage.ledger() == ids


async def test_letters_that_come_later_are_not_meant(pool: Pool, stage: Stage, replays: Replays) -> None:
    (meant,) = await recorded(pool, [letter(0)])
    job = await planned(replays)
    await recorded(pool, [letter(1)])
    await replays.start(job, actor="ann")
    async with running(replays.run):
        await reached(replays, job, "done")
    assert await stage.ledger() == [meant]


async def test_a_letter_closed_meanwhile_is_skipped(
    pool: Pool, stage: Stage, replays: Replays, deadletters: DeadLetters
) -> None:
    gone, _ = await recorded(pool, [letter(0), letter(1)])
    job = await planned(replays)
    await deadletters.discard(Selection(ids=(gone,)), actor="bob", reason="a test")
    await replays.start(job, actor="ann")
    async with running(replays.run):
        progress = await reached(replays, job, "done")
    assert progress.outcomes == {"skipped": 1, "normalized": 1}
    assert progress.partial
    assert (await deadletters.show(gone)).state == "discarded"


async def test_one_suppliers_job_never_holds_anothers_letters(pool: Pool, stage: Stage, replays: Replays) -> None:
    mine, other = await recorded(pool, [letter(0), letter(1, supplier="bolt")])
    job = await planned(replays, Selection(ids=(mine, other), matching=Filter(supplier="acme")))
    assert [item.letter for item in await replays.items(job)] == [mine]


async def test_after_a_cancel_no_letter_is_taken_up(
    pool: Pool, stage: Stage, replays: Replays, deadletters: DeadLetters
) -> None:
    await recorded(pool, [letter(number) for number in range(5)])
    job = await planned(replays)
    await replays.start(job, actor="ann")
    stage.may_go_on.clear()
    async with running(replays.run):
        await stage.begun.wait()
        await replays.cancel(job, actor="bob")
        # A later job ends after whatever the cancelled one would still have done.
        later = await planned(replays, Selection(ids=tuple(await recorded(pool, [letter(9)]))))
        await replays.start(later, actor="ann")
        stage.may_go_on.set()
        await reached(replays, later, "done")
    progress = await replays.progress(job)
    assert (progress.job.state, progress.left, progress.outcomes) == ("cancelled", 4, {"normalized": 1})
    assert progress.partial
    assert len((await deadletters.list(Filter(state="open"))).rows) == 4


async def test_who_comes_after_a_crash_goes_on_where_it_was(pool: Pool, stage: Stage) -> None:
    ids = await recorded(pool, [letter(number) for number in range(6)])
    first, second = stage.replays("first"), stage.replays("second")
    job = await planned(first)
    await first.start(job, actor="ann")
    stage.may_go_on.clear()
    async with running(first.run):
        await stage.begun.wait()  # and ends here, in the midst of the first letter
    stage.may_go_on.set()
    async with running(second.run):
        progress = await reached(second, job, "done")
    assert progress.outcomes == {"normalized": 6}
    assert sorted(await stage.ledger()) == sorted(ids)


async def test_two_processes_replay_each_letter_once(pool: Pool, stage: Stage) -> None:
    ids = await recorded(pool, [letter(number) for number in range(30)])
    first, second = stage.replays("first"), stage.replays("second")
    job = await planned(first)
    await first.start(job, actor="ann")
    async with running(first.run), running(second.run):
        await reached(first, job, "done")
    assert sorted(await stage.ledger()) == sorted(ids)


async def test_a_process_that_lost_the_lease_writes_nothing_more(pool: Pool, stage: Stage) -> None:
    """It was frozen; another one runs the job now."""
    ids = await recorded(pool, [letter(number) for number in range(4)])
    frozen, other = stage.replays("frozen"), stage.replays("other")
    job = await planned(frozen)
    await frozen.start(job, actor="ann")
    stage.may_go_on.clear()
    async with running(frozen.run):
        await stage.begun.wait()
        async with transaction(pool) as connection:
            await connection.execute("UPDATE leases SET until = '-infinity' WHERE name = 'replay'")
        async with running(other.run):
            stage.may_go_on.set()
            progress = await reached(other, job, "done")
    assert progress.outcomes == {"normalized": 4}
    assert sorted(await stage.ledger()) == sorted(ids)


async def test_an_outage_in_the_middle_only_delays_a_job(pool: Pool, stage: Stage, replays: Replays) -> None:
    ids = await recorded(pool, [letter(number) for number in range(3)])
    stage.failing["A-1"] = ServiceUnavailableError("Kafka is away")
    job = await planned(replays)
    await replays.start(job, actor="ann")
    async with running(replays.run):
        progress = await reached(replays, job, "done")
    assert progress.outcomes == {"normalized": 3}
    assert sorted(await stage.ledger()) == sorted(ids)


async def test_a_slow_job_keeps_its_rate_and_holds_up_no_dry_run(pool: Pool, stage: Stage, replays: Replays) -> None:
    slow = await planned(replays, Selection(ids=tuple(await recorded(pool, [letter(0), letter(1)]))), rate=0.1)
    await replays.start(slow, actor="ann")
    other = await planned(replays, Selection(ids=tuple(await recorded(pool, [letter(2)]))))
    async with running(replays.run):

        async def first_is_replayed() -> bool:
            return (await replays.progress(slow)).left == 1

        await eventually(first_is_replayed)
        await reached(replays, other, "planned")
        progress = await replays.progress(slow)
    assert (progress.job.state, progress.left) == ("running", 1)


async def test_what_is_over_is_neither_started_nor_cancelled(pool: Pool, stage: Stage, replays: Replays) -> None:
    await recorded(pool, [letter()])
    job = await planned(replays)
    await replays.cancel(job, actor="ann")
    with pytest.raises(JobStateError):
        await replays.start(job, actor="ann")
    with pytest.raises(JobStateError):
        await replays.cancel(job, actor="ann")


async def test_unknown_jobs_and_impossible_rates_are_refused(pool: Pool, stage: Stage, replays: Replays) -> None:
    await recorded(pool, [letter()])
    for refused in (
        replays.start(uuid4(), actor="ann"),
        replays.cancel(uuid4(), actor="ann"),
        replays.progress(uuid4()),
        replays.items(uuid4()),
    ):
        with pytest.raises(UnknownLetterError):
            await refused
    for rate in (0.0, -1.0, 0.09, 1001.0, float("nan")):
        with pytest.raises(InvalidParameterError):
            await planned(replays, rate=rate)


async def test_a_job_tells_who_wanted_what(pool: Pool, stage: Stage, replays: Replays) -> None:
    await recorded(pool, [letter()])
    job = await planned(replays, Selection(matching=Filter(supplier="acme"), limit=10), rate=5)
    await replays.start(job, actor="bob")
    (found,) = (await replays.jobs()).rows
    assert (found.id, found.actor, found.reason, found.rate) == (job, "ann", "adapter 1.1", 5)
    assert found.selection == {"supplier": "acme", "limit": 10}
    async with transaction(pool) as connection:
        rows = await connection.fetch("SELECT actor, action, object FROM audit ORDER BY id")
    assert [tuple(row.values()) for row in rows] == [
        ("ann", "replay.plan", str(job)),
        ("bob", "replay.running", str(job)),
    ]


async def test_items_and_jobs_are_read_on_page_by_page(pool: Pool, stage: Stage, replays: Replays) -> None:
    await recorded(pool, [letter(number) for number in range(5)])
    jobs = [await planned(replays) for _ in range(3)]
    first = await replays.jobs(limit=2)
    assert [job.id for job in (*first.rows, *(await replays.jobs(after=first.next)).rows)] == jobs[::-1]
    items = await replays.items(jobs[0], limit=3)
    rest = await replays.items(jobs[0], after=items[-1].position)
    assert [item.position for item in (*items, *rest)] == [1, 2, 3, 4, 5]
    assert await replays.items(jobs[0], outcome="failed") == ()


class Stuck(Stage):
    """A stage that cannot take some skus now, however often it is asked."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(pool)
        self.stuck: set[str] = set()

    async def replay(self, connection: Connection, found: DeadLetterRow) -> ReplayResult:
        if found.sku in self.stuck:
            raise ServiceUnavailableError("its feed is locked")
        return await super().replay(connection, found)


async def test_a_letter_that_cannot_be_replayed_now_keeps_neither_its_job_nor_another_from_the_others(
    pool: Pool, stage: Stage
) -> None:
    stuck = Stuck(pool)
    stuck.stuck = {"A-0", "A-1", "A-2", "A-3"}
    ids = await recorded(pool, [letter(number) for number in range(8)])
    other = await recorded(pool, [letter(number, supplier="bolt", feed_no=8) for number in range(10, 12)])
    replays = stuck.replays()
    jobs = [await planned(replays), await planned(replays, Selection(matching=Filter(supplier="bolt")))]
    for job in jobs:
        await replays.start(job, actor="ann")

    async def others() -> bool:
        return set(await stage.ledger()) >= {*ids[4:], *other}

    async with running(replays.run):
        await eventually(others)
        await reached(replays, jobs[1], "done")
        assert (await replays.progress(jobs[0])).job.state == "running"
        assert {aside.unit for aside in replays.supervisors[-1].set_aside()} <= {f"letter {one}" for one in ids[:4]}
        stuck.stuck.clear()
        progress = await reached(replays, jobs[0], "done")
    assert (progress.left, progress.outcomes) == (0, {"normalized": 8})
    assert sorted(await stage.ledger()) == sorted([*ids, *other])


async def test_a_dry_run_foretells_what_it_can_and_the_rest_later(pool: Pool, stage: Stage) -> None:
    stuck = Stuck(pool)
    stuck.stuck = {"A-1"}
    await recorded(pool, [letter(number) for number in range(4)])
    replays = stuck.replays()
    job = await planned(replays)

    async def foretold() -> bool:
        return (await replays.progress(job)).predicted == {"normalized": 3}

    async with running(replays.run):
        await eventually(foretold)
        assert (await replays.progress(job)).job.state == "planning"
        stuck.stuck.clear()
        progress = await reached(replays, job, "planned")
    assert progress.predicted == {"normalized": 4}


async def test_a_job_at_fault_ends_no_process_and_stops_no_other_job(pool: Pool, stage: Stage) -> None:
    first = await recorded(pool, [letter(number) for number in range(3)])
    second = await recorded(pool, [letter(9, supplier="bolt", feed_no=8)])
    replays = stage.replays()
    jobs = [await planned(replays), await planned(replays, Selection(matching=Filter(supplier="bolt")))]
    async with transaction(pool) as connection:
        await connection.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            "IF NEW.position = 2 OR NEW.outcome IS NULL THEN RAISE EXCEPTION 'poison'; END IF; RETURN NEW; END $$;"
            f"CREATE TRIGGER poison BEFORE UPDATE ON replay_items FOR EACH ROW WHEN (NEW.job = '{jobs[0]}')"
            "EXECUTE FUNCTION refuse()"
        )
    for job in jobs:
        await replays.start(job, actor="ann")
    with capture_logs():  # tracebacks drawn for a person would keep the loop from renewing the lease
        await mended_beside_a_fault(pool, replays, jobs)
    assert sorted(await stage.ledger()) == sorted([*first, *second])


async def mended_beside_a_fault(pool: Pool, replays: Replays, jobs: Sequence[UUID]) -> None:
    async with running(replays.run) as running_:
        await reached(replays, jobs[1], "done")

        async def all_but_one() -> bool:
            return (await replays.progress(jobs[0])).outcomes == {"normalized": 2}

        await eventually(all_but_one)
        assert not running_.done()
        async with transaction(pool) as connection:
            await connection.execute("DROP TRIGGER poison ON replay_items")
        await reached(replays, jobs[0], "done")
