"""When one operation of a supplier is not worth calling: a breaker of its own for each, so that others go on.

Closed, it counts: half or more of 20 calls or more within 30 s, or 5 in a row, that found the supplier away open it.
Open, it lets nothing through for a while that doubles each time, up to 5 min, with full jitter. Then one call probes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

WINDOW_SECONDS = 30.0
WINDOW_CALLS = 20
WINDOW_SHARE = 0.5
IN_A_ROW = 5
FIRST_SECONDS = 5.0
LAST_SECONDS = 300.0

LEAST_SECONDS = 1.0
"""Below this a jittered wait would be none."""


class State(StrEnum):
    """What a breaker does with calls: let them through, refuse them, or wait for its probe."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class CallVerdict(StrEnum):
    """What a call says of its supplier.

    answered: it works, whatever it said; away: it does not; unknown: nothing can be told, as when a call was cancelled.
    """

    ANSWERED = "answered"
    AWAY = "away"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Permit:
    """The right to make one call, to be settled once. era: a breaker ignores verdicts from before it last moved."""

    era: int
    probe: bool = False


class Breaker:
    """The breaker of one operation. Times are seconds of any one monotonic clock; dice: a number in [0, 1)."""

    def __init__(self, dice: Callable[[], float]) -> None:
        self._dice = dice
        self._state = State.CLOSED
        self._era = 0
        self._verdicts: deque[tuple[float, bool]] = deque()  # time, away
        self._row = 0
        self._openings = 0
        self._until = 0.0
        self._probing = False
        self._tripped = False
        self._held = False

    @property
    def state(self) -> State:
        """As the last call left it."""
        return self._state

    @property
    def probing(self) -> bool:
        """Whether a call is under way whose verdict decides; nobody else is let through until then."""
        return self._probing

    def remaining(self, now: float) -> float:
        """Seconds until it lets a call through again; 0 when it does."""
        return max(0.0, self._until - now) if self._state is State.OPEN else 0.0

    def admit(self, now: float) -> Permit | None:
        """The right to call now; None: not now."""
        if self._state is State.OPEN and now >= self._until:
            self._move(State.HALF_OPEN)
        if self._state is State.CLOSED:
            return Permit(self._era)
        if self._state is State.OPEN or self._probing:
            return None
        self._probing = True
        return Permit(self._era, probe=True)

    def settle(self, permit: Permit, verdict: CallVerdict, now: float) -> None:
        """What came of a permitted call. Total: what is late is ignored."""
        if permit.era != self._era:
            return
        if permit.probe:
            self._probing = False
        match verdict:
            case CallVerdict.UNKNOWN:
                return
            case CallVerdict.ANSWERED:
                self._answered(now)
            case CallVerdict.AWAY:
                self._away(now)

    def trip(self, now: float) -> None:
        """Open at once: the supplier will not let us in before somebody does something about it."""
        if self._state is not State.OPEN:
            self._open(now)
        self._tripped = True

    def probe_soon(self, now: float) -> None:
        """Somebody did something about it: one that was tripped probes with its next call."""
        if self._state is State.OPEN and self._tripped and not self._held:
            self._until = now

    def hold(self, until: float) -> None:
        """Open until then, by a person's word: nothing that is heard of the supplier meanwhile counts."""
        self._row = 0
        self._verdicts.clear()
        self._move(State.OPEN)
        self._until = until
        self._held = True

    def release(self, now: float) -> None:
        """By a person's word: one that is open probes with its next call."""
        if self._state is State.OPEN:
            self._until = now
            self._held = False

    def _answered(self, now: float) -> None:
        self._row = 0
        if self._state is State.HALF_OPEN:
            self._openings = 0
            self._verdicts.clear()
            self._move(State.CLOSED)
        else:
            self._note(now, away=False)

    def _away(self, now: float) -> None:
        self._row += 1
        self._note(now, away=True)
        if self._state is State.HALF_OPEN or self._row >= IN_A_ROW or self._too_many():
            self._open(now)

    def _open(self, now: float) -> None:
        longest = min(LAST_SECONDS, FIRST_SECONDS * 2.0 ** min(self._openings, 30))
        self._until = now + max(LEAST_SECONDS, longest * self._dice())
        self._openings += 1
        self._tripped = False
        self._row = 0
        self._verdicts.clear()
        self._move(State.OPEN)

    def _move(self, state: State) -> None:
        self._state = state
        self._era += 1
        self._probing = False
        self._held = False

    def _note(self, now: float, *, away: bool) -> None:
        self._verdicts.append((now, away))
        while self._verdicts[0][0] <= now - WINDOW_SECONDS:
            self._verdicts.popleft()

    def _too_many(self) -> bool:
        calls = len(self._verdicts)
        return calls >= WINDOW_CALLS and sum(away for _, away in self._verdicts) >= WINDOW_SHARE * calls
