"""Commands find the gateway of their machine by the note that it leaves, unless they are told of another one."""

from pathlib import Path

import pytest

from gateway.cli.instance import NOTE, Instance, announced, found, settings
from gateway.sdk.errors import ConfigError

HERE = Instance(
    admin_url="http://127.0.0.1:8123",
    admin_token="a-token-that-was-made-up",
    kafka_bootstrap="127.0.0.1:9123",
    database_url="postgresql://127.0.0.1:5123/mallgate",
)


@pytest.fixture
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("KAFKA_BOOTSTRAP", "DATABASE_URL", "MALLGATE_ADMIN_URL", "MALLGATE_ADMIN_TOKEN", "MALLGATE_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("MALLGATE_DATA_DIR", str(tmp_path))
    return tmp_path


def test_the_note_is_there_while_the_gateway_runs_and_for_its_owner_alone(data_dir: Path) -> None:
    assert found(data_dir) is None
    with announced(data_dir, HERE):
        assert found(data_dir) == HERE
        assert (data_dir / NOTE).stat().st_mode & 0o777 == 0o600
    assert found(data_dir) is None
    assert list(data_dir.iterdir()) == []


def test_a_command_without_settings_takes_them_from_the_note(data_dir: Path) -> None:
    with announced(data_dir, HERE):
        given = settings()
    assert given.kafka_bootstrap == HERE.kafka_bootstrap
    assert str(given.admin_url).rstrip("/") == HERE.admin_url
    assert given.admin_token is not None
    assert given.admin_token.get_secret_value() == HERE.admin_token


def test_what_is_set_is_stronger_than_the_note(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP", "kafka.example:9092")
    with announced(data_dir, HERE):
        given = settings()
    assert given.kafka_bootstrap == "kafka.example:9092"
    assert given.database_url is not None
    assert given.database_url.get_secret_value() == HERE.database_url


def test_a_note_that_cannot_be_read_is_said(data_dir: Path) -> None:
    (data_dir / NOTE).write_text("{}")
    with pytest.raises(ConfigError, match=NOTE):
        settings()
