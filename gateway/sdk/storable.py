"""Texts that a column of PostgreSQL can hold."""

from __future__ import annotations

import re

# PostgreSQL stores no NUL, and UTF-8 no half of a surrogate pair.
UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def storable(text: str) -> str:
    """`text` with U+FFFD for what no column can hold."""
    if text.isascii() and "\0" not in text:  # nearly always, and told in a fraction of the time
        return text
    return UNSTORABLE.sub("\ufffd", text)
