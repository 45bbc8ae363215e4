"""The states of a command, and which of them may follow which.

waiting ──► sending ──┬──► confirmed | refused
   ▲           ▲      ├──► retry ────► sending            nothing can have happened
   │           │      └──► unknown ──► sending            it may have happened: the supplier honours its key
 (new)         └─ retry ◄─ looking_up ◄─► unknown         … or is asked first
                              └──► confirmed | refused

waiting, retry ──► expired | cancelled_unsent | superseded         without a call
waiting, retry ──► refused                                         likewise: its order or contract was, or is over
waiting, retry, unknown ◄──► parked                                by an operator, who takes it back
sending, unknown, looking_up ──► parked | dead                     for a person, who says confirmed or retry
sending, looking_up ──► held ──► confirmed | refused | superseded  a person ends it, or the mall overtakes it
retry, parked ──► confirmed | refused                              a vendor answers what he fetched before
waiting ──► refused                                                a precondition does not hold: it is not handed out

A command that stopped for a person has not ended: its lane waits behind it, and what the person says ends it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from enum import StrEnum


class State(StrEnum):
    """Where a command stands.

    parked: nobody but a person can find out whether it took effect, or an operator stopped it; held: the supplier has
    something else than what was ordered; dead: no automatic step is left; superseded: held, and the buyer has ordered
    again or cancelled since.
    """

    WAITING = "waiting"
    SENDING = "sending"
    RETRY = "retry"
    UNKNOWN = "unknown"
    LOOKING_UP = "looking_up"
    PARKED = "parked"
    HELD = "held"
    DEAD = "dead"
    CONFIRMED = "confirmed"
    REFUSED = "refused"
    EXPIRED = "expired"
    UNSUPPORTED = "unsupported"
    CANCELLED_UNSENT = "cancelled_unsent"
    SUPERSEDED = "superseded"


UNSENT = frozenset({State.WAITING, State.RETRY})
"""Nothing of it can have happened at the supplier."""

BUSY = frozenset({State.SENDING, State.LOOKING_UP})
"""A call is under way, or was when its process died."""

STOPPED = frozenset({State.PARKED, State.HELD, State.DEAD})
"""Waits for a person; its lane waits behind it."""

ENDED = frozenset(
    {
        State.CONFIRMED,
        State.REFUSED,
        State.EXPIRED,
        State.UNSUPPORTED,
        State.CANCELLED_UNSENT,
        State.SUPERSEDED,
    }
)
"""Nothing more happens to it, and the mall core is told so once."""

_UNSENT_ENDS = frozenset({State.EXPIRED, State.CANCELLED_UNSENT, State.SUPERSEDED, State.REFUSED})
_DECIDED_BY_OPERATOR = frozenset({State.CONFIRMED, State.REFUSED, State.RETRY})

NEXT_STATES: Mapping[State, Collection[State]] = {
    State.WAITING: _UNSENT_ENDS | {State.SENDING, State.PARKED},
    State.RETRY: _UNSENT_ENDS | {State.SENDING, State.PARKED, State.DEAD, State.CONFIRMED},
    State.SENDING: frozenset(
        {State.RETRY, State.UNKNOWN, State.HELD, State.DEAD, State.CONFIRMED, State.REFUSED},
    ),
    State.UNKNOWN: _DECIDED_BY_OPERATOR | {State.SENDING, State.LOOKING_UP, State.PARKED, State.DEAD},
    State.LOOKING_UP: frozenset({State.UNKNOWN, State.RETRY, State.HELD, State.CONFIRMED, State.REFUSED}),
    State.PARKED: _DECIDED_BY_OPERATOR
    | {State.WAITING, State.UNKNOWN, State.DEAD, State.EXPIRED, State.CANCELLED_UNSENT},
    State.HELD: frozenset({State.CONFIRMED, State.REFUSED, State.SUPERSEDED}),
    State.DEAD: _DECIDED_BY_OPERATOR,
    **{state: frozenset() for state in ENDED},
}
"""What may follow each state."""
