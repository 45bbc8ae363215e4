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


class TopicUnavailableError(KafkaUnavailableError):
    """A topic takes no records as things are, while Kafka answers: what needs no more than other topics goes on.

    topic: its logical name.
    """

    partial = True

    def __init__(self, topic: str, why: str) -> None:
        super().__init__(f"topic {topic} is away: {why}")
        self.topic = topic
        self.why = why


class TopicRefusedError(TopicUnavailableError):
    """Kafka takes nothing for this topic from us, whatever it is."""


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

_TOPIC_AWAY = frozenset(
    {
        3,  # UNKNOWN_TOPIC_OR_PARTITION
        5,  # LEADER_NOT_AVAILABLE
        6,  # NOT_LEADER_OR_FOLLOWER
        9,  # REPLICA_NOT_AVAILABLE
        19,  # NOT_ENOUGH_REPLICAS
        20,  # NOT_ENOUGH_REPLICAS_AFTER_APPEND
        56,  # KAFKA_STORAGE_ERROR
    }
)
"""What a broker says of a topic that cannot be written for now; aiokafka tries that again before it tells us."""

AWAY: tuple[type[Exception], ...] = (KafkaError, OSError, AssertionError, RuntimeError)
"""What aiokafka raises when a broker is away; TimeoutError is an OSError. It asserts some of what the answer of a
broker that has only begun can make untrue, such as knowing a broker at all; and uvloop says RuntimeError of a
connection that was closed in the moment in which aiokafka writes to it.
"""


def translated(error: Exception, topic: str | None = None) -> GatewayError:
    """The error of ours that says what to do about one of aiokafka's. topic: that it was about, if it was one."""
    code = error.errno if isinstance(error, BrokerResponseError) else None
    if code in _OF_THE_TOPIC:
        return TopicRefusedError(topic or "of the request", f"Kafka refused: {error}")
    if code in _REFUSALS:
        return KafkaRefusedError(f"Kafka refused: {error}")
    if topic is not None and code in _TOPIC_AWAY:
        return TopicUnavailableError(topic, str(error))
    return KafkaUnavailableError(f"Kafka: {str(error) or type(error).__name__}")


@contextmanager
def translate(topic: str | None = None) -> Iterator[None]:
    """Raise `translated` errors instead of aiokafka's. topic: that all of it is about."""
    try:
        yield
    except AWAY as error:
        raise translated(error, topic) from error
