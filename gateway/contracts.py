"""The public contracts as files: JSON Schemas of the messages, and an AsyncAPI 3 document of the topics.

Both are rendered from the models and the topic registry and are committed, so that a change of a contract shows in a
diff and consumers need no Python. AsyncAPI speaks for the gateway: `send` is what it writes, `receive` what it reads.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import orjson

from gateway.kafka import (
    CATALOG_TOPIC,
    CONTRACT_COMMANDS,
    CONTRACT_EVENTS,
    DEADLETTERS,
    ORDER_COMMANDS,
    ORDER_EVENTS,
    REPORTS,
    TOPICS,
    TopicSpec,
)
from schemas import contracts
from schemas.base import Model
from schemas.contracts import examples as contract_examples
from schemas.deadletters import DLQ_HEADERS, DLQ_ID
from schemas.envelope import (
    DEAD_LETTER_TYPE,
    HEADER_OF,
    ITEM_TYPE,
    JSON,
    REPORT_TYPE,
    WITHDRAWAL_TYPE,
    Envelope,
    Headers,
    schema_id,
)
from schemas.orders import COMMAND_TYPE, EVENT_TYPE, event_headers, schema_name
from schemas.orders.examples import COMMAND_EXAMPLES, EVENT_EXAMPLES, command_headers
from schemas.orders.kinds import TERMINAL, Kind
from schemas.published import PUBLISHED, definitions, json_schema

ASYNCAPI = "schemas/asyncapi.json"
JSON_SCHEMAS = "schemas/json"
SUFFIX = ".schema.json"
COMPONENT = "#/components/schemas/{model}"

INFO = {
    "title": "mallgate",
    "version": "1.0.0",
    "description": (
        "Kafka topics between the mall core and the suppliers' gateway. Any message may be seen twice, then with the "
        "same ce_id. There is no order across keys. Later versions may add members and headers."
    ),
    "license": {"name": "Apache-2.0"},
}

COMMAND_TIME = "When the core wrote it, with offset."
"""What `ce_time` of a command says, which the gateway does not write."""


def _answered(terminal: Sequence[str], *parked: str) -> str:
    """How commands of a topic end."""
    return (
        "Each command whose command_id can be read gets exactly one terminal event, which names it as "
        f"cause.command_id: {', '.join(terminal[:-1])} or {terminal[-1]}. After {' or '.join(parked)} "
        "the command waits for a person, and one of the others follows."
    )


ANSWERED: Mapping[str, str] = {
    **dict.fromkeys((ORDER_COMMANDS, ORDER_EVENTS), _answered(TERMINAL, Kind.PARKED, Kind.INVOICE_PARKED)),
    **dict.fromkeys((CONTRACT_COMMANDS, CONTRACT_EVENTS), _answered(contracts.TERMINAL, contracts.ContractKind.PARKED)),
}
"""How commands end, by topic."""

COMMON = ("specversion", "type", "source", "id", "subject", "time")
"""Envelope fields of every message of ours."""


@dataclass(frozen=True, slots=True)
class MessageSpec:
    """One kind of message.

    schema: name of the published model of its value; content_type: of a value that has none; neither: a null value.
    always, maybe: envelope fields; headers: others it may carry, and their meaning. action: as the gateway does it;
    example: headers and value of one such record.
    """

    name: str
    topic: str
    type: str
    meaning: str
    always: Sequence[str]
    maybe: Sequence[str] = ("traceparent",)
    schema: str | None = None
    content_type: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    action: Literal["send", "receive"] = "send"
    example: tuple[Headers, Model] | None = None


def _messages() -> Iterator[MessageSpec]:
    whose = (*COMMON, "supplier", "feed_no")
    valued = (*whose, "dataschema", "datacontenttype")
    for facet, topic in CATALOG_TOPIC.items():
        yield MessageSpec(
            facet.value, topic, ITEM_TYPE[facet], f"A state of one {facet}.", (*valued, "version"), schema=facet.value
        )
        yield MessageSpec(
            f"{facet}-withdrawal", topic, WITHDRAWAL_TYPE[facet], f"A {facet} is gone.", (*whose, "version")
        )
    yield MessageSpec("feed-report", REPORTS, REPORT_TYPE, "A feed is finished.", valued, schema="feed-report")
    yield MessageSpec(
        "dead-letter",
        DEADLETTERS,
        DEAD_LETTER_TYPE,
        "What no automatic step can finish, byte for byte as it came.",
        (*COMMON, "datacontenttype"),
        maybe=("supplier", "feed_no"),
        content_type="application/octet-stream",
        headers=DLQ_HEADERS,
    )
    yield from _conversations()


def _conversations() -> Iterator[MessageSpec]:
    """What the core asks suppliers, and what becomes of it: of orders and of contracts."""
    for operation, command in COMMAND_EXAMPLES.items():
        headers = command_headers(command)
        yield _command(ORDER_COMMANDS, operation, COMMAND_TYPE[operation], (headers, command))
    for kind, event in EVENT_EXAMPLES.items():
        yield _event(ORDER_EVENTS, kind, EVENT_TYPE[kind], (event_headers(event), event))
    for asked, of_contract in contract_examples.COMMAND_EXAMPLES.items():
        headers = contract_examples.command_headers(of_contract)
        yield _command(CONTRACT_COMMANDS, asked, contracts.COMMAND_TYPE[asked], (headers, of_contract))
    for event_kind, about_contract in contract_examples.EVENT_EXAMPLES.items():
        headers = contracts.contract_event_headers(about_contract)
        yield _event(CONTRACT_EVENTS, event_kind, contracts.EVENT_TYPE[event_kind], (headers, about_contract))


def _command(topic: str, operation: str, ce_type: str, example: tuple[Headers, Model]) -> MessageSpec:
    return MessageSpec(
        schema_name(operation),
        topic,
        ce_type,
        _summary(type(example[1])),
        ("specversion", "type", "source", "id"),
        maybe=("subject", "time", "dataschema", "datacontenttype", "traceparent", "supplier"),
        schema=schema_name(operation),
        action="receive",
        example=example,
    )


def _event(topic: str, kind: str, ce_type: str, example: tuple[Headers, Model]) -> MessageSpec:
    return MessageSpec(
        schema_name(kind),
        topic,
        ce_type,
        _summary(type(example[1])),
        (*COMMON, "dataschema", "datacontenttype"),
        maybe=("supplier", "traceparent"),
        schema=schema_name(kind),
        example=example,
    )


def _summary(model: type[Model]) -> str:
    return (model.__doc__ or "").split("\n", 1)[0]


MESSAGES: Mapping[str, MessageSpec] = {message.name: message for message in _messages()}
"""Every kind of message between the gateway and the mall core."""


def render() -> dict[str, bytes]:
    """Every generated file: path from the root of the tree, and content."""
    documents = {f"{JSON_SCHEMAS}/{name}{SUFFIX}": json_schema(name) for name in PUBLISHED} | {ASYNCAPI: asyncapi()}
    layout = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    return {path: orjson.dumps(document, option=layout) for path, document in documents.items()}


def write(root: Path) -> None:
    """Bring the generated files below `root` up to date; those of models no longer published go away."""
    rendered = render()
    for path, content in rendered.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    for stray in _present(root) - rendered.keys():
        (root / stray).unlink()


def check(root: Path) -> list[str]:
    """What differs between the files below `root` and what would be written; empty: nothing."""
    rendered, present = render(), _present(root)
    differing = (path for path in present & rendered.keys() if (root / path).read_bytes() != rendered[path])
    return [
        *(f"{path} is missing" for path in sorted(rendered.keys() - present)),
        *(f"{path} belongs to no published model" for path in sorted(present - rendered.keys())),
        *(f"{path} differs from the models" for path in sorted(differing)),
    ]


def _present(root: Path) -> set[str]:
    found = [*(root / JSON_SCHEMAS).glob(f"*{SUFFIX}"), root / ASYNCAPI]
    return {path.relative_to(root).as_posix() for path in found if path.is_file()}


def asyncapi() -> dict[str, Any]:
    """The AsyncAPI 3.0 document, complete in itself."""
    return {
        "asyncapi": "3.0.0",
        "info": INFO,
        "defaultContentType": JSON,
        "channels": {spec.name: _channel(spec) for spec in TOPICS.values()},
        "operations": {f"{message.action}-{message.name}": _operation(message) for message in MESSAGES.values()},
        "components": {
            "messages": {message.name: _message(message) for message in MESSAGES.values()},
            "schemas": definitions([*PUBLISHED.values()], ref_template=COMPONENT),
        },
    }


def _channel(spec: TopicSpec) -> dict[str, Any]:
    names = [message.name for message in MESSAGES.values() if message.topic == spec.name]
    keep = "delete.retention.ms" if spec.policy == "compact" else "retention.ms"
    topic = {
        "topic": spec.name,
        "topicConfiguration": {"cleanup.policy": [spec.policy], keep: spec.keep_ms},
        "bindingVersion": "0.5.0",
    }
    return {
        "address": spec.name,
        "description": " ".join(filter(None, (f"{spec.meaning} Key: {spec.key}.", ANSWERED.get(spec.name)))),
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        "bindings": {"kafka": topic},
    }


def _operation(message: MessageSpec) -> dict[str, Any]:
    channel = f"#/channels/{message.topic}"
    return {
        "action": message.action,
        "channel": {"$ref": channel},
        "messages": [{"$ref": f"{channel}/messages/{message.name}"}],
    }


def _message(message: MessageSpec) -> dict[str, Any]:
    key = {"type": "string", "description": TOPICS[message.topic].key}
    content_type = JSON if message.schema else message.content_type
    return {
        "name": message.type,
        "summary": message.meaning,
        **({"contentType": content_type} if content_type else {}),
        "headers": _headers(message),
        "payload": _payload(message),
        **({"examples": [_example(message.name, *message.example)]} if message.example else {}),
        "bindings": {"kafka": {"key": key, "bindingVersion": "0.5.0"}},
    }


def _example(name: str, headers: Headers, value: Model) -> dict[str, Any]:
    texts = {header: text.decode() for header, text in headers}
    return {"name": name, "headers": texts, "payload": value.model_dump(mode="json")}


def _payload(message: MessageSpec) -> dict[str, Any]:
    if message.schema:
        return {"$ref": COMPONENT.format(model=PUBLISHED[message.schema].__name__)}
    return {"type": "string", "format": "binary"} if message.content_type else {"type": "null"}


def _headers(message: MessageSpec) -> dict[str, Any]:
    fields = Envelope.model_fields
    known: dict[str, dict[str, Any]] = {
        HEADER_OF[name]: {"type": "string", "description": fields[name].description}
        for name in (*message.always, *message.maybe)
    }
    known[HEADER_OF["type"]]["const"] = message.type
    if message.action == "receive":
        known[HEADER_OF["time"]]["description"] = COMMAND_TIME
    if message.schema:
        known[HEADER_OF["dataschema"]]["const"] = schema_id(message.schema)
    others = {header: {"type": "string", "description": meaning} for header, meaning in message.headers.items()}
    required = [HEADER_OF[name] for name in message.always] + [header for header in others if header == DLQ_ID]
    return {"type": "object", "required": required, "properties": known | others}
