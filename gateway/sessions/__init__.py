"""Suppliers that are pulled: one process at a time owns each, and works for it in a session."""

from gateway.sessions.breakers import BreakerOrders, NoSuchOperationError
from gateway.sessions.owner import Owner, Sessions, supplier_sessions, webhook_sessions
from gateway.sessions.session import SessionDependencies
from gateway.sessions.status import NotOwnedError, NotPulledError, PullStatus

__all__ = [
    "BreakerOrders",
    "NoSuchOperationError",
    "NotOwnedError",
    "NotPulledError",
    "Owner",
    "PullStatus",
    "SessionDependencies",
    "Sessions",
    "supplier_sessions",
    "webhook_sessions",
]
