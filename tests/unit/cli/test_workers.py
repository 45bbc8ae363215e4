"""A worker runs on the settings of its parent, whatever place they came from."""

from __future__ import annotations

import base64
import os
from pathlib import Path

import pytest

from gateway.cli.workers import worker_environment
from gateway.config import Settings, load_settings
from gateway.telemetry.shared import FOLDER

KEY = base64.b64encode(b"\x07" * 32).decode()
FORMER = base64.b64encode(b"\x08" * 32).decode()
TOKEN = "a-token-of-the-operators"
URL = "postgresql://mallgate@127.0.0.1:5432/mallgate?sslmode=disable"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("MALLGATE_", "KAFKA_", "DATABASE_URL")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("KAFKA_BOOTSTRAP", "127.0.0.1:9092")


def secret(folder: Path, name: str, text: str) -> str:
    file = folder / name
    file.write_text(f"{text}\n")
    file.chmod(0o600)
    return str(file)


def of_worker(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings that a worker of these loads."""
    environment = worker_environment(settings, os.environ, Path("/counts"))
    assert environment[FOLDER] == "/counts"
    with monkeypatch.context() as worker:
        for name in os.environ:
            worker.delenv(name)
        for name, value in environment.items():
            worker.setenv(name, value)
        return load_settings()


def as_parent(settings: Settings) -> Settings:
    return settings.model_copy(update={"workers": 1})


def test_secrets_in_the_environment_are_the_workers_too(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("SECRET_KEY", KEY), ("FORMER_SECRET_KEYS", FORMER), ("ADMIN_TOKEN", TOKEN)):
        monkeypatch.setenv(f"MALLGATE_{name}", value)
    monkeypatch.setenv("DATABASE_URL", URL)
    settings = load_settings(workers=3)
    assert of_worker(settings, monkeypatch) == as_parent(settings)


def test_secrets_in_files_are_the_workers_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MALLGATE_SECRET_KEY_FILE", secret(tmp_path, "key", KEY))
    monkeypatch.setenv("MALLGATE_FORMER_SECRET_KEYS_FILE", secret(tmp_path, "former", FORMER))
    monkeypatch.setenv("MALLGATE_ADMIN_TOKEN_FILE", secret(tmp_path, "token", TOKEN))
    monkeypatch.setenv("DATABASE_URL_FILE", secret(tmp_path, "url", URL))
    settings = load_settings(workers=3)
    assert of_worker(settings, monkeypatch) == as_parent(settings)


def test_secrets_named_by_a_file_of_settings_are_the_workers_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = tmp_path / "mallgate.toml"
    config.write_text(f'secret_key_file = "{secret(tmp_path, "key", KEY)}"\ndatabase_url = "{URL}"\nworkers = 4\n')
    monkeypatch.setenv("MALLGATE_CONFIG", str(config))
    settings = load_settings()
    assert settings.workers == 4
    assert of_worker(settings, monkeypatch) == as_parent(settings)


def test_arguments_of_the_parent_are_the_workers_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MALLGATE_PORT", "1")
    settings = load_settings(workers=2, port=8099, host="127.0.0.2", roles=("intake", "feeds"))
    assert of_worker(settings, monkeypatch) == as_parent(settings)


@pytest.mark.parametrize(("name", "port"), [("admin_port", 9001), ("ops_port", 9002)])
def test_ports_that_were_chosen_for_the_workers_are_theirs(
    monkeypatch: pytest.MonkeyPatch, name: str, port: int
) -> None:
    monkeypatch.setenv("MALLGATE_OPS_PORT", "0")
    settings = load_settings(workers=2).model_copy(update={name: port})
    assert of_worker(settings, monkeypatch) == as_parent(settings)
