"""Settings of one process: environment over TOML over defaults, every problem reported at once.

Names are `MALLGATE_<FIELD>` in the environment and `<field>` in the TOML file that MALLGATE_CONFIG names; the two
services are `KAFKA_BOOTSTRAP` and `DATABASE_URL`. Suppliers are rows, not settings.
"""

from __future__ import annotations

import base64
import binascii
import os
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AnyHttpUrl, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from gateway.sdk.errors import ConfigError

PREFIX = "MALLGATE_"

Role = Literal["intake", "feeds", "sessions", "console"]
ROLES: tuple[Role, ...] = ("intake", "feeds", "sessions", "console")

# Read by others under the same prefix: the settings file itself, crash points, the source of Kafka's jars.
ELSEWHERE = frozenset(
    {"MALLGATE_CACHE_DIR", "MALLGATE_CONFIG", "MALLGATE_FAULT", "MALLGATE_FAULT_MARK", "MALLGATE_MAVEN_REPOSITORY"}
)

_KEY_BYTES = 32


def _comma_separated(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


class Settings(BaseSettings):
    """What one process is told; immutable. Sizes are bytes, times are seconds."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True, hide_input_in_errors=True)

    kafka_bootstrap: str | None = Field(None, validation_alias="kafka_bootstrap", description="host:port[,host:port]")
    database_url: SecretStr | None = Field(None, validation_alias="database_url", description="postgresql://…")
    topic_prefix: str = Field("", pattern=r"^[a-zA-Z0-9._-]{0,64}$", description="of topics and groups, for sandboxes")
    partitions: int = Field(12, ge=1, le=1000, description="of topics that the gateway creates")
    replication_factor: int = Field(1, ge=1, le=9, description="of topics that the gateway creates; 3 in production")

    host: str = Field("127.0.0.1", description="address the HTTP APIs listen on")
    port: int = Field(8080, ge=0, le=65535, description="port the HTTP APIs listen on; 0 takes a free one")
    roles: Annotated[tuple[Role, ...], NoDecode] = Field(ROLES, min_length=1, description="comma-separated parts")
    workers: int = Field(1, ge=1, le=128, description="processes to run")

    data_dir: Path = Field(Path("~/.local/share/mallgate"), description="where the embedded engines keep their data")
    spool_dir: Path | None = Field(None, description="for bodies above 1 MiB; unset: the system's own")

    secret_key: SecretStr | None = Field(None, description="32 bytes in base64; encrypts the suppliers' secrets")
    secret_key_file: Path | None = Field(None, description="file that holds the secret key")
    admin_token: SecretStr | None = Field(None, min_length=16, description="opens /admin/v1; unset closes it")
    admin_url: AnyHttpUrl | None = Field(None, description="where the CLI finds /admin/v1")

    log_format: Literal["json", "console"] = "json"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    feeds_rate_per_minute: int = Field(600, ge=1, description="feeds a supplier may push; its row may lower this")
    rejected_bytes_per_day: int = Field(
        256 * 1024**2, ge=1024, description="rejected records a supplier may have kept; its row may lower this"
    )
    max_body_bytes: int = Field(2 * 1024**3, ge=1024, description="bytes of one decoded feed")
    lease_seconds: float = Field(15.0, ge=1, le=300, description="seconds of silence that cost an owner its supplier")
    drain_timeout: float = Field(30.0, gt=0, le=3600, description="seconds to end in when told to stop")

    _split = field_validator("roles", mode="before")(_comma_separated)

    @field_validator("data_dir", "spool_dir", "secret_key_file")
    @classmethod
    def _at_home(cls, path: Path | None) -> Path | None:
        return path.expanduser() if path else path

    @field_validator("secret_key")
    @classmethod
    def _of_key_size(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None:
            _decoded_key(key.get_secret_value())
        return key

    @model_validator(mode="after")
    def _one_key(self) -> Settings:
        if self.secret_key and self.secret_key_file:
            raise ValueError("secret_key and secret_key_file exclude each other")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment, then the TOML file that MALLGATE_CONFIG names."""
        file = os.environ.get("MALLGATE_CONFIG")
        return (init_settings, env_settings, *([TomlConfigSettingsSource(settings_cls, Path(file))] if file else []))

    def secret_key_bytes(self) -> bytes | None:
        """The key of the suppliers' secrets, None when none is set. Raises ConfigError for an unusable key file."""
        if self.secret_key:
            return _decoded_key(self.secret_key.get_secret_value())
        if self.secret_key_file is None:
            return None
        try:
            return _decoded_key(self.secret_key_file.read_text().strip())
        except (OSError, ValueError) as error:
            raise ConfigError([f"secret_key_file: {error}"]) from error


def load_settings(**overrides: Any) -> Settings:
    """Read the settings; keyword arguments win over everything. Raises ConfigError with every problem found."""
    problems = [*_unknown_names(os.environ), *_missing_file(os.environ)]
    try:
        settings = Settings(**overrides)
    except ValidationError as error:
        problems += [_problem(found) for found in error.errors(include_url=False)]
    except (OSError, tomllib.TOMLDecodeError) as error:
        problems.append(f"MALLGATE_CONFIG: {error}")
    else:
        if not problems:
            return settings
    raise ConfigError(problems)


def _problem(found: ErrorDetails) -> str:
    where = ".".join(map(str, found["loc"])) or "settings"
    return f"{where}: {found['msg'].removeprefix('Value error, ')}"


def _unknown_names(environ: Mapping[str, str]) -> Iterator[str]:
    fields = {name for name, field in Settings.model_fields.items() if field.validation_alias is None}
    known = {PREFIX + name.upper() for name in fields} | ELSEWHERE
    for name in sorted(environ):
        if name.upper().startswith(PREFIX) and name.upper() not in known:
            yield f"{name}: no such setting"


def _missing_file(environ: Mapping[str, str]) -> Iterator[str]:
    file = environ.get("MALLGATE_CONFIG")
    if file and not Path(file).is_file():  # pydantic would go on without it
        yield f"MALLGATE_CONFIG: there is no file {file}"


def _decoded_key(text: str) -> bytes:
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"not base64: {error}") from error
    if len(key) != _KEY_BYTES:
        raise ValueError(f"must be {_KEY_BYTES} bytes, has {len(key)}")
    return key
