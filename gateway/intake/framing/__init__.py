"""A body becomes records here, as it arrives: one module per format, one framer per body.

A framer keeps no more of the body than the record it is in. It cuts records out byte by byte as they were sent and
judges the file as a whole: a file that cannot be read is refused, a bad record in a readable one is for later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol

from gateway.intake.framing.json_document import JsonFramer
from gateway.intake.framing.ndjson import NdjsonFramer
from gateway.intake.problems import ProblemError

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


FRAMERS: Mapping[str, Callable[[], Framer]] = {
    "application/json": JsonFramer,
    "application/jsonl": NdjsonFramer,
    "application/x-ndjson": NdjsonFramer,
}
"""Media types that are taken."""


def framer_for(media_type: str, charset: str | None) -> Framer:
    """A framer for a Content-Type. Raises ProblemError unsupported_media_type."""
    make = FRAMERS.get(media_type)
    if make is None:
        raise ProblemError(
            "unsupported_media_type", path="Content-Type", actual=media_type, expected=", ".join(sorted(FRAMERS))
        )
    if charset is not None and charset.lower() not in {"utf-8", "utf8"}:
        raise ProblemError("unsupported_media_type", path="Content-Type", actual=charset, expected="charset utf-8")
    return make()
