"""Calls to suppliers: pace, breakers, retries and tokens, as state of each supplier that outlives its sessions."""

from gateway.calls.calls import Calls, CallStatus, limits_of, open_calls
from gateway.calls.state import CallState, CallStates
from gateway.calls.tokens import SEALED_TOKENS, TokenStore

__all__ = [
    "SEALED_TOKENS",
    "CallState",
    "CallStates",
    "CallStatus",
    "Calls",
    "TokenStore",
    "limits_of",
    "open_calls",
]
