"""Reading a file of suppliers: its secrets are named there, and fetched here."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from gateway.sdk.errors import ConfigError


def read(path: Path) -> dict[str, Any]:
    """The document of a TOML file with its secrets in place. Raises ConfigError with every secret that is missing."""
    try:
        document = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError([f"{path}: {error.strerror}"]) from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError([f"{path} is no TOML: {error}"]) from error
    problems = []
    for where, secrets in _tables_of_secrets(document):
        for name, source in secrets.items():
            try:
                secrets[name] = _fetch(source, path.parent)
            except ValueError as error:
                problems.append(f"{where}.{name}: {error}")
    if problems:
        raise ConfigError(problems)
    return document


def _tables_of_secrets(document: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    suppliers = document.get("suppliers")
    for supplier, table in suppliers.items() if isinstance(suppliers, dict) else ():
        if isinstance(table, dict) and isinstance(table.get("secrets"), dict):
            yield f"suppliers.{supplier}.secrets", table["secrets"]


def _fetch(source: object, folder: Path) -> str:
    """The secret behind `env:NAME` or `file:PATH`. Raises ValueError, which never quotes the source: it may be one."""
    kind, _, place = source.partition(":") if isinstance(source, str) else ("", "", "")
    match kind:
        case "env":
            secret = os.environ.get(place, "")
        case "file":
            secret = _content(folder / Path(place).expanduser())
        case _:
            raise ValueError("should be env:NAME or file:PATH, never the secret itself")
    if not secret:
        raise ValueError(f"{place} is empty or not set")
    return secret


def _content(path: Path) -> str:
    try:
        return path.read_text("utf-8").rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8") from error
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from error
