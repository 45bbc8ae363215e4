"""The ids of topics: one that was deleted and recreated bears its name and has another id.

aiokafka speaks of metadata in versions that do not tell them, so this is a request of our own, in Kafka's version 12.
"""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from typing import Any, NamedTuple
from uuid import UUID

from aiokafka.errors import IncompatibleBrokerVersion
from aiokafka.protocol.abstract import AbstractType
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    TaggedFields,
)

NO_ID = UUID(int=0)
"""What a topic has that does not exist, or that a question by name leaves out."""


class _Uuid(AbstractType[UUID]):  # type: ignore[misc]  # untyped base
    @classmethod
    def encode(cls, value: UUID) -> bytes:
        return value.bytes

    @classmethod
    def decode(cls, data: BytesIO) -> UUID:
        return UUID(bytes=data.read(16))


_TAGS = ("tags", TaggedFields)
_NO_TAGS: dict[int, bytes] = {}


class _MetadataResponseV12(Response):  # type: ignore[misc]  # untyped base
    API_KEY = 3
    API_VERSION = 12
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32), ("host", CompactString()), ("port", Int32), ("rack", CompactString()), _TAGS
            ),
        ),
        ("cluster_id", CompactString()),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("name", CompactString()),
                ("topic_id", _Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        _TAGS,
                    ),
                ),
                ("authorized_operations", Int32),
                _TAGS,
            ),
        ),
        _TAGS,
    )


class _MetadataRequestV12(RequestStruct):  # type: ignore[misc]  # untyped base
    API_KEY = 3
    API_VERSION = 12
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = _MetadataResponseV12
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", _Uuid), ("name", CompactString()), _TAGS)),
        ("allow_auto_topic_creation", Boolean),
        ("include_topic_authorized_operations", Boolean),
        _TAGS,
    )


class _MetadataRequest(Request[_MetadataRequestV12]):  # type: ignore[misc]  # untyped base
    API_KEY = 3

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names

    def build(self, request_struct_class: type[_MetadataRequestV12]) -> _MetadataRequestV12:
        topics = [(NO_ID, name, _NO_TAGS) for name in self._names]
        return request_struct_class(topics, False, False, _NO_TAGS)


class TopicIds(NamedTuple):
    """What a cluster says of its topics. ids: of those that exist."""

    cluster_id: str
    ids: dict[str, UUID]


async def ask_topic_ids(client: Any, names: Sequence[str]) -> TopicIds | None:
    """The ids of topics, by their whole names; None where Kafka is too old to tell. Raises what aiokafka raises.

    client: as `build_admin` makes it.
    """
    try:
        answer = await client._send_request(_MetadataRequest(names))  # noqa: SLF001 -- nothing public sends a request
    except (IncompatibleBrokerVersion, NotImplementedError):
        return None
    found = answer.to_object()
    ids = {topic["name"]: topic["topic_id"] for topic in found["topics"] if not topic["error_code"]}
    return TopicIds(found["cluster_id"], {name: id_ for name, id_ in ids.items() if id_ != NO_ID})
