"""What one simulator is told when it starts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

RateAnswer = Literal["429", "3021", "3041"]


@dataclass(frozen=True, slots=True)
class Config:
    """What one simulator is.

    skus, seed: the catalog is a function of both; page_size: skus of one page, 10,000 at most; token_life,
    refresh_life: seconds; expired_as: the code of an expired token, that of the business or of the gateway layer; skew:
    seconds that its clock is ahead; changes_per_second: that happen by themselves, each writing a message, of which
    repeat_share come again repeat_seconds later; whole_batch: whether one sku without permission costs a price call all
    its answers; net: whether the contract fixes prices without tax; rate: calls a second, 0 for any number;
    rate_answer: what a call too many gets; reserve_seconds: after which a reservation that was not confirmed is
    cancelled; step_seconds: between the steps of a confirmed order that goes its way by itself, 0 when it takes them by
    control alone; split_share, reject_share: of such orders are split in two, are rejected by their receivers; log:
    file of the calls; ledger: file of the effects, which are also those that it starts with.
    """

    skus: int = 2000
    seed: int = 7
    port: int = 0
    page_size: int = 10_000
    client_id: str = "simulated-client"
    client_secret: str = "simulated-secret"  # noqa: S105 - made up
    username: str = "simulated-buyer"
    password: str = "simulated-password"  # noqa: S105 - made up
    token_life: int = 86_400
    refresh_life: int = 15_552_000
    expired_as: Literal["2007", "1004"] = "2007"
    skew: float = 0.0
    changes_per_second: float = 0.0
    repeat_share: float = 0.21
    repeat_seconds: float = 3.0
    whole_batch: bool = False
    net: bool = False
    rate: float = 0.0
    rate_answer: RateAnswer = "429"
    reserve_seconds: float = 604_800.0
    step_seconds: float = 0.0
    split_share: float = 0.0
    reject_share: float = 0.0
    log: Path | None = None
    ledger: Path | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.skus <= 10_000_000:
            raise ValueError(f"skus is {self.skus}; 0 to 10,000,000 can be simulated")
        if not 1 <= self.page_size <= 10_000:
            raise ValueError(f"page_size is {self.page_size}; the supplier's pages hold 1 to 10,000 skus")
