"""Chance that can be repeated: the same seed, number and purpose give the same 64 bytes."""

from __future__ import annotations

from hashlib import blake2b


def draw(seed: int, number: int, purpose: str = "") -> bytes:
    """64 bytes that look random and are a function of what is given."""
    return blake2b(b"%d/%d/%s" % (seed, number, purpose.encode())).digest()
