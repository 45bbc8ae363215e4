"""The lock file of Kafka's jars, and what of it is in a cache."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from gateway.embedded.jars import JARS, KAFKA_VERSION, Jar, missing, read_lock

ONE = Jar("org.example:one:1.0", 3, "ab" * 32)
TWO = Jar("org.example:two:2.0", 5, "cd" * 32)


def test_a_lock_file_reads_back() -> None:
    text = "# why\n" + "".join(f"{jar.coordinate} {jar.size} {jar.sha256}\n" for jar in (ONE, TWO))
    assert read_lock(text) == (ONE, TWO)


def test_the_lock_pins_the_server_and_what_it_needs() -> None:
    assert len(JARS) == 45
    assert f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}" in {jar.coordinate for jar in JARS}
    assert all(len(bytes.fromhex(jar.sha256)) == 32 for jar in JARS)


def test_no_jar_is_pinned_in_two_versions() -> None:
    artifacts = Counter(jar.coordinate.rpartition(":")[0] for jar in JARS)
    assert max(artifacts.values()) == 1


def test_an_absent_or_cut_jar_is_missing_and_a_whole_one_is_not(tmp_path: Path) -> None:
    (tmp_path / ONE.filename).write_bytes(b"abc")
    (tmp_path / TWO.filename).write_bytes(b"abc")
    assert missing((ONE, TWO), tmp_path) == [TWO]
    assert missing((ONE, TWO), tmp_path / "nowhere") == [ONE, TWO]
