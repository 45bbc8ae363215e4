"""Named points at which tests kill or freeze the running program; without MALLGATE_FAULT nothing happens here.

MALLGATE_FAULT="<point>[:n]=kill|stop|exit"    at the n-th time (the first) the point is reached
MALLGATE_FAULT_MARK=<file>                     gets the point's name just before, so that a test knows it happened
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from gateway.sdk.errors import ConfigError

PushPoint = Literal[
    "admit.before_commit",
    "admit.after_commit",
    "produce.before",
    "produce.after",
    "answer.before",
    "answer.after",
    "publish.before",
    "publish.after",
    "state.before_commit",
    "state.after_commit",
]
"""Where a crash is told apart as a feed is pushed: each is one step further from the request to the committed state."""

WithdrawPoint = Literal["withdraw.before", "withdraw.after"]
"""The same, as a full feed withdraws what it did not name."""

SweepPoint = Literal[
    "sweep.begun",
    "sweep.listed",
    "sweep.taken",
    "sweep.answered",
    "sweep.numbered",
    "sweep.sent",
    "sweep.settled",
    "sweep.closing",
    "sweep.closed",
]
"""The same, as a facet is pulled as a whole."""

MessagePoint = Literal["pool.fetched", "pool.remembered", "pool.acknowledged", "reread.answered", "reread.sent"]
"""The same, as a message is taken and what it names is reread."""

OrderReadPoint = Literal["order.read", "order.told", "invoice.read", "invoice.told"]
"""The same, as an order is reread because a message named it."""

RepairPoint = Literal["repair.sent"]
"""The same, as the keeper mends keys of a catalog topic."""

RebuildPoint = Literal["rebuild.sent"]
"""The same, as a catalog topic is rebuilt."""

RelayPoint = Literal[
    "inbox.before_commit",
    "inbox.after_commit",
    "relay.before_commit",
    "relay.after_commit",
    "relay.calling",
    "relay.answered",
]
"""The same, as a command is received and carried out: a turn notes calls and settles others, then calls are made."""

MailboxPoint = Literal[
    "fetch.before_commit",
    "fetch.after_commit",
    "ack.before_commit",
    "ack.after_commit",
    "word.before_commit",
    "word.after_commit",
]
"""The same, as a vendor fetches commands, acknowledges them and says what became of an order."""

WebhookPoint = Literal["webhook.sending", "webhook.answered"]
"""The same, as a message is sent to a vendor's webhook: before it leaves, and before its answer is kept."""

ResolvePoint = Literal["resolve.before_commit", "resolve.after_commit"]
"""The same, as a person's word about the effect of a command is taken."""

ReplayPoint = Literal["replay.before_commit", "replay.after_commit"]
"""The same, as a dead letter is replayed, alone or as one of a job."""

OutboxPoint = Literal["outbox.sending", "outbox.sent", "outbox.deleted"]
"""The same, as what was decided is published: before it is sent, before it is deleted, and after that."""

MigratePoint = Literal["migrate.before_commit"]
"""The same, as the schema is brought up to date."""

Point = (
    RelayPoint
    | PushPoint
    | WithdrawPoint
    | RepairPoint
    | RebuildPoint
    | SweepPoint
    | MessagePoint
    | OrderReadPoint
    | MailboxPoint
    | WebhookPoint
    | ResolvePoint
    | ReplayPoint
    | OutboxPoint
    | MigratePoint
)

PUSH_POINTS: tuple[PushPoint, ...] = get_args(PushPoint)
SWEEP_POINTS: tuple[SweepPoint, ...] = get_args(SweepPoint)
MESSAGE_POINTS: tuple[MessagePoint, ...] = get_args(MessagePoint)
RELAY_POINTS: tuple[RelayPoint, ...] = get_args(RelayPoint)
ORDER_READ_POINTS: tuple[OrderReadPoint, ...] = get_args(OrderReadPoint)
MAILBOX_POINTS: tuple[MailboxPoint, ...] = get_args(MailboxPoint)
WEBHOOK_POINTS: tuple[WebhookPoint, ...] = get_args(WebhookPoint)
RESOLVE_POINTS: tuple[ResolvePoint, ...] = get_args(ResolvePoint)
REPLAY_POINTS: tuple[ReplayPoint, ...] = get_args(ReplayPoint)
OUTBOX_POINTS: tuple[OutboxPoint, ...] = get_args(OutboxPoint)
POINTS: tuple[Point, ...] = (
    *PUSH_POINTS,
    *get_args(WithdrawPoint),
    *get_args(RepairPoint),
    *get_args(RebuildPoint),
    *SWEEP_POINTS,
    *MESSAGE_POINTS,
    *RELAY_POINTS,
    *ORDER_READ_POINTS,
    *MAILBOX_POINTS,
    *WEBHOOK_POINTS,
    *RESOLVE_POINTS,
    *REPLAY_POINTS,
    *OUTBOX_POINTS,
    *get_args(MigratePoint),
)

_FORM = re.compile(r"^(?P<point>[\w.]+)(?::(?P<nth>[1-9]\d*))?=(?P<act>kill|stop|exit)$")


@dataclass(slots=True)
class Failpoint:
    """One armed point. left: how often it has to be reached yet; mark: file that gets its name."""

    point: str
    left: int
    act: str
    mark: Path | None

    def trigger(self) -> None:
        """Write the mark and end or freeze this process."""
        if self.mark:
            with self.mark.open("a") as file:
                file.write(f"{self.point}\n")
                file.flush()
                os.fsync(file.fileno())
        match self.act:
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "stop":
                os.kill(os.getpid(), signal.SIGSTOP)
            case _:
                os._exit(70)


def read_failpoint(environ: Mapping[str, str]) -> Failpoint | None:
    """The trap that the environment asks for. Raises ConfigError for one that cannot be."""
    text = environ.get("MALLGATE_FAULT")
    if not text:
        return None
    match = _FORM.match(text)
    if not match or match["point"] not in POINTS:
        raise ConfigError(
            [f"MALLGATE_FAULT: {text!r} is not <point>[:n]=kill|stop|exit, <point> of {', '.join(POINTS)}"]
        )
    mark = environ.get("MALLGATE_FAULT_MARK")
    return Failpoint(match["point"], int(match["nth"] or 1), match["act"], Path(mark) if mark else None)


_armed = read_failpoint(os.environ)


def failpoint(point: Point) -> None:
    """Say that the program is here."""
    if _armed is not None and _armed.point == point:
        _armed.left -= 1
        if _armed.left == 0:
            _armed.trigger()
