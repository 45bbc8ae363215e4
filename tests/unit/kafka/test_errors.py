"""Which of aiokafka's errors mean wait, and which mean never."""

from __future__ import annotations

import pytest
from aiokafka import errors as kafka

from gateway.kafka import KafkaRefusedError, KafkaUnavailableError, TopicRefusedError, TopicUnavailableError
from gateway.kafka.errors import translate


@pytest.mark.parametrize("error", [kafka.MessageSizeTooLargeError(), kafka.PolicyViolationError()])
@pytest.mark.parametrize("topic", [None, "t"])
def test_what_would_be_refused_again_is_refused(error: Exception, topic: str | None) -> None:
    with pytest.raises(KafkaRefusedError) as caught, translate(topic):
        raise error
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("error", [kafka.TopicAuthorizationFailedError("t"), kafka.InvalidTopicError()])
def test_what_no_record_brought_about_is_the_topics(error: Exception) -> None:
    with pytest.raises(TopicRefusedError) as caught, translate("t"):
        raise error
    assert caught.value.topic == "t"
    assert caught.value.partial


@pytest.mark.parametrize(
    "error",
    [
        kafka.UnknownTopicOrPartitionError(),
        kafka.LeaderNotAvailableError(),
        kafka.NotLeaderForPartitionError(),
        kafka.NotEnoughReplicasError(),
        kafka.NotEnoughReplicasAfterAppendError(),
        kafka.KafkaStorageError(),
    ],
)
def test_what_a_broker_says_of_one_topic_is_the_topics(error: Exception) -> None:
    with pytest.raises(TopicUnavailableError) as caught, translate("t"):
        raise error
    assert not isinstance(caught.value, TopicRefusedError)
    assert "topic t is away" in str(caught.value)


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
        AssertionError("no broker is known"),
        RuntimeError("unable to perform operation on <TCPTransport closed=True>; the handler is closed"),
    ],
)
def test_everything_else_is_waited_out(error: Exception) -> None:
    with pytest.raises(KafkaUnavailableError) as caught, translate():
        raise error
    assert caught.value.__cause__ is error


def test_mistakes_of_ours_pass() -> None:
    with pytest.raises(TypeError), translate():
        raise TypeError
