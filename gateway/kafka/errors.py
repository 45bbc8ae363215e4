"""What can go wrong with Kafka, by what has to be done next."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from aiokafka.errors import BrokerResponseError, KafkaError

from gateway.sdk.errors import ConfigError, GatewayError, ServiceUnavailableError


class KafkaUnavailableError(ServiceUnavailableError):
    """Kafka did not answer in time; whether it has what was sent is not known."""


class KafkaRefusedError(GatewayError):
    """Kafka refused what was sent, and would refuse it again."""


class TopicRefusedError(KafkaRefusedError):
    """Kafka takes nothing for this topic as things are, whatever it is."""


class ClusterChangedError(ConfigError):
    """Another Kafka cluster answers at the address of the one this process began with."""


# By number, because aiokafka maps the codes it does not know to one class, and code 13 to a wrong one.
_REFUSALS = frozenset(
    {
        10,  # MESSAGE_TOO_LARGE
        17,  # INVALID_TOPIC_EXCEPTION
        18,  # RECORD_LIST_TOO_LARGE
        29,  # TOPIC_AUTHORIZATION_FAILED
        31,  # CLUSTER_AUTHORIZATION_FAILED
        32,  # INVALID_TIMESTAMP
        43,  # UNSUPPORTED_FOR_MESSAGE_FORMAT
        44,  # POLICY_VIOLATION
        76,  # UNSUPPORTED_COMPRESSION_TYPE
        87,  # INVALID_RECORD
    }
)

_OF_THE_TOPIC = frozenset({17, 29, 31})
"""Refusals that no record brought about."""

AWAY: tuple[type[Exception], ...] = (KafkaError, OSError)
"""What aiokafka raises when a broker is away; TimeoutError is an OSError."""


def translated(error: Exception) -> GatewayError:
    """The error of ours that says what to do about one of aiokafka's."""
    if isinstance(error, BrokerResponseError) and error.errno in _REFUSALS:
        refusal = TopicRefusedError if error.errno in _OF_THE_TOPIC else KafkaRefusedError
        return refusal(f"Kafka refused: {error}")
    return KafkaUnavailableError(f"Kafka: {str(error) or type(error).__name__}")


@contextmanager
def translate() -> Iterator[None]:
    """Raise `translated` errors instead of aiokafka's."""
    try:
        yield
    except AWAY as error:
        raise translated(error) from error
