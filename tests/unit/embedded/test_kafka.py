"""Kafka's configuration and the judgement of a data directory, without a server."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.embedded.jars import KAFKA_VERSION
from gateway.embedded.kafka import cache_directory, mismatch, server_properties


def settings(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines())


def test_every_listener_is_on_loopback() -> None:
    listeners = settings(server_properties(9092, 9093, "data", "hush"))["listeners"].split(",")
    assert {listener.split("//")[1].split(":")[0] for listener in listeners} == {"127.0.0.1"}


def test_topics_come_only_from_those_who_declare_them() -> None:
    assert settings(server_properties(9092, 9093, "data", "hush"))["auto.create.topics.enable"] == "false"


def test_the_largest_chunk_fits_a_message() -> None:
    assert int(settings(server_properties(9092, 9093, "data", "hush"))["message.max.bytes"]) >= 4.5 * 2**20


META = "#\nversion=1\nnode.id=1\ncluster.id=abc\n"


def test_its_own_data_is_served() -> None:
    assert mismatch(META, KAFKA_VERSION) == ""


def test_data_of_an_older_server_is_served() -> None:
    assert mismatch(META, "3.9.1") == ""


@pytest.mark.parametrize("meta", ["", "#\n", META.replace("version=1", "version=2")])
def test_another_layout_is_refused(meta: str) -> None:
    assert "layout" in mismatch(meta, KAFKA_VERSION)


def test_data_of_a_newer_server_is_refused() -> None:
    assert "9.10.0" in mismatch(META, "9.10.0")


def test_ten_comes_after_nine_in_versions() -> None:
    major = KAFKA_VERSION.split(".")[0]
    assert mismatch(META, f"{major}.10.0") != ""


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"MALLGATE_CACHE_DIR": "/a/b", "XDG_CACHE_HOME": "/c"}, Path("/a/b")),
        ({"XDG_CACHE_HOME": "/c"}, Path("/c/mallgate")),
        ({}, Path.home() / ".cache/mallgate"),
    ],
)
def test_downloads_are_kept_where_the_user_says(environment: dict[str, str], expected: Path) -> None:
    assert cache_directory(environment) == expected
