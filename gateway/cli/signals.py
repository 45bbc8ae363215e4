"""How a long-running command ends."""

from __future__ import annotations

import asyncio
import os
import signal

INTERRUPTED = 130


def stop_on_signals() -> asyncio.Event:
    """An event that SIGTERM and Ctrl-C set; a second Ctrl-C ends the process at once."""
    stop, loop = asyncio.Event(), asyncio.get_running_loop()

    def asked() -> None:
        if stop.is_set():
            os._exit(INTERRUPTED)
        stop.set()

    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGINT, asked)
    return stop
