"""Kafka: topics, producers, consumers and readers that fail in bounded time and come back by themselves."""

from gateway.kafka.bus import Bus, open_bus
from gateway.kafka.consumer import Assigned, Consumer
from gateway.kafka.errors import (
    ClusterChangedError,
    KafkaRefusedError,
    KafkaUnavailableError,
    TopicRefusedError,
    TopicUnavailableError,
)
from gateway.kafka.partitioner import partition_of
from gateway.kafka.producer import Producer
from gateway.kafka.records import Headers, Message, Partition, Position, Record
from gateway.kafka.security import client_options
from gateway.kafka.topics import (
    BULK,
    CATALOG_TOPIC,
    CONTRACT_COMMANDS,
    CONTRACT_EVENTS,
    DEADLETTERS,
    EXPRESS,
    LISTINGS,
    ORDER_COMMANDS,
    ORDER_EVENTS,
    PRICES,
    PRODUCTS,
    REPORTS,
    STOCKS,
    TOPICS,
    TopicSpec,
)

__all__ = [
    "BULK",
    "CATALOG_TOPIC",
    "CONTRACT_COMMANDS",
    "CONTRACT_EVENTS",
    "DEADLETTERS",
    "EXPRESS",
    "LISTINGS",
    "ORDER_COMMANDS",
    "ORDER_EVENTS",
    "PRICES",
    "PRODUCTS",
    "REPORTS",
    "STOCKS",
    "TOPICS",
    "Assigned",
    "Bus",
    "ClusterChangedError",
    "Consumer",
    "Headers",
    "KafkaRefusedError",
    "KafkaUnavailableError",
    "Message",
    "Partition",
    "Position",
    "Producer",
    "Record",
    "TopicRefusedError",
    "TopicSpec",
    "TopicUnavailableError",
    "client_options",
    "open_bus",
    "partition_of",
]
