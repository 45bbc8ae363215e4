"""Which dead letters are alike: the same code at the same place of the same stage, in the same words.

What differs from letter to letter does not count: indexes in the path, numbers, identifiers and quoted values in the
message. `fp1` names these rules; other rules would need another name, so that old groups keep theirs.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property, lru_cache

MAX_TEXT = 500
"""Characters of a path or message that count; what lies beyond is detail."""

INDEX = re.compile(r"(?<=/)\d+(?=/|$)")
# An apostrophe inside a word opens nothing; a text cut off in the middle of a quotation ends it.
QUOTED = re.compile(
    r'"[^"]*(?:"|$)'
    r"|(?<!\w)'[^']*(?:'|$)"
    r"|`[^`]*(?:`|$)"
    r"|“[^”]*(?:”|$)"
    r"|‘[^’]*(?:’|$)"
    r"|「[^」]*(?:」|$)"
)
# ASCII words with what joins the parts of identifiers; a Chinese sentence has no blanks and must not be one word.
WORD = re.compile(r"[A-Za-z\d_-]+")
HEX = re.compile(r"[0-9A-Fa-f-]{8,}")
REPEATED = re.compile(r"#(?:[\s.,:;/+#-]*#)+")


@dataclass(frozen=True)
class Kind:
    """What like dead letters have in common. path: with `*` for indexes; message: without what differs."""

    stage: str
    code: str
    path: str
    message: str

    @cached_property
    def fingerprint(self) -> str:
        """`fp1:` and 32 hex digits, the key of the group."""
        digest = hashlib.sha256()
        for part in (self.stage, self.code, self.path, self.message):
            # Each part with its length: no two kinds run together into the same bytes.
            encoded = part.encode(errors="replace")
            digest.update(b"%d:%b" % (len(encoded), encoded))
        return f"fp1:{digest.hexdigest()[:32]}"


@lru_cache(maxsize=1024)
def kind_of(*, stage: str, code: str, path: str, message: str) -> Kind:
    """The kind of a dead letter. path: JSON pointer; message: words about the failure, may be empty. Total."""
    return Kind(stage, code, INDEX.sub("*", path[:MAX_TEXT]), _common(message[:MAX_TEXT]))


def _common(message: str) -> str:
    """The words that like messages share: `#` stands for what was a number, an identifier or a quotation."""
    unquoted = QUOTED.sub("#", message)
    return REPEATED.sub("#", WORD.sub(_word, unquoted)).strip()


def _word(match: re.Match[str]) -> str:
    word = match[0]
    return "#" if any(map(str.isdigit, word)) or HEX.fullmatch(word) else word
