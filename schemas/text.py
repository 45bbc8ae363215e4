"""The one way in which names are compared: width, case and blanks do not count."""

from __future__ import annotations

import unicodedata


def folded(text: str) -> str:
    """`text` in NFKC and without case, runs of blanks as one blank, none at the ends."""
    if text.isascii():
        return " ".join(text.lower().split())
    narrow = unicodedata.normalize("NFKC", text)
    return " ".join(unicodedata.normalize("NFKC", narrow.casefold()).split())
