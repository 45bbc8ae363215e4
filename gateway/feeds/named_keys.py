"""Whom a record names, and whether an operator's patch of it still names the same. Pure.

A patch mends what was said of an article; it never says it of another one. Where the original cannot be read the patch
has to name the article, and the answer says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import jiter
import orjson

from gateway.feeds.chunk import decode
from gateway.feeds.normalise import Result, parts_of
from gateway.sdk.errors import InvalidMessageError, Issue
from gateway.sdk.exchange import asked_skus
from gateway.sdk.wire import MAX_RECORD, MAX_VALUES, count_values, shown
from schemas.base import valid_area, valid_sku

CODE = "patch_other_key"

LISTED = 5
"""Names that an answer repeats; beyond them it tells how many more there are."""

PROBED = 100
"""Values that are read of a member that a record has many times."""

# A member of what is no JSON, however it is quoted and spaced: its name first, which is found fast, then what may not
# stand before it. Possessive, so that no open quote costs more than once.
_MEMBER = rb"""%b(?<![\w\x80-\xff]%b)["']?\s*+:\s*+(?:"([^"\\]*+(?:\\.[^"\\]*+)*+)"|'([^']*+)')"""
_SKU_MEMBER = re.compile(_MEMBER % (b"sku", b"sku"), re.DOTALL)
_AREA_MEMBER = re.compile(_MEMBER % (b"area", b"area"), re.DOTALL)


@dataclass(frozen=True, slots=True)
class NamedKeys:
    """Whom a record names.

    keys: by sku the areas that it tells of, None where it does not tell; area: what a pushed record gives as its area,
    "" for nothing, None where that cannot be read; question: of an exchange, what was asked.
    """

    keys: Mapping[str, frozenset[str] | None] = field(default_factory=dict)
    area: str | None = None
    question: tuple[frozenset[str], str] | None = None

    def __str__(self) -> str:
        names = [each for sku, areas in sorted(self.keys.items()) for each in _names(sku, areas or {self.area or ""})]
        more = len(names) - LISTED
        return ", ".join(names[:LISTED]) + (f" and {more} more" if more > 0 else "")


@dataclass(frozen=True, slots=True)
class KeyComparison:
    """What an answer says of a patch. issue: why it is refused; summary: what it alone names."""

    issue: Issue | None = None
    summary: str = ""


def compare_keys(original: NamedKeys, patch: NamedKeys) -> KeyComparison:
    """Whether a patch keeps the keys of the original: the one place that knows the rule. Total."""
    if original.question != patch.question:
        return _refused(_asked(original), _asked(patch))
    if not original.keys:
        return KeyComparison(summary=_only_patch(patch, "article") if patch.keys else "")
    summary = ""
    for sku, areas in patch.keys.items():
        if sku not in original.keys or not _same_areas(original, sku, patch, areas):
            return _refused(str(original), str(patch))
        if original.keys[sku] is None and original.area is None and any(areas or ()):
            summary = _only_patch(patch, "area")
    return KeyComparison(summary=summary)


def _same_areas(original: NamedKeys, sku: str, patch: NamedKeys, areas: frozenset[str] | None) -> bool:
    original_areas = original.keys[sku]
    if original_areas is not None:
        return areas is None or areas <= original_areas
    # Nothing said stays nothing said: what that means is for the adapter to know.
    return original.area != "" or patch.area in {"", "*", None}


def _refused(original: str, patch: str) -> KeyComparison:
    return KeyComparison(Issue(CODE, actual=shown(patch), expected=shown(original)))


def _only_patch(patch: NamedKeys, what: str) -> str:
    return f"The original names no {what} that can be read; the patch names {shown(str(patch))}."


def _asked(named: NamedKeys) -> str:
    if named.question is None:
        return str(named) or "no pulled exchange"
    skus, context = named.question
    return f"asked about {', '.join(sorted(skus)[:LISTED])} with {context}"


def _names(sku: str, areas: Iterable[str]) -> Iterator[str]:
    return (sku if area in {"", "*"} else f"{sku} in area {area}" for area in sorted(areas))


