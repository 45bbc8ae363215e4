"""What an exported dead letter says of itself: headers beside the CloudEvents ones, the original bytes as value.

The names under `__connect.errors` are those of Kafka Connect (KIP-298), so that tools made for its dead-letter queues
read ours. Of what is not known, no header is written. Header values are UTF-8.
"""

from __future__ import annotations

from collections.abc import Mapping

DLQ_ID = "gw-dlq-id"
DLQ_FINGERPRINT = "gw-dlq-fingerprint"
DLQ_STAGE = "gw-dlq-stage"
DLQ_REASON = "gw-dlq-reason"
DLQ_PATH = "gw-dlq-path"
DLQ_MESSAGE = "gw-dlq-message"
DLQ_CLASS = "gw-dlq-class"
DLQ_FACET = "gw-dlq-facet"
DLQ_SKU = "gw-dlq-sku"
DLQ_PAGE = "gw-dlq-page"
DLQ_RECORD = "gw-dlq-record"
DLQ_LINE = "gw-dlq-line"
DLQ_REVISION = "gw-dlq-revision"
DLQ_TOPIC = "gw-dlq-topic"
DLQ_PARTITION = "gw-dlq-partition"
DLQ_OFFSET = "gw-dlq-offset"
DLQ_TIMESTAMP = "gw-dlq-timestamp"
DLQ_FAILED_AT = "gw-dlq-failed-at"
DLQ_SHA256 = "gw-dlq-sha256"
DLQ_GATEWAY = "gw-dlq-gateway-version"

CONNECT_TOPIC = "__connect.errors.topic"
CONNECT_PARTITION = "__connect.errors.partition"
CONNECT_OFFSET = "__connect.errors.offset"
CONNECT_STAGE = "__connect.errors.stage"
CONNECT_CLASS = "__connect.errors.exception.class.name"
CONNECT_MESSAGE = "__connect.errors.exception.message"

DLQ_HEADERS: Mapping[str, str] = {
    DLQ_ID: "Identity of the dead letter, a UUID; the operators' tools know it by this.",
    DLQ_FINGERPRINT: "Its group: like dead letters share it.",
    DLQ_STAGE: "Where it failed, and where a replay enters again.",
    DLQ_REASON: "Code of its first problem.",
    DLQ_PATH: "JSON pointer of that problem in the record; absent when it is the whole of it.",
    DLQ_MESSAGE: "Words about the failure, at most 512 bytes, without values of the record.",
    DLQ_CLASS: "Class of the error.",
    DLQ_FACET: "product, price, stock or listing.",
    DLQ_SKU: "The supplier's article number, percent-encoded, where it could be read.",
    DLQ_PAGE: "Number of its page, of a feed that was pulled page by page.",
    DLQ_RECORD: "Index of the record in its feed or page, from 0.",
    DLQ_LINE: "Line or ordinal in the vendor's file or in its page, from 1.",
    DLQ_REVISION: "Revision of the supplier's settings it was judged by.",
    DLQ_TOPIC: "Topic it was read from, without the prefix.",
    DLQ_PARTITION: "Partition it was read from.",
    DLQ_OFFSET: "Offset it was read from.",
    DLQ_TIMESTAMP: "Kafka's timestamp of the record it was read from, milliseconds since 1970.",
    DLQ_FAILED_AT: "When it failed, ISO 8601 with offset.",
    DLQ_SHA256: "SHA-256 of the value, lower-case hex.",
    DLQ_GATEWAY: "Version of the gateway that could not go on with it.",
    CONNECT_TOPIC: f"The same as {DLQ_TOPIC}.",
    CONNECT_PARTITION: f"The same as {DLQ_PARTITION}.",
    CONNECT_OFFSET: f"The same as {DLQ_OFFSET}.",
    CONNECT_STAGE: f"The same as {DLQ_STAGE}.",
    CONNECT_CLASS: f"The same as {DLQ_CLASS}.",
    CONNECT_MESSAGE: f"The same as {DLQ_MESSAGE}.",
}
"""Every header an exported dead letter may carry besides those of the envelope, with its meaning."""
