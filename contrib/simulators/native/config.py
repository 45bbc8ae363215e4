"""What one simulated vendor is told when it starts."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Config:
    """What one vendor is.

    url: of the gateway, without /v1; key: its bearer key; ledger: file of its effects, which are also those that it
    starts with; seed: of the faults that strike by chance, and part of its order numbers; most: messages of one fetch;
    poll_seconds: between fetches when there is nothing; retry_seconds: before what failed is tried again;
    step_seconds: after which a confirmed order is shipped, and a shipped one delivered, 0 for never.
    """

    url: str
    ledger: Path
    key: str = field(default="", repr=False)
    seed: int = 7
    most: int = 50
    poll_seconds: float = 0.2
    retry_seconds: float = 0.5
    step_seconds: float = 0.0
