"""A body that has not arrived in full: it has to come fast enough, and to be more than its transfer's encoding."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiohttp import StreamReader

from gateway.http.pace import Pace, PaceRule, TooSlowError

# Bytes that chunked encoding may add: chunks of a few bytes are only unwise, extensions of a megabyte are an attack.
_OVERHEAD_FREE = 512 * 1024
_OVERHEAD_PER_BYTE = 9


class Upload:
    """Watches one body until it is whole, or `too_slow` is called once with what is wrong."""

    __slots__ = ("_loop", "_pace", "_received", "_stream", "_timer", "_too_slow")

    def __init__(
        self, stream: StreamReader, rule: PaceRule, too_slow: Callable[[TooSlowError], None], *, received: int = 0
    ) -> None:
        """received: bytes on the wire so far, where more are known of than of the body."""
        self._loop = asyncio.get_running_loop()
        self._stream = stream
        self._pace = Pace(rule, self._loop.time())
        self._received = max(received, stream.total_bytes)  # on the wire, the encoding of the transfer included
        self._too_slow = too_slow
        self._timer = self._look_again_at(self._pace.deadline(self._loop.time()))

    def is_whole(self) -> bool:
        """Whether all of the body has arrived."""
        return self._stream.is_eof()

    def is_padding(self) -> bool:
        """Whether the encoding of the transfer has added more than it may."""
        return self._received > _OVERHEAD_FREE + _OVERHEAD_PER_BYTE * self._stream.total_bytes

    def received(self, size: int) -> None:
        """Bytes came."""
        self._received += size
        self._pace.received(size, self._loop.time())

    def hold(self) -> None:
        """We stop reading: the sender is not to blame from now on."""
        self._pace.hold(self._loop.time())

    def release(self) -> None:
        """We read again."""
        self._pace.release(self._loop.time())

    def stop(self) -> None:
        """Watch no longer."""
        self._timer.cancel()

    def fail(self, error: Exception) -> None:
        """Make whoever reads the body fail with `error`, now or later."""
        self._stream.set_exception(error)
        self._stream.feed_eof()

    def _look_again_at(self, when: float) -> asyncio.TimerHandle:
        return self._loop.call_at(when, self._look)

    def _look(self) -> None:
        now = self._loop.time()
        deadline = self._pace.deadline(now)
        if deadline > now:
            self._timer = self._look_again_at(deadline)
        else:
            self._too_slow(TooSlowError(self._pace.rule.describe()))
