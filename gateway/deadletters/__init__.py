"""What no automatic step can finish: kept with its bytes, grouped by its cause, shown, mended, replayed or given up.

Stages write letters with `record` and give Replays their handlers at composition; operators use DeadLetters and
Replays.
"""

from gateway.deadletters.closed import close_of_feed, discard_letter, discard_of_feed
from gateway.deadletters.errors import (
    DeadLetterError,
    InvalidParameterError,
    JobStateError,
    LetterClosedError,
    NoHandlerError,
    NothingSelectedError,
    NotReplayableError,
    PatchNotTakenError,
    ReasonRequiredError,
    SelectionTooWideError,
    UnknownLetterError,
)
from gateway.deadletters.letters import DeadLetter, DeadLetterRow, LetterSummary, issues_json
from gateway.deadletters.patch import Patch, diff, refuse_patch
from gateway.deadletters.record import record
from gateway.deadletters.replay import Handler, Predictor, ReplayResult
from gateway.deadletters.replays import Item, Job, Progress, Replays
from gateway.deadletters.selection import Filter, Page, Selection
from gateway.deadletters.service import DeadLetters, Group, settle

__all__ = [
    "DeadLetter",
    "DeadLetterError",
    "DeadLetterRow",
    "DeadLetters",
    "Filter",
    "Group",
    "Handler",
    "InvalidParameterError",
    "Item",
    "Job",
    "JobStateError",
    "LetterClosedError",
    "LetterSummary",
    "NoHandlerError",
    "NotReplayableError",
    "NothingSelectedError",
    "Page",
    "Patch",
    "PatchNotTakenError",
    "Predictor",
    "Progress",
    "ReasonRequiredError",
    "ReplayResult",
    "Replays",
    "Selection",
    "SelectionTooWideError",
    "UnknownLetterError",
    "close_of_feed",
    "diff",
    "discard_letter",
    "discard_of_feed",
    "issues_json",
    "record",
    "refuse_patch",
    "settle",
]
