"""How the core reaches Kafka: options of a command line, and reading topics to their end."""

from __future__ import annotations

import argparse
import os
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

Options = dict[str, Any]


def add_options(parser: argparse.ArgumentParser) -> None:
    """What says where Kafka is and who is calling; the password comes from the environment alone."""
    parser.add_argument("--bootstrap", required=True, help="host:port[,host:port]")
    parser.add_argument("--prefix", default="", help="before the names of all topics")
    parser.add_argument("--security-protocol", default="PLAINTEXT", help="PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL")
    parser.add_argument("--sasl-mechanism", default="SCRAM-SHA-512")
    parser.add_argument("--sasl-username", help="its password is KAFKA_SASL_PASSWORD of the environment")
    parser.add_argument("--ssl-ca-file", help="certificates to trust instead of the system's")


def client_options(arguments: argparse.Namespace) -> Options:
    """The same, as aiokafka's clients take it."""
    options: Options = {
        "bootstrap_servers": arguments.bootstrap,
        "security_protocol": arguments.security_protocol,
    }
    if arguments.security_protocol.startswith("SASL_"):
        options |= {
            "sasl_mechanism": arguments.sasl_mechanism,
            "sasl_plain_username": arguments.sasl_username,
            "sasl_plain_password": os.environ.get("KAFKA_SASL_PASSWORD"),
        }
    if arguments.security_protocol.endswith("SSL"):
        options["ssl_context"] = ssl.create_default_context(cafile=arguments.ssl_ca_file)
    return options


@asynccontextmanager
async def open_consumer(options: Options, topics: Sequence[str]) -> AsyncIterator[AIOKafkaConsumer]:
    """A consumer of all partitions of topics, from their beginning, in no group."""
    consumer = AIOKafkaConsumer(*topics, **options, auto_offset_reset="earliest", enable_auto_commit=False)
    try:
        await consumer.start()
        await consumer.seek_to_beginning()
        yield consumer
    finally:
        await consumer.stop()


async def read_to_end(consumer: AIOKafkaConsumer) -> AsyncIterator[Any]:
    """Every record up to where the topics end now."""
    ends: dict[TopicPartition, int] = await consumer.end_offsets(consumer.assignment())
    for partition, end in ends.items():
        while await consumer.position(partition) < end:
            for record in (await consumer.getmany(partition, timeout_ms=1000)).get(partition, ()):
                yield record
