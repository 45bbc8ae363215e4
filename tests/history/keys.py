"""Does every key on the topics end as the history says? Three checks: of what is lost, what returns, what is older."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from math import inf

from tests.history.events import Feed, History, Key, Published, Replay, Sent
from tests.history.findings import Finding, Violation
from tests.history.standing import Mention, Pass, Value, allowed

LATEST = 90.0
"""Seconds after its sender gave it up in which a request may still be read: the longest that a program is frozen."""

TAKEN = frozenset({"normalized", "unchanged"})
"""Outcomes of what is, or was already, the state of its key."""

STORY = 14
"""Lines of a story."""


class Timeline:
    """When which numbers were known to be given out."""

    def __init__(self, history: History) -> None:
        numbered = [(feed, number, at) for feed in history.feeds.values() for number, at in feed.numbers.items()]
        answers = sorted((at, number) for _, number, at in numbered)
        begins = sorted((feed.began, number) for feed, number, _ in numbered)
        self._answered = [at for at, _ in answers]
        self._highest = [0, *accumulate((number for _, number in answers), max)]
        self._began = [at for at, _ in begins]
        lowest = [*accumulate((float(number) for _, number in reversed(begins)), min)]
        self._lowest = [*reversed(lowest), inf]

    def before(self, at: float) -> int:
        """The highest number that was answered before then."""
        return self._highest[bisect_left(self._answered, at)]

    def after(self, at: float) -> float:
        """The lowest number of what began only then."""
        return self._lowest[bisect_right(self._began, at)]


@dataclass(frozen=True)
class Said:
    """All that was said of the keys of a history."""

    history: History

    @cached_property
    def last(self) -> dict[Key, Published]:
        """The last record of each key on its topic."""
        return {each.key: each for each in self.history.published}

    @cached_property
    def topic(self) -> Mapping[Key, list[Published]]:
        """The records of each key on its topic."""
        found: defaultdict[Key, list[Published]] = defaultdict(list)
        for each in self.history.published:
            found[each.key].append(each)
        return found

    @cached_property
    def mentions(self) -> Mapping[Key, list[Mention]]:
        """What names each key."""
        found: defaultdict[Key, list[Mention]] = defaultdict(list)
        for feed, record, mention in self._told():
            for key in self.keys_of(feed, record):
                found[key].append(mention)
        return found

    @cached_property
    def passes(self) -> Mapping[tuple[str, str], list[Pass]]:
        """Full feeds by facet and supplier that withdrew, or may have."""
        found: defaultdict[tuple[str, str], list[Pass]] = defaultdict(list)
        for feed in self.history.feeds.values():
            full = pass_of(feed)
            if full is not None:
                found[feed.facet, feed.supplier].append(full)
        return found

    @cached_property
    def pushing(self) -> frozenset[str]:
        """Suppliers whose feeds are in the history; the others are pulled."""
        return frozenset(feed.supplier for feed in self.history.feeds.values())

    @cached_property
    def unplaced(self) -> frozenset[tuple[str, str]]:
        """Facets of suppliers with a full feed whose number nobody knows: nothing can be said of their keys."""
        feeds = self.history.feeds.values()
        return frozenset(
            (feed.facet, feed.supplier) for feed in feeds if feed.mode == "full" and not feed.numbers and feed.unknown
        )

    @cached_property
    def ranked(self) -> frozenset[Key]:
        """Keys whose records carry a version of their vendor's."""
        feeds = self.history.feeds.values()
        return frozenset(
            key for feed in feeds for each in feed.records if each.ranked for key in self.keys_of(feed, each)
        )

    @cached_property
    def _areas(self) -> Mapping[tuple[str, str, str], set[str]]:
        areas: defaultdict[tuple[str, str, str], set[str]] = defaultdict(set)
        for feed in self.history.feeds.values():
            for record in feed.records:
                if record.sku is not None and record.value is not None:
                    areas[feed.facet, feed.supplier, record.sku].add(record.area)
        return areas

    def keys_of(self, feed: Feed, record: Sent) -> Iterator[Key]:
        """A bad record names every area of its sku."""
        if record.sku is None:
            return
        all_areas = self._areas[feed.facet, feed.supplier, record.sku]
        for area in all_areas if record.value is None else (record.area,):
            yield Key(feed.facet, feed.supplier, record.sku, area)

    def _told(self) -> Iterator[tuple[Feed, Sent, Mention]]:
        timeline = Timeline(self.history)
        for feed in self.history.feeds.values():
            yield from _of_feed(feed, timeline)
        feeds = self.history.by_number()
        for replay in self.history.replays.values():
            if replay.number in feeds:
                yield from _of_replay(feeds[replay.number], replay)


