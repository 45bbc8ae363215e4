"""The CloudEvents project's own library reads our headers, and would write the same."""

from __future__ import annotations

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary, to_binary
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from schemas.base import Model
from schemas.catalog import Facet
from schemas.envelope import Headers, ItemHeaders, decode, key_of
from schemas.reports import FeedReport, report_headers
from tests.conformance.messages import AT, EXAMPLES

KEY = key_of("acme", "硒鼓 CF228A", "*")
WRITER = ItemHeaders(Facet.PRICE, "acme", feed_no=7, time=AT)
STATE = WRITER.state(KEY, 42, b"\x01" * 16)
REPORT = EXAMPLES["feed-report"][0]


def report() -> Headers:
    assert isinstance(REPORT, FeedReport)
    return report_headers(REPORT)


def cloudevents_headers(headers: Headers) -> dict[str, bytes]:
    return {name: value for name, value in headers if name.startswith("ce_") or name == "content-type"}


@pytest.mark.parametrize(
    ("headers", "message"), [(STATE, EXAMPLES["price"][0]), (report(), REPORT)], ids=["item", "report"]
)
def test_the_library_reads_and_rewrites_our_headers(headers: Headers, message: Model) -> None:
    event = from_binary(KafkaMessage(dict(headers), None, message.model_dump_json().encode()), JSONFormat(), CloudEvent)
    ours = decode(headers)
    assert (event.get_id(), event.get_source(), event.get_type()) == (ours.id, ours.source, ours.type)
    assert (event.get_subject(), event.get_time(), event.get_dataschema()) == (ours.subject, ours.time, ours.dataschema)
    assert event.get_data() == message.model_dump(mode="json")
    assert to_binary(event, JSONFormat()).headers == cloudevents_headers(headers)


def test_the_library_reads_a_withdrawal() -> None:
    event = from_binary(KafkaMessage(dict(WRITER.withdrawal(KEY, 43)), KEY, b""), JSONFormat(), CloudEvent)
    assert event.get_type() == "mall.catalog.price.withdrawn.v1"
    assert event.get_extension("partitionkey") == event.get_subject() == KEY.decode()
