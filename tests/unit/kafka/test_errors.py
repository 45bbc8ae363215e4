"""Which of aiokafka's errors mean wait, and which mean never."""

from __future__ import annotations

import pytest
from aiokafka import errors as kafka

from gateway.kafka import KafkaRefusedError, KafkaUnavailableError, TopicRefusedError
from gateway.kafka.errors import translate


@pytest.mark.parametrize(
    "error",
    [
        kafka.MessageSizeTooLargeError(),
        kafka.TopicAuthorizationFailedError("t"),
        kafka.PolicyViolationError(),
        kafka.InvalidTopicError(),
    ],
)
def test_what_would_be_refused_again_is_refused(error: Exception) -> None:
    with pytest.raises(KafkaRefusedError) as caught, translate():
        raise error
    assert caught.value.__cause__ is error


@pytest.mark.parametrize(
    ("error", "of_the_topic"),
    [
        (kafka.TopicAuthorizationFailedError("t"), True),
        (kafka.InvalidTopicError(), True),
        (kafka.MessageSizeTooLargeError(), False),
        (kafka.PolicyViolationError(), False),
    ],
)
def test_what_no_record_brought_about_is_told_apart(error: Exception, *, of_the_topic: bool) -> None:
    with pytest.raises(KafkaRefusedError) as caught, translate():
        raise error
    assert isinstance(caught.value, TopicRefusedError) is of_the_topic


@pytest.mark.parametrize(
    "error",
    [
        kafka.NodeNotReadyError(),
        kafka.KafkaConnectionError(),
        kafka.KafkaTimeoutError(),
        kafka.RequestTimedOutError(),
        kafka.NotLeaderForPartitionError(),
        kafka.NotEnoughReplicasError(),
        kafka.UnknownTopicOrPartitionError(),
        kafka.StaleLeaderEpochCodeError(),  # what aiokafka makes of NETWORK_EXCEPTION
        kafka.UnknownError(),
        kafka.ProducerClosed(),
        TimeoutError(),
        ConnectionRefusedError(),
    ],
)
def test_everything_else_is_waited_out(error: Exception) -> None:
    with pytest.raises(KafkaUnavailableError) as caught, translate():
        raise error
    assert caught.value.__cause__ is error


def test_mistakes_of_ours_pass() -> None:
    with pytest.raises(TypeError), translate():
        raise TypeError
