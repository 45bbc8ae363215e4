"""`mallgate topics`: what there is on Kafka, and what is being written."""

from __future__ import annotations

import asyncio
import itertools
from base64 import b64encode
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, aclosing
from datetime import UTC, datetime
from typing import Annotated

import orjson
from cyclopts import App, Parameter
from rich.text import Text

from gateway.cli.instance import settings
from gateway.cli.output import Json, console, emit, table
from gateway.kafka import TOPICS, Bus, Record, open_bus
from gateway.sdk.errors import ConfigError, GatewayError
from gateway.telemetry.logging import configure
from schemas.envelope import CE_TYPE, CONTENT_TYPE, GW_VERSION, JSON

topics = App(name="topics", help="Look at the Kafka topics.")

LOOK_SECONDS = 0.5
"""How often the ends of a topic are looked at."""


class UnknownTopicError(GatewayError):
    """There is no such topic."""


@topics.command(name="list")
async def list_(*, json: Json = False) -> None:
    """Every topic of the gateway, and how many records lie on it."""
    async with _bus() as bus:
        found = [{"topic": name, "records": await _records(bus, name)} for name in TOPICS]
    if json:
        emit(found)
    else:
        table(
            "topic|#records|key|policy|meaning",
            (
                [
                    each["topic"],
                    "missing" if each["records"] is None else each["records"],
                    spec.key,
                    spec.policy,
                    spec.meaning,
                ]
                for each, spec in zip(found, TOPICS.values(), strict=True)
            ),
            empty="",
        )


@topics.command
async def tail(
    name: str,
    /,
    *,
    from_start: Annotated[bool, Parameter(negative="")] = False,
    key: str = "",
    count: int | None = None,
    json: Json = False,
) -> None:
    """Print the records of a topic as they are written, until Ctrl-C.

    Parameters
    ----------
    name: str
        Name of the topic, or a part of it that no other one has.
    from_start: bool
        Begin with the oldest record instead of the next one.
    key: str
        Only records whose key begins so: `acme:` for a supplier, `acme:A-1:` for one of its skus.
    count: int
        End after so many.
    """
    topic = resolve(name)
    async with _bus() as bus, aclosing(_follow(bus, topic, from_start=from_start)) as records:
        shown = itertools.count(1)
        async for record in records:
            if not (record.key or b"").startswith(key.encode()):
                continue
            if json:
                emit(_plain(record))
            else:
                console.print(_line(record), soft_wrap=True)
            if next(shown) == count:
                return


def _bus() -> AbstractAsyncContextManager[Bus]:
    # A command says itself what went wrong; what its libraries log on the way would only stand between.
    configure("console", "error")
    given = settings()
    if given.bootstrap is None:
        raise ConfigError(["KAFKA_BOOTSTRAP is not set, and no gateway with embedded engines runs here."])
    return open_bus(given.bootstrap, topic_prefix=given.topic_prefix, wait_seconds=5.0)


def resolve(name: str) -> str:
    """The topic of that name, or the one that has it as a part of its own. Raises UnknownTopicError."""
    matching = [topic for topic in TOPICS if name in topic]
    if name in TOPICS or len(matching) == 1:
        return name if name in TOPICS else matching[0]
    raise UnknownTopicError(f"{name!r} names {len(matching)} topics; there are {', '.join(matching or TOPICS)}")


def _count(records: object) -> object:
    return "missing" if records is None else records


async def _records(bus: Bus, topic: str) -> int | None:
    """How many lie there, None where there is no such topic."""
    starts, ends = await bus.beginning_offsets(topic), await bus.end_offsets(topic)
    return sum(ends[partition] - starts[partition] for partition in ends) if ends else None


async def _follow(bus: Bus, topic: str, *, from_start: bool) -> AsyncGenerator[Record, None]:
    """Records for ever, in order within each partition."""
    positions = await (bus.beginning_offsets(topic) if from_start else bus.end_offsets(topic))
    if not positions:
        raise UnknownTopicError(
            f"Kafka has no topic {topic}. The gateway makes what is missing when it starts; "
            "what a catalog topic held comes back by `mallgate catalog rebuild`."
        )
    while True:
        for partition, end in (await bus.end_offsets(topic)).items():
            async with aclosing(bus.scan(topic, partition, positions.get(partition, 0), end)) as batches:
                async for records in batches:
                    for record in records:
                        yield record
            positions[partition] = end
        await asyncio.sleep(LOOK_SECONDS)


def _plain(record: Record) -> dict[str, object]:
    return {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "timestamp": record.timestamp,
        "key": record.key and record.key.decode(errors="replace"),
        "headers": {name: value.decode(errors="replace") for name, value in record.headers},
        "value": _value(record),
    }


def _value(record: Record) -> object:
    """JSON as it is, decimals and all; other bytes as base64."""
    if record.value is None:
        return None
    if dict(record.headers).get(CONTENT_TYPE) == JSON.encode():
        return orjson.Fragment(record.value)
    return b64encode(record.value).decode()


def _line(record: Record) -> Text:
    headers = dict(record.headers)
    at = datetime.fromtimestamp(record.timestamp / 1000, UTC).astimezone()
    key = "–" if record.key is None else record.key.decode(errors="replace")
    kind = " ".join(headers[name].decode(errors="replace") for name in (CE_TYPE, GW_VERSION) if name in headers)
    return Text.assemble(
        (f"{record.partition}:{record.offset} {at:%H:%M:%S} ", "dim"),
        (key, "cyan"),
        f" {kind} ",
        (_words(record), "green" if record.value is not None else "yellow"),
    )


def _words(record: Record) -> str:
    if record.value is None:
        return "withdrawn"
    if dict(record.headers).get(CONTENT_TYPE) == JSON.encode():
        return record.value.decode(errors="replace")
    return f"({len(record.value)} bytes)"
