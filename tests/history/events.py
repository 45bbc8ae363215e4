"""What a long run records, one JSON object a line, and the same folded into feeds, replays and records of topics.

Everything was seen from outside: what left vendors and operators and what they were told, and in the end what a
separate reader found on the topics and in the tables. `at` is seconds on one clock of the recorder.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from tests.history import conversation_recorded, orders_recorded

Event = Mapping[str, Any]


class Key(NamedTuple):
    """What a record of a catalog topic is about. area: "" where the facet has none."""

    facet: str
    supplier: str
    sku: str
    area: str


class Sent(NamedTuple):
    """One record of a feed. sku: None where nobody can read it; value: the number that its content tells, None: bad.

    ranked: the value is its source_version as well; doubtful: whether its sku can be read is open.
    """

    sku: str | None
    area: str
    value: int | None
    ranked: bool
    doubtful: bool
    line: str


@dataclass(slots=True)
class Feed:
    """One feed as its vendor knows it, over all requests that carried it.

    began: the first request left; ended: the last answer came or was given up; numbers: as answered, with the time of
    the first answer; refused: some answer said for good that it is not taken; unknown: some request's answer was lost
    or said nothing certain; view: what the vendor was told in the end; finished: first seen so.
    """

    name: str
    supplier: str
    facet: str
    mode: str
    keyed: bool
    records: tuple[Sent, ...]
    began: float
    ended: float = inf
    numbers: dict[int, float] = field(default_factory=dict)
    refused: bool = False
    unknown: bool = False
    cancels: int = 0
    view: Event | None = None
    finished: float = inf

    @property
    def number(self) -> int | None:
        """Its number, None as long as none was answered."""
        return min(self.numbers, default=None)

    def cancelled(self) -> int:
        """Items that it was told were cancelled."""
        return 0 if self.view is None else int(self.view["items"].get("cancelled", 0))


@dataclass(slots=True)
class Replay:
    """One replay of a letter by an operator. patch: None: as it was; outcome: None: not known."""

    number: int
    index: int
    patch: Sent | None
    began: float
    outcome: str | None = None
    asked: bool = True


class Published(NamedTuple):
    """One record of a catalog topic. value: the number that its content tells, None: withdrawn, -1: none of ours."""

    key: Key
    partition: int
    offset: int
    version: int
    ce_id: str
    value: int | None
    content: str | None
    owner: str


@dataclass(slots=True)
class History:
    """A whole run.

    decisions: what operators decided about held feeds, by number; acts: what they did and were told was done, audit:
    what is written down of it, each as action and target; states, letters: rows as read.
    """

    feeds: dict[str, Feed] = field(default_factory=dict)
    replays: dict[str, Replay] = field(default_factory=dict)
    decisions: dict[int, set[str]] = field(default_factory=dict)
    published: list[Published] = field(default_factory=list)
    states: list[Event] = field(default_factory=list)
    letters: list[Event] = field(default_factory=list)
    reports: list[Event] = field(default_factory=list)
    acts: list[tuple[str, str]] = field(default_factory=list)
    audit: list[tuple[str, str]] = field(default_factory=list)
    faults: Counter[str] = field(default_factory=Counter)
    ends: list[Event] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    quiet: bool = False
    pulled: list[str] | None = None
    orders: orders_recorded.Orders = field(default_factory=orders_recorded.Orders)
    conversation: conversation_recorded.Conversation = field(default_factory=conversation_recorded.Conversation)

    def by_number(self) -> dict[int, Feed]:
        """Feeds whose number was answered."""
        return {number: feed for feed in self.feeds.values() for number in feed.numbers}


def read(path: Path) -> History:
    """The history in a file."""
    with path.open("rb") as file:
        return folded(orjson.loads(line) for line in file)


def folded(events: Iterable[Event]) -> History:
    """The history that the events tell, in their order."""
    history = History()
    for event in events:
        _take(history, event)
    return history


def _take(history: History, event: Event) -> None:
    kind = event["event"]
    if kind.startswith("feed."):
        _take_of_feed(history, event)
    elif kind.startswith("replay."):
        _take_of_replay(history, event)
    elif kind.startswith("order."):
        orders_recorded.take(history.orders, event)
    elif kind.startswith("conversation."):
        conversation_recorded.take(history.conversation, event)
    else:
        _take_of_run(history, event)


def _take_of_feed(history: History, event: Event) -> None:
    if event["event"] == "feed.sent":
        history.feeds[event["feed"]] = Feed(
            name=event["feed"],
            supplier=event["supplier"],
            facet=event["facet"],
            mode=event["mode"],
            keyed=event["keyed"],
            records=tuple(Sent(*record) for record in event["records"]),
            began=event["at"],
        )
        return
    feed = history.feeds[event["feed"]]
    match event["event"]:
        case "feed.answered":
            _answered(feed, event)
        case "feed.cancel":
            feed.cancels += 1
        case "feed.told":
            feed.view = event["view"]
            if event["view"]["finished_at"]:
                feed.finished = min(feed.finished, event["at"])
        case other:
            raise ValueError(other)


def _answered(feed: Feed, event: Event) -> None:
    """status 0: no answer. What is neither taken nor refused for good may have been taken."""
    feed.ended = event["at"]
    if event["number"] is not None:
        feed.numbers.setdefault(event["number"], event["at"])
    elif event["status"] in FINAL:
        feed.refused = True
    else:
        feed.unknown = True


FINAL = frozenset({400, 401, 403, 404, 413, 415, 422})
"""Statuses of a request that never takes effect."""


def _take_of_replay(history: History, event: Event) -> None:
    if event["event"] == "replay.sent":
        patch = None if event["patch"] is None else Sent(*event["patch"])
        history.replays[event["replay"]] = Replay(event["number"], event["index"], patch, event["at"])
        return
    replay = history.replays[event["replay"]]
    replay.outcome, replay.asked = event["outcome"], event["status"] not in FINAL | {409}


def _take_of_run(history: History, event: Event) -> None:
    match event["event"]:
        case "hold.decided":
            history.decisions.setdefault(event["number"], set()).add(event["act"])
        case "operator.done":
            history.acts.append((event["action"], event["target"]))
        case "program.ended":
            history.ends.append(event)
        case "fault":
            history.faults[event["kind"]] += 1
        case "quiet":
            history.quiet, history.waiting = event["reached"], event["waiting"]
        case "pulled":
            history.pulled = event["differences"]
        case _:
            _take_of_reader(history, event)


def _take_of_reader(history: History, event: Event) -> None:
    """What a separate reader found on the topics and in the tables."""
    match event["event"]:
        case "audit":
            history.audit.append((event["action"], event["target"]))
        case "published":
            history.published.append(Published(Key(*event["key"]), *event["record"]))
        case "state":
            history.states.append(event)
        case "letter":
            history.letters.append(event)
        case "report":
            history.reports.append(event)
        case other:
            raise ValueError(other)
