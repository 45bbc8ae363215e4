"""What the HTTP status of a supplier's reply says, before anyone looks into its body.

The gateway and the conformance kit both judge by this, so that an adapter meets the same errors in both.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from gateway.sdk.errors import AuthError, ContractError, RateLimitError, Sent, SupplierError, UnavailableError
from gateway.sdk.http import Reply

REFUSED_UNDONE = frozenset({501, 505})
"""5xx of operations that were not begun; any other may come of one that broke off in its middle, or of a proxy.

A 503 that says when to come back was not begun either.
"""

_SECONDS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")


def raise_for_fault(reply: Reply, judge: Callable[[Reply], None], now: datetime | None = None) -> None:
    """Raise the SupplierError that a reply is. judge: the adapter's, asked where the status alone does not decide.

    A status that is neither 2xx nor explained by `judge` is a ContractError with the reply's body.
    """
    if fault := fault_of(reply, now):
        raise fault
    judge(reply)
    if not 200 <= reply.status <= 299:
        raise _not_promised(reply)


def fault_of(reply: Reply, now: datetime | None = None) -> SupplierError | None:
    """The error that a status is by itself; None for 2xx and for those 4xx that the adapter may know better.

    now: from when a Retry-After that is a date is counted, where the reply does not say when it was sent.
    """
    match reply.status:
        case 429:
            return RateLimitError(retry_after=retry_after(reply, now), operation=reply.operation)
        case 401 | 403:
            return AuthError(operation=reply.operation, status=reply.status)
        case 408:
            return UnavailableError(operation=reply.operation, status=reply.status)
        case status if 500 <= status <= 599:
            away = UnavailableError(operation=reply.operation, status=status)
            away.retry_after = retry_after(reply, now) if status == 503 else None
            return away
        case status if 200 <= status <= 299 or 400 <= status <= 499:
            return None
        case _:
            return _not_promised(reply)


def may_have_taken_effect(error: UnavailableError) -> bool:
    """Whether a write that came to this may have been done: some of it was sent, and no answer rules it out.

    What the adapter itself reads out of a reply as an outage was not done: it knows its supplier.
    """
    if error.status is not None:
        ruled_out = error.status in REFUSED_UNDONE or error.retry_after is not None
        return 500 <= error.status <= 599 and not ruled_out
    return error.sent is not Sent.NOTHING


def retry_after(reply: Reply, now: datetime | None = None) -> float | None:
    """Seconds that the supplier asks us to wait; None where it does not say, or says what cannot be.

    A date counts from the reply's own Date, so that a supplier's wrong clock does no harm; without one, from `now`.
    """
    text = reply.headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(text):
        return float(text)
    until, since = _instant(text), _instant(reply.headers.get("date", "")) or now
    if until is None or since is None or until < since:
        return None
    return (until - since).total_seconds()


def _instant(text: str) -> datetime | None:
    try:
        instant = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError):
        return None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _not_promised(reply: Reply) -> ContractError:
    return ContractError(
        f"HTTP status {reply.status} is not what the interface promises.",
        operation=reply.operation,
        status=reply.status,
        reply=reply.body,
    )
