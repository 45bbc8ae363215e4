"""From a record's bytes to plain values: JSON as suppliers write it, every fault of it under its own code.

Numbers with a point or an exponent stay as they are written (`jiter.LosslessFloat`): no amount passes through a float.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Any, TypeAlias

import jiter
import orjson

from gateway.sdk.errors import ContractError, InvalidMessageError, Issue
from gateway.sdk.http import Reply
from schemas.visible import is_deceptive, named

MAX_RECORD = 1024 * 1024
"""Bytes of the longest record."""

MAX_DEPTH = 64
"""Levels of arrays and objects."""

MAX_MEMBERS = 10_000
"""Members of one array or object."""

MAX_VALUES = 20_000
"""Values in one record, arrays and objects included: what is read through in one stretch of work."""

MAX_REPLY = MAX_RECORD
"""Bytes of the longest reply: what is longer could not be normalised, and would be read in one stretch all the same."""

MAX_NESTED = 25_000
"""Arrays and objects in one reply: every one costs a hundred times its bytes to read."""

MAX_REPLY_VALUES = 50_000
"""Values in one reply: a list of as many articles fills half of it."""

MAX_REPLY_NAMES = 20_000
"""Names of members in one reply: each of them costs twice what a value does, and more the more there are."""

MAX_ISSUES = 100
"""Issues told of one record: enough to mend it, few enough to read."""

MIN_ROOM, MAX_ROOM = 1024, 16 * 1024
"""Characters that the issues of any record may have, its own length apart; and of no record more than the second."""

_ISSUE_FRAME = 70
"""Characters of an issue besides its path, `actual` and `expected`."""

SHOWN = 200
"""Characters of a value, or of one step of a pointer, that an issue repeats."""

# From a quote to its partner, or to the end where it has none: without that, every escaped quote of an unclosed string
# would start another search to the end.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_STRING_OR_LONG_NUMBER = re.compile(rb"%b|(?P<number>-?[0-9]{1000}[0-9]*+(?![.eE0-9]))" % _STRING.pattern, re.DOTALL)
_NO_STRUCTURE = bytes(set(range(256)) - set(b'"[]{},:'))
_OPENING = frozenset(b"[{")
_MARKS = (b",", b"[", b"{")  # every value of a document but one comes after one of them
_MOST_BRACKETS = 2 * MAX_VALUES  # more of them, and a document is crowded or closes what it never opened
_BITS = 63
# Escapes that may stand for a control character; an escaped backslash before a "b" looks the same, hence only a hint.
_CONTROL_HINTS = (rb"\u000", rb"\u001", rb"\u007f", rb"\u007F", rb"\b", rb"\f")
_BACKSLASH, _DELETE = 0x5C, 0x7F
# Line ends and tabs are for the model to judge: texts may hold them, names may not.
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_DUPLICATE = re.compile(r'Detected duplicate key "(.*)" at line \d+ column \d+', re.DOTALL)


def decode(raw: bytes) -> Any:
    """The one JSON value that a record is.

    Objects are dicts, arrays lists, whole numbers ints, other numbers LosslessFloat. Raises InvalidMessageError:
    line_too_long, json_too_deep, too_many_items (in an array, an object or the record), malformed_json, duplicate_key,
    number_out_of_range (an integer of thousands of digits) or invalid_text (NUL and control characters, raw or by
    escapes; every place they stand in).
    """
    if len(raw) > MAX_RECORD:
        raise InvalidMessageError(_oversized(raw))
    if _may_be_deep(raw) or may_be_crowded(raw):
        _check_structure(_structure(raw))
    try:
        value = jiter.from_json(
            raw, allow_inf_nan=False, cache_mode="keys", catch_duplicate_keys=True, float_mode="lossless-float"
        )
    except ValueError as error:
        raise InvalidMessageError(_fault(str(error))) from error
    if len(raw) > MAX_MEMBERS and _crowded(raw, value):
        raise InvalidMessageError(_TOO_MANY)
    if (_BACKSLASH in raw and any(hint in raw for hint in _CONTROL_HINTS)) or _DELETE in raw:
        _refuse_controls(value)
    return value


def may_be_crowded(raw: bytes) -> bool:
    """Whether brackets and commas, those in texts included, are as many as the values that are taken; cheap to ask."""
    return len(raw) >= MAX_VALUES and _values_in(raw) >= MAX_VALUES


def count_values(raw: bytes, most: int) -> int:
    """How many values a document holds, arrays and objects included; of no more than `most`, perhaps a few more."""
    marks = _values_in(raw)
    return 1 + (marks if marks < most else _values_in(_structure(raw)))


def _values_in(structure: bytes) -> int:
    return sum(map(structure.count, _MARKS))


def _may_be_deep(raw: bytes) -> bool:
    return _nested_in(raw) > MAX_DEPTH


def _nested_in(structure: bytes) -> int:
    return structure.count(b"{") + structure.count(b"[")


def _check_structure(structure: bytes) -> None:
    """Raises InvalidMessageError: json_too_deep, too_many_items."""
    if _too_deep(structure, most=_MOST_BRACKETS):
        raise InvalidMessageError(Issue("json_too_deep", expected=f"at most {MAX_DEPTH} levels"))
    if _values_in(structure) >= MAX_VALUES:
        raise InvalidMessageError(_TOO_MANY_VALUES)


def members(raw: bytes) -> dict[str, Any]:
    """The members of the one JSON object that a record is. Raises as `decode`, and validation_failed if it is none."""
    value = decode(raw)
    if value.__class__ is dict:
        found: dict[str, Any] = value
        return found
    raise InvalidMessageError(Issue("validation_failed", actual=shown(value), expected="an object"))


def whole_json(body: bytes) -> bool:
    """Whether a body begins and ends as an object or array of JSON does: no error page, not empty, not cut off."""
    text = body.strip()
    return text[:1] + text[-1:] in (b"{}", b"[]")


def decode_reply(reply: Reply) -> Any:
    """The one JSON value that a supplier's reply is, as `decode` reads it, but longer and fuller.

    Its size was capped on its way in; of values it may hold MAX_REPLY_VALUES, of names MAX_REPLY_NAMES, of arrays and
    objects MAX_NESTED. A whole number of more digits than Python converts is the text of its digits: it must not cost
    the rest of the reply its reading. Raises ContractError with the body.
    """
    structure = b""
    if (
        _values_in(reply.body) >= MAX_REPLY_VALUES
        or _may_be_deep(reply.body)
        or _names_in(reply.body) > MAX_REPLY_NAMES
    ):
        structure = _structure_of_reply(reply)
    try:
        value = _decode_long(reply.body)
    except ValueError as error:
        raise _unreadable(reply, legible(str(error))) from error
    if _too_deep(structure):
        raise _unreadable(reply, f"deeper than {MAX_DEPTH} levels")
    return value


def _structure_of_reply(reply: Reply) -> bytes:
    """What `_structure` finds. Raises ContractError where a limit is broken."""
    texts = (reply.body.count(b'"') - reply.body.count(b'\\"')) // 2  # or more
    structure = b"" if texts > MAX_REPLY_VALUES + MAX_REPLY_NAMES else _structure(reply.body)
    for found, most, what in (
        (texts, MAX_REPLY_VALUES + MAX_REPLY_NAMES, "texts"),
        (_nested_in(structure), MAX_NESTED, "arrays and objects"),
        (_names_in(structure), MAX_REPLY_NAMES, "names of members"),
        (_values_in(structure) + 1, MAX_REPLY_VALUES, "values"),
    ):
        if found > most:
            raise _unreadable(reply, f"more than {most:,} {what}")
    return structure


def _names_in(structure: bytes) -> int:
    return structure.count(b":")


def _decode_long(body: bytes) -> Any:
    options: Any = {
        "allow_inf_nan": False,
        "cache_mode": "keys",
        "catch_duplicate_keys": True,
        "float_mode": "lossless-float",
    }
    try:
        return jiter.from_json(body, **options)
    except ValueError as error:
        if not str(error).startswith("number out of range"):
            raise
        return jiter.from_json(_STRING_OR_LONG_NUMBER.sub(_quoted, body), **options)


def _quoted(found: re.Match[bytes]) -> bytes:
    return found[0] if found["number"] is None else b'"%b"' % found["number"]


def encode(value: Any) -> bytes:
    """A decoded value as JSON again, every number as it was written."""
    try:
        return orjson.dumps(value, default=_as_written)
    except orjson.JSONEncodeError:  # whole numbers beyond 64 bits
        return orjson.dumps(_spelled(value), default=_as_written)


def shown(value: object) -> str:
    """A value of a record as an issue repeats it: short, one line, without control characters."""
    match value:
        case dict():
            return "object"
        case list():
            return "array"
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case _:
            return legible(str(value))


def legible(text: str) -> str:
    """The start of a text on one line, with everything that could not be seen in it written out, as `[U+200B]`."""
    start = text[:SHOWN]
    if start.isascii() and start.isprintable():
        return start
    return "".join(named(each) if is_deceptive(each) else each for each in start)[:SHOWN]


def pointer(*steps: str | int) -> str:
    """JSON pointer (RFC 6901) of the place that the steps lead to; long names are cut."""
    return "".join("/" + legible(str(step)).replace("~", "~0").replace("/", "~1") for step in steps)


_TOO_MANY = Issue("too_many_items", expected=f"at most {MAX_MEMBERS} members in an array or object")
_TOO_MANY_VALUES = Issue("too_many_items", expected=f"at most {MAX_VALUES} values in a record")


def limit_issues(issues: Iterable[Issue], *, room: int | None = None) -> tuple[Issue, ...]:
    """The first of a record's issues, at least one; where there are more than are told, the last one says so.

    room: characters of them all as they are kept; None: as many as MAX_ISSUES have. No issue is asked for that is not
    told.
    """
    found: list[Issue] = []
    used = 0
    for issue in issues:
        used += _ISSUE_FRAME + len(issue.path) + len(issue.actual) + len(issue.expected)
        if found and (len(found) == MAX_ISSUES or (room is not None and used > room)):
            kept = found[: max(1, min(len(found), MAX_ISSUES - 1))]
            return (*kept, Issue("more_issues", expected=f"the first {len(kept)} are told"))
        found.append(issue)
    return tuple(found)


def room_of(raw: bytes) -> int:
    """Characters that the issues of a record may have: about as many as its own, of a long one fewer."""
    return min(MIN_ROOM + len(raw), MAX_ROOM)


def _fault(message: str) -> Issue:
    """The issue behind an error text of jiter; the tests hold one of each kind against the installed version."""
    if message.startswith("number out of range"):
        return Issue("number_out_of_range", actual=legible(message))
    if duplicate := _DUPLICATE.fullmatch(message):
        return Issue("duplicate_key", actual=legible(duplicate[1]), expected="every member once")
    return Issue("malformed_json", actual=legible(message), expected="one JSON value in UTF-8")


def _unreadable(reply: Reply, why: str) -> ContractError:
    return ContractError(
        f"The reply is not JSON: {why}", operation=reply.operation, status=reply.status, reply=reply.body
    )


def _as_written(number: object) -> orjson.Fragment:
    return orjson.Fragment(str(number).encode())


def _spelled(value: Any) -> Any:
    match value:
        case dict():
            return {name: _spelled(child) for name, child in value.items()}
        case list():
            return [_spelled(child) for child in value]
        case int() if value.bit_length() > _BITS:
            return _as_written(value)
        case _:
            return value


def _structure(raw: bytes) -> bytes:
    """The brackets, commas and colons of a document, without those in its texts; of what is no JSON, some of them.

    Passes of C alone, a tenth of what an expression takes that walks through every text. A pair of quotes with nothing
    left between them goes first: what is inside a text and what is outside stays so.
    """
    if _BACKSLASH in raw:
        raw = raw.replace(b"\\\\", b"").replace(b'\\"', b"")
    return b"".join(raw.translate(None, _NO_STRUCTURE).replace(b'""', b"").split(b'"')[::2])


def _too_deep(structure: bytes, most: int | None = None) -> bool:
    """Whether more is open somewhere than may be, in the first `most` brackets; not behind what was never opened."""
    depth = 0
    for bracket in structure.translate(None, b",:")[:most]:
        depth += 1 if bracket in _OPENING else -1
        if not 0 <= depth <= MAX_DEPTH:
            return depth > 0
    return False


def _crowded(raw: bytes, value: Any) -> bool:
    """Whether an array or object has too many members; they would need as many commas."""
    level = [value] if raw.count(b",") >= MAX_MEMBERS and value.__class__ in (dict, list) else []
    while level:
        if max(map(len, level)) > MAX_MEMBERS:
            return True
        inner = chain.from_iterable(node.values() if node.__class__ is dict else node for node in level)
        level = [node for node in inner if node.__class__ in (dict, list)]
    return False


def _oversized(raw: bytes) -> Issue:
    """Why a record is too long: a crowd in it is the better news for whoever wrote it."""
    if may_be_crowded(raw) and whole_json(raw) and _values_in(_structure(raw)) >= MAX_VALUES:
        return _TOO_MANY_VALUES
    return Issue("line_too_long", actual=f"{len(raw)} bytes", expected=f"at most {MAX_RECORD} bytes")


def _refuse_controls(value: Any) -> None:
    issues = limit_issues(
        Issue("invalid_text", pointer(*steps), shown(node), "no control characters")
        for steps, node in nodes(value, _has_controls)
    )
    if issues:
        raise InvalidMessageError(*issues)


def _has_controls(node: Any) -> bool:
    """Whether a string, or a name of an object, holds control characters."""
    if node.__class__ is str:
        return _CONTROL.search(node) is not None
    return node.__class__ is dict and any(map(_CONTROL.search, node))


def nodes(value: Any, wanted: Callable[[Any], bool]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """The wanted ones among a value and all values inside it, each with the steps that lead to it."""
    waiting: list[tuple[_Way, Any]] = [((), value)]
    while waiting:
        way, node = waiting.pop()
        if wanted(node):
            yield tuple(_steps(way)), node
        if node.__class__ is dict:
            waiting += [((way, name), child) for name, child in node.items()]
        elif node.__class__ is list:
            waiting += [((way, index), child) for index, child in enumerate(node)]


_Way: TypeAlias = tuple[Any, ...]
"""The last step and the way to it, () at the start: a way as a tuple of steps would be copied for every value."""


def _steps(way: _Way) -> list[str | int]:
    steps: list[str | int] = []
    while way:
        way, step = way
        steps.append(step)
    return steps[::-1]
