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
from dataclasses import dataclass, field
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import (
    AnyHttpUrl,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
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

SecurityProtocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]

SECRETS = ("database_url", "secret_key", "former_secret_keys", "admin_token", "kafka_sasl_password")
"""Settings that may stand in a file of their own as well, which `<name>_file` names."""

_LAST_PORT = 65535
_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 -- not listened on here, only recognised
_KEY_BYTES = 32
_TOKEN_LENGTH = 16


class Address(NamedTuple):
    """Where one of the gateway's servers listens."""

    host: str
    port: int

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"http://[{self.host}]:{self.port}" if ":" in self.host else f"http://{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """How Kafka is reached, and how both sides prove who they are. servers: host:port[,host:port]."""

    servers: str
    security_protocol: SecurityProtocol = "PLAINTEXT"
    sasl_mechanism: Mechanism | None = None
    sasl_username: str | None = None
    sasl_password: str | None = field(default=None, repr=False)
    ssl_ca_file: Path | None = None
    ssl_cert_file: Path | None = None
    ssl_key_file: Path | None = None

    def __str__(self) -> str:
        return self.servers


def _comma_separated(value: object) -> object:
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


class Settings(BaseSettings):
    """What one process is told; immutable. Sizes are bytes, times are seconds."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True, hide_input_in_errors=True)

    kafka_bootstrap: str | None = Field(None, validation_alias="kafka_bootstrap", description="host:port[,host:port]")
    database_url: SecretStr | None = Field(None, validation_alias="database_url", description="postgresql://…")
    database_url_file: Path | None = Field(
        None, validation_alias="database_url_file", description="file that holds the URL"
    )
    kafka_security_protocol: SecurityProtocol = Field("PLAINTEXT", description="SASL_SSL or SSL beyond this machine")
    kafka_sasl_mechanism: Mechanism | None = Field(None, description="of SASL_PLAINTEXT and SASL_SSL")
    kafka_sasl_username: str | None = Field(None, min_length=1, description="whom Kafka knows the gateway as")
    kafka_sasl_password: SecretStr | None = Field(None, min_length=1, description="of that user")
    kafka_sasl_password_file: Path | None = Field(None, description="file that holds the password")
    kafka_ssl_ca_file: Path | None = Field(None, description="PEM, whom to trust; unset: the system's authorities")
    kafka_ssl_cert_file: Path | None = Field(None, description="PEM, the gateway's own certificate")
    kafka_ssl_key_file: Path | None = Field(None, description="PEM, the certificate's key, without a passphrase")
    topic_prefix: str = Field("", pattern=r"^[a-zA-Z0-9._-]{0,64}$", description="of topics and groups, for sandboxes")
    partitions: int = Field(12, ge=1, le=1000, description="of topics that the gateway creates")
    replication_factor: int = Field(1, ge=1, le=9, description="of topics that the gateway creates; 3 in production")

    host: str = Field("127.0.0.1", description="address the vendors' API listens on")
    port: int = Field(8080, ge=0, le=65535, description="port the vendors' API listens on; 0 takes a free one")
    admin_host: str = Field("127.0.0.1", description="address /admin/v1 listens on")
    admin_port: int | None = Field(
        None, ge=0, le=65535, description="port /admin/v1 listens on; unset: the one after MALLGATE_PORT"
    )
    ops_host: str = Field("127.0.0.1", description="address /healthz, /readyz and /metrics listen on")
    ops_port: int | None = Field(
        None, ge=0, le=65535, description="port they listen on; unset: the second after MALLGATE_PORT"
    )
    trusted_proxies: Annotated[tuple[IPv4Network | IPv6Network, ...], NoDecode] = Field(
        (), description="comma-separated addresses and networks whose X-Forwarded-For names the client"
    )
    roles: Annotated[tuple[Role, ...], NoDecode] = Field(ROLES, min_length=1, description="comma-separated parts")
    workers: int = Field(1, ge=1, le=128, description="processes to run")

    public_url: str = Field(
        "", description="under which vendors reach the gateway, https://host; unset: links in messages begin with /v1"
    )
    contract_document_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="hosts (host or host:port) that documents of contracts are fetched from; unset: none is",
    )

    data_dir: Path = Field(Path("~/.local/share/mallgate"), description="where the embedded engines keep their data")
    spool_dir: Path | None = Field(None, description="for bodies above 1 MiB; unset: the system's own")

    secret_key: SecretStr | None = Field(None, description="32 bytes in base64; encrypts the suppliers' secrets")
    secret_key_file: Path | None = Field(None, description="file that holds the secret key")
    former_secret_keys: SecretStr | None = Field(
        None,
        description="comma-separated; open too while the secret key is rotated: `mallgate secrets reseal --help`",
    )
    former_secret_keys_file: Path | None = Field(None, description="file that holds them, one a line")
    admin_token: SecretStr | None = Field(
        None, min_length=_TOKEN_LENGTH, description="opens /admin/v1; unset closes it"
    )
    admin_token_file: Path | None = Field(None, description="file that holds the admin token")
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

    _split = field_validator("roles", "trusted_proxies", "contract_document_hosts", mode="before")(_comma_separated)

    @field_validator("data_dir", "spool_dir", "kafka_ssl_ca_file", "kafka_ssl_cert_file", "kafka_ssl_key_file")
    @classmethod
    def _at_home(cls, path: Path | None) -> Path | None:
        return path.expanduser() if path else path

    @field_validator("secret_key")
    @classmethod
    def _of_key_size(cls, key: SecretStr | None) -> SecretStr | None:
        if key is not None:
            _decoded_key(key.get_secret_value())
        return key

    @field_validator("former_secret_keys")
    @classmethod
    def _each_of_key_size(cls, keys: SecretStr | None) -> SecretStr | None:
        if keys is not None:
            _decoded_keys(keys.get_secret_value())
        return keys

    @field_validator(*(f"{name}_file" for name in SECRETS))
    @classmethod
    def _holds_a_secret(cls, path: Path | None, info: ValidationInfo) -> Path | None:
        if path is None:
            return None
        path = path.expanduser()
        secret = read_secret(path)
        if info.field_name == "secret_key_file":
            _decoded_key(secret)
        if info.field_name == "former_secret_keys_file":
            _decoded_keys(secret)
        if info.field_name == "admin_token_file" and len(secret) < _TOKEN_LENGTH:
            raise ValueError(f"{path} must hold at least {_TOKEN_LENGTH} characters")
        return path

    @model_validator(mode="after")
    def _one_place(self) -> Settings:
        for name in SECRETS:
            file: Path | None = getattr(self, f"{name}_file")
            if file is None:
                continue
            if getattr(self, name) is not None:
                raise ValueError(f"{name} and {name}_file exclude each other")
            object.__setattr__(self, name, SecretStr(read_secret(file)))  # the settings are frozen only from now on
        return self

    @model_validator(mode="after")
    def _addresses_differ(self) -> Settings:
        if self.ops_address.port > _LAST_PORT:
            raise ValueError(f"port {self.port} has no two ports after it: set admin_port and ops_port")
        taken: dict[str, Address] = {"port": self.address}
        for name, address in (("admin_port", self.admin_address), ("ops_port", self.ops_address)):
            if twin := next((other for other, where in taken.items() if _overlap(where, address)), None):
                raise ValueError(f"{name} is the same as {twin} ({address.port}): each needs its own")
            taken[name] = address
        return self

    @model_validator(mode="after")
    def _keys_differ(self) -> Settings:
        present, former = self.secret_key_bytes(), self.former_secret_keys_bytes()
        if present in former:
            raise ValueError("former_secret_keys names the secret key itself: nothing would be rotated")
        if len(set(former)) < len(former):
            raise ValueError("former_secret_keys names a key twice")
        return self

    @model_validator(mode="after")
    def _kafka_as_a_whole(self) -> Settings:
        problems = list(_kafka_problems(self))
        if problems:
            raise ValueError("; ".join(problems))
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
        """The key of the suppliers' secrets, None when none is set."""
        return _decoded_key(self.secret_key.get_secret_value()) if self.secret_key else None

    def former_secret_keys_bytes(self) -> tuple[bytes, ...]:
        """The keys that open and verify besides it, and seal nothing."""
        return _decoded_keys(self.former_secret_keys.get_secret_value()) if self.former_secret_keys else ()

    @property
    def address(self) -> Address:
        """Of the vendors' API."""
        return Address(self.host, self.port)

    @property
    def admin_address(self) -> Address:
        """Of /admin/v1."""
        return Address(self.admin_host, self._port_after(1) if self.admin_port is None else self.admin_port)

    @property
    def ops_address(self) -> Address:
        """Of /healthz, /readyz and /metrics."""
        return Address(self.ops_host, self._port_after(2) if self.ops_port is None else self.ops_port)

    def _port_after(self, distance: int) -> int:
        """A free one where the vendors' is a free one."""
        return self.port + distance if self.port else 0

    @property
    def bootstrap(self) -> Bootstrap | None:
        """How Kafka is reached, None when no server is named."""
        if self.kafka_bootstrap is None:
            return None
        password = self.kafka_sasl_password
        return Bootstrap(
            self.kafka_bootstrap,
            self.kafka_security_protocol,
            self.kafka_sasl_mechanism,
            self.kafka_sasl_username,
            password.get_secret_value() if password else None,
            self.kafka_ssl_ca_file,
            self.kafka_ssl_cert_file,
            self.kafka_ssl_key_file,
        )


