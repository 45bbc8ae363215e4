"""HTML that a supplier wrote, without anything active, in time that is linear in its length.

The cleaner is a full HTML parser. Its time grows with the square of what stays open: each tag walks the elements around
it, and each block of text has the formatting that was never closed rebuilt. So the text is read first for its tags
alone; only tags that the cleaner keeps reach it, and no more of them than it parses in a few milliseconds. A short text
of few tags, all of them such, is not read first: its square is small.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator

import nh3

from gateway.sdk.errors import GatewayError
from gateway.sdk.markup import WITHOUT_MARKUP, Tag, read_markup

MAX_STEPS = 4_000
"""Steps that cleaning the texts of one record may take, about 5 µs each: see `_Cost`."""

MAX_ATTRIBUTES = 100
"""Attributes of one tag."""

KEPT = frozenset(nh3.ALLOWED_TAGS)
"""Tags that stay; of others only the content does."""

_SIMPLE = KEPT | WITHOUT_MARKUP

_FORMATTING = frozenset({"a", "b", "code", "em", "i", "s", "small", "strike", "strong", "tt", "u"})
_VOID = frozenset({"area", "br", "col", "hr", "img", "wbr"})
# Closed by the next one of their kind or by what they stand in: they add a level only where something else does.
_CLOSED_BY_OTHERS = frozenset(
    {"caption", "colgroup", "dd", "dt", "li", "p", "tbody", "td", "tfoot", "th", "thead", "tr"}
)
_NO_LEVEL = _VOID | _CLOSED_BY_OTHERS

_LEVELS_PER_STEP = 64
# Of formatting elements alike in name and attributes, no more are rebuilt ("Noah's Ark", WHATWG 13.2.4.3).
_MOST_REBUILT = 3

# Quarters of a step that every text takes, however short, and characters of a tag that is left out that take one.
_PER_TEXT = 8
_HIDDEN_PER_QUARTER = 8

# A text that is no longer, with no more brackets, takes a millisecond at the worst, whatever it is made of.
_SHORT, _FEW = 8_192, 64

_CLEANER = nh3.Cleaner()


class MarkupTooComplexError(GatewayError):
    """The markup holds too many tags, or too many that are never closed, to be cleaned."""


class Effort:
    """What cleaning may take of one record: all its texts share it, else many would cost many times as much."""

    def __init__(self) -> None:
        self._quarters = 4 * MAX_STEPS

    def covers(self, quarters: int) -> bool:
        """Whether so many are left."""
        return quarters <= self._quarters

    def spend(self, quarters: int) -> None:
        """Take quarters of a step. Raises MarkupTooComplexError when there are no more."""
        self._quarters -= quarters
        if self._quarters < 0:
            raise MarkupTooComplexError


def sanitised(html: str, names: Collection[str], effort: Effort) -> str:
    """The text without anything active, its allowed markup kept and well formed.

    names: of its tags, in lower case, and maybe of more. Raises MarkupTooComplexError.
    """
    effort.spend(_PER_TEXT)
    if _is_small(html, names) and effort.covers(worst := _worst_of(html)):
        effort.spend(worst)
        return _CLEANER.clean(html)
    return _CLEANER.clean("".join(_pieces(html, effort)) if "<" in html else _counted(html, effort))


def _is_small(html: str, names: Collection[str]) -> bool:
    """Whether a text has few tags, and none but those that the cleaner keeps or drops with all that is in them."""
    if len(html) > _SHORT or html.count("<") > _FEW or "<!" in html or "<?" in html:
        return False
    return _SIMPLE.issuperset(names)


def _worst_of(html: str) -> int:
    """Quarters of a step that a small text takes at most: each tag walks all before it, attributes are compared."""
    tags = html.count("<")
    return tags * (tags + 16) // 4 + len(html) // 8 + 2 * html.count("&")


def _counted(text: str, effort: Effort) -> str:
    """Text without a tag. Raises MarkupTooComplexError for too many references."""
    _Cost(effort).text(text)
    return text


class _Cost:
    """Counts what the cleaner will have to do, never less than that.

    A tag is a step, so is each formatting element that may be open at it; every 64 elements that may be open around
    it, every four attributes or stray brackets, and every two references. An end tag closes only the element that was
    opened last: whatever a parser makes of tags that cross, it has no more open than are counted here.
    """

    def __init__(self, effort: Effort) -> None:
        self._open: list[tuple[str, str]] = []
        self._alike: Counter[tuple[str, str]] = Counter()
        self._formatting = 0
        self._spend = effort.spend

    def text(self, text: str) -> None:
        """Count a run of text."""
        self._spend(2 * text.count("&") + text.count("<") + text.count(">"))

    def hidden(self, tag: Tag) -> None:
        """Count what never reaches the cleaner."""
        self._spend(4 + len(tag.attributes) // _HIDDEN_PER_QUARTER)

    def tag(self, tag: Tag) -> None:
        """Count a tag."""
        given = len(tag.each_attribute(MAX_ATTRIBUTES + 1))
        if given > MAX_ATTRIBUTES:
            raise MarkupTooComplexError(f"a tag of more than {MAX_ATTRIBUTES} attributes")
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
            self._formatting += self._alike[name, attributes] <= _MOST_REBUILT

    def _close(self, name: str) -> None:
        if self._open and self._open[-1][0] == name:
            tag = self._open.pop()
            if name in _FORMATTING:
                self._formatting -= self._alike[tag] <= _MOST_REBUILT
                self._alike[tag] -= 1


def _pieces(html: str, effort: Effort) -> Iterator[str]:
    """Text and the tags that are kept; a bracket that begins no tag is written as text."""
    cost = _Cost(effort)
    for token in read_markup(html):
        if isinstance(token, str):
            cost.text(token)
            yield token.replace("<", "&lt;")
        elif token.name in KEPT:
            cost.tag(token)
            if token.whole:
                yield token.written
        else:
            cost.hidden(token)
