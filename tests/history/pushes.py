"""The judge of crash tests: what vendors were told and what topics and tables hold must agree, whatever broke between.

Each check returns what is wrong, in words; none is an empty list. Each has a seeded fault in test_history.py that it
must find.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import orjson

from tests.reader import Books, Entry

BITS = 24


@dataclass(frozen=True)
class Pushed:
    """One push as the vendor knows it. acked: it saw a 202; lines: what it sent; feed_no: as answered, None unknown."""

    lines: Sequence[bytes]
    acked: bool
    feed_no: int | None


def every_item_has_one_outcome(pushes: Iterable[Pushed], books: Books) -> list[str]:
    """H1: every record of an acked feed lies in exactly one chunk, with exactly one outcome; the feed is finished."""
    wrong = []
    feeds = {feed["feed_no"]: feed for feed in books.feeds}
    for push in pushes:
        if not push.acked:
            continue
        covered: list[int] = []
        for chunk in books.chunks:
            if chunk["feed_no"] == push.feed_no:
                covered += range(chunk["first_record"], chunk["first_record"] + chunk["records"])
                if len(chunk["outcomes"]) != chunk["records"]:
                    wrong.append(f"feed {push.feed_no} chunk {chunk['chunk_no']}: {len(chunk['outcomes'])} outcomes")
        if sorted(covered) != list(range(len(push.lines))):
            wrong.append(f"feed {push.feed_no}: {len(covered)} outcomes for {len(push.lines)} records")
        if feeds.get(push.feed_no, {}).get("state") != "done":
            wrong.append(f"feed {push.feed_no}: not done")
    return wrong


def no_phantoms(pushes: Iterable[Pushed], entries: Iterable[Entry]) -> list[str]:
    """H2: every record on the topic is one that some vendor pushed, with its price."""
    pushed = {push.feed_no: push.lines for push in pushes if push.feed_no is not None}
    wrong = []
    for entry in entries:
        feed_no, index = entry.version >> BITS, entry.version & (2**BITS - 1)
        lines = pushed.get(feed_no)
        if lines is None or entry.value is None:
            continue
        sent, got = orjson.loads(lines[index]), orjson.loads(entry.value)
        if (sent["sku"], sent["price"]) != (got["sku"], got["agreement_price"]):
            wrong.append(f"version {entry.version}: {got['sku']} {got['agreement_price']} was never pushed so")
    return wrong


def last_is_newest(entries: Iterable[Entry], books: Books, facet: str = "$") -> list[str]:
    """H3: the last record of each key on the topic is the one its state names, and no version is higher.

    facet: its code in the tables.
    """
    wrong = []
    last: dict[bytes, Entry] = {}
    highest: dict[bytes, int] = defaultdict(int)
    for entry in entries:
        key = entry.key or b""
        last[key] = entry
        highest[key] = max(highest[key], entry.version)
    states = {_key(row): row for row in books.keys if row["facet"] == facet and row["offset"] is not None}
    for key, entry in last.items():
        if entry.version != highest[key]:
            wrong.append(f"{key!r} ends on version {entry.version}, but {highest[key]} was published")
        state = states.get(key)
        if state is None or state["version"] < entry.version:
            wrong.append(f"{key!r} ends on version {entry.version}, which no state knows")
        elif (state["partition"], state["offset"]) != (entry.partition, entry.offset):
            wrong.append(f"{key!r}: its state names offset {state['offset']}, the topic ends at {entry.offset}")
    wrong += [f"{key!r} is accepted but not on the topic" for key in states.keys() - last.keys()]
    return wrong


def highest_accepted_stands(pushes: Iterable[Pushed], entries: Iterable[Entry], books: Books) -> list[str]:
    """H3: each key is at the highest version that any chunk accepted, and the topic ends on that record's price.

    Or it was withdrawn by a feed after that, and the topic ends on null.
    """
    accepted: dict[tuple[str, str], tuple[int, bytes]] = {}
    lines = {push.feed_no: push.lines for push in pushes if push.feed_no is not None}
    for chunk in books.chunks:
        for place, mark in enumerate(chunk["outcomes"]):
            index = chunk["first_record"] + place
            if mark in b"nu" and index < len(lines.get(chunk["feed_no"], ())):
                line = orjson.loads(lines[chunk["feed_no"]][index])
                key, version = (line["sku"], line.get("area", "*")), chunk["feed_no"] << BITS | index
                accepted[key] = max(accepted.get(key, (0, b"")), (version, line["price"]))
    last = {
        entry.key: orjson.loads(entry.value)["agreement_price"] if entry.value is not None else None
        for entry in entries
    }
    wrong = []
    for row in books.keys:
        stands: tuple[int, bytes | None] = accepted.get((row["sku"], row["area"]), (0, b""))
        if row["version"] >> BITS not in lines or row["facet"] != "$":
            continue  # of a feed whose vendor never heard its number
        if row["withdrawn"]:
            stands = max(stands[0], row["version"]), None
        if row["version"] != stands[0]:
            wrong.append(f"{_key(row)!r}: its state is version {row['version']}, but {stands[0]} was accepted")
        elif last.get(_key(row)) != stands[1]:
            wrong.append(f"{_key(row)!r}: the topic ends on {last.get(_key(row))}, but {stands[1]!r} was accepted")
    return wrong


def _key(row: Mapping[str, object]) -> bytes:
    place = "" if row["facet"] in ("p", "l") else f":{row['area']}"
    return f"{row['supplier']}:{row['sku']}{place}".encode()


def repeats_are_the_same(entries: Iterable[Entry]) -> list[str]:
    """A version that is published again has the same `ce_id` and value; two versions never share one."""
    wrong = []
    seen: dict[tuple[bytes, int], Entry] = {}
    owners: dict[str, tuple[bytes, int]] = {}
    for entry in entries:
        identity = (entry.key or b"", entry.version)
        first = seen.setdefault(identity, entry)
        if (first.ce_id, first.value) != (entry.ce_id, entry.value):
            wrong.append(f"{identity} was published as {first.ce_id} and as {entry.ce_id}")
        if owners.setdefault(entry.ce_id, identity) != identity:
            wrong.append(f"{entry.ce_id} stands for {owners[entry.ce_id]} and for {identity}")
    return wrong


def rejects_are_kept(pushes: Iterable[Pushed], books: Books) -> list[str]:
    """H11: each rejected record has exactly one dead letter with its original bytes, and no other has one."""
    wrong = []
    letters: dict[tuple[int, int], list[bytes]] = defaultdict(list)
    for letter in books.letters:
        letters[letter["feed_no"], letter["record_index"]].append(letter["original"])
    rejected = {
        (chunk["feed_no"], chunk["first_record"] + place)
        for chunk in books.chunks
        for place, mark in enumerate(chunk["outcomes"])
        if mark == ord("r")
    }
    lines = {push.feed_no: push.lines for push in pushes}
    for feed_no, index in rejected | letters.keys():
        kept = letters.get((feed_no, index), [])
        if (feed_no, index) not in rejected or len(kept) != 1:
            wrong.append(f"record {index} of feed {feed_no}: {len(kept)} dead letters")
        elif feed_no in lines and kept[0] != lines[feed_no][index]:
            wrong.append(f"record {index} of feed {feed_no}: other bytes were kept")
    return wrong


def judge(pushes: Sequence[Pushed], topics: Mapping[str, Sequence[Entry]], books: Books) -> list[str]:
    """Everything that is wrong with a history of price feeds."""
    prices = topics["mall.catalog.prices.v1"]
    return [
        *every_item_has_one_outcome(pushes, books),
        *no_phantoms(pushes, prices),
        *last_is_newest(prices, books),
        *highest_accepted_stands(pushes, prices, books),
        *repeats_are_the_same(prices),
        *rejects_are_kept(pushes, books),
    ]