def pass_of(feed: Feed) -> Pass | None:
    """The pass of a full feed, None for what withdraws nothing. Without a flaw it took everything that it should."""
    if feed.mode != "full" or feed.number is None:
        return None
    if feed.view is None or not feed.view["finished_at"]:
        return Pass(feed.number, sure=False, finished=feed.finished)
    if feed.view["flaw"] is None and not feed.cancelled():
        return Pass(feed.number, sure=True, finished=feed.finished)
    return Pass(feed.number, sure=False, finished=feed.finished) if feed.view["withdrawn"] else None


def _of_feed(feed: Feed, timeline: Timeline) -> Iterator[tuple[Feed, Sent, Mention]]:
    number = feed.number
    if feed.mode == "validate" or (number is None and not feed.unknown):
        return
    if feed.records and feed.cancelled() == len(feed.records):
        return
    sure = number is not None and feed.view is not None and bool(feed.view["finished_at"]) and not feed.cancelled()
    low, high = (timeline.before(feed.began), timeline.after(feed.ended + LATEST)) if number is None else (number,) * 2
    for index, record in enumerate(feed.records):
        high_index = index if number is not None else inf
        mention = Mention((low, index), (high, high_index), feed.began, record.value, sure and not record.doubtful)
        yield feed, record, mention


def _of_replay(feed: Feed, replay: Replay) -> Iterator[tuple[Feed, Sent, Mention]]:
    """A replay that said it was taken, or whose answer was lost. What was as before is bad as before."""
    record = replay.patch
    if record is None or not replay.asked or not (replay.outcome is None or replay.outcome in TAKEN):
        return
    order = (replay.number, replay.index)
    yield feed, record, Mention(order, order, replay.began, record.value, replay.outcome is not None)


def judged_keys(said: Said) -> Iterator[tuple[Key, Value, frozenset[Value]]]:
    """Each key with what its topic ends on, and what it may end on."""
    for key in sorted(said.mentions.keys() | said.last.keys()):
        facet = key.facet, key.supplier
        if key.supplier in said.pushing and facet not in said.unplaced:
            got = said.last[key].value if key in said.last else None
            yield key, got, allowed(said.mentions.get(key, ()), said.passes.get(facet, ()), ranked=key in said.ranked)


def nothing_named_is_lost(said: Said) -> Finding:
    """What was taken and not taken off sale by what came later is on the topic."""
    return _found(said, "off sale", lambda got, may: got is None and None not in may)


def nothing_withdrawn_returns(said: Said) -> Finding:
    """What no full feed since names is off the topic, whatever older feed, replay or repair came after."""
    return _found(said, "on sale", lambda got, may: got is not None and may == {None})


def the_newest_stands(said: Said) -> Finding:
    """Where something has to stand, it is the latest that was said, or what carries the highest version."""
    return _found(said, "", lambda got, may: got is not None and may != {None})


def _found(said: Said, word: str, wrong: Callable[[Value, frozenset[Value]], bool]) -> Finding:
    judged, violations = 0, []
    for key, got, may in judged_keys(said):
        judged += 1
        if got not in may and wrong(got, may):
            text = f"{'/'.join(key)} ends {word or 'on'} {_shown({got})}, but {_shown(may)} should stand"
            violations.append(Violation(text, story_of(said, key)))
    return Finding(judged, violations)


def _shown(values: frozenset[Value] | set[Value]) -> str:
    return " or ".join(sorted("nothing" if value is None else str(value) for value in values))


def story_of(said: Said, key: Key) -> list[str]:
    """What was said of a key, in the order of its numbers, and the records of its topic."""
    lines = []
    for each in said.mentions.get(key, ()):
        at = f"{each.low[0]:g}" if each.low[0] == each.high[0] else f"{each.low[0]:g}..{each.high[0]:g}"
        what = "names it" if each.value is None else f"says {each.value}"
        lines.append((each.high, f"feed {at} record {each.low[1]:g} {what}{'' if each.sure else ' (not sure)'}"))
    for full in said.passes.get((key.facet, key.supplier), ()):
        lines.append(((float(full.number), inf), f"full feed {full.number} {'is whole' if full.sure else 'may be'}"))
    told = [line for _, line in sorted(lines)][-STORY:]
    topic = [
        f"topic offset {each.offset}: {'null' if each.value is None else each.value} version {each.version >> 24}"
        f"·{each.version & 0xFFFFFF}"
        for each in said.topic.get(key, ())
    ]
    return told + topic[-STORY:]
