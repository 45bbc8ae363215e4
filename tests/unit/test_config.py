"""Settings: where they come from, what is refused, and that everything wrong is told at once."""

from __future__ import annotations

import base64
import os
from pathlib import Path
from typing import Any

import pytest

from gateway.config import ROLES, Bootstrap, kafka_environment, load_settings
from gateway.sdk.errors import ConfigError

KEY = base64.b64encode(bytes(range(32))).decode()


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment without any setting."""
    for name in list(os.environ):
        if name.startswith("MALLGATE_") or name in {"KAFKA_BOOTSTRAP", "DATABASE_URL"}:
            monkeypatch.delenv(name)


def secret_file(path: Path, content: str) -> Path:
    """A file that its owner alone may use."""
    path.write_text(content)
    path.chmod(0o600)
    return path


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
    file = secret_file(tmp_path / "key", KEY + "\n")
    assert load_settings(secret_key=KEY).secret_key_bytes() == bytes(range(32))
    assert load_settings(secret_key_file=file).secret_key_bytes() == bytes(range(32))
    assert load_settings().secret_key_bytes() is None


def test_the_secret_key_has_one_place(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="exclude each other"):
        load_settings(secret_key=KEY, secret_key_file=secret_file(tmp_path / "key", KEY))


@pytest.mark.parametrize("content", ["not base64!", "c2hvcnQ="])
def test_an_unusable_key_file_is_told(tmp_path: Path, content: str) -> None:
    file = secret_file(tmp_path / "key", content)
    with pytest.raises(ConfigError, match="secret_key_file"):
        load_settings(secret_key_file=file)


OLD = base64.b64encode(bytes(32)).decode()
OLDER = base64.b64encode(b"\x01" * 32).decode()


@pytest.mark.parametrize("text", [f"{OLD},{OLDER}", f" {OLD} , {OLDER}, ", f"{OLD}\n{OLDER}\n", f"{OLD} {OLDER}"])
def test_former_keys_stand_in_a_value_or_in_a_file(tmp_path: Path, text: str) -> None:
    file = secret_file(tmp_path / "former", text)
    for settings in (load_settings(former_secret_keys=text), load_settings(former_secret_keys_file=file)):
        assert settings.former_secret_keys_bytes() == (bytes(32), b"\x01" * 32)
        assert OLD not in repr(settings)
    assert load_settings(secret_key=KEY).former_secret_keys_bytes() == ()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "names no key"),
        (" , ", "names no key"),
        (f"{OLD},c2hvcnQ=", "key 2: must be 32 bytes"),
        (f"{OLD};{OLDER}", "key 1: not base64"),
        ("办公", "key 1"),
        (f"{OLD},{OLD}", "twice"),
        (f"{OLD},{KEY}", "the secret key itself"),
    ],
)
def test_former_keys_that_cannot_be_meant_are_refused_and_not_quoted(text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told) as caught:
        load_settings(secret_key=KEY, former_secret_keys=text)
    assert OLD not in str(caught.value)


@pytest.mark.parametrize("mode", [0o644, 0o660])
def test_a_file_of_former_keys_is_as_secret_as_that_of_the_present_one(tmp_path: Path, mode: int) -> None:
    file = secret_file(tmp_path / "former", OLD)
    file.chmod(mode)
    with pytest.raises(ConfigError, match=f"chmod 600 {file}"):
        load_settings(former_secret_keys_file=file)
    file.chmod(0o600)
    with pytest.raises(ConfigError, match="exclude each other"):
        load_settings(former_secret_keys=OLD, former_secret_keys_file=file)
    file.write_text("short")
    with pytest.raises(ConfigError, match="former_secret_keys_file: key 1"):
        load_settings(former_secret_keys_file=file)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o602, 0o610])
def test_a_secret_that_others_may_use_is_refused_with_the_command_that_mends_it(tmp_path: Path, mode: int) -> None:
    file = secret_file(tmp_path / "key", KEY)
    file.chmod(mode)
    with pytest.raises(ConfigError, match=f"chmod 600 {file}"):
        load_settings(secret_key_file=file)


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_every_secret_may_stand_in_a_file(tmp_path: Path, mode: int) -> None:
    values = {"database_url": "postgresql://127.0.0.1/mall", "secret_key": KEY, "admin_token": "t" * 16}
    files = {f"{name}_file": secret_file(tmp_path / name, f"{value}\n") for name, value in values.items()}
    for file in files.values():
        file.chmod(mode)
    settings = load_settings(**files)
    for name, value in values.items():
        assert getattr(settings, name).get_secret_value() == value


def test_every_unusable_file_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load_settings(
            secret_key_file=tmp_path / "nowhere",
            admin_token_file=secret_file(tmp_path / "short", "short"),
            database_url_file=secret_file(tmp_path / "empty", ""),
        )
    assert {problem.split(":")[0] for problem in caught.value.problems} == {
        "secret_key_file",
        "admin_token_file",
        "database_url_file",
    }


SASL = {"kafka_sasl_mechanism": "SCRAM-SHA-512", "kafka_sasl_username": "mall", "kafka_sasl_password": "hush"}


def test_kafka_security_is_a_whole() -> None:
    settings = load_settings(kafka_bootstrap="kafka:9092", kafka_security_protocol="SASL_SSL", **SASL)
    assert settings.bootstrap == Bootstrap("kafka:9092", "SASL_SSL", "SCRAM-SHA-512", "mall", "hush")
    assert "hush" not in repr(settings) + repr(settings.bootstrap)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"kafka_security_protocol": "SASL_SSL"}, "kafka_sasl_username"),
        (SASL, "uses no SASL"),
        (SASL | {"kafka_security_protocol": "SSL"}, "uses no SASL"),
        ({"kafka_ssl_ca_file": "/ca.pem"}, "uses no SSL"),
        ({"kafka_security_protocol": "SSL", "kafka_ssl_cert_file": "/cert.pem"}, "belong together"),
        (SASL | {"kafka_security_protocol": "SASL_SSL", "kafka_sasl_mechanism": "GSSAPI"}, "kafka_sasl_mechanism"),
    ],
)
def test_kafka_security_that_would_not_hold_is_refused(given: dict[str, str], told: str) -> None:
    with pytest.raises(ConfigError, match=told) as caught:
        load_settings(kafka_bootstrap="kafka:9092", **given)
    assert "hush" not in str(caught.value)


def test_a_child_process_reads_the_same_of_kafka(monkeypatch: pytest.MonkeyPatch) -> None:
    bootstrap = Bootstrap("k:1", "SASL_SSL", "PLAIN", "mall", "hush", Path("/ca"), Path("/cert"), Path("/key"))
    for name, value in kafka_environment(bootstrap).items():
        monkeypatch.setenv(name, value)
    assert load_settings().bootstrap == bootstrap


def test_secrets_are_shown_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://user:hush@db/mall")
    settings = load_settings(secret_key=KEY, admin_token="hush-hush-hush-hush")
    assert "hush" not in repr(settings)
    assert KEY not in repr(settings)
    with pytest.raises(ConfigError) as caught:
        load_settings(secret_key="hush")
    assert "hush" not in str(caught.value)


def test_each_kind_of_client_has_an_address_of_its_own() -> None:
    settings = load_settings()
    found = [settings.address, settings.admin_address, settings.ops_address]
    assert [address.url for address in found] == [f"http://127.0.0.1:{port}" for port in (8080, 8081, 8082)]


@pytest.mark.parametrize(
    ("given", "admin", "ops"),
    [
        ({"port": 9000}, ("127.0.0.1", 9001), ("127.0.0.1", 9002)),
        ({"port": 0}, ("127.0.0.1", 0), ("127.0.0.1", 0)),
        ({"port": 0, "ops_port": 9100}, ("127.0.0.1", 0), ("127.0.0.1", 9100)),
        ({"host": "0.0.0.0"}, ("127.0.0.1", 8081), ("127.0.0.1", 8082)),
        (
            {"admin_host": "10.0.0.1", "ops_host": "10.0.0.2", "admin_port": 80, "ops_port": 80},
            ("10.0.0.1", 80),
            ("10.0.0.2", 80),
        ),
        ({"port": 65535, "admin_port": 0, "ops_port": 0}, ("127.0.0.1", 0), ("127.0.0.1", 0)),
    ],
)
def test_what_is_not_said_of_them_follows_the_port_and_stays_on_loopback(
    given: dict[str, Any], admin: tuple[str, int], ops: tuple[str, int]
) -> None:
    settings = load_settings(**given)
    assert (settings.admin_address, settings.ops_address) == (admin, ops)


@pytest.mark.parametrize(
    "given",
    [
        {"ops_port": 8080},
        {"admin_port": 8080, "host": "0.0.0.0"},
        {"ops_port": 8081},
        {"port": 80, "ops_port": 80, "ops_host": "::"},
        {"port": 65534},
        {"port": 8080, "admin_host": "0.0.0.0", "admin_port": 9, "ops_host": "10.0.0.2", "ops_port": 9},
    ],
)
def test_two_of_them_on_one_port_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="port"):
        load_settings(**given)


def test_an_ipv6_address_is_a_url() -> None:
    assert load_settings(ops_host="::1").ops_address.url == "http://[::1]:8082"


@pytest.mark.parametrize(
    ("text", "hosts"), [("files.mall", ("files.mall",)), ("files.mall, 10.0.0.7:8443", ("files.mall", "10.0.0.7:8443"))]
)
def test_hosts_of_contract_documents_are_given_as_a_list_with_commas(
    monkeypatch: pytest.MonkeyPatch, text: str, hosts: tuple[str, ...]
) -> None:
    assert load_settings().contract_document_hosts == ()
    monkeypatch.setenv("MALLGATE_CONTRACT_DOCUMENT_HOSTS", text)
    assert load_settings().contract_document_hosts == hosts


def test_trusted_proxies_are_addresses_and_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().trusted_proxies == ()
    monkeypatch.setenv("MALLGATE_TRUSTED_PROXIES", "127.0.0.1, 10.0.0.0/8,fd00::/8")
    assert list(map(str, load_settings().trusted_proxies)) == ["127.0.0.1/32", "10.0.0.0/8", "fd00::/8"]


@pytest.mark.parametrize("text", ["proxy.example", "10.0.0.0/33", "10.0.0.1/8", "*"])
def test_what_is_no_address_is_no_trusted_proxy(text: str) -> None:
    with pytest.raises(ConfigError, match="trusted_proxies"):
        load_settings(trusted_proxies=text)
