"""What a caller may show while engines come up."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class Stage(StrEnum):
    """In this order; download and prepare only where there is something to do."""

    DOWNLOAD = "download"
    PREPARE = "prepare"
    BOOT = "boot"
    READY = "ready"


@dataclass(frozen=True, slots=True)
class Step:
    """One engine ("kafka", "postgres") is at a stage; done and total are bytes, and 0 outside of a download."""

    engine: str
    stage: Stage
    done: int = 0
    total: int = 0


Progress = Callable[[Step], None]
"""Called in the event loop's thread; it must not block."""


def silent(_step: Step) -> None:
    """Show nothing."""
