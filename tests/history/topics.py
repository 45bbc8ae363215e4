"""Are the catalog topics sound in themselves, do the tables agree with them, and was every record really sent so?"""

from __future__ import annotations

from collections import defaultdict

from tests.history.events import Event, Feed, History, Key, Published
from tests.history.findings import Finding, Violation
from tests.history.keys import Said, story_of


def nothing_appears_from_nowhere(said: Said) -> Finding:
    """Every record was sent for its key, by the supplier whose it is, and not only to be validated or refused."""
    sent = _sent(said.history)
    pushed = (each for each in said.history.published if each.key.supplier in said.pushing)
    values = [each for each in pushed if each.value is not None]
    violations = [
        Violation(
            f"{'/'.join(each.key)} {each.value} (offset {each.offset}) was never sent so", story_of(said, each.key)
        )
        for each in values
        if (each.key, each.value) not in sent or each.owner != each.key.supplier
    ]
    return Finding(len(values), violations)


def _sent(history: History) -> set[tuple[Key, int]]:
    """What may appear at all, by key and value."""
    found: set[tuple[Key, int]] = set()
    for feed in history.feeds.values():
        if feed.mode != "validate" and (feed.numbers or feed.unknown):
            found |= {(_key(feed, each.sku, each.area), each.value) for each in feed.records if each.sku and each.value}
    feeds = history.by_number()
    for replay in history.replays.values():
        patch, of = replay.patch, feeds.get(replay.number)
        if patch and patch.sku and patch.value and of and replay.asked and replay.outcome != "rejected":
            found.add((_key(of, patch.sku, patch.area), patch.value))
    return found


def _key(feed: Feed, sku: str, area: str) -> Key:
    return Key(feed.facet, feed.supplier, sku, area)


def the_last_is_the_highest(said: Said) -> Finding:
    """Who takes every record of a topic ends where who heeds versions ends."""
    highest: dict[Key, int] = {}
    for each in said.history.published:
        highest[each.key] = max(each.version, highest.get(each.key, 0))
    violations = [
        Violation(f"{'/'.join(key)} ends on version {last.version}, below {highest[key]}", story_of(said, key))
        for key, last in said.last.items()
        if last.version < highest[key]
    ]
    return Finding(len(said.last), violations)


def tables_agree_with_topics(said: Said) -> Finding:
    """The state of each key names the last record of its topic, and says whether that is a withdrawal."""
    violations = []
    states = {Key(*row["key"]): row for row in said.history.states}
    for key, last in said.last.items():
        fault = _disagreement(states.get(key), last)
        if fault:
            violations.append(Violation(f"{'/'.join(key)}: {fault}", story_of(said, key)))
    for key, row in states.items():
        if row["offset"] is not None and key not in said.last:
            violations.append(Violation(f"{'/'.join(key)} is on the topic only by its state"))
    return Finding(len(said.last.keys() | states.keys()), violations)


def _disagreement(row: Event | None, last: Published) -> str:
    if row is None:
        return f"the topic ends on version {last.version}, which no state knows"
    if row["accepted"] != (last.value is not None):
        return f"its state says {'on' if row['accepted'] else 'off'} sale, the topic does not"
    if (row["partition"], row["offset"]) != (last.partition, last.offset):
        return f"its state names offset {row['offset']}, the topic ends at {last.offset}"
    if not isinstance(row["version"], int) or row["version"] < last.version:
        return f"its state has version {row['version']}, the topic {last.version}"
    return ""


def a_version_is_always_the_same(said: Said) -> Finding:
    """A version that appears again has the same identity and content; no identity stands for two versions."""
    first: dict[tuple[Key, int], Published] = {}
    owners: defaultdict[str, set[tuple[Key, int]]] = defaultdict(set)
    violations = []
    for each in said.history.published:
        known = first.setdefault((each.key, each.version), each)
        if (known.ce_id, known.content) != (each.ce_id, each.content):
            text = f"{'/'.join(each.key)} version {each.version} has two contents"
            violations.append(Violation(text, [f"{known.ce_id} {known.content}", f"{each.ce_id} {each.content}"]))
        owners[each.ce_id].add((each.key, each.version))
    violations += [
        Violation(f"{ce_id} stands for {len(ids)} versions") for ce_id, ids in owners.items() if len(ids) > 1
    ]
    return Finding(len(first), violations)
