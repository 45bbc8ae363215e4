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

_SPACE = re.compile(r"[ \t\n\r]*")


def _refuse_constant(name: str) -> NoReturn:
    raise ProblemError("malformed_json", actual=name, expected="a JSON number")


# bool: hooks that are C functions and keep nothing of what they are given.
_end_of_value = json.JSONDecoder(
    object_pairs_hook=bool, parse_float=bool, parse_int=bool, parse_constant=_refuse_constant
).raw_decode


def _after_space(window: str, at: int) -> int:
    return cast("re.Match[str]", _SPACE.match(window, at)).end()


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
        self._line = 1
        self._expect = _Expect.DOCUMENT

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Records that `data` completes. Raises ProblemError malformed_json, json_too_deep, line_too_long."""
        self._append(data)
        if self._size >= self._enough:
            yield from self._cut(final=False)

    def finish(self) -> Iterator[tuple[int, bytes]]:
        """The last records. Raises ProblemError as `feed` does, malformed_json too when the document is not whole."""
        self._append(b"", final=True)
        yield from self._cut(final=True)
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

    def _cut(self, *, final: bool) -> Iterator[tuple[int, bytes]]:
        """Records as far as the window holds them; what is left of it is the next window's beginning."""
        window = "".join(self._parts)
        at = counted = 0
        try:
            while (at := _after_space(window, at)) < len(window):
                self._line += window.count("\n", counted, at)
                counted = at
                raw, at = self._step(window, at, final)
                if raw is not None:
                    yield self._line, raw
        except _NeedMoreError:
            if len(window) - at > MAX_CARRIED:
                raise ProblemError("line_too_long", row=self._line) from None
        self._line += window.count("\n", counted, at)
        self._parts = [window[at:]]
        self._size = len(window) - at
        # A value is tried again when twice as much of it is there: its length is then walked twice, not squared.
        self._enough = max(1, min(2 * self._size, MAX_CARRIED + 1))

    def _step(self, window: str, at: int, final: bool) -> tuple[bytes | None, int]:
        """Take what stands at `at`: the record, if it is one, and where to go on."""
        char = window[at]
        match self._expect:
            case _Expect.ELEMENT_OR_END if char == "]":
                self._expect = _Expect.NOTHING
                return None, at + 1
            case _Expect.ELEMENT_OR_END | _Expect.ELEMENT:
                return self._element(window, at, final)
            case _Expect.DOCUMENT:
                return self._document(window, at, final)
            case _Expect.NOTHING:
                raise self._malformed(char, "nothing after the document")

    def _document(self, window: str, at: int, final: bool) -> tuple[bytes | None, int]:
        char = window[at]
        if char == "[":
            self._expect = _Expect.ELEMENT_OR_END
            return None, at + 1
        if char != "{":
            raise self._malformed(char, "an array of records or one object")
        end = self._value(window, at, final)
        self._expect = _Expect.NOTHING
        return self._raw(window[at:end]), end

    def _element(self, window: str, at: int, final: bool) -> tuple[bytes, int]:
        end = self._value(window, at, final)
        after = _after_space(window, end)
        delimiter = window[after : after + 1]
        if delimiter not in (",", "]"):
            # "1." and "1e+" are values followed by nonsense, until their next digit is there.
            if not final and len(window) - after <= 2:
                raise _NeedMoreError
            raise self._malformed(delimiter, "',' or ']'")
        self._expect = _Expect.ELEMENT if delimiter == "," else _Expect.NOTHING
        return self._raw(window[at:end]), after + 1

    def _value(self, window: str, at: int, final: bool) -> int:
        """Where the value ends that begins at `at`."""
        try:
            return _end_of_value(window, at)[1]
        except json.JSONDecodeError as error:
            unfinished = error.msg.startswith("Unterminated") or error.pos >= len(window) - _TOKEN
            if unfinished and not final:
                raise _NeedMoreError from None
            row = self._line + window.count("\n", at, error.pos)
            actual = window[error.pos : error.pos + _TOKEN]
            raise ProblemError("malformed_json", error.msg, row=row, actual=actual) from None
        except RecursionError:
            raise ProblemError("json_too_deep", row=self._line) from None

    def _raw(self, text: str) -> bytes:
        raw = text.encode()
        if len(raw) > MAX_CARRIED:
            raise ProblemError("line_too_long", row=self._line)
        return raw

    def _malformed(self, actual: str, expected: str) -> ProblemError:
        return ProblemError("malformed_json", row=self._line, actual=actual, expected=expected)
