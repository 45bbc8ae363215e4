"""JSON: an array of records, or one object that is the only record, cut without loading the document.

The standard decoder is the one C parser that says where a value ends, so it runs over a window that slides along the
text and grows only as far as one record. Its results are thrown away: records are kept as the bytes that were sent, and
numbers are not even converted, so that their length costs nothing. It cannot rest, though: of a long value the end is
sought piece by piece, and one that is longer or holds more values than a record may is never given to it.
"""

from __future__ import annotations

import codecs
import json  # noqa: TID251 - nothing is decoded with it: it finds where a value ends
import re
from collections.abc import Iterator
from enum import Enum, auto
from typing import NoReturn, cast

from gateway.feeds.chunk import MAX_CARRIED, MAX_RECORD
from gateway.http.problems import ProblemError
from gateway.sdk.wire import MAX_VALUES

# Where an unfinished token stops the decoder short of the window's end: "-Infinity", a pair of \u escapes.
_TOKEN = 16

# Characters of an object, array or text that is not decoded before its end is known.
_LONG = 16 * 1024

# What opens and closes, a whole text, or the quote of one that goes on; and from inside a text to its end.
_BRACKET_OR_TEXT = re.compile(r'[\[\]{}]|"(?:[^"\\]*+(?:\\.[^"\\]*+)*+")?', re.DOTALL)
_REST_OF_TEXT = re.compile(r'[^"\\]*+(?:\\.[^"\\]*+)*+', re.DOTALL)

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


class _Extent:
    """Seeks the end of one object, array or text, brackets and texts alone. size: its characters so far."""

    def __init__(self) -> None:
        self.size = 0
        self.ended = False
        self._depth = 0
        self._in_text = False
        self._kept = ""  # a backslash whose character has not come yet

    def add(self, text: str) -> None:
        """What comes next, until it has ended."""
        self.size -= len(self._kept)
        text, at, self._kept = self._kept + text, 0, ""
        while at < len(text) and not self.ended:
            at = self._after_text(text, at) if self._in_text else self._after_brackets(text, at)
        self.size += at

    def _after_text(self, text: str, at: int) -> int:
        at = cast("re.Match[str]", _REST_OF_TEXT.match(text, at)).end()
        if text[at : at + 1] == '"':
            self._in_text = False
            self.ended = self._depth == 0
        else:
            self._kept = text[at:]
            at = len(text) - 1
        return at + 1

    def _after_brackets(self, text: str, at: int) -> int:
        """Behind the quote of a text that goes on, or the bracket that ends it all; else the end of the text."""
        for found in _BRACKET_OR_TEXT.finditer(text, at):
            mark = found[0]
            if mark in "[{":
                self._depth += 1
            elif mark in "]}":
                self._depth -= 1
                self.ended = self._depth == 0
            elif mark == '"':
                self._in_text = True
            else:
                self.ended = self._depth == 0
            if self._in_text or self.ended:
                return found.end()
        return len(text)


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
        self._long: _Extent | None = None  # of the value that the window begins with

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Records that `data` completes. Raises ProblemError malformed_json, json_too_deep, line_too_long."""
        text = self._append(data)
        if self._long is not None and not self._long.ended:
            self._long.add(text)
            if not self._long.ended:
                self._check_size()
                return
            self._enough = 1
        if self._size >= self._enough:
            yield from self._slide(final=False)

    def finish(self) -> Iterator[tuple[int, bytes]]:
        """The last records. Raises ProblemError as `feed` does, malformed_json too when the document is not whole."""
        self._append(b"", final=True)
        if self._long is None or self._long.ended:
            yield from self._slide(final=True)
        if self._expect is not _Expect.NOTHING:
            raise ProblemError("malformed_json", "The document ends early.", row=self._line)

    def _append(self, data: bytes, *, final: bool = False) -> str:
        """Take the next of the body, and what it says as text."""
        try:
            text = self._decode(data, final)
        except UnicodeDecodeError as error:
            actual = repr(error.object[error.start : error.start + 4])[1:]
            raise ProblemError("malformed_json", "The body is not UTF-8.", row=self._line, actual=actual) from error
        self._parts.append(text)
        self._size += len(text)
        return text

    def _check_size(self) -> None:
        """Of the value that the window begins with and that has not ended."""
        if self._size > MAX_CARRIED:
            raise ProblemError("line_too_long", row=self._line)

    def _slide(self, *, final: bool) -> Iterator[tuple[int, bytes]]:
        """Records as far as the window holds them; what is left of it is the next window's beginning."""
        self._window, self._at = "".join(self._parts), 0
        try:
            yield from self._records(final)
        except _NeedMoreError:
            self._keep()
            self._check_size()
            if self._long is None and self._size >= _LONG and self._parts[0][0] in '[{"':
                self._long = _Extent()
                self._long.add(self._parts[0])
        else:
            self._keep()
        # A value is tried again when twice as much of it is there: its length is then walked twice, not squared.
        self._enough = max(1, min(2 * self._size, MAX_CARRIED + 1))

    def _keep(self) -> None:
        self._parts = [self._window[self._at :]]
        self._size = len(self._parts[0])

    def _known_end(self) -> int:
        """The end of a long value at the window's place that is no use to decode: no record. 0: not known."""
        if self._long is None:
            return 0
        end = self._at + self._long.size
        return end if self._long.size > MAX_RECORD or self._marks_before(end) >= MAX_VALUES else 0

    def _marks_before(self, end: int) -> int:
        return sum(self._window.count(mark, self._at, end) for mark in ",[{")

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
        window, at, line, known = self._window, self._at, self._line, self._known_end()
        while at < len(window):
            try:
                end = known or _end_of_value(window, at)[1]
            except (json.JSONDecodeError, RecursionError) as error:
                raise self._unreadable(error, final) from None
            comma = _COMMA.match(window, end)
            if comma is None:
                self._end_array(end, final)
                yield line, self._raw(at, end, line)
                return
            yield line, self._raw(at, end, line)
            line += window.count("\n", at, comma.end())
            at, known, self._long = comma.end(), 0, None
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
            end = self._known_end() or _end_of_value(self._window, start)[1]
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
