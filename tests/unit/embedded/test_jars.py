"""The lock file of Kafka's jars, and what of it is in a cache."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from pathlib import Path

import pytest

from gateway.embedded import CacheUnsafeError
from gateway.embedded.jars import JARS, KAFKA_VERSION, Jar, missing, read_lock, secure

ONE = Jar("org.example:one:1.0", 3, hashlib.sha256(b"one").hexdigest())
TWO = Jar("org.example:two:2.0", 5, hashlib.sha256(b"2.two").hexdigest())


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
    (tmp_path / ONE.filename).write_bytes(b"one")
    (tmp_path / TWO.filename).write_bytes(b"2.t")
    assert missing((ONE, TWO), tmp_path) == [TWO]
    assert missing((ONE, TWO), tmp_path / "nowhere") == [ONE, TWO]


def test_a_jar_that_was_altered_in_the_cache_is_not_run(tmp_path: Path) -> None:
    (tmp_path / ONE.filename).write_bytes(b"0ne")
    assert missing((ONE,), tmp_path) == [ONE]


def test_a_cache_of_our_own_is_closed_to_others(tmp_path: Path) -> None:
    (tmp_path / ONE.filename).write_bytes(b"one")
    for path in (tmp_path, tmp_path / ONE.filename):
        path.chmod(0o777)
    secure(tmp_path)
    assert [path.stat().st_mode & 0o022 for path in (tmp_path, tmp_path / ONE.filename)] == [0, 0]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_jars_that_another_user_may_alter_are_not_run(tmp_path: Path) -> None:
    (tmp_path / ONE.filename).write_bytes(b"one")
    os.chown(tmp_path / ONE.filename, 1234, -1)
    with pytest.raises(CacheUnsafeError, match=str(tmp_path / ONE.filename)):
        secure(tmp_path)
