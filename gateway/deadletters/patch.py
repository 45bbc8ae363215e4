"""New content for a dead letter under its old identity, and what the audit says of the difference."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from hashlib import sha256

from gateway.deadletters.errors import PatchNotTakenError
from gateway.deadletters.letters import DeadLetterRow

MAX_COMPARED = 65_536
"""Bytes of a side beyond which comparing line by line would hold up the loop."""

MAX_DIFF = 16_384
"""Characters of a difference that the audit keeps; the whole patch is kept with the letter."""

AFTER_MEMBER = re.compile(r"(?<=[,{\[])")


@dataclass(frozen=True, slots=True)
class Patch:
    """What an operator wants judged instead of the original."""

    content: bytes

    def detail(self, original: bytes) -> dict[str, object]:
        """For the audit: the difference, and what exactly was replaced by what."""
        return {
            "diff": diff(original, self.content),
            "original_sha256": sha256(original).hexdigest(),
            "patched_sha256": sha256(self.content).hexdigest(),
        }


def refuse_patch(letter: DeadLetterRow) -> None:
    """For stages that judge no content. Raises PatchNotTakenError where an operator wants a patch judged."""
    if letter.patched is not None:
        raise PatchNotTakenError


def diff(original: bytes, patched: bytes) -> str:
    """A unified diff, member by member where it is JSON. Total; what is too long to compare is left to the digests."""
    if max(len(original), len(patched)) > MAX_COMPARED:
        return f"{len(original)} bytes replaced by {len(patched)}"
    lines = difflib.unified_diff(_lines(original), _lines(patched), "original", "patched", lineterm="", n=2)
    whole = "\n".join(lines)
    return whole if len(whole) <= MAX_DIFF else f"{whole[:MAX_DIFF]}\n… {len(whole) - MAX_DIFF} more characters"


def _lines(content: bytes) -> list[str]:
    """Records come as one line. It is cut, not parsed: 19.90 and 19.9 differ, and broken JSON has lines too."""
    text = content.decode(errors="backslashreplace").replace("\0", "\\x00")
    return AFTER_MEMBER.sub("\n", text).splitlines()
