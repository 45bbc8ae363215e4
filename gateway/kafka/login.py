"""Why Kafka does not let us in, when waiting would not change that."""

from __future__ import annotations

import asyncio
import ssl

from aiokafka.conn import collect_hosts, create_conn
from aiokafka.errors import (
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)

from gateway.config import Bootstrap
from gateway.kafka.security import client_options
from gateway.sdk.errors import ConfigError

_SECONDS = 5.0

_REFUSED = (SaslAuthenticationFailed, UnsupportedSaslMechanismError, IllegalSaslStateError)


class KafkaLoginError(ConfigError):
    """Kafka and the gateway do not accept each other."""


async def refuse_to_wait(bootstrap: Bootstrap) -> None:
    """Knock at each server once. Raises KafkaLoginError when one lets us in never, or is not who it should be.

    aiokafka only logs why a server could not be used, and goes on to the next.
    """
    options = client_options(bootstrap)
    for host, port, _ in collect_hosts(options.pop("bootstrap_servers")):
        try:
            async with asyncio.timeout(_SECONDS):
                connection = await create_conn(host, port, **options)
        except (*_REFUSED, ssl.SSLError, ValueError) as error:
            raise KafkaLoginError([f"KAFKA_BOOTSTRAP: {host}:{port} {meaning(error)}"]) from error
        except (OSError, KafkaError):
            continue  # away, which may pass
        connection.close()


def meaning(error: Exception) -> str:
    """What the failure of a first connection says, in one line. ValueError: aiokafka's of a server's false answer."""
    match error:
        case ssl.SSLCertVerificationError():
            return f"is not to be trusted: {error.verify_message}"
        case ssl.SSLError():
            return f"does not speak TLS as we do, see kafka_security_protocol: {error.reason}"
        case SaslAuthenticationFailed():
            return "refused the login: kafka_sasl_username or kafka_sasl_password is wrong"
        case ValueError():
            return f"does not know the password itself: {error}"
        case _:
            return f"does not offer the login of kafka_sasl_mechanism: {error}"
