"""HTML that a supplier wrote, without anything active, in time that is linear in its length.

The cleaner is a full HTML parser. Its time grows with the square of what stays open: each tag walks the elements around
it, and each block of text has the formatting that was never closed built anew. So the text is read first for its tags
alone; only tags that the cleaner keeps reach it, and no more of them than it parses in a few milliseconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import nh3

from gateway.sdk.errors import GatewayError
from gateway.sdk.markup import Tag, read_markup

MAX_STEPS = 4_000
"""Steps of the longest cleaning, about 5 µs each: see `_Cost`."""

MAX_ATTRIBUTES = 100
"""Attributes of one tag."""

KEPT = frozenset(nh3.ALLOWED_TAGS)
"""Tags that stay; of others only the content does."""

_FORMATTING = frozenset({"a", "b", "code", "em", "i", "s", "small", "strike", "strong", "tt", "u"})
_VOID = frozenset({"area", "br", "col", "hr", "img", "wbr"})
# Closed by the next one of their kind or by what they stand in: they add a level only where something else does.
_CLOSED_BY_OTHERS = frozenset(
    {"caption", "colgroup", "dd", "dt", "li", "p", "tbody", "td", "tfoot", "th", "thead", "tr"}
)
_NO_LEVEL = _VOID | _CLOSED_BY_OTHERS

_LEVELS_PER_STEP = 64
# Of formatting elements alike in name and attributes, no more are built anew ("Noah's Ark", WHATWG 13.2.4.3).
_BUILT_ANEW = 3

_CLEANER = nh3.Cleaner()


class MarkupTooComplexError(GatewayError):
    """The markup holds too many tags, or too many that are never closed, to be cleaned."""


def sanitised(html: str) -> str:
    """The text without anything active, its allowed markup kept and well formed.

    Raises MarkupTooComplexError.
    """
    return _CLEANER.clean("".join(_pieces(html)) if "<" in html else _counted(html))


def _counted(text: str) -> str:
    """Text without a tag. Raises MarkupTooComplexError for too many references."""
    _Cost().text(text)
    return text


class _Cost:
    """Counts what the cleaner will have to do, never less than that.

    A tag is a step, so is each formatting element that may be open at it; every 64 elements that may be open around
    it, every four attributes or stray brackets, and every two references. An end tag closes only the element that was
    opened last: whatever a parser makes of tags that cross, it has no more open than are counted here.
    """

    def __init__(self) -> None:
        self._open: list[tuple[str, str]] = []
        self._alike: Counter[tuple[str, str]] = Counter()
        self._formatting = 0
        self._quarters = 0

    def text(self, text: str) -> None:
        """Count a run of text."""
        self._spend(2 * text.count("&") + text.count("<") + text.count(">"))

    def hidden(self) -> None:
        """Count what never reaches the cleaner."""
        self._spend(4)

    def tag(self, tag: Tag) -> None:
        """Count a tag."""
        given = tag.count_attributes()
        if given > MAX_ATTRIBUTES:
            raise MarkupTooComplexError(f"a tag of {given:,} attributes")
        if tag.end:
            self._close(tag.name)
        elif tag.name not in _NO_LEVEL:
            self._enter(tag.name, tag.attributes)
        around = len(self._open) // _LEVELS_PER_STEP
        self._spend(4 * (1 + self._formatting + around) + given + 2 * tag.attributes.count("&"))

    def _enter(self, name: str, attributes: str) -> None:
        self._open.append((name, attributes))
        if name in _FORMATTING:
            self._alike[name, attributes] += 1
            self._formatting += self._alike[name, attributes] <= _BUILT_ANEW

    def _close(self, name: str) -> None:
        if self._open and self._open[-1][0] == name:
            tag = self._open.pop()
            if name in _FORMATTING:
                self._formatting -= self._alike[tag] <= _BUILT_ANEW
                self._alike[tag] -= 1

    def _spend(self, quarters: int) -> None:
        self._quarters += quarters
        if self._quarters > 4 * MAX_STEPS:
            raise MarkupTooComplexError


def _pieces(html: str) -> Iterator[str]:
    """Text and the tags that are kept; a bracket that begins no tag is written as text."""
    cost = _Cost()
    for token in read_markup(html):
        if isinstance(token, str):
            cost.text(token)
            yield token.replace("<", "&lt;")
        elif token.name in KEPT:
            cost.tag(token)
            if token.whole:
                yield token.written
        else:
            cost.hidden()
