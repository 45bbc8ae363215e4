"""How often a supplier is called: as often as its row allows, less when it asks for less or becomes slow.

`Rate` decides; `Limiter` makes callers wait. A turn is a token of the rate and one of the places for calls under way,
had together: a call that waits for a token holds no place, so that what is urgent overtakes what is not.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from enum import Enum

SLOWEST = 1 / 60
"""Share of the configured rate that is never given up: less would not notice that the supplier has recovered."""

GROWTH = 1 / 60
"""Share of the configured rate that a second of success gives back."""

BURST_SECONDS = 0.1
"""What may be saved up while nobody calls. More would be a burst over the limit of a supplier that counts by second."""

LONGEST_WAIT = 300.0
"""A supplier that asks for more seconds than this is asked again all the same."""

UNASKED_WAIT = 1.0
"""Seconds of silence after a refusal that names none; doubled by each that follows."""

LONGEST_UNASKED_WAIT = 60.0
SLOWED = 0.8
SAMPLES = 20
"""Calls whose 95th percentile is looked at together."""

SWEEP_SHARE = 10
"""Of so many turns one is a sweep's, however many deltas wait."""


class Priority(Enum):
    """Who is let through first. delta: what has changed, and tokens; sweep: what is read in any case."""

    DELTA = "delta"
    SWEEP = "sweep"


class Rate:
    """The adaptive rate of one supplier: a bucket of tokens whose inflow falls fast and rises slowly.

    maximum: calls per second as configured; timeout: seconds that a call may take; dice: a number in [0, 1). Times are
    seconds of any one monotonic clock.
    """

    def __init__(self, maximum: float, timeout: float, now: float, dice: Callable[[], float]) -> None:
        self.maximum = maximum
        self.current = maximum
        self._timeout = timeout
        self._dice = dice
        self._tokens = 1.0
        self._at = now
        self._closed_until = now
        self._lowered_at = float("-inf")
        self._raised_at = now
        self._refusals = 0
        self._samples: list[float] = []

    def wait(self, now: float) -> float:
        """Seconds until a token can be taken; 0: now."""
        self._fill(now)
        missing = max(0.0, 1.0 - self._tokens) / self.current
        # What the clock's own precision leaves over is no reason to wait again.
        return max(0.0, self._closed_until - now) + (missing if missing > 1e-9 else 0.0)

    def take(self, now: float) -> None:
        """Spend a token. `wait` was 0."""
        self._fill(now)
        self._tokens -= 1.0

    def give_back(self) -> None:
        """A token that nobody used."""
        self._tokens += 1.0

    def configure(self, maximum: float, timeout: float, now: float) -> None:
        """Take another maximum and time-out over. What the supplier has asked for meanwhile still holds."""
        self._fill(now)
        lowered = self.current < self.maximum
        self.current = min(maximum, max(self.current, maximum * SLOWEST)) if lowered else maximum
        self.maximum = maximum
        self._timeout = timeout

    def answered(self, now: float, seconds: float) -> None:
        """A call came back as it should, after so many seconds."""
        self._refusals = 0
        self._samples.append(seconds)
        if len(self._samples) == SAMPLES:
            slow = sorted(self._samples)[int(SAMPLES * 0.95) - 1] > self._timeout / 2
            self._samples.clear()
            if slow:
                self._lower(SLOWED, now)
                return
        elapsed = min(1.0, now - self._raised_at)
        self._raised_at = now
        self._fill(now)
        self.current = min(self.maximum, self.current + self.maximum * GROWTH * elapsed)

    def refused(self, now: float, sent_at: float, retry_after: float | None) -> None:
        """A call was answered with a rate limit.

        Calls that were under way together are refused together: the rate is halved once, by when they were sent.
        """
        wait = retry_after
        if wait is None:
            longest = min(LONGEST_UNASKED_WAIT, UNASKED_WAIT * 2.0 ** min(self._refusals, 30))
            wait = longest * (0.5 + self._dice())
        self._closed_until = max(self._closed_until, now + min(LONGEST_WAIT, max(0.0, wait)))
        if sent_at >= self._lowered_at:
            self._refusals += 1
            self._lower(0.5, now)

    def _lower(self, factor: float, now: float) -> None:
        self._fill(now)
        self.current = max(self.maximum * SLOWEST, self.current * factor)
        self._tokens = min(self._tokens, 1.0)
        self._lowered_at = self._raised_at = now

    def _fill(self, now: float) -> None:
        # Nothing is saved up while the supplier wants silence.
        since = max(self._at, min(now, self._closed_until))
        most = max(1.0, self.current * BURST_SECONDS)
        self._tokens = min(most, self._tokens + max(0.0, now - since) * self.current)
        self._at = max(self._at, now)


