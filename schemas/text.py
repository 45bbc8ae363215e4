"""The one way in which names are compared: width, case, blanks and what cannot be seen do not count."""

from __future__ import annotations

import re
import unicodedata

# What `schemas.visible.is_unseen` says, blanks apart: of every character it would ask two tables in turn.
_UNSEEN = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160"
    "\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\u2800\u3164\ud800-\udfff\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff9-\ufffb\U000110bd\U000110cd\U00013430-\U0001343f\U00016fe4\U0001bca0-\U0001bca3\U0001d159"
    "\U0001d173-\U0001d17a\U000e0001\U000e0020-\U000e007f\U000e0100-\U000e01ef]"
)


def folded(text: str) -> str:
    """`text` in NFKC, without case and without what cannot be seen, runs of blanks as one blank, none at the ends."""
    if text.isascii():
        return " ".join(text.lower().split())
    narrow = _UNSEEN.sub("", unicodedata.normalize("NFKC", text))
    return " ".join(unicodedata.normalize("NFKC", narrow.casefold()).split())
