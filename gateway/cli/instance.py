"""Where the gateway of this machine is to be found, so that its commands need no settings of their own.

A gateway on embedded engines takes free ports and makes up a token; it leaves both in its data directory, readable by
its owner alone, and takes the note away when it stops.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError

from gateway.config import Address, Settings, load_settings
from gateway.sdk.errors import ConfigError

NOTE = "instance.json"
KEY_FILE = "secret.key"
"""In the data directory: how a gateway there is reached, and the secret key that `--embedded` made."""

CONNECT_SECONDS = 5.0
"""Seconds for a service that a command asks itself to answer: what is away now is said now."""


class Instance(BaseModel):
    """A running gateway. admin_url: None where another process serves /admin/v1."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    admin_url: str | None
    admin_token: str
    kafka_bootstrap: str
    kafka_security_protocol: str = "PLAINTEXT"
    kafka_sasl_mechanism: str | None = None
    kafka_sasl_username: str | None = None
    kafka_sasl_password: str | None = None
    database_url: str

    @classmethod
    def of(cls, settings: Settings, admin: Address | None) -> Instance:
        """The gateway that runs on these settings and answers operators there."""
        return cls(
            admin_url=admin.url if admin else None,
            admin_token=_revealed(settings.admin_token) or "",
            kafka_bootstrap=settings.kafka_bootstrap or "",
            kafka_security_protocol=settings.kafka_security_protocol,
            kafka_sasl_mechanism=settings.kafka_sasl_mechanism,
            kafka_sasl_username=settings.kafka_sasl_username,
            kafka_sasl_password=_revealed(settings.kafka_sasl_password),
            database_url=_revealed(settings.database_url) or "",
        )


def _revealed(secret: SecretStr | None) -> str | None:
    return secret.get_secret_value() if secret else None


@contextlib.contextmanager
def announced(data_dir: Path, instance: Instance) -> Iterator[None]:
    """Leave the note while the block runs."""
    note = data_dir / NOTE
    draft = data_dir / f"{NOTE}.{os.getpid()}"
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(instance.model_dump_json().encode())
    draft.replace(note)
    try:
        yield
    finally:
        note.unlink(missing_ok=True)


def found(data_dir: Path) -> Instance | None:
    """The gateway that left a note; None when there is none. Raises ConfigError when it cannot be read."""
    note = data_dir / NOTE
    try:
        return Instance.model_validate_json(note.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError) as error:
        raise ConfigError([f"{note}: cannot be read"]) from error


def settings() -> Settings:
    """The settings of a command: what is not set is taken from the gateway of this machine. Raises ConfigError."""
    given = load_settings()
    instance = found(given.data_dir)
    if instance is None:
        return given
    values = {name: value for name, value in instance.model_dump().items() if value is not None}
    if given.kafka_bootstrap is not None:  # another cluster has other users
        values = {name: value for name, value in values.items() if not name.startswith("kafka_")}
    unset = {name: value for name, value in values.items() if name.startswith("kafka_") or getattr(given, name) is None}
    return load_settings(**unset)
