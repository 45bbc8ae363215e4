"""The rules beside the topic itself: what was published and never committed, what is appended late, and the keeper.

The machine adds to that of the rules a log of all records, in which a crash leaves what nobody committed, chunks that
are deferred while the topic is away, and a keeper that reads it with the rules of findings. Once everything that waits
has taken effect and the keeper has read to the end, the log's last record of every key, and what a consumer has of it,
is what must stand.
"""

from __future__ import annotations

import asyncio
import math
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import invariant, precondition, rule, run_state_machine_as_test

from gateway.feeds import decide as deciding
from gateway.feeds import keeper, reconciliation
from gateway.feeds.catalog_records import UnsettledRecord
from gateway.feeds.decide import Decisions, Entry, Key
from gateway.feeds.guard import UNKNOWN_KEY, Candidate, Judgement, KeyState, judge
from gateway.feeds.process import found_by_halving
from gateway.feeds.reconciliation import Observed, RecordStatus, Repair, Stored, VersionFacts, VersionOutcome
from gateway.feeds.versions import WITHDRAWAL, feed_no_of, record_index_of, version_of
from schemas.catalog import Facet
from schemas.envelope import ItemKey
from tests.unit.feeds.test_machine import HARD, Feed, Machine, Row

UNSTORABLE = ("Q", 4)
"""Sku and number of a record that PostgreSQL refuses."""

CALM = settings(HARD, max_examples=60, stateful_step_count=30)
SEARCH = settings(CALM, max_examples=6_000, phases=[Phase.generate])


class Record(NamedTuple):
    """One record of the topic; amount None withdraws."""

    key: Key
    version: int
    amount: str | None


def is_storable(row: Row) -> bool:
    return row.refused or (row.sku, row.number) != UNSTORABLE


