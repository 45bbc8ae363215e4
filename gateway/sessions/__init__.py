"""Suppliers that are pulled: one process at a time owns each, and works for it in a session."""

from gateway.sessions.breakers import BreakerOrders, NoSuchOperationError
from gateway.sessions.owner import Owner, Sessions, supplier_sessions, webhook_sessions
from gateway.sessions.session import Means
from gateway.sessions.status import NotOwnedError, NotPulledError, PullStatus

__all__ = [
    "BreakerOrders",
    "Means",
    "NoSuchOperationError",
    "NotOwnedError",
    "NotPulledError",
    "Owner",
    "PullStatus",
    "Sessions",
    "supplier_sessions",
    "webhook_sessions",
]
