"""Decided outcomes on their way to Kafka: written with the decision, published oldest first per key, at least once."""

from gateway.outbox.message import OutboxMessage, enqueue
from gateway.outbox.publisher import Publisher

__all__ = ["OutboxMessage", "Publisher", "enqueue"]
