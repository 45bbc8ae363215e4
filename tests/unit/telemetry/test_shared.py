"""Several processes that count together look like one that counts."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from gateway.telemetry import shared
from gateway.telemetry.shared import FOLDER, SharedExposition

ROOT = Path(__file__).resolve().parents[3]


def counting(folder: Path, *statements: str) -> str:
    """What a process prints that counts in the folder, by statements on `metrics`."""
    code = "\n".join(["from gateway.telemetry import metrics", *statements])
    environment = {**os.environ, FOLDER: str(folder), "PYTHONPATH": str(ROOT)}
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], env=environment, check=True, capture_output=True, text=True
    )
    return ended.stdout


def value(body: bytes, name: str, **labels: str) -> float | None:
    for family in text_string_to_metric_families(body.decode()):
        for sample in family.samples:
            if sample.name == name and sample.labels == labels:
                return sample.value
    return None


FEEDS = "metrics.feeds_total.labels(facet='price', state='done').inc({})"


def test_counts_of_all_processes_are_added(tmp_path: Path) -> None:
    counting(tmp_path, FEEDS.format(2))
    counting(tmp_path, FEEDS.format(3))
    body = SharedExposition(tmp_path).body()
    assert value(body, "mallgate_feeds_total", facet="price", state="done") == 5


@pytest.mark.parametrize(
    ("name", "labels", "first", "second", "shown"),
    [
        ("feeds_held", (), 2, 3, 3),  # all look at the same table: who looked last is right
        ("outbox_pending", (), 7, 0, 0),
        ("keeper_pending", (), 2, 3, 5),  # each has partitions of its own
        ("suppliers_owned", (), 4, 5, 9),
        ("units_set_aside", ("finish",), 1, 1, 2),
    ],
)
def test_gauges_are_added_where_each_has_a_share(
    tmp_path: Path, name: str, labels: Sequence[str], first: int, second: int, shown: int
) -> None:
    series = f"metrics.{name}.labels(*{labels!r})" if labels else f"metrics.{name}"
    counting(tmp_path, f"{series}.set({first})")
    counting(tmp_path, f"{series}.set({second})")
    named = {"loop": labels[0]} if labels else {}
    assert value(SharedExposition(tmp_path).body(), f"mallgate_{name}", **named) == shown


def test_a_series_that_was_removed_is_shown_no_more(tmp_path: Path) -> None:
    counting(
        tmp_path,
        "metrics.supplier_rate.labels(supplier='gone').set(2)",
        "metrics.supplier_rate.labels(supplier='stays').set(3)",
        "metrics.supplier_rate.remove('gone')",
    )
    body = SharedExposition(tmp_path).body()
    assert value(body, "mallgate_supplier_rate", supplier="gone") is None
    assert value(body, "mallgate_supplier_rate", supplier="stays") == 3


def test_a_series_that_another_process_took_over_is_shown(tmp_path: Path) -> None:
    counting(tmp_path, "metrics.supplier_rate.labels(supplier='moved').set(2)", "metrics.supplier_rate.remove('moved')")
    counting(tmp_path, "metrics.supplier_rate.labels(supplier='moved').set(4)")
    assert value(SharedExposition(tmp_path).body(), "mallgate_supplier_rate", supplier="moved") == 4


def test_a_process_answers_for_all(tmp_path: Path) -> None:
    counting(tmp_path, FEEDS.format(2))
    told = counting(tmp_path, FEEDS.format(3), "print(metrics.Exposition().body().decode())")
    assert value(told.encode(), "mallgate_feeds_total", facet="price", state="done") == 5


def test_no_answer_is_older_than_the_one_before_whoever_gives_it(tmp_path: Path) -> None:
    one, other = SharedExposition(tmp_path), SharedExposition(tmp_path)
    before = -1.0
    for count in range(6):
        counting(tmp_path, FEEDS.format(1))
        now = value((one, other)[count % 2].body(), "mallgate_feeds_total", facet="price", state="done") or 0.0
        assert now >= before
        before = now


def test_it_is_rendered_once_a_second_at_most(tmp_path: Path) -> None:
    one, other = SharedExposition(tmp_path), SharedExposition(tmp_path)
    first = one.body()
    counting(tmp_path, FEEDS.format(1))
    ahead = time.time() + 0.1
    os.utime(tmp_path / "exposition.txt", (ahead, ahead))
    assert other.body() == first
    behind = time.time() - shared.AGE_SECONDS
    os.utime(tmp_path / "exposition.txt", (behind, behind))
    assert other.body() != first


def test_a_process_that_is_frozen_while_rendering_holds_up_no_other(tmp_path: Path) -> None:
    exposition = SharedExposition(tmp_path)
    with (tmp_path / "exposition.lock").open("wb") as frozen:
        fcntl.flock(frozen, fcntl.LOCK_EX)
        counting(tmp_path, FEEDS.format(1))
        assert value(exposition.body(), "mallgate_feeds_total", facet="price", state="done") == 1
    rendered = exposition.body()
    with (tmp_path / "exposition.lock").open("wb") as frozen:
        fcntl.flock(frozen, fcntl.LOCK_EX)
        assert exposition.body() == rendered