class TopicMachine(Machine):
    """The rules' machine with a log, crashes that leave something there, and a keeper."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[Record] = []
        self.late: list[Record] = []
        self.places: dict[Key, int] = {}
        self.watched: defaultdict[Key, list[UnsettledRecord]] = defaultdict(list)
        self.read_to = 0
        self.refused: frozenset[int] = frozenset()
        self.rejected: set[int] = set()
        self.deferred: set[int] = set()

    def pending(self) -> list[Feed]:
        return [feed for feed in self.open_feeds() if feed.admitted]

    def waiting(self) -> list[Feed]:
        """Feeds whose chunks lie behind the places of their partitions."""
        return [feed for feed in self.pending() if feed.feed_no not in self.deferred]

    @precondition(lambda self: bool(self.waiting()))
    @rule(data=st.data())
    def defer(self, data: st.DataObject) -> None:
        """The topic is away: the partition goes on without the chunk, of which some records may be there."""
        self.deferred.add(data.draw(st.sampled_from(self.waiting())).feed_no)

    def land(self, feed: Feed, *, crash: bool = False) -> None:
        """As the shell does it: what PostgreSQL refuses is found, all the rest settled, and only then published."""
        self.refused = self.isolated(feed)
        super().land(feed, crash=crash)
        self.rejected |= {version_of(feed.feed_no, place) for place in self.refused}
        self.refused = frozenset()

    def entry(self, place: int, row: Row) -> Entry:
        return super().entry(place, row._replace(refused=row.refused or place in self.refused))

    def tell(self, feed_no: int, place: int, row: Row) -> None:
        super().tell(feed_no, place, row._replace(refused=row.refused or not is_storable(row)))

    def isolated(self, feed: Feed) -> frozenset[int]:
        """Places of the records that PostgreSQL refuses, found by trying."""

        async def tried(places: range) -> Exception | None:
            return None if all(is_storable(feed.rows[place]) for place in places) else ValueError()

        if all(map(is_storable, feed.rows)):
            return frozenset()
        return frozenset(asyncio.run(found_by_halving(len(feed.rows), tried)))

    @precondition(lambda self: bool(self.open_feeds()))
    @rule(data=st.data(), appended=st.booleans())
    def die(self, data: st.DataObject, appended: bool) -> None:
        """A worker publishes a chunk and dies before it commits; a broker appends its records now, or late."""
        feed = data.draw(st.sampled_from(self.open_feeds()))
        feed.admitted = True
        self.refused = self.isolated(feed)
        entries = [self.entry(place, row) for place, row in enumerate(feed.rows)]
        self.refused = frozenset()
        self.leave_behind(self.judged(feed.feed_no, entries), appended)

    @precondition(lambda self: bool(any(feed.letters for feed in self.feeds)))
    @rule(data=st.data(), number=st.integers(1, 3), appended=st.booleans())
    def lose_replay(self, data: st.DataObject, number: int, appended: bool) -> None:
        """A patched record is published and not committed; its letter is as it was."""
        feed = data.draw(st.sampled_from([feed for feed in self.feeds if feed.letters]))
        place, row = feed.letters[-1]
        entry = self.entry(place, row._replace(refused=False, number=number))
        entry.patched = True
        self.leave_behind(self.judged(feed.feed_no, [entry]), appended)

    @precondition(lambda self: bool(any(feed.letters for feed in self.feeds)))
    @rule(data=st.data(), number=st.integers(1, 3))
    def replay(self, data: st.DataObject, number: int) -> None:
        """A rejected record is patched and judged again under its number."""
        feed = data.draw(st.sampled_from([feed for feed in self.feeds if feed.letters]))
        place, row = feed.letters.pop()
        patched = row._replace(refused=False, number=number)
        entry = self.entry(place, patched)
        entry.patched = True
        self.take(feed.feed_no, [entry])
        self.tell(feed.feed_no, place, patched)

    def leave_behind(self, decisions: Decisions, appended: bool) -> None:
        left = [Record(each.key, each.version, each.item.content.decode()) for each in decisions.publications]
        (self.log if appended else self.late).extend(left)

    @precondition(lambda self: bool(self.log or self.late))
    @rule(data=st.data())
    def append_late(self, data: st.DataObject) -> None:
        """A broker appends what it still had to, or else what it was given before once more."""
        record = data.draw(st.sampled_from(self.late or self.log))
        self.log.append(record)
        if record in self.late:
            self.late.remove(record)

    def put(self, key: Key, version: int, amount: str | None) -> None:
        self.places[key] = len(self.log)
        self.log.append(Record(key, version, amount))

    @rule(data=st.data())
    def keep(self, data: st.DataObject) -> None:
        """The keeper reads on and looks."""
        self.look(data.draw(st.integers(self.read_to, len(self.log))))

    def look(self, read_to: int) -> None:
        for offset in range(self.read_to, read_to):
            key, version, _ = self.log[offset]
            record = Observed(0, offset, version)
            self.watched[key].append(UnsettledRecord(Facet.PRICE, ItemKey("acme", *key), record, 0.0))
        self.read_to = read_to
        explained_to = -math.inf if self.waiting() else math.inf
        for key, own in self.watched.items():
            known = self.known_of(key)
            ahead, wrong = keeper.waiting_and_wrong(known, own, read_to=read_to, explained_to=explained_to)
            self.watched[key] = list(ahead)
            seen = [each.observed for each in wrong]
            newer = {each.version for each in seen if each.version > known.version}
            fates = {version: reconciliation.version_outcome(version, self.facts(version)) for version in newer}
            if VersionOutcome.COMING in fates.values():
                self.watched[key] = sorted([*ahead, *wrong], key=lambda each: each.observed.offset)
                continue
            asked = reconciliation.plan_repair(known, seen, fates) if seen else None
            if asked is not None:
                self.mend(key, asked)

    def known_of(self, key: Key) -> Stored:
        state, place = self.known.get(key, UNKNOWN_KEY), self.places.get(key)
        return Stored(state.version, None if place is None else 0, place, state.hash)

    def facts(self, version: int) -> VersionFacts:
        feed = next((feed for feed in self.feeds if feed.feed_no == feed_no_of(version)), None)
        if feed is None or record_index_of(version) == WITHDRAWAL:
            return VersionFacts(given_out=True)
        deferred = feed.feed_no in self.deferred and not feed.applied
        state = "done" if feed.applied else "produced"
        return VersionFacts(given_out=True, taken=feed.applied, state=state, deferred=deferred)

    def mend(self, key: Key, asked: Repair) -> None:
        state = self.known.get(key, UNKNOWN_KEY)
        if asked.adopt is not None:
            amount = self.log[asked.adopt.offset].amount
            state = KeyState(asked.adopt.version, hash=None if amount is None else amount.encode())
        if asked.orphan is not None:
            state = state._replace(version=version_of(self.next_number(), 0), own_version=state.newness)
        self.known[key] = state
        self.seen.setdefault(key, 0)
        self.places[key] = asked.end.offset
        if asked.resend:
            self.put(key, state.version, None if state.hash is None else state.hash.decode())

    @invariant()
    def what_stands_is_what_must(self) -> None:
        stored = {key: state.hash.decode() for key, state in self.known.items() if state.hash is not None}
        assert stored == self.model.on_sale()
        assert not self.rejected & {record.version for record in self.log}

    @precondition(lambda self: not self.pending())
    @rule()
    def come_to_rest(self) -> None:
        """All that waits has taken effect, and the keeper reads to the end."""
        for _ in range(3):
            self.look(len(self.log))
        assert not any(self.watched.values())
        last = {record.key: record for record in self.log}
        consumed: dict[Key, Record] = {}
        for record in self.log:
            if record.version >= consumed.get(record.key, record).version:
                consumed[record.key] = record
        must = self.model.on_sale()
        assert {key: each.amount for key, each in last.items() if each.amount is not None} == must
        assert {key: each.amount for key, each in consumed.items() if each.amount is not None} == must
        assert all(each.version == last[key].version for key, each in consumed.items())

    def teardown(self) -> None:
        for feed in self.pending():
            self.land(feed)
        self.come_to_rest()


class FewMachine(TopicMachine):
    """Few records of one key, some rejected, and some of another that PostgreSQL refuses."""

    @rule(
        made=st.lists(
            st.builds(Row, st.just("P"), st.just("1"), st.integers(1, 2), st.booleans())
            | st.just(Row(UNSTORABLE[0], "1", UNSTORABLE[1], refused=False)),
            min_size=1,
            max_size=2,
        ),
    )
    def come(self, made: list[Row]) -> None:
        self.feeds.append(Feed(self.next_number(), False, made))


class PatchedMachine(TopicMachine):
    """Feeds of one record that is rejected, so that it can be patched."""

    @rule(number=st.integers(1, 2))
    def come(self, number: int) -> None:
        self.feeds.append(feed := Feed(self.next_number(), False, [Row("P", "1", number, refused=True)]))
        self.land(feed)


def test_whatever_is_left_behind_or_appended_late_the_topic_ends_on_what_must_stand() -> None:
    run_state_machine_as_test(TopicMachine, settings=CALM)


Mutant = Callable[[pytest.MonkeyPatch], None]


def the_topic_is_believed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(reconciliation, "version_outcome", lambda version, facts: VersionOutcome.LOST)


def what_is_deferred_is_lost(patch: pytest.MonkeyPatch) -> None:
    fate_of = reconciliation.version_outcome
    patch.setattr(
        reconciliation, "version_outcome", lambda version, facts: fate_of(version, facts._replace(deferred=False))
    )


def nothing_is_outrun(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(reconciliation, "newest_version_before", lambda known, seen: 0)
    patch.setattr(keeper, "newest_version_before", lambda known, seen: 0)


def a_late_append_is_left(patch: pytest.MonkeyPatch) -> None:
    compare = reconciliation.compare_record

    def lenient(seen: Observed, known: Stored) -> RecordStatus:
        finding = compare(seen, known)
        return RecordStatus.SETTLED if finding is RecordStatus.REPAIR else finding

    patch.setattr(reconciliation, "compare_record", lenient)
    patch.setattr(keeper, "compare_record", lenient)


def a_patch_keeps_its_record_s_version(patch: pytest.MonkeyPatch) -> None:
    def as_sent(candidate: Candidate, known: KeyState, period: Any, **bounds: int) -> Judgement:
        return judge(candidate._replace(patched=False), known, period, **bounds)

    patch.setattr(deciding, "judge", as_sent)


def one_bad_record_costs_its_chunk(patch: pytest.MonkeyPatch) -> None:
    async def whole(size: int, tried: Callable[[range], Awaitable[Exception | None]]) -> dict[int, Exception]:
        return dict.fromkeys(range(size), ValueError())

    patch.setitem(globals(), "found_by_halving", whole)


def kafka_comes_before_postgresql(patch: pytest.MonkeyPatch) -> None:
    told = TopicMachine.land

    def land(self: TopicMachine, feed: Feed, *, crash: bool = False) -> None:
        if not all(map(is_storable, feed.rows)):
            entries = [self.entry(place, row) for place, row in enumerate(feed.rows)]
            self.leave_behind(self.judged(feed.feed_no, entries), appended=True)
        told(self, feed, crash=crash)

    patch.setattr(TopicMachine, "land", land)


MUTANTS: tuple[tuple[type[Machine], Mutant], ...] = (
    (FewMachine, the_topic_is_believed),
    (FewMachine, what_is_deferred_is_lost),
    (FewMachine, one_bad_record_costs_its_chunk),
    (FewMachine, kafka_comes_before_postgresql),
    (FewMachine, nothing_is_outrun),
    (FewMachine, a_late_append_is_left),
    (PatchedMachine, a_patch_keeps_its_record_s_version),
)


@pytest.mark.parametrize(("machine", "mutant"), MUTANTS, ids=lambda each: each.__name__)
@pytest.mark.timeout(600)  # how long a random search takes is chance
def test_a_rule_taken_out_is_found_at_random(
    machine: type[Machine], mutant: Mutant, monkeypatch: pytest.MonkeyPatch
) -> None:
    mutant(monkeypatch)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(machine, settings=SEARCH)
