"""Feeds in any order, against a model that knows only the history; each rule taken out must be noticed.

The machine drives the pure rules: a number is taken when a request comes, its records take effect later or never, in
any order among feeds; full feeds decide, are held, released, rejected, and withdraw at their leisure; rejected records
are mended and replayed; a crash between publishing and commit repeats a chunk.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from gateway.feeds import decide as deciding
from gateway.feeds import withdraw
from gateway.feeds.decide import Decisions, Entry, Key, decide
from gateway.feeds.guard import Candidate, Judgement, KeyState, judge
from gateway.feeds.normalise import NormalisedItem, Rejection
from gateway.feeds.versions import WITHDRAWAL, version_of
from gateway.sdk.errors import Issue
from tests.unit.feeds.standing import Said, Standing

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
VERSIONED = "V"
"""The sku whose records all carry a version of the supplier's own, which says what they hold."""

UNREADABLE = ""
"""Sku of a rejected record that nobody can read."""

REASONS = (Issue("invalid_decimal"),)
HARD = settings(
    max_examples=150,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


# The first counter-example is enough: nobody reads that of a mutant.
MUTANTS = settings(HARD, max_examples=4_000, phases=[Phase.generate])


class Row(NamedTuple):
    """One record of a feed. number: what its content hangs on; refused: it is rejected at first."""

    sku: str
    area: str
    number: int
    refused: bool


@dataclass
class Feed:
    """A feed whose number is taken. applied: its records took effect."""

    feed_no: int
    full: bool
    rows: list[Row]
    admitted: bool = False
    applied: bool = False
    letters: list[tuple[int, Row]] = field(default_factory=list)

    @property
    def flawed(self) -> bool:
        return any(row.refused and row.sku == UNREADABLE for row in self.rows)


rows = st.builds(
    Row,
    st.sampled_from(["P", VERSIONED, "Q"]) | st.sampled_from(["P", VERSIONED, UNREADABLE]),
    st.sampled_from("12"),
    st.integers(1, 4),
    st.sampled_from([False, False, False, True]),
).map(lambda row: row if row.sku else row._replace(refused=True))


class Machine(RuleBasedStateMachine):
    """One facet of one supplier, and all that may happen to it."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers = 0
        self.feeds: list[Feed] = []
        self.known: dict[Key, KeyState] = {}
        self.seen: dict[Key, int] = {}
        self.marks: dict[str, int] = {}
        self.topic: dict[Key, tuple[int, str | None]] = {}
        self.horizon = 0
        self.held: list[int] = []
        self.withdrawing: list[int] = []
        self.model = Standing()

    def next_number(self) -> int:
        self.numbers += 1
        return self.numbers

    def open_feeds(self) -> list[Feed]:
        return [feed for feed in self.feeds if not feed.applied]

    @rule(full=st.booleans(), made=st.lists(rows, max_size=3), at_once=st.booleans())
    def come(self, full: bool, made: list[Row], at_once: bool) -> None:
        """A request comes, which takes a number; its body may take long."""
        self.feeds.append(Feed(self.next_number(), full, made, admitted=at_once))

    @precondition(lambda self: bool(self.open_feeds()))
    @rule(data=st.data(), crash=st.booleans())
    def apply(self, data: st.DataObject, crash: bool) -> None:
        """The records of a feed take effect, or those of a crash do so at the second attempt."""
        self.land(data.draw(st.sampled_from(self.open_feeds())), crash=crash)

    def land(self, feed: Feed, *, crash: bool = False) -> None:
        feed.admitted = feed.applied = True
        feed.letters = [(place, row) for place, row in enumerate(feed.rows) if row.refused and row.sku]
        entries = [self.entry(place, row) for place, row in enumerate(feed.rows)]
        if crash:
            self.publish(self.judged(feed.feed_no, entries))
        self.take(feed.feed_no, entries)
        for place, row in enumerate(feed.rows):
            self.tell(feed.feed_no, place, row)

    @precondition(lambda self: bool(self.open_feeds()))
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        """A feed never takes effect."""
        self.feeds.remove(data.draw(st.sampled_from(self.open_feeds())))

    @precondition(lambda self: bool(any(feed.letters for feed in self.feeds)))
    @rule(data=st.data())
    def replay(self, data: st.DataObject) -> None:
        """A rejected record is mended and judged again under its number."""
        feed = data.draw(st.sampled_from([feed for feed in self.feeds if feed.letters]))
        place, row = feed.letters.pop()
        mended = row._replace(refused=False)
        self.take(feed.feed_no, [self.entry(place, mended)])
        self.tell(feed.feed_no, place, mended)

    def deciding(self) -> list[Feed]:
        """Full feeds that took effect and wait for no older one that was admitted."""
        first = min((feed.feed_no for feed in self.open_feeds() if feed.admitted), default=self.numbers + 1)
        return [feed for feed in self.feeds if feed.full and feed.applied and feed.feed_no < first]

    @precondition(lambda self: bool(self.deciding()))
    @rule(data=st.data(), hold=st.booleans())
    def decide(self, data: st.DataObject, hold: bool) -> None:
        """A full feed withdraws nothing, is held by a brake, or goes on to withdraw."""
        feed = data.draw(st.sampled_from(self.deciding()))
        feed.full = False
        if feed.flawed or max([self.horizon, *self.held]) > feed.feed_no:
            return
        self.held = [feed.feed_no] if hold else []
        if not hold:
            self.leave(feed.feed_no)

    @precondition(lambda self: bool(self.held))
    @rule(release=st.booleans())
    def settle(self, release: bool) -> None:
        """An operator decides about the feed that is held."""
        feed_no = self.held.pop()
        if release:
            self.leave(feed_no)

    def leave(self, full: int) -> None:
        self.horizon = max(self.horizon, full)
        self.withdrawing.append(full)
        self.model.decide(full)

    @precondition(lambda self: bool(self.withdrawing))
    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        """What a full feed did not name goes."""
        self.go(data.draw(st.sampled_from(self.withdrawing)))

    def go(self, full: int) -> None:
        self.withdrawing.remove(full)
        for key, state in self.known.items():
            found = {
                "active": state.hash is not None,
                "seen": max(self.seen[key], self.marks.get(key[0], 0)),
                "version": state.newness,
                "published": state.version,
            }
            if withdraw.is_absent(found, full):  # type: ignore[arg-type]
                version = withdraw.withdrawal_over(found, full)  # type: ignore[arg-type]
                self.known[key] = KeyState(version, own_version=version_of(full, WITHDRAWAL))
                self.put(key, version, None)
        self.model.withdraw(full)

    def entry(self, place: int, row: Row) -> Entry:
        if row.refused:
            return Entry(place, place + 1, b"", Rejection(REASONS, (row.sku,) if row.sku else ()))
        source_version = row.number if row.sku == VERSIONED else None
        content = b"%d" % row.number
        return Entry(place, place + 1, b"", [NormalisedItem(row.sku, row.area, content, content, NOON, source_version)])

    def judged(self, feed_no: int, entries: list[Entry]) -> Decisions:
        def asked(fresh_no: int) -> Decisions:
            return decide(entries, self.known, feed_no=feed_no, period=None, horizon=self.horizon, fresh_no=fresh_no)

        decisions = asked(0)
        return asked(self.next_number()) if decisions.raised else decisions

    def take(self, feed_no: int, entries: list[Entry]) -> None:
        decisions = self.judged(feed_no, entries)
        assert len(decisions.outcomes) == len(entries)
        self.publish(decisions)
        for key, (state, _) in decisions.states.items():
            self.known[key] = state
            self.seen[key] = max(self.seen.get(key, 0), feed_no)
        for sku in {sku for refused in decisions.refused for sku in refused.skus}:
            self.marks[sku] = max(self.marks.get(sku, 0), feed_no)

    def publish(self, decisions: Decisions) -> None:
        for each in decisions.publications:
            self.put(each.key, each.version, each.item.content.decode())

    def put(self, key: Key, version: int, amount: str | None) -> None:
        """A consumer takes a record unless its version is lower than the one it has."""
        if version >= self.topic.get(key, (0, None))[0]:
            self.topic[key] = (version, amount)

    def tell(self, feed_no: int, place: int, row: Row) -> None:
        if not row.refused:
            source_version = row.number if row.sku == VERSIONED else -1
            self.model.say((row.sku, row.area), Said(source_version, feed_no, place, str(row.number)))
        elif row.sku:
            self.model.refuse(row.sku, feed_no)

    @invariant()
    def what_stands_is_what_must(self) -> None:
        must = self.model.on_sale()
        stored = {key: state.hash.decode() for key, state in self.known.items() if state.hash is not None}
        consumed = {key: amount for key, (_, amount) in self.topic.items() if amount is not None}
        assert stored == must
        assert consumed == must


def test_whatever_order_things_come_in_what_must_stand_stands() -> None:
    run_state_machine_as_test(Machine, settings=HARD)


def between_a_full_feed_and_what_it_withdraws() -> None:
    """What stands was raised above a full feed that does not name it; a feed in between comes last."""
    machine = Machine()
    machine.numbers = 4
    first, second, full, fourth = (
        Feed(1, False, [Row(VERSIONED, "1", 2, False)]),
        Feed(2, False, [Row(VERSIONED, "1", 1, False)]),
        Feed(3, True, []),
        Feed(4, False, [Row(VERSIONED, "1", 1, False)]),
    )
    for feed in (second, first, full):
        machine.land(feed)
    machine.leave(full.feed_no)
    machine.go(full.feed_no)
    machine.what_stands_is_what_must()
    machine.land(fourth)
    machine.what_stands_is_what_must()


def test_what_was_raised_above_a_full_feed_is_withdrawn_by_it_and_a_feed_in_between_counts() -> None:
    between_a_full_feed_and_what_it_withdraws()


def test_a_withdrawal_under_the_feeds_own_version_would_not_be_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(withdraw, "withdrawal_over", lambda key, feed_no: version_of(feed_no, WITHDRAWAL))
    with pytest.raises(AssertionError):
        between_a_full_feed_and_what_it_withdraws()


def test_against_the_version_on_the_topic_the_feed_in_between_would_be_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(KeyState, "newness", property(lambda state: state.version))
    with pytest.raises(AssertionError):
        between_a_full_feed_and_what_it_withdraws()


def without_horizon(candidate: Candidate, known: KeyState, period: Any, **bounds: Any) -> Judgement:
    return judge(candidate, known, period, **{**bounds, "horizon": 0})


def with_numbers_first(candidate: Candidate, known: KeyState, period: Any, **bounds: Any) -> Judgement:
    if candidate.version <= known.version:
        candidate = candidate._replace(source_version=None)
    return judge(candidate, known, period, **bounds)


def under_its_own_version(candidate: Candidate, known: KeyState, period: Any, **bounds: Any) -> Judgement:
    return judge(candidate, known, period, **{**bounds, "fresh": candidate.version})


def nobody_is_refused(
    decisions: Decisions, entry: Entry, stage: str, issues: tuple[Issue, ...], skus: tuple[str, ...]
) -> None:
    REJECT(decisions, entry, stage, issues, ())


REJECT = deciding._reject


@pytest.mark.parametrize(
    ("rule_", "mutant"),
    [
        ("judge", without_horizon),
        ("judge", with_numbers_first),
        ("judge", under_its_own_version),
        ("_reject", nobody_is_refused),
    ],
)
@pytest.mark.timeout(600)  # how long a random search takes is chance
def test_a_rule_taken_out_is_noticed(rule_: str, mutant: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deciding, rule_, mutant)
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Machine, settings=MUTANTS)
