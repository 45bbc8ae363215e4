"""A supplier of a few lines, which may honour a key, know orders by number, be asked, or none of it; and its ledger."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from gateway.relay.commands import Command
from gateway.sdk.manifest import Idempotency


@dataclass
class Supplier:
    """ledger: its effects, in the order they happened; it forgets keys and numbers after `life`."""

    mode: Idempotency
    life: timedelta
    ledger: list[Command] = field(default_factory=list)
    answers: dict[str, tuple[datetime, bool]] = field(default_factory=dict)

    def take(self, command: Command, now: datetime, *, refuse: bool) -> bool:
        """Whether a request is accepted. Where numbers are known, the stock is looked at before the number."""
        if (known := self.answers.get(command.idempotency_key)) and now < known[0] + self.life:
            if self.mode is Idempotency.KEY:
                return known[1]
            if self.mode is Idempotency.NATURAL and known[1]:
                return not refuse
        self.answers[command.idempotency_key] = (now, not refuse)
        if not refuse:
            self.ledger.append(command)
        return not refuse

    def effects(self, command_id: str) -> int:
        return sum(each.command_id == command_id for each in self.ledger)
