"""Metrics of several worker processes, shown as those of one: whichever is asked answers for all.

Each process counts in files of its own in one folder (prometheus-client's multi-process mode, which the folder's
variable turns on before the first metric is made), and whoever renders reads them all.
"""

from __future__ import annotations

import fcntl
import math
import os
import time
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""Environment variable that names the folder."""

REMOVED = math.nan
"""Value of a series that is shown no more: files of other processes cannot be told to forget it."""

AGE_SECONDS = 1.0
"""How old an answer may be: each rendering takes milliseconds, however many ask."""


def shared_folder() -> Path | None:
    """Where this process and its siblings count; None when it is alone."""
    folder = os.environ.get(FOLDER)
    return Path(folder) if folder else None


class _AllProcesses(Collector):
    def __init__(self, folder: Path) -> None:
        self._all = MultiProcessCollector(None, str(folder))  # type: ignore[no-untyped-call]

    def collect(self) -> Iterator[Metric]:
        for metric in self._all.collect():  # type: ignore[no-untyped-call]
            metric.samples = [sample for sample in metric.samples if not math.isnan(sample.value)]
            yield metric


class SharedExposition:
    """The metrics of all processes that count in a folder, rendered by one of them at a time, once a second at most.

    An answer is never older than one that was given before, by whichever process: counters must not run backwards.
    """

    def __init__(self, folder: Path) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_AllProcesses(folder))
        self._rendered = folder / "exposition.txt"
        self._turn = folder / "exposition.lock"

    def body(self) -> bytes:
        """The metrics as they were within the last second, or while another process is at them."""
        with self._turn.open("wb") as turn:
            try:
                fcntl.flock(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:  # not waited for: it may be frozen
                return self._rendered.read_bytes() if self._rendered.exists() else generate_latest(self._registry)
            if self._age() < AGE_SECONDS:
                return self._rendered.read_bytes()
            return self._render()

    def _age(self) -> float:
        try:
            return abs(time.time() - self._rendered.stat().st_mtime)
        except FileNotFoundError:
            return math.inf

    def _render(self) -> bytes:
        body = generate_latest(self._registry)
        draft = self._rendered.with_suffix(".draft")
        draft.write_bytes(body)
        draft.replace(self._rendered)
        return body
