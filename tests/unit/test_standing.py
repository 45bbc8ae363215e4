"""What a judge lets stand is what the rules come to, in whatever order feeds take effect."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from tests.history.standing import Mention, Pass, Value, allowed


class Sent(NamedTuple):
    """One feed about one key. names: "value", "bad", "nothing"; applied: it took effect; full: it withdraws."""

    names: str
    full: bool
    applied: bool
    value: int


class Mall:
    """The rules for one key, as they are written down."""

    def __init__(self, *, ranked: bool) -> None:
        self.ranked = ranked
        self.value: Value = None
        self.version = self.seen = self.horizon = 0

    def take(self, number: int, sent: Sent) -> None:
        """A feed takes effect."""
        if sent.names == "nothing":
            return
        self.seen = max(self.seen, number)
        if sent.names == "bad" or (self.value is None and number < self.horizon):
            return
        wins = sent.value > self.value if self.ranked and self.value is not None else number > self.version
        if wins:
            self.value, self.version = sent.value, max(number, self.version)

    def withdraw(self, number: int) -> None:
        """A full feed decides."""
        self.horizon = number
        if self.seen < number:
            self.value, self.version = None, max(number, self.version)


sent = st.builds(
    Sent,
    names=st.sampled_from(["value", "value", "bad", "nothing"]),
    full=st.booleans(),
    applied=st.sampled_from([True, True, True, False]),
    value=st.integers(1, 50),
)
feeds = st.lists(sent, min_size=1, max_size=7, unique_by=lambda each: each.value)


def lived(feeds: list[Sent], order: list[int], *, ranked: bool) -> Value:
    """What stands when feeds take effect in that order; a full one decides once all before it took effect."""
    mall, waiting, undone = Mall(ranked=ranked), list(order), set(range(len(feeds)))
    decided: set[int] = set()
    while len(decided) < sum(feed.full for feed in feeds) or waiting:
        if waiting:
            place = waiting.pop(0)
            undone.discard(place)
            if feeds[place].applied:
                mall.take(place + 1, feeds[place])
        for place, feed in enumerate(feeds):
            earlier = any(other <= place for other in undone) or any(
                feeds[other].full and other not in decided for other in range(place)
            )
            if feed.full and place not in decided and not earlier:
                mall.withdraw(place + 1)
                decided.add(place)
    return mall.value


def mentions_of(feeds: list[Sent], *, sure: bool) -> list[Mention]:
    return [
        Mention((number, 0), (number, 0), 0.0, feed.value if feed.names == "value" else None, sure and feed.applied)
        for number, feed in enumerate(feeds, 1)
        if feed.names != "nothing" and (feed.applied or not sure)
    ]


def passes_of(feeds: list[Sent]) -> list[Pass]:
    return [Pass(number, sure=True, finished=1.0) for number, feed in enumerate(feeds, 1) if feed.full]


@given(feeds=feeds, ranked=st.booleans(), data=st.data())
def test_whatever_the_rules_come_to_may_stand(feeds: list[Sent], ranked: bool, data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(feeds))))
    stands = lived(feeds, order, ranked=ranked)
    assert stands in allowed(mentions_of(feeds, sure=True), passes_of(feeds), ranked=ranked)
    assert stands in allowed(mentions_of(feeds, sure=False), passes_of(feeds), ranked=ranked)


@given(feeds=feeds)
def test_without_bad_records_only_one_thing_may_stand(feeds: list[Sent]) -> None:
    good = [feed._replace(names="nothing") if feed.names == "bad" else feed for feed in feeds]
    order = list(range(len(good)))
    may = allowed(mentions_of(good, sure=True), passes_of(good), ranked=False)
    assert may == {lived(good, order, ranked=False)}


def test_a_feed_of_unknown_number_may_stand_only_where_its_time_lets_it() -> None:
    known = Mention((5, 0), (5, 0), 0.0, 50, sure=True)
    lost = Mention((2, 0), (4, 9), 0.0, 40, sure=False)
    assert allowed([known, lost], [], ranked=False) == {50}
    assert allowed([known, lost._replace(high=(7, 9))], [], ranked=False) == {50, 40}


def test_what_a_full_feed_may_have_withdrawn_may_stand_or_not() -> None:
    said = Mention((1, 0), (1, 0), 0.0, 10, sure=True)
    assert allowed([said], [Pass(2, sure=False, finished=9.0)], ranked=False) == {10, None}
    assert allowed([said], [Pass(2, sure=True, finished=9.0)], ranked=False) == {None}


def test_a_bad_record_keeps_its_key_unless_it_came_after_the_decision() -> None:
    said, bad = Mention((1, 0), (1, 0), 0.0, 10, sure=True), Mention((3, 0), (3, 0), 5.0, None, sure=True)
    assert allowed([said, bad], [Pass(2, sure=True, finished=9.0)], ranked=False) == {10, None}
    assert allowed([said, bad], [Pass(2, sure=True, finished=4.0)], ranked=False) == {None}
    assert allowed([said, bad], [Pass(3, sure=True, finished=4.0)], ranked=False) == {10}
