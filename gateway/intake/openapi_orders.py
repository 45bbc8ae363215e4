"""Orders in the OpenAPI document: what is fetched, acknowledged and told, with examples of an order from end to end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from pydantic import BaseModel

from gateway.intake.operation import JSON, Call, header, path, query
from gateway.intake.order_views import AckResults, Acks, MessageList, TakenView
from gateway.intake.orders import MAX_MESSAGES, MESSAGES
from gateway.intake.parameters import KEY, MAX_WAIT
from gateway.intake.vendor_messages import ORDERS
from gateway.relay.mailbox_lanes import VISIBILITY
from gateway.relay.vendor_events import VENDOR_EVENTS
from schemas.orders.examples import EVENT_EXAMPLES

ORDER_MODELS: Sequence[type[BaseModel]] = (MessageList, Acks, AckResults, TakenView, *VENDOR_EVENTS.values())
"""Models of what is sent and answered."""

REF = "#/components/schemas/{}"

DOCUMENT_PROBLEMS = (
    "malformed_json",
    "json_too_deep",
    "too_many_items",
    "invalid_text",
    "validation_failed",
    "malformed_encoding",
    "truncated_body",
    "request_timeout",
    "payload_too_large",
    "decompressed_too_large",
    "unsupported_media_type",
    "unsupported_encoding",
    "rate_limited",
    "unverified_address_full",
    "unverified_supplier_full",
    "unverified_full",
    "supplier_paused",
)
"""What any small JSON document can be refused with."""


KEY_HEADER: Mapping[str, Any] = {
    **header(
        "Idempotency-Key",
        "Your name for this event, kept seven days. The same again is answered the same. A signed request has its "
        "webhook-id instead.",
        {"type": "string", "pattern": f"^{KEY.pattern}$"},
    ),
    "required": True,
}
"""The key of what is told."""


def _examples() -> Mapping[str, Any]:
    """What a vendor says of each event of the published examples."""
    kept = ("event", "supplier_order_nos", "raw_code", "raw_message", "payload")
    examples = {}
    for kind in VENDOR_EVENTS:
        event = orjson.loads(EVENT_EXAMPLES[kind].model_dump_json(exclude_defaults=True))
        examples[kind.value] = {"value": {"event": kind.value} | {name: event[name] for name in kept if name in event}}
    return examples


_ACK_BODY: Mapping[str, Any] = {
    "required": True,
    "description": "Ids of messages that you have stored.",
    "content": {JSON: {"schema": {"$ref": REF.format("Acks")}}},
}

_EVENT_BODY: Mapping[str, Any] = {
    "required": True,
    "description": "One event; `event` says which.",
    "content": {
        JSON: {
            "schema": {
                "oneOf": [{"$ref": REF.format(model.__name__)} for model in VENDOR_EVENTS.values()],
                "discriminator": {
                    "propertyName": "event",
                    "mapping": {kind.value: REF.format(model.__name__) for kind, model in VENDOR_EVENTS.items()},
                },
            },
            "examples": _examples(),
        }
    },
}

ORDER_CALLS: Sequence[Call] = (
    Call(
        "get",
        "/v1/messages",
        "fetchMessages",
        "Fetch what the mall asks for · 领取订单指令",
        "Orders to take, to confirm and to cancel, of each order the first that you have not acknowledged; the one "
        f"that waits longest comes first. What is not acknowledged within {VISIBILITY.total_seconds():g} s is given "
        "again, under the same id: store it by its id, then acknowledge it. Past its deadline nothing is given any "
        "more.",
        ORDERS,
        (
            query(
                "limit",
                "Messages of an answer; large ones come with fewer.",
                {"type": "integer", "minimum": 1, "maximum": MAX_MESSAGES, "default": MESSAGES},
            ),
            header(
                "Prefer",
                f"wait=N: where nothing waits, answer once something does, after N ≤ {MAX_WAIT:g} s at the latest.",
                {"type": "string"},
            ),
        ),
        {200: ("What waits for you.", MessageList, JSON)},
        ("supplier_paused",),
        tag="orders",
    ),
    Call(
        "post",
        "/v1/messages/ack",
        "acknowledgeMessages",
        "Acknowledge messages · 确认已领取",
        "Say that you have stored these: they are not given again, and the next one of each order follows. It answers "
        "nothing yet: tell what becomes of the order. A repeat changes nothing and is answered the same. The "
        "`webhook-id` of a signed request begins with `messages-ack:`.",
        ORDERS,
        (),
        {200: ("What became of each id.", AckResults, JSON)},
        DOCUMENT_PROBLEMS,
        _ACK_BODY,
        tag="orders",
    ),
    Call(
        "post",
        "/v1/orders/{order_no}/events",
        "tellOrder",
        "Tell what becomes of an order · 答复与通报订单",
        "Accept, refuse, confirm, cancel, ship, deliver; and what becomes of an after-sale service, which names its "
        "service_no and leaves the order as it is. It answers the oldest of your unanswered messages that it "
        "fits, which counts as acknowledged; else it is told as news. What the order's state does not allow is refused "
        "with what it allows. Sums that are not those of the order are taken, and the mall is told of a price mismatch "
        "instead. A partial delivery names its lines; one without lines says that all has arrived. The `webhook-id` of "
        "a signed request is its key as well and begins with `order-event:<order_no>:`, each `.` of the number as "
        "`%2E`.",
        ORDERS,
        (
            path("order_no", "The mall's number of the order.", {"type": "string", "maxLength": 64}),
            KEY_HEADER,
        ),
        {202: ("Taken, and durable.", TakenView, JSON)},
        (
            "idempotency_key_missing",
            "not_found",
            "order_state",
            "late_event",
            "idempotency_key_reused",
            *DOCUMENT_PROBLEMS,
        ),
        _EVENT_BODY,
        {"Idempotent-Replayed": "true where it was taken before, under the same key."},
        tag="orders",
    ),
)
"""What vendors do about orders."""
