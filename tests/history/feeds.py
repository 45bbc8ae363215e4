"""Was every feed, letter, replay and cancel brought to its end, and does each answer hold?"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Iterator
from itertools import accumulate

import orjson

from tests.history.events import Feed, History, Sent
from tests.history.findings import Finding, Violation
from tests.history.keys import TAKEN, Said

CANCELLED = "cancelled"

NOT_TAKEN = frozenset({"stale", "rejected"})
"""Outcomes of what never becomes the state of its key."""

UNREAD = "feeds.read"
"""Stage of the letter of a chunk that nobody could read: no vendor can send one."""


def acknowledged(history: History) -> list[Feed]:
    """Feeds that their vendors were told are durable."""
    return [feed for feed in history.feeds.values() if feed.numbers]


def everything_comes_to_its_end(said: Said) -> Finding:
    """After the last fault every feed ends, every vendor who goes on asking is answered, and the topics are quiet."""
    history = said.history
    violations = [Violation(text) for text in history.waiting]
    if not history.quiet:
        violations.append(Violation("it did not become quiet"))
    for feed in history.feeds.values():
        if feed.numbers and (feed.view is None or not feed.view["finished_at"]):
            violations.append(Violation(f"{feed.name} (feed {feed.number}) has no end", [str(feed.view)]))
        if feed.mode == "full" and feed.unknown and not feed.numbers:
            violations.append(Violation(f"{feed.name} was never answered"))
    return Finding(len(history.feeds), violations)


def every_record_has_one_outcome(said: Said) -> Finding:
    """The outcomes of an acknowledged feed are as many as its records; what is bad, and only that, is rejected."""
    feeds = [feed for feed in acknowledged(said.history) if feed.view is not None]
    violations = []
    for feed in feeds:
        items = feed.view["items"] if feed.view else {}
        bad = sum(record.value is None for record in feed.records)
        if sum(items.values()) != len(feed.records):
            violations.append(Violation(f"feed {feed.number}: {items} for {len(feed.records)} records"))
        elif not feed.cancelled() and items.get("rejected", 0) != bad:
            violations.append(Violation(f"feed {feed.number}: {items}, but {bad} records are bad"))
    return Finding(len(feeds), violations)


def a_request_has_one_number(said: Said) -> Finding:
    """However often a feed was sent under its key, it is one feed."""
    keyed = [feed for feed in acknowledged(said.history) if feed.keyed]
    violations = [Violation(f"{feed.name} is feeds {sorted(feed.numbers)}") for feed in keyed if len(feed.numbers) > 1]
    return Finding(len(keyed), violations)


def numbers_follow_time(said: Said) -> Finding:
    """What is asked after an answer has a higher number than what was answered."""
    numbered = [(feed, number, at) for feed in acknowledged(said.history) for number, at in feed.numbers.items()]
    answers = sorted((at, number) for _, number, at in numbered)
    times, highest = [at for at, _ in answers], [0, *accumulate((number for _, number in answers), max)]
    violations = [
        Violation(f"feed {number} began after feed {highest[bisect_left(times, feed.began)]} was answered")
        for feed, number, _ in numbered
        if number < highest[bisect_left(times, feed.began)]
    ]
    return Finding(len(numbered), violations)


def full_feeds_are_decided_as_they_should(said: Said) -> Finding:
    """A full feed withdraws nothing only for a reason that the history knows; one of unreadable records never does."""
    fulls = [feed for feed in acknowledged(said.history) if feed.mode == "full" and feed.view is not None]
    violations = [
        Violation(f"feed {feed.number}: {fault}", [str(feed.view)])
        for feed in fulls
        for fault in [_wrong_decision(said.history, feed)]
        if fault
    ]
    return Finding(len(fulls), violations)


def _wrong_decision(history: History, feed: Feed) -> str:
    view = feed.view or {}
    flaw, decisions = view.get("flaw"), history.decisions.get(feed.number or 0, set())
    unreadable = any(record.sku is None and record.value is None for record in feed.records)
    doubtful = unreadable or any(record.doubtful for record in feed.records)
    if flaw is None:
        return "an unreadable record, and yet it withdrew" if unreadable and view.get("withdrawn") else ""
    later = any(
        (each.supplier, each.facet, each.mode) == (feed.supplier, feed.facet, "full")
        and (each.number or 0) > (feed.number or 0)
        for each in history.feeds.values()
    )
    reasons = {
        "superseded": later,
        "cancelled": feed.cancels > 0,
        "cannot be read": doubtful,
        "hold_rejected": bool(decisions & {"reject", "discard"}),
    }
    known = [holds for word, holds in reasons.items() if word in str(flaw)]
    return "" if any(known) else f"no reason for its flaw: {flaw}"


def only_what_was_asked_is_cancelled(said: Said) -> Finding:
    """Items are cancelled only of feeds that somebody cancelled; a feed that lost items so is called cancelled."""
    feeds = [feed for feed in acknowledged(said.history) if feed.view is not None]
    violations = []
    for feed in feeds:
        state = feed.view["state"] if feed.view else ""
        if (feed.cancelled() or state == CANCELLED) and not feed.cancels:
            violations.append(Violation(f"feed {feed.number} is cancelled, and nobody asked for it"))
        elif feed.cancelled() and state != CANCELLED:
            violations.append(Violation(f"feed {feed.number} is {state} with {feed.cancelled()} items cancelled"))
    return Finding(len(feeds), violations)


def rejected_records_are_kept(said: Said) -> Finding:
    """Each bad record has exactly one dead letter, byte for byte; nothing else has one."""
    letters: defaultdict[tuple[int, int], list[str]] = defaultdict(list)
    for letter in said.history.letters:
        letters[letter["number"], letter["index"]].append(letter["original"])
    feeds = said.history.by_number()
    unread = (letter for letter in said.history.letters if letter["stage"] == UNREAD)
    violations = [Violation(f"a chunk of feed {letter['number']} could not be read") for letter in unread]
    judged = 0
    for place, record, sure in _bad(said.history):
        kept = letters.get(place, [])
        judged += 1
        if len(kept) > 1 or (sure and not kept):
            violations.append(Violation(f"feed {place[0]} record {place[1]}: {len(kept)} dead letters"))
        elif kept and kept[0] != record.line:
            violations.append(
                Violation(f"feed {place[0]} record {place[1]}: other bytes were kept", [record.line, *kept])
            )
    for number, index in letters:
        feed = feeds.get(number)
        if feed is not None and (feed.mode == "validate" or feed.records[index].value is not None):
            violations.append(
                Violation(f"feed {number} record {index}: a letter of a record that is good or validated")
            )
    return Finding(judged, violations)


def _bad(history: History) -> Iterator[tuple[tuple[int, int], Sent, bool]]:
    """Bad records by place, and whether a letter has to be there."""
    for feed in acknowledged(history):
        sure = feed.view is not None and bool(feed.view["finished_at"]) and not feed.cancelled()
        if feed.mode != "validate":
            for index, record in enumerate(feed.records):
                if record.value is None:
                    yield (feed.number or 0, index), record, sure


def replays_do_what_they_say(said: Said) -> Finding:
    """What a replay called taken was on the topic; what it called rejected or stale never was."""
    on_topic = {(each.key, each.value) for each in said.history.published}
    feeds, violations, judged = said.history.by_number(), [], 0
    for replay in said.history.replays.values():
        feed, patch = feeds.get(replay.number), replay.patch
        if feed is None or patch is None or patch.sku is None or replay.outcome not in TAKEN | NOT_TAKEN:
            continue
        judged += 1
        key = next(key for key in said.keys_of(feed, patch))
        if (replay.outcome in TAKEN) != ((key, patch.value) in on_topic):
            text = f"{'/'.join(key)} {patch.value}: a replay came to {replay.outcome}, the topic says otherwise"
            violations.append(Violation(text))
    return Finding(judged, violations)


def what_operators_do_is_written_down(said: Said) -> Finding:
    """Whatever an operator was told is done stands in the audit, as often as it was done."""
    written, acts = Counter(said.history.audit), Counter(said.history.acts)
    missing = acts - written
    return Finding(acts.total(), [Violation(f"{action} of {target} is not written down") for action, target in missing])


def reports_say_what_vendors_are_told(said: Said) -> Finding:
    """Every finished feed is reported on its topic, and each report says what the vendor is told."""
    reports: defaultdict[int, set[str]] = defaultdict(set)
    for report in said.history.reports:
        reports[report["number"]].add(_words(report["state"], report["counts"], report["withdrawn"]))
    violations, judged = [], 0
    for feed in acknowledged(said.history):
        if feed.view is None or not feed.view["finished_at"] or feed.number is None:
            continue
        judged += 1
        told = _words(feed.view["state"], feed.view["items"], feed.view["withdrawn"])
        if reports[feed.number] != {told}:
            violations.append(
                Violation(f"feed {feed.number} was told otherwise", [told, *sorted(reports[feed.number])])
            )
    return Finding(judged, violations)


def _words(state: str, counts: dict[str, int], withdrawn: int | None) -> str:
    told = [state, {name: count for name, count in sorted(counts.items()) if count}, withdrawn]
    return orjson.dumps(told).decode()


def programs_end_only_when_ended(said: Said) -> Finding:
    """No process ends by itself."""
    ends = said.history.ends
    violations = [Violation(f"a program ended with {end['status']}", end["log"]) for end in ends if not end["wanted"]]
    return Finding(len(ends), violations)


def what_is_pulled_is_what_is_offered(said: Said) -> Finding:
    """Of a supplier that is pulled the topics say what it offers."""
    wrong = said.history.pulled
    return Finding(0 if wrong is None else 1, [Violation(text) for text in wrong or ()])