def kafka_settings(bootstrap: Bootstrap) -> dict[str, Any]:
    """The settings, all of them that speak of Kafka's address and security, that say the same."""
    return {
        "kafka_bootstrap": bootstrap.servers,
        "kafka_security_protocol": bootstrap.security_protocol,
        "kafka_sasl_mechanism": bootstrap.sasl_mechanism,
        "kafka_sasl_username": bootstrap.sasl_username,
        "kafka_sasl_password": SecretStr(bootstrap.sasl_password) if bootstrap.sasl_password else None,
        "kafka_sasl_password_file": None,
        "kafka_ssl_ca_file": bootstrap.ssl_ca_file,
        "kafka_ssl_cert_file": bootstrap.ssl_cert_file,
        "kafka_ssl_key_file": bootstrap.ssl_key_file,
    }


def kafka_environment(bootstrap: Bootstrap) -> dict[str, str]:
    """The same as a child process reads it from its environment."""
    settings = kafka_settings(bootstrap)
    password = settings.pop("kafka_sasl_password")
    texts = {name: str(value) for name, value in settings.items() if value is not None}
    if password is not None:
        texts["kafka_sasl_password"] = password.get_secret_value()
    return {variable(name): text for name, text in texts.items()}


def variable(name: str) -> str:
    """The environment variable of a setting."""
    alias = Settings.model_fields[name].validation_alias
    return name.upper() if alias else PREFIX + name.upper()


