"""Suppliers that are pulled: one process at a time owns each, with its token, its limits and its pace.

A session sweeps facets as a whole, takes messages out of the supplier's pools, and reads anew what they name. What it
brings in are feeds like any other.
"""

from gateway.sessions.owner import Sessions
from gateway.sessions.replay import SessionReplays
from gateway.sessions.session import Means
from gateway.sessions.status import NotOwnedError, NotPulledError, PullStatus
from gateway.sessions.tokens import SEALED_TOKENS

__all__ = ["SEALED_TOKENS", "Means", "NotOwnedError", "NotPulledError", "PullStatus", "SessionReplays", "Sessions"]
