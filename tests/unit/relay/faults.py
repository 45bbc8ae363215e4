"""What may become of a write on its way to a supplier and back, and what an adapter raises then."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gateway.sdk.errors import (
    AuthError,
    ContractError,
    OutcomeUnknownError,
    RateLimitError,
    RejectedError,
    Sent,
    SupplierError,
    UnavailableError,
)


def error(kind: type[SupplierError], sent: Sent, *, status: int | None = None, operation: str = "") -> SupplierError:
    made = kind(operation=operation)
    made.sent, made.status = sent, status
    return made


def away() -> SupplierError:
    """A supplier out of service, which says when to come back."""
    made = UnavailableError()
    made.sent, made.status, made.retry_after = Sent.ALL, 503, 30.0
    return made


LOST = ("lost_after", "broken", "proxy_broken", "garbage", "next_call_failed", "next_call_refused", "bug_after")
ARRIVED = ("done", "refused", "differs", "foreign", *LOST)
"""What may become of a write that the supplier handled."""

UNSENT = ("unreachable", "bug_before")
NOT_ARRIVED = ("lost_before", "late", "reset", "away", "limited", "locked_out", "no_such_page", *UNSENT)
"""And of one that it did not handle, or not yet."""

UNSURE = ("lost_before", "late", "reset", "foreign", *LOST)
"""After these nobody can know whether it arrived."""

FAULTS: Mapping[str, Callable[[], BaseException]] = {
    "lost_after": lambda: error(UnavailableError, Sent.ALL),
    "broken": lambda: error(UnavailableError, Sent.ALL, status=502),
    "proxy_broken": lambda: error(UnavailableError, Sent.ALL, status=503),
    "garbage": lambda: error(ContractError, Sent.ALL, status=200),
    "next_call_failed": lambda: error(UnavailableError, Sent.NOTHING, operation="query"),
    "next_call_refused": lambda: error(RejectedError, Sent.ALL, operation="query"),
    "bug_after": KeyError,
    "lost_before": lambda: error(OutcomeUnknownError, Sent.ALL),
    "late": lambda: error(UnavailableError, Sent.ALL),
    "reset": lambda: error(UnavailableError, Sent.SOME),
    "unreachable": lambda: error(UnavailableError, Sent.NOTHING),
    "away": away,
    "limited": lambda: RateLimitError(retry_after=120.0),
    "locked_out": lambda: error(AuthError, Sent.ALL, status=401),
    "no_such_page": lambda: error(ContractError, Sent.ALL, status=404),
    "bug_before": KeyError,
}
"""What the adapter raises then; it answers where it raises nothing."""
