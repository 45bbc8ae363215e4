"""Did every record of the commands topic come in once, and is what could not kept as it was?"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from tests.history.findings import Finding, Violation
from tests.history.orders_recorded import CommandRecord, Letter, Orders

UNREADABLE = "commands"
"""Stage of the letters of records that are no commands."""

UNDECIDED = "relay"
"""Stage of the letters of commands that nobody could decide."""

HIDDEN = "***"
"""Stands in a letter where the record told of a person."""

PEOPLE = frozenset({"receiver", "address", "invoice", "remark", "reason"})
"""Members of a command's payload that may tell of one."""


def offsets_are_stored_before_they_are_committed(orders: Orders) -> Finding:
    """Whenever somebody looked, Kafka was told no place that the database did not have."""
    violations = [
        Violation(f"partition {partition}: {place} was committed, {seen.stored.get(partition, 0)} stored")
        for seen in orders.offsets
        for partition, place in seen.committed.items()
        if place > seen.stored.get(partition, 0)
    ]
    return Finding(len(orders.offsets), violations)


def no_record_is_skipped(orders: Orders) -> Finding:
    """Each record is a command of the inbox, one that came before, or a dead letter; the inbox stands at the end."""
    records = {(each.partition, each.offset): each for each in orders.records}
    taken = {(kept.partition, kept.offset): kept for kept in orders.kept}
    letters = {(each.partition, each.offset) for each in orders.letters if each.stage == UNREADABLE}
    first = {kept.command_id: records[place].value for place, kept in taken.items() if place in records}
    violations = [
        Violation(f"offset {place[1]} of partition {place[0]} is neither a command nor a letter", [repr(each.value)])
        for place, each in records.items()
        if place not in taken and place not in letters and not _repeats(first, each.value)
    ]
    violations += [
        Violation(f"{kept.command_id} is in the inbox from offset {kept.offset}, where there is no record")
        for place, kept in taken.items()
        if place not in records
    ]
    stored = orders.offsets[-1].stored if orders.offsets else {}
    violations += [
        Violation(f"partition {partition} ends at {end}, the inbox at {stored.get(partition, 0)}")
        for partition, end in orders.ends.items()
        if stored.get(partition, 0) != end
    ]
    return Finding(len(records), violations)


def _repeats(first: Mapping[str, bytes], value: bytes) -> bool:
    """Whether a record says what another one said before; white space and the order of members make no other."""
    known = first.get(_id(value) or "")
    return known is not None and _json(known) == _json(value)


def lanes_follow_the_topic(orders: Orders) -> Finding:
    """The commands of an order stand in its lane as their records do in their partition."""
    violations = []
    for (supplier, order_no), lane in orders.lanes.items():
        offsets = [(kept.partition, kept.offset) for kept in lane]
        if offsets != sorted(offsets) or len({partition for partition, _ in offsets}) > 1:
            violations.append(Violation(f"{order_no}: its lane at {supplier} is {offsets}", orders.story(order_no)))
    return Finding(len(orders.kept), violations)


def letters_reproduce_what_they_are_about(orders: Orders) -> Finding:
    """A record that is no command has one letter with its bytes, with nothing hidden but people; what is exported is
    the same. A command that nobody could decide is named by its letter.
    """
    records = {(each.partition, each.offset): each for each in orders.records}
    commands = {kept.command_id for kept in orders.kept}
    violations = []
    for letter in orders.letters:
        fault = _wrong_letter(letter, records, commands) or _wrong_export(orders, letter)
        if fault:
            violations.append(Violation(f"letter {letter.id} of {letter.stage}: {fault}"))
    violations += [Violation(f"letter {each} was exported, and is not kept") for each in _unknown_exports(orders)]
    violations += [
        Violation(f"offset {place[1]} of partition {place[0]} has {len(ids)} letters")
        for place, ids in _letters_by_place(orders).items()
        if len(ids) > 1
    ]
    return Finding(len(orders.letters), violations)


def _wrong_letter(letter: Letter, records: Mapping[tuple[int, int], CommandRecord], commands: set[str]) -> str:
    if letter.stage == UNDECIDED:
        return "" if _id(letter.original) in commands else "it names no command"
    if letter.stage != UNREADABLE:
        return ""
    record = records.get((letter.partition or 0, letter.offset if letter.offset is not None else -1))
    if record is None:
        return "it is of no record"
    return "" if _reproduces(letter.original, record.value) else f"other bytes were kept: {letter.original!r:.200}"


def _wrong_export(orders: Orders, letter: Letter) -> str:
    exported = orders.exports.get(letter.id, [])
    if not exported:
        return "it was not exported"
    return "" if set(exported) == {letter.original} else "other bytes were exported"


def _unknown_exports(orders: Orders) -> Iterator[str]:
    known = {letter.id for letter in orders.letters}
    return (each for each in orders.exports if each not in known)


def _letters_by_place(orders: Orders) -> Mapping[tuple[int | None, int | None], set[str]]:
    found: defaultdict[tuple[int | None, int | None], set[str]] = defaultdict(set)
    for letter in orders.letters:
        if letter.stage == UNREADABLE:
            found[letter.partition, letter.offset].add(letter.id)
    return found


def _reproduces(kept: bytes, value: bytes) -> bool:
    """Whether a letter holds the bytes of a record; the digest of those that cannot be searched for people."""
    if kept == value:
        return True
    said = _json(value)
    if isinstance(said, dict):
        return _same_but_people(_json(kept), said, hidden=False)
    return bool(_json(kept) == {"bytes": len(value), "sha256": hashlib.sha256(value).hexdigest()})


def _same_but_people(kept: Any, said: Any, *, hidden: bool) -> bool:
    """Whether two values are the same but for what may be hidden. hidden: this one may."""
    if kept == said or (hidden and kept == HIDDEN):
        return True
    if isinstance(said, dict) and isinstance(kept, dict) and said.keys() == kept.keys():
        return all(_same_but_people(kept[name], said[name], hidden=hidden or name in PEOPLE) for name in said)
    if isinstance(said, list) and isinstance(kept, list) and len(said) == len(kept):
        return all(_same_but_people(*each, hidden=hidden) for each in zip(kept, said, strict=True))
    return False


def _id(value: bytes) -> str | None:
    said = _json(value)
    return str(said["command_id"]) if isinstance(said, dict) and "command_id" in said else None


def _json(value: bytes) -> Any:
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return None
