"""Of errors that came together, the one that decides what is done about them."""

from __future__ import annotations

from gateway.feeds.numbers import DatabaseWentBackError
from gateway.sdk.errors import ServiceUnavailableError
from gateway.store import LeaseLostError

DECISIVE = (LeaseLostError, DatabaseWentBackError, ServiceUnavailableError)
"""What ends a session or a run, before all others."""


def foremost(error: Exception) -> Exception:
    """The error itself, or the decisive one of a group, of groups within it too."""
    if not isinstance(error, ExceptionGroup):
        return error
    found = [foremost(each) for each in error.exceptions]
    return next((each for kind in DECISIVE for each in found if isinstance(each, kind)), found[0])
