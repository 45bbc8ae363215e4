"""A terminal that vendors' texts cannot steer.

What moves the cursor, turns the writing round or cannot be seen is written out, as `[U+202E]`, wherever it came from.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from schemas import visible as unseen

_LAYOUT = "\n\t"


def visible(text: str) -> str:
    """The text with every character that a display obeys or hides written out; line breaks and tabs are kept."""
    return unseen.visible(text, keep=_LAYOUT)


def escaped(json: str) -> str:
    """A JSON document that means the same, with such characters as the escapes of JSON."""
    return re.sub(r"[^\x20-\x7e\n]", lambda found: _escape(found[0]) if unseen.is_unseen(found[0]) else found[0], json)


def _escape(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[place] << 8 | units[place + 1]:04x}" for place in range(0, len(units), 2))


class Terminal(Console):
    """As rich has it, but no text reaches the display that it would obey; rich's own colours do."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """The segments of something to print, made visible."""
        for segment in super().render(renderable, options):
            text, style, control = segment
            yield segment if control else Segment(visible(text), style)
