"""NDJSON: every line that is not blank is a record. Lines are not parsed: one that is no JSON is a record, too."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.feeds.chunk import MAX_CARRIED
from gateway.http.problems import ProblemError

_BLANK = b" \t\r"


class NdjsonFramer:
    """Lines end in LF or CR LF, the last one may end with the file. Blank lines count, but are no records."""

    def __init__(self) -> None:
        self._open: list[bytes] = []  # what is there of the line that has not ended yet
        self._open_size = 0
        self._line = 1
        self._found = False

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """Records of the lines that end in `data`. Raises ProblemError malformed_json, line_too_long."""
        if self._line == 1 and self._open_size < 3:
            self._check_start(data)
        first, *rest = data.split(b"\n")
        self._hold(first)
        if not rest:
            return
        lines = [self._take(), *rest]
        self._hold(lines.pop())
        for number, line in enumerate(lines, self._line):
            if line.strip(_BLANK):
                self._found = True
                yield number, _checked(line, number)
        self._line += len(lines)

    def finish(self) -> Iterator[tuple[int, bytes]]:
        """The record of a last line without LF. Raises ProblemError malformed_json when there was no record at all."""
        line = self._take()
        if line.strip(_BLANK):
            yield self._line, _checked(line, self._line)
        elif not self._found:
            raise ProblemError("malformed_json", "The body holds no record.", expected="one JSON object per line")

    def _hold(self, data: bytes) -> None:
        self._open.append(data)
        self._open_size += len(data)
        if self._open_size > MAX_CARRIED + 1:  # its CR may still be among it
            raise _too_long(self._line)

    def _take(self) -> bytes:
        line = b"".join(self._open)
        self._open, self._open_size = [], 0
        return line

    def _check_start(self, data: bytes) -> None:
        start = (b"".join(self._open) + data)[:3]
        if start.startswith((b"\xef\xbb\xbf", b"\xfe\xff", b"\xff\xfe")) or b"\x00" in start[:2]:
            expected = "UTF-8 without a byte order mark"
            raise ProblemError("malformed_json", row=1, actual=repr(start)[1:], expected=expected)


def _checked(line: bytes, number: int) -> bytes:
    line = line.removesuffix(b"\r")
    if len(line) > MAX_CARRIED:
        raise _too_long(number)
    return line


def _too_long(number: int) -> ProblemError:
    return ProblemError("line_too_long", row=number)
