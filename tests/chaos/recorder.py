"""Writes down what happens, one JSON object a line, as it happens."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import orjson


class Recorder:
    """The history of a run in a file. numbers: names of feeds by the number that was answered; ended: that ended."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.numbers: dict[int, str] = {}
        self.ended: set[int] = set()
        self._file = path.open("wb", buffering=1 << 16)

    def record(self, event: str, **fields: Any) -> None:
        """Write one event down with the time of the recorder's clock."""
        self._file.write(orjson.dumps({"event": event, "at": time.monotonic(), **fields}) + b"\n")

    @property
    def under_way(self) -> int:
        """Feeds that were taken and are not known to have ended."""
        return len(self.numbers) - len(self.ended)

    def close(self) -> None:
        """Write everything to the file."""
        self._file.close()