def named_by(raw: bytes, result: Result, sku: str | None = None) -> NamedKeys:
    """Whom a record names. result: what normalising made of it; sku: what was read of it when it was rejected."""
    items, rejections = parts_of(result)
    areas: dict[str, set[str] | None] = {}
    for item in items:
        found = areas.setdefault(item.sku, set())
        if found is not None:
            found.add(item.area)
    asked = asked_skus(raw)
    members = _Members.of(raw)
    area = None if asked else members.area()
    others = {*asked, *(each for rejection in rejections for each in rejection.skus), *([sku] if sku else [])}
    if not items and not others:  # nobody is surely named
        others |= set(members.skus)
    for other in _valid(valid_sku, others):
        areas.setdefault(other, {area} if area else None)
    keys = {name: None if found is None else frozenset(found) for name, found in areas.items()}
    return NamedKeys(keys, area, _question(raw) if asked else None)


def named_by_chunk(value: bytes) -> NamedKeys:
    """Whom the records of a chunk name, as far as their bytes tell."""
    try:
        raws = [record.raw for record in decode(value)]
    except InvalidMessageError:
        raws = []
    skus = {sku for raw in raws for sku in (*asked_skus(raw), *_Members.of(raw).skus)}
    return NamedKeys(dict.fromkeys(_valid(valid_sku, skus or set(_probed(_SKU_MEMBER, value))), None))


def _question(raw: bytes) -> tuple[frozenset[str], str]:
    head = jiter.from_json(raw.partition(b"\n")[0])
    return frozenset(head["skus"]), orjson.dumps(head["asked"], option=orjson.OPT_SORT_KEYS).decode()


@dataclass(frozen=True, slots=True)
class _Members:
    """Members of a pushed record. areas: None where they cannot be read."""

    skus: tuple[Any, ...]
    areas: tuple[Any, ...] | None

    @classmethod
    def of(cls, raw: bytes) -> _Members:
        """Read them as leniently as can be: a doubled member gives every value, what is no JSON gives the first.

        Of what is too long or too full for a record nothing is read.
        """
        if len(raw) > MAX_RECORD or count_values(raw, MAX_VALUES) > MAX_VALUES:
            return cls((), None)
        try:
            found = jiter.from_json(raw, float_mode="lossless-float")
        except ValueError:
            skus, areas = _probed(_SKU_MEMBER, raw, most=1), _probed(_AREA_MEMBER, raw, most=1)
            return cls(skus, areas or None)
        if not isinstance(found, dict):
            return cls((), None)
        if _doubled(raw):
            return cls(_probed(_SKU_MEMBER, raw), _probed(_AREA_MEMBER, raw))
        return cls((found["sku"],) if "sku" in found else (), (found["area"],) if "area" in found else ())

    def area(self) -> str | None:
        """The area: "" where none is given, None where it cannot be read."""
        if self.areas is None:
            return None
        if not self.areas:
            return ""
        return next(iter(_valid(valid_area, self.areas)), None) if len(set(map(str, self.areas))) == 1 else None


def _doubled(raw: bytes) -> bool:
    try:
        jiter.from_json(raw, float_mode="lossless-float", catch_duplicate_keys=True)
    except ValueError:
        return True
    return False


def _probed(member: re.Pattern[bytes], raw: bytes, *, most: int = PROBED) -> tuple[str, ...]:
    """The values of a member, wherever it stands in the bytes; the first of them."""
    found = (each[1] if each[1] is not None else each[2] for each in islice(member.finditer(raw), most))
    return tuple(_unescaped(each.decode(errors="replace")) for each in found)


def _unescaped(written: str) -> str:
    try:
        return str(orjson.loads(f'"{written}"'))
    except orjson.JSONDecodeError:
        return written


def _valid(check: Callable[[object], str | None], values: Iterable[object]) -> set[str]:
    """Those that can be what they are to be, as they are published."""
    return {each for each in map(check, values) if each is not None}
