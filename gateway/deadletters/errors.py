"""Why an operator's wish about dead letters is refused. Each names the problem its HTTP answer carries."""

from __future__ import annotations

from typing import ClassVar

from gateway.sdk.errors import GatewayError


class DeadLetterError(GatewayError):
    """This cannot be done with dead letters. code: a key of `gateway.sdk.problems.PROBLEMS`."""

    code: ClassVar[str] = "bad_request"


class UnknownLetterError(DeadLetterError):
    """There is no such dead letter, group or replay."""

    code = "not_found"


class LetterClosedError(DeadLetterError):
    """The dead letter was replayed or discarded already; it is not open any more."""

    code = "conflict"


class NoHandlerError(DeadLetterError):
    """No stage of this gateway takes the dead letter back."""

    code = "conflict"


class NotReplayableError(DeadLetterError):
    """A replay of this dead letter could do harm; the words say what to do instead."""

    code = "conflict"


class PatchNotTakenError(DeadLetterError):
    """Nothing of this dead letter is judged again: what it stands for is done again, and no patch bears on that."""


class JobStateError(DeadLetterError):
    """The replay is past that."""

    code = "conflict"


class NothingSelectedError(DeadLetterError):
    """The selection holds no open dead letter."""


class SelectionTooWideError(DeadLetterError):
    """A selection names letters, a group, a supplier or a feed; everything at once is never meant."""


class ReasonRequiredError(DeadLetterError):
    """A reason is required."""

    code = "reason_required"


class InvalidParameterError(DeadLetterError):
    """A parameter has an unusable value."""

    code = "bad_parameter"
