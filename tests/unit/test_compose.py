"""docker-compose.yml and Dockerfile, as far as they can be judged without a container runtime."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.cli import readme
from gateway.config import Settings

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    document = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    assert set(document["volumes"]) == {"kafka", "postgres"}
    found: dict[str, dict[str, Any]] = document["services"]
    return found


def test_mallgate_waits_until_its_services_are_healthy(services: dict[str, dict[str, Any]]) -> None:
    needed = services["mallgate"]["depends_on"]
    assert {name: how["condition"] for name, how in needed.items()} == dict.fromkeys(
        ("kafka", "postgres"), "service_healthy"
    )
    assert all("test" in services[name]["healthcheck"] for name in needed)
    assert "HEALTHCHECK" in DOCKERFILE


def test_what_mallgate_is_told_are_settings(services: dict[str, dict[str, Any]]) -> None:
    told = set(services["mallgate"]["environment"]) | set(re.findall(r"\bMALLGATE_[A-Z_]+(?==)", DOCKERFILE))
    known = set(re.findall(r"^\| `([A-Z_]+)` \|", readme.settings(), flags=re.MULTILINE))
    assert told - known == set()
    assert {"KAFKA_BOOTSTRAP", "DATABASE_URL", "MALLGATE_SECRET_KEY"} <= told


def test_the_addresses_are_those_the_services_listen_on(services: dict[str, dict[str, Any]]) -> None:
    told = services["mallgate"]["environment"]
    assert f"INSIDE://{told['KAFKA_BOOTSTRAP']}" in services["kafka"]["environment"]["KAFKA_ADVERTISED_LISTENERS"]
    own = services["postgres"]["environment"]
    assert told["DATABASE_URL"] == (
        f"postgresql://{own['POSTGRES_USER']}:{own['POSTGRES_PASSWORD']}@postgres:5432/{own['POSTGRES_DB']}?sslmode=disable"
    )


def test_it_is_given_longer_to_stop_than_it_drains(services: dict[str, dict[str, Any]]) -> None:
    grace = int(services["mallgate"]["stop_grace_period"].removesuffix("s"))
    assert grace > Settings.model_fields["drain_timeout"].default


def test_ports_are_open_to_this_machine_alone(services: dict[str, dict[str, Any]]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_image_is_made_of_what_the_tree_has() -> None:
    sources = [
        word for line in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE) for word in line.split()
    ]
    assert [source for source in sources if not (ROOT / source).exists()] == []
    assert {"gateway", "adapters", "schemas", "requirements.lock"} <= set(sources)


def test_probes_and_operators_have_ports_of_their_own(services: dict[str, dict[str, Any]]) -> None:
    told = dict(re.findall(r"\b(MALLGATE_[A-Z_]+)=(\S+)", DOCKERFILE))
    own = {told[name] for name in ("MALLGATE_PORT", "MALLGATE_ADMIN_PORT", "MALLGATE_OPS_PORT")}
    assert {port.split(":")[-1] for port in services["mallgate"]["ports"]} == own
    assert set(re.findall(r"^EXPOSE (.+)$", DOCKERFILE, re.MULTILINE)[0].split()) == own
    assert re.findall(r"http://127\.0\.0\.1:(\d+)/readyz", DOCKERFILE) == [told["MALLGATE_OPS_PORT"]]
    assert not {"MALLGATE_ADMIN_HOST", "MALLGATE_OPS_HOST"} & told.keys()
