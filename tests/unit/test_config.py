"""Settings: where they come from, what is refused, and that everything wrong is told at once."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from gateway.config import ROLES, load_settings
from gateway.sdk.errors import ConfigError

KEY = base64.b64encode(bytes(range(32))).decode()


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment without any setting."""
    for name in list(os.environ):
        if name.startswith("MALLGATE_") or name in {"KAFKA_BOOTSTRAP", "DATABASE_URL"}:
            monkeypatch.delenv(name)


@pytest.fixture
def toml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A settings file that is in force."""
    path = tmp_path / "mallgate.toml"
    monkeypatch.setenv("MALLGATE_CONFIG", str(path))
    path.write_text('kafka_bootstrap = "file:9092"\nport = 9000\nroles = ["feeds"]\n')
    return path


def test_without_anything_the_defaults_hold() -> None:
    settings = load_settings()
    assert (settings.kafka_bootstrap, settings.database_url, settings.roles) == (None, None, ROLES)
    assert settings.data_dir.is_absolute()


def test_the_services_have_their_usual_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP", "kafka:9092")
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:hush@db/mall")
    settings = load_settings()
    assert settings.kafka_bootstrap == "kafka:9092"
    assert settings.database_url is not None
    assert settings.database_url.get_secret_value() == "postgresql://user:hush@db/mall"


@pytest.mark.usefixtures("toml")
def test_arguments_win_over_the_environment_and_that_over_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLGATE_PORT", "9001")
    monkeypatch.setenv("MALLGATE_ROLES", "intake, console")
    settings = load_settings(roles="sessions")
    assert (settings.kafka_bootstrap, settings.port, settings.roles) == ("file:9092", 9001, ("sessions",))


def test_everything_wrong_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLGATE_PORT", "eighty")
    monkeypatch.setenv("MALLGATE_TYPO", "1")
    monkeypatch.setenv("MALLGATE_ROLES", "intake,cooking")
    monkeypatch.setenv("MALLGATE_SECRET_KEY", "c2hvcnQ=")
    with pytest.raises(ConfigError) as caught:
        load_settings(unheard_of=1)
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "MALLGATE_TYPO",
        "port",
        "roles.1",
        "secret_key",
        "unheard_of",
    ]


def test_an_unknown_key_of_the_file_is_a_problem(toml: Path) -> None:
    toml.write_text("prot = 1\n")
    with pytest.raises(ConfigError, match="prot"):
        load_settings()


@pytest.mark.parametrize("text", ["port = ", "[port"])
def test_a_file_that_is_no_toml_is_a_problem(toml: Path, text: str) -> None:
    toml.write_text(text)
    with pytest.raises(ConfigError, match="MALLGATE_CONFIG"):
        load_settings()


def test_a_file_that_does_not_exist_is_a_problem(toml: Path) -> None:
    toml.unlink()
    with pytest.raises(ConfigError, match="MALLGATE_CONFIG"):
        load_settings()


def test_what_others_read_under_the_prefix_is_not_taken_for_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLGATE_MAVEN_REPOSITORY", "https://mirror.example")
    monkeypatch.setenv("MALLGATE_FAULT", "")
    load_settings()


def test_the_secret_key_is_32_bytes_from_either_place(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(KEY + "\n")
    assert load_settings(secret_key=KEY).secret_key_bytes() == bytes(range(32))
    assert load_settings(secret_key_file=file).secret_key_bytes() == bytes(range(32))
    assert load_settings().secret_key_bytes() is None


def test_the_secret_key_has_one_place(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="exclude each other"):
        load_settings(secret_key=KEY, secret_key_file=tmp_path / "key")


@pytest.mark.parametrize("content", ["not base64!", "c2hvcnQ="])
def test_an_unusable_key_file_is_told(tmp_path: Path, content: str) -> None:
    file = tmp_path / "key"
    file.write_text(content)
    with pytest.raises(ConfigError, match="secret_key_file"):
        load_settings(secret_key_file=file).secret_key_bytes()


def test_secrets_are_shown_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:hush@db/mall")
    settings = load_settings(secret_key=KEY, admin_token="hush-hush-hush-hush")
    assert "hush" not in repr(settings)
    assert KEY not in repr(settings)
    with pytest.raises(ConfigError) as caught:
        load_settings(secret_key="hush")
    assert "hush" not in str(caught.value)
