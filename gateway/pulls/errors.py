"""Errors that came together, since the work that raised them goes on side by side."""

from __future__ import annotations

from gateway.feeds.numbers import DatabaseWentBackError
from gateway.sdk.errors import GatewayError, ServiceUnavailableError
from gateway.store import LeaseLostError


class DrainingError(GatewayError):
    """The work for the supplier comes to its end; nothing more is begun."""


DECISIVE = (LeaseLostError, DatabaseWentBackError, ServiceUnavailableError, DrainingError)
"""What ends the session, or has its work begun again, before all others; in that order."""


def foremost(error: Exception) -> Exception:
    """Of errors that came together the one that decides what is done."""
    if not isinstance(error, ExceptionGroup):
        return error
    found = [foremost(each) for each in error.exceptions]
    return next((each for kind in DECISIVE for each in found if isinstance(each, kind)), found[0])
