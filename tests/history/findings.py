"""What a check found: how much it looked at, and each violation with the story that shows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Violation(NamedTuple):
    """One thing that must not be. story: what happened, in order, as short as it can be told."""

    text: str
    story: Sequence[str] = ()


class Finding(NamedTuple):
    """What one check found. judged: how many things it looked at: a check that saw nothing proves nothing."""

    judged: int
    violations: Sequence[Violation]
