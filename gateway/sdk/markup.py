"""The tags and texts of HTML as suppliers write it, read once from start to end, however badly it is closed.

Parsers that follow every rule of HTML take time that grows with the square of what is never closed. This reads what
stands in a text and judges nothing: which tag ends which is for the caller to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

WITHOUT_MARKUP = frozenset({"script", "style"})
"""Elements whose content is neither markup nor text; it is left out."""

# As HTML's tokenizer reads them (WHATWG 13.2.5): quotes count only where a value may begin, and what the text ends in
# the middle of is consumed to its end, so that no place is read twice. Nothing here goes back.
_SPACE = r"[ \t\n\f\r]"
_VALUE = r"""(?:"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z)|[^ \t\n\f\r>"'][^ \t\n\f\r>]*+)"""
_ONE_ATTRIBUTE = rf"[^ \t\n\f\r/>][^ \t\n\f\r/>=]*+(?:{_SPACE}*+={_SPACE}*+{_VALUE}?+)?+"
_ATTRIBUTE = re.compile(_ONE_ATTRIBUTE)
# Attributes and blanks of one tag that are told apart; of what comes behind them, only where it ends is sought.
_READ = 512
_TOKEN = re.compile(
    r"<!--(?:-?>|.*?(?:--!?>|\Z))"
    r"|<(?:[!?]|/(?![A-Za-z]|\Z))[^>]*+>?+"
    r"|<(?P<end>/?)(?P<name>[A-Za-z][^ \t\n\f\r/>]*+)"
    rf"(?P<attributes>(?:[ \t\n\f\r/]++|{_ONE_ATTRIBUTE}){{0,{_READ}}}+[^>]*+)(?P<closed>>?+)",
    re.DOTALL,
)
_CLOSING = {name: re.compile(rf"</{name}(?=[ \t\n\f\r/>])", re.IGNORECASE) for name in WITHOUT_MARKUP}


_NOTHING = re.compile("")

_NAME = re.compile(r"</?([a-z][^ \t\n\f\r/>]*+)")


class Tag(NamedTuple):
    """A tag. name: in lower case, "" of a comment, a declaration, or the text behind a script or style sheet that never
    ends; written: as it stands in the text.

    whole: False where the text ends before it does.
    """

    name: str
    end: bool
    attributes: str
    written: str
    whole: bool

    def each_attribute(self, most: int) -> list[str]:
        """Its attributes as they are written, name and value, those that a parser would drop included; the first few.

        most: how many.
        """
        return [found[0] for found in islice(_ATTRIBUTE.finditer(self.attributes), most)] if self.attributes else []


def names_in(html: str) -> list[str]:
    """The name of every tag, in lower case, and of what reads as one in comments, values and scripts; cheap to ask."""
    return _NAME.findall(html.lower())


def read_markup(html: str, skipped: re.Pattern[str] = _NOTHING) -> Iterator[str | Tag]:
    """The texts and tags of HTML in their order; references in texts are left as they are written.

    skipped: texts and whole tags that are passed over, as many as stand together; it matches everywhere.
    """
    at, length = _behind(skipped, html, 0), len(html)
    while found := _TOKEN.search(html, at):
        if found.start() > at:
            yield html[at : found.start()]
        at = found.end()
        name = (found["name"] or "").lower()
        tag = Tag(name, bool(found["end"]), found["attributes"] or "", found[0], bool(found["closed"]))
        yield tag
        if name in WITHOUT_MARKUP and not tag.end:
            closing = _CLOSING[name].search(html, at)
            if closing is None and at < length:
                yield Tag("", end=False, attributes="", written=html[at:], whole=False)
            at = closing.start() if closing else length
        at = _behind(skipped, html, at)
    if at < length:
        yield html[at:]


def _behind(skipped: re.Pattern[str], html: str, at: int) -> int:
    found = skipped.match(html, at)
    return found.end() if found else at
