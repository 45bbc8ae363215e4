"""The AsyncAPI document is valid AsyncAPI 3.0, and tells of every topic what the registry says."""

from __future__ import annotations

import gzip
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator, Draft202012Validator

from contrib.mall.orders import TERMINAL
from gateway.contracts import MESSAGES, asyncapi
from gateway.kafka import ORDER_COMMANDS, ORDER_EVENTS, TOPICS
from gateway.sdk.commands import read_command, read_contract_command
from schemas import contracts
from schemas.base import Model
from schemas.catalog import Facet
from schemas.envelope import ItemHeaders, decode, key_of
from schemas.orders import COMMANDS, schema_name
from schemas.published import PUBLISHED
from schemas.reports import FeedReport, report_headers
from tests.conformance.messages import AT, EXAMPLES

META_SCHEMA = Path(__file__).parent / "data" / "asyncapi-3.0.0.json.gz"


@pytest.fixture(scope="module")
def validator() -> Draft7Validator:
    return Draft7Validator(json.loads(gzip.decompress(META_SCHEMA.read_bytes())))


@cache
def document() -> dict[str, Any]:
    """The document; reading it changes nothing."""
    return asyncapi()


def payload(message: str) -> Draft202012Validator:
    """The payload schema of a message, found as a tool would find it: in this document alone."""
    components = document()["components"]
    return Draft202012Validator(components["messages"][message]["payload"] | {"components": components})


def headers(message: str) -> Draft202012Validator:
    return Draft202012Validator(document()["components"]["messages"][message]["headers"])


def texts(found: tuple[tuple[str, bytes], ...]) -> dict[str, str]:
    return {name: value.decode() for name, value in found}


def test_the_document_is_valid(validator: Draft7Validator) -> None:
    assert [error.message for error in validator.iter_errors(asyncapi())] == []


@pytest.mark.parametrize("part", ["info", "channels", "operations"])
def test_a_broken_document_is_not(validator: Draft7Validator, part: str) -> None:
    assert not validator.is_valid(asyncapi() | {part: {"x": {"action": "shout"}}})


def test_every_topic_is_a_channel_with_its_policy() -> None:
    channels = document()["channels"]
    assert set(channels) == set(TOPICS)
    for spec in TOPICS.values():
        topic: dict[str, Any] = channels[spec.name]["bindings"]["kafka"]
        assert topic["topic"] == channels[spec.name]["address"] == spec.name
        assert topic["topicConfiguration"]["cleanup.policy"] == [spec.policy]
        assert spec.keep_ms in topic["topicConfiguration"].values()


def test_the_registry_and_the_document_agree_on_values() -> None:
    for spec in TOPICS.values():
        models = {PUBLISHED[m.schema] for m in MESSAGES.values() if m.topic == spec.name and m.schema}
        assert models == set(spec.values)


@pytest.mark.parametrize(("name", "message"), [(name, m) for name, all_ in EXAMPLES.items() for m in all_])
def test_messages_fit_the_document(name: str, message: Model) -> None:
    payload(name).validate(message.model_dump(mode="json"))


@pytest.mark.parametrize("facet", Facet)
def test_item_headers_fit_the_document(facet: Facet) -> None:
    writer = ItemHeaders(facet, "acme", feed_no=7, time=AT, traceparent="00-" + "1" * 32 + "-" + "2" * 16 + "-01")
    key = key_of("acme", "SKU-1")
    headers(facet).validate(texts(writer.state(key, 1, b"hash")))
    headers(f"{facet}-withdrawal").validate(texts(writer.withdrawal(key, 2)))
    assert not headers(facet).is_valid(texts(writer.withdrawal(key, 2)))


def test_report_headers_fit_the_document() -> None:
    report = EXAMPLES["feed-report"][0]
    assert isinstance(report, FeedReport)
    headers("feed-report").validate(texts(report_headers(report)))
    assert decode(report_headers(report)).type == document()["components"]["messages"]["feed-report"]["name"]


def test_every_command_and_event_of_orders_has_a_worked_example_that_fits() -> None:
    for topic in (ORDER_COMMANDS, ORDER_EVENTS):
        named = {message.name: message.type for message in MESSAGES.values() if message.topic == topic}
        assert len(named) == len(TOPICS[topic].values)
        for name, type_ in named.items():
            [example] = document()["components"]["messages"][name]["examples"]
            payload(name).validate(example["payload"])
            headers(name).validate(example["headers"])
            assert example["headers"]["ce_type"] == type_


def test_an_example_of_a_command_is_one_that_the_gateway_takes() -> None:
    for operation, model in COMMANDS.items():
        [example] = document()["components"]["messages"][schema_name(operation)]["examples"]
        written = tuple((name, text.encode()) for name, text in example["headers"].items())
        value = json.dumps(example["payload"]).encode()
        assert isinstance(read_command(example["payload"]["order_no"].encode(), written, value), model)


def test_an_example_of_a_command_of_a_contract_is_one_that_the_gateway_takes() -> None:
    for operation, model in contracts.COMMANDS.items():
        [example] = document()["components"]["messages"][schema_name(operation)]["examples"]
        written = tuple((name, text.encode()) for name, text in example["headers"].items())
        value, key = json.dumps(example["payload"]).encode(), example["payload"]["contract_no"].encode()
        assert isinstance(read_contract_command(key, written, value), model)


def test_the_gateway_reads_commands_and_writes_all_else() -> None:
    operations = document()["operations"]
    received = {name.removeprefix("receive-") for name, each in operations.items() if each["action"] == "receive"}
    assert received == {schema_name(operation) for operation in (*COMMANDS, *contracts.COMMANDS)}
    assert all(name.startswith(each["action"]) for name, each in operations.items())


def test_a_withdrawal_has_no_value() -> None:
    payload("price-withdrawal").validate(None)
    assert not payload("price-withdrawal").is_valid({})


@pytest.mark.parametrize("topic", [ORDER_COMMANDS, ORDER_EVENTS])
def test_the_document_says_which_events_end_a_command(topic: str) -> None:
    """The small mall core was written from the document, and is held against the suppliers' ledgers."""
    said = document()["channels"][topic]["description"].partition("terminal event")[2].partition("order.parked")[0]
    assert set(re.findall(r"order\.\w+", said)) == TERMINAL
    assert "exactly one terminal event" in document()["channels"][topic]["description"]


def test_the_time_of_a_command_is_the_cores() -> None:
    messages = document()["components"]["messages"]
    told = {name: each["headers"]["properties"]["ce_time"]["description"] for name, each in messages.items()}
    commands = {schema_name(operation) for operation in (*COMMANDS, *contracts.COMMANDS)}
    assert {name for name, text in told.items() if "the core wrote it" in text} == commands
    assert {text for name, text in told.items() if name not in commands} == {
        "When the gateway heard of it, with offset."
    }
