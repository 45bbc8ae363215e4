"""The one way in which names are compared: width, case and blanks do not count."""

from __future__ import annotations

import unicodedata


def folded(text: str) -> str:
    """`text` in NFKC and without case, runs of blanks as one blank, none at the ends."""
    return " ".join(unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold()).split())
