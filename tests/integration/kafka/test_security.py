"""Kafka over TLS with a login: whom the gateway trusts, whom it refuses, and what it says then."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.config import Bootstrap
from gateway.embedded import EmbeddedKafka
from gateway.embedded.identity import place
from gateway.embedded.kafka import USERNAME
from gateway.embedded.process import Command, folder
from gateway.kafka import TOPICS, KafkaUnavailableError, Message, open_bus
from gateway.kafka.login import KafkaLoginError
from gateway.kafka.topics import REPORTS
from tests.certificates import Authority

pytestmark = pytest.mark.engines


class TlsKafka(EmbeddedKafka):
    """Clients have to speak TLS and to log in. certificate and key: its own, PEM."""

    certificate: str
    key: str

    def _serve(self, port: int) -> Command:
        command = super()._serve(port)
        place(self._directory / "server.pem", self.key + self.certificate)
        place(self._directory / "trusted.pem", self.certificate)
        login = f'username="{USERNAME}" password="{self._password}" user_{USERNAME}="{self._password}"'
        more = {
            "listener.security.protocol.map": "CLIENTS:SASL_SSL,CONTROLLER:SASL_PLAINTEXT",
            "sasl.enabled.mechanisms": "SCRAM-SHA-512,PLAIN",
            "listener.name.clients.plain.sasl.jaas.config": (
                f"org.apache.kafka.common.security.plain.PlainLoginModule required {login};"
            ),
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": f"{folder(0)}/server.pem",
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": f"{folder(0)}/trusted.pem",
            "ssl.endpoint.identification.algorithm": "",
        }
        path = self._directory / "server.properties"
        place(path, path.read_text() + "".join(f"{name}={value}\n" for name, value in more.items()))
        return command


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority("the mall's authority")


@pytest.fixture(scope="module")
async def broker(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Bootstrap]:
    """A broker that goes by 127.0.0.1 alone, and how it is reached rightly."""
    place_of_files = tmp_path_factory.mktemp("tls")
    kafka = TlsKafka(place_of_files / "kafka")
    kafka.certificate, kafka.key = authority.vouch("127.0.0.1")
    await kafka.start()
    trusted = authority.write(place_of_files / "ca.pem")
    yield replace(kafka.bootstrap, security_protocol="SASL_SSL", ssl_ca_file=trusted)
    await kafka.stop()


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "PLAIN"])
async def test_who_trusts_the_authority_and_knows_the_password_sends_and_reads(
    broker: Bootstrap, mechanism: str
) -> None:
    known = replace(broker, sasl_mechanism=mechanism)  # type: ignore[arg-type]
    async with open_bus(known, topic_prefix=f"{mechanism}.") as bus, bus.producer() as producer:
        await bus.ensure_topics([TOPICS[REPORTS]], partitions=1, replication=1)
        [position] = await producer.send([Message(REPORTS, b"key", b"value", ())])
        record = await bus.read(REPORTS, position.partition, position.offset)
    assert record is not None
    assert record.value == b"value"


async def refused(bootstrap: Bootstrap) -> str:
    """What is said at once, and not only when patience is over."""
    with pytest.raises(KafkaLoginError) as raised:
        async with open_bus(bootstrap, wait_seconds=300.0):
            pass
    message = str(raised.value)
    assert "\n" not in message
    return message


async def test_an_authority_nobody_knows_is_named_as_the_reason(broker: Bootstrap, tmp_path: Path) -> None:
    stranger = Authority("somebody else's").write(tmp_path / "ca.pem")
    assert "not to be trusted" in await refused(replace(broker, ssl_ca_file=stranger))


async def test_without_an_authority_of_its_own_it_trusts_those_of_the_system(broker: Bootstrap) -> None:
    assert "not to be trusted" in await refused(replace(broker, ssl_ca_file=None))


async def test_a_certificate_for_another_host_is_refused(broker: Bootstrap) -> None:
    said = await refused(replace(broker, servers=broker.servers.replace("127.0.0.1", "localhost")))
    assert "localhost" in said


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "PLAIN"])
@pytest.mark.parametrize("field", ["sasl_username", "sasl_password"])
async def test_a_wrong_login_is_refused(broker: Bootstrap, mechanism: str, field: str) -> None:
    wrong = replace(broker, sasl_mechanism=mechanism, **{field: "wrong"})  # type: ignore[arg-type]
    said = await refused(wrong)
    assert "kafka_sasl_password" in said
    assert "127.0.0.1" in said


async def test_a_mechanism_that_is_not_offered_is_refused(broker: Bootstrap) -> None:
    assert "kafka_sasl_mechanism" in await refused(replace(broker, sasl_mechanism="SCRAM-SHA-256"))


async def test_a_client_without_tls_gets_nothing(broker: Bootstrap) -> None:
    plain = Bootstrap(broker.servers)
    with pytest.raises(KafkaUnavailableError):
        async with open_bus(plain, wait_seconds=0.2):
            pass
