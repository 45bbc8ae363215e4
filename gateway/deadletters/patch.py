"""New content for a dead letter under its old identity, and what the audit says of the difference."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import chain

from gateway.deadletters.errors import PatchNotTakenError
from gateway.deadletters.letters import DeadLetterRow

MAX_COMPARED = 65_536
"""Bytes of a side beyond which comparing line by line would hold up the loop."""

MAX_LINES = 200
"""Lines between the first and the last that differ, of either side, that are matched with each other. It takes the
square of them, or worse; beyond them, all of one side are replaced by all of the other."""

CONTEXT = 2
"""Lines shown around a difference."""

MAX_DIFF = 16_384
"""Characters of a difference that the audit keeps; the whole patch is kept with the letter."""

MAX_ODD = 1_000
"""Places of a record that are no UTF-8 and are escaped one by one."""

AFTER_MEMBER = ",{["
"""Where a line ends."""


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
    whole = "\n".join(_compared(_lines(original), _lines(patched)))
    return whole if len(whole) <= MAX_DIFF else f"{whole[:MAX_DIFF]}\n… {len(whole) - MAX_DIFF} more characters"


def _compared(before: Sequence[str], after: Sequence[str]) -> Iterator[str]:
    """The lines of a unified diff. What both sides begin and end with alike costs only its length."""
    start = _alike(before, after)
    end = min(_alike(before[::-1], after[::-1]), len(before) - start, len(after) - start)
    old, new = before[start : len(before) - end], after[start : len(after) - end]
    if not old and not new:
        return iter(())
    if max(len(old), len(new)) <= MAX_LINES:
        here = slice(max(0, start - CONTEXT), -max(0, end - CONTEXT) or None)
        return difflib.unified_diff(before[here], after[here], "original", "patched", lineterm="", n=CONTEXT)
    place = f"@@ -{start + 1},{len(old)} +{start + 1},{len(new)} @@"
    return chain(("--- original", "+++ patched", place), map("-".__add__, old), map("+".__add__, new))


def _alike(one: Sequence[str], other: Sequence[str]) -> int:
    """How many lines both begin with."""
    pairs = enumerate(zip(one, other, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(other)))


def _lines(content: bytes) -> list[str]:
    """Records come as one line. It is cut, not parsed: 19.90 and 19.9 differ, and broken JSON has lines too."""
    text = _text(content).replace("\0", "\\x00")
    for mark in AFTER_MEMBER:
        text = text.replace(mark, f"{mark}\n")
    return text.splitlines()


def _text(content: bytes) -> str:
    """Bytes as text, those that are none as escapes; where they are many, all that is not ASCII."""
    if content.decode(errors="replace").count("\ufffd") > MAX_ODD:
        return repr(content)[2:-1]
    return content.decode(errors="backslashreplace")
