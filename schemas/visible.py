"""Characters that nobody can see in a text, and a spelling that shows them.

Two identifiers that differ in such a character look the same to every person who compares them.
"""

from __future__ import annotations

import unicodedata

_WITHOUT_A_GLYPH = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Categories: controls, formats (joiners, directions, tags), halves of pairs, separators of lines and paragraphs."""

_IGNORABLE = frozenset(
    map(
        chr,
        (
            *(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0, 0x16FE4, 0x1D159),
            *range(0x180B, 0x1810),
            *range(0xFE00, 0xFE10),
            *range(0xE0100, 0xE01F0),
        ),
    )
)
"""Fillers, selectors of variants, an empty pattern, a note without a head: letters, marks and symbols by category, all
drawn as nothing."""

_UNKNOWN = frozenset({"Co", "Cn"})
"""Private and unassigned: every font draws them as it likes, most as nothing."""


def is_unseen(character: str) -> bool:
    """Whether a character is drawn as nothing, or does something to the writing instead of being drawn."""
    return unicodedata.category(character) in _WITHOUT_A_GLYPH or character in _IGNORABLE


def is_blank(character: str) -> bool:
    """Whether it is drawn as a gap that only its width tells from a space."""
    return character != " " and unicodedata.category(character) == "Zs"


def is_deceptive(character: str) -> bool:
    """Whether an identifier may not hold it: two that differ in it alone could not be told apart."""
    return is_unseen(character) or is_blank(character) or unicodedata.category(character) in _UNKNOWN


def named(character: str) -> str:
    """How it is written where it has to be seen: `[U+200B]`."""
    return f"[U+{ord(character):04X}]"


def visible(text: str, *, keep: str = "") -> str:
    """The text with every character that cannot be seen, those of `keep` excepted, written out."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(named(each) if is_unseen(each) and each not in keep else each for each in text)