def _kafka_problems(settings: Settings) -> Iterator[str]:
    """What of Kafka's security would not be used, and what it lacks."""
    protocol = settings.kafka_security_protocol
    login = ("kafka_sasl_mechanism", "kafka_sasl_username", "kafka_sasl_password")
    files = ("kafka_ssl_ca_file", "kafka_ssl_cert_file", "kafka_ssl_key_file")
    for names, part in ((login, "SASL"), (files, "SSL")):
        given = [name for name in names if getattr(settings, name) is not None]
        used = protocol.startswith("SASL_") if part == "SASL" else protocol.endswith("SSL")
        if given and not used:
            yield f"{', '.join(given)}: kafka_security_protocol is {protocol}, which uses no {part}"
    if protocol.startswith("SASL_"):
        absent = [name for name in login if getattr(settings, name) is None]
        if absent:
            yield f"kafka_security_protocol is {protocol}: {', '.join(absent)} must be set"
    if (settings.kafka_ssl_cert_file is None) != (settings.kafka_ssl_key_file is None):
        yield "kafka_ssl_cert_file and kafka_ssl_key_file belong together"


def _overlap(one: Address, other: Address) -> bool:
    """Whether both cannot be listened on at once."""
    hosts = {one.host, other.host}
    return one.port == other.port != 0 and (len(hosts) == 1 or not hosts.isdisjoint(_EVERYWHERE))


def read_secret(path: Path) -> str:
    """The secret that a file holds, without the white space around it.

    Raises ValueError when it cannot be read, is empty, or when others than its owner may read it.
    """
    try:
        with path.open(encoding="utf-8") as file:
            mode = os.fstat(file.fileno()).st_mode
            if mode & 0o077:
                raise ValueError(f"others than its owner may use {path} (mode {mode & 0o777:04o}): chmod 600 {path}")
            secret = file.read().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    if not secret:
        raise ValueError(f"{path} is empty")
    return secret


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


def _decoded_keys(text: str) -> tuple[bytes, ...]:
    """Keys between commas or white space, neither of which base64 uses."""
    parts = text.replace(",", " ").split()
    if not parts:
        raise ValueError("names no key")
    keys = []
    for number, part in enumerate(parts, start=1):
        try:
            keys.append(_decoded_key(part))
        except ValueError as error:
            raise ValueError(f"key {number}: {error}") from error
    return tuple(keys)
