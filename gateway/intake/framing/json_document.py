"""JSON: an array of records, or one object that is the only record, cut without loading the document.

The standard decoder is the one C parser that says where a value ends, so it runs over a window that slides along the
text and grows only as far as one record. Its results are thrown away: records are kept as the bytes that were sent, and
numbers are not even converted, so that their length costs nothing.
"""

from __future__ import annotations

import codecs
import json  # noqa: TID251 - nothing is decoded with it: it finds where a value ends
import re
from collections.abc import Iterator
from enum import Enum, auto
from typing import NoReturn, cast

from gateway.feeds.chunk import MAX_CARRIED
from gateway.intake.problems import ProblemError

# Where an unfinished token stops the decoder short of the window's end: "-Infinity", a pair of \u escapes.
_TOKEN = 16

_SPACE = re.compile(r"[ \t\n\r]*+")
_COMMA = re.compile(r"[ \t\n\r]*+,[ \t\n\r]*+")


def _refuse_constant(name: str) -> NoReturn:
    raise ProblemError("malformed_json", actual=name, expected="a JSON number")


# bool: hooks that are C functions and keep nothing of what they are given.
_end_of_value = json.JSONDecoder(
    object_pairs_hook=bool, parse_float=bool, parse_int=bool, parse_constant=_refuse_constant
).raw_decode


class _Expect(Enum):
    """What may come next, after whitespace."""

    DOCUMENT = auto()
    ELEMENT_OR_END = auto()
    ELEMENT = auto()
    NOTHING = auto()


class _NeedMoreError(Exception):
    """The window ends before the value does."""


class JsonFramer:
    """Cuts the elements of a top-level array, or the one top-level object."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")().decode
        self._parts: list[str] = []
        self._size = 0
        self._enough = 1
        self._window = ""
        self._at = 0
        self._line = 1  # at the place `_at` in the window
        self._expect = _Expect.DOCUMENT

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Records that `data` completes. Raises ProblemError malformed_json, json_too_deep, line_too_long."""
        self._append(data)
        if self._size >= self._enough:
            yield from self._slide(final=False)

    def finish(self) -> Iterator[tuple[int, bytes]]:
        """The last records. Raises ProblemError as `feed` does, malformed_json too when the document is not whole."""
        self._append(b"", final=True)
        yield from self._slide(final=True)
        if self._expect is not _Expect.NOTHING:
            raise ProblemError("malformed_json", "The document ends early.", row=self._line)

    def _append(self, data: bytes, *, final: bool = False) -> None:
        try:
            text = self._decode(data, final)
        except UnicodeDecodeError as error:
            actual = repr(error.object[error.start : error.start + 4])[1:]
            raise ProblemError("malformed_json", "The body is not UTF-8.", row=self._line, actual=actual) from error
        self._parts.append(text)
        self._size += len(text)

    def _slide(self, *, final: bool) -> Iterator[tuple[int, bytes]]:
        """Records as far as the window holds them; what is left of it is the next window's beginning."""
        self._window, self._at = "".join(self._parts), 0
        try:
            yield from self._records(final)
        except _NeedMoreError:
            if len(self._window) - self._at > MAX_CARRIED:
                raise ProblemError("line_too_long", row=self._line) from None
        self._parts = [self._window[self._at :]]
        self._size = len(self._parts[0])
        # A value is tried again when twice as much of it is there: its length is then walked twice, not squared.
        self._enough = max(1, min(2 * self._size, MAX_CARRIED + 1))

    def _records(self, final: bool) -> Iterator[tuple[int, bytes]]:
        while char := self._next():
            match self._expect:
                case _Expect.DOCUMENT if char == "{":
                    yield self._only_record(final)
                case _Expect.DOCUMENT if char == "[":
                    self._advance(self._at + 1, _Expect.ELEMENT_OR_END)
                case _Expect.DOCUMENT:
                    raise self._malformed(char, "an array of records or one object")
                case _Expect.ELEMENT_OR_END if char == "]":
                    self._advance(self._at + 1, _Expect.NOTHING)
                case _Expect.ELEMENT_OR_END | _Expect.ELEMENT:
                    yield from self._elements(final)
                case _Expect.NOTHING:
                    raise self._malformed(char, "nothing after the document")

    def _elements(self, final: bool) -> Iterator[tuple[int, bytes]]:
        """Elements as long as a comma follows, then the last one. The hot loop: every element passes here."""
        window, at, line = self._window, self._at, self._line
        while at < len(window):
            try:
                end = _end_of_value(window, at)[1]
            except (json.JSONDecodeError, RecursionError) as error:
                raise self._unreadable(error, final) from None
            comma = _COMMA.match(window, end)
            if comma is None:
                self._end_array(end, final)
                yield line, self._raw(at, end, line)
                return
            yield line, self._raw(at, end, line)
            line += window.count("\n", at, comma.end())
            at = comma.end()
            self._at, self._line, self._expect = at, line, _Expect.ELEMENT

    def _end_array(self, end: int, final: bool) -> None:
        """What follows the value that ends at `end` is no comma: then it has to be the array's end."""
        after = _after_space(self._window, end)
        delimiter = self._window[after : after + 1]
        if delimiter == "]":
            self._advance(after + 1, _Expect.NOTHING)
            return
        # "1." and "1e+" are values followed by nonsense, until their next digit is there.
        if not final and len(self._window) - after <= 2:
            raise _NeedMoreError
        raise self._malformed(delimiter, "',' or ']'")

    def _only_record(self, final: bool) -> tuple[int, bytes]:
        start, line = self._at, self._line
        try:
            end = _end_of_value(self._window, start)[1]
        except (json.JSONDecodeError, RecursionError) as error:
            raise self._unreadable(error, final) from None
        self._advance(end, _Expect.NOTHING)
        return line, self._raw(start, end, line)

    def _next(self) -> str:
        """The next character that is no whitespace, "" at the window's end."""
        self._advance(_after_space(self._window, self._at), self._expect)
        return self._window[self._at : self._at + 1]

    def _advance(self, to: int, expect: _Expect) -> None:
        self._line += self._window.count("\n", self._at, to)
        self._at, self._expect = to, expect

    def _raw(self, start: int, end: int, line: int) -> bytes:
        raw = self._window[start:end].encode()
        if len(raw) > MAX_CARRIED:
            raise ProblemError("line_too_long", row=line)
        return raw

    def _unreadable(self, error: json.JSONDecodeError | RecursionError, final: bool) -> Exception:
        """What it means that the decoder failed on the value at the window's place."""
        if isinstance(error, RecursionError):
            return ProblemError("json_too_deep", row=self._line)
        unfinished = error.msg.startswith("Unterminated") or error.pos >= len(self._window) - _TOKEN
        if unfinished and not final:
            return _NeedMoreError()
        row = self._line + self._window.count("\n", self._at, error.pos)
        return ProblemError("malformed_json", error.msg, row=row, actual=self._window[error.pos : error.pos + _TOKEN])

    def _malformed(self, actual: str, expected: str) -> ProblemError:
        return ProblemError("malformed_json", row=self._line, actual=actual, expected=expected)


def _after_space(window: str, at: int) -> int:
    return cast("re.Match[str]", _SPACE.match(window, at)).end()
