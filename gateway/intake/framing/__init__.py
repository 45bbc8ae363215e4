"""A body becomes records here, as it arrives: one module per format, one framer per body.

A framer keeps no more of the body than the record it is in. It cuts records out byte by byte as they were sent and
judges the file as a whole: a file that cannot be read is refused, a bad record in a readable one is for later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from gateway.http.problems import ProblemError
from gateway.intake.framing.json_document import JsonFramer
from gateway.intake.framing.ndjson import NdjsonFramer

Framed = tuple[int, bytes]
"""One record: the line of the body that it begins in, from 1, and its bytes as sent."""


class Framer(Protocol):
    """Cuts one body into records."""

    def feed(self, data: bytes) -> Iterator[Framed]:
        """The records that `data` completes. Raises ProblemError when the file cannot be read."""
        ...

    def finish(self) -> Iterator[Framed]:
        """The body has ended: the last records. Raises ProblemError when it ended early or holds nothing."""
        ...


FORMATS: Mapping[str, str] = {
    "application/json": "json",
    "application/jsonl": "ndjson",
    "application/x-ndjson": "ndjson",
}
"""Media types that are taken, and the format that each of them means."""

FRAMERS: Mapping[str, Callable[[], Framer]] = {"json": JsonFramer, "ndjson": NdjsonFramer}
"""How each format is read."""


def format_of(media_type: str) -> str:
    """The format that a media type means. Raises ProblemError unsupported_media_type."""
    name = FORMATS.get(media_type)
    if name is None:
        raise ProblemError(
            "unsupported_media_type", path="Content-Type", actual=media_type, expected=", ".join(sorted(FORMATS))
        )
    return name


def framer_for(media_type: str, charset: str | None) -> Framer:
    """A framer for a Content-Type. Raises ProblemError unsupported_media_type."""
    make = FRAMERS[format_of(media_type)]
    if charset is not None and charset.lower() not in {"utf-8", "utf8"}:
        raise ProblemError("unsupported_media_type", path="Content-Type", actual=charset, expected="charset utf-8")
    return make()