class Queue:
    """Calls that wait: one operation after the other has its turn, so that twenty calls are not kept by ten thousand.

    Within an operation they come in order.
    """

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def append(self, operation: str, turn: asyncio.Future[None]) -> None:
        """Wait behind the others of the operation."""
        self._waiting.setdefault(operation, deque()).append(turn)

    def discard(self, operation: str, turn: asyncio.Future[None]) -> None:
        """Wait no more, if it does."""
        turns = self._waiting.get(operation, deque())
        if turn in turns:
            turns.remove(turn)
        if not turns:
            self._waiting.pop(operation, None)

    def popleft(self) -> asyncio.Future[None]:
        """The one whose turn it is."""
        operation, turns = next(iter(self._waiting.items()))
        turn = turns.popleft()
        if turns:
            self._waiting.move_to_end(operation)
        else:
            del self._waiting[operation]
        return turn


class Limiter:
    """Turns to call one supplier. concurrency: calls under way at once."""

    def __init__(self, rate: Rate, concurrency: int, clock: Callable[[], float]) -> None:
        self.rate = rate
        self._concurrency = concurrency
        self._free = concurrency
        self._clock = clock
        self._waiting: dict[Priority, Queue] = {each: Queue() for each in Priority}
        self._passed_over = 0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """Calls that wait for their turn."""
        return sum(map(len, self._waiting.values()))

    def configure(self, *, maximum: float, timeout: float, concurrency: int) -> None:
        """Take other limits over, at once: calls under way beyond a lower concurrency come to their end first."""
        self.rate.configure(maximum, timeout, self._clock())
        self._free += concurrency - self._concurrency
        self._concurrency = concurrency
        self.grant()

    @asynccontextmanager
    async def turn(self, priority: Priority, operation: str = "") -> AsyncIterator[None]:
        """A place and a token; operations of one priority take turns. The place is given back."""
        await self._granted(priority, operation)
        try:
            yield
        finally:
            self._free += 1
            self.grant()

    async def _granted(self, priority: Priority, operation: str) -> None:
        turn = asyncio.get_running_loop().create_future()
        self._waiting[priority].append(operation, turn)
        self.grant()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # granted, and cancelled before it could be used
                self._free += 1
                self.rate.give_back()
            else:
                self._waiting[priority].discard(operation, turn)
            self.grant()
            raise

    def grant(self) -> None:
        """Let through whoever may; to be called when the rate has changed."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._free > 0 and self.waiting:
            wait = self.rate.wait(self._clock())
            if wait > 0:
                self._timer = asyncio.get_running_loop().call_later(wait, self.grant)
                return
            turn = self._next()
            if not turn.done():
                self.rate.take(self._clock())
                self._free -= 1
                turn.set_result(None)

    def _next(self) -> asyncio.Future[None]:
        deltas, sweeps = self._waiting[Priority.DELTA], self._waiting[Priority.SWEEP]
        if sweeps and (not deltas or self._passed_over >= SWEEP_SHARE - 1):
            self._passed_over = 0
            return sweeps.popleft()
        self._passed_over += bool(sweeps)
        return deltas.popleft()
