"""Contracts in the OpenAPI document: what vendors answer, and where the documents are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson
from pydantic import BaseModel

from gateway.intake.contract_views import ContractTakenView
from gateway.intake.openapi_orders import DOCUMENT_PROBLEMS, KEY_HEADER, REF
from gateway.intake.operation import JSON, Call, path, query
from gateway.intake.vendor_messages import ORDERS
from gateway.relay.contract_answers import CONTRACT_ANSWERS
from gateway.relay.documents import LATEST, LINK_LIFE
from schemas.contracts.events import ContractKind
from schemas.contracts.examples import EVENT_EXAMPLES

CONTRACT_MODELS: Sequence[type[BaseModel]] = (ContractTakenView, *CONTRACT_ANSWERS.values())
"""Models of what is sent and answered."""

CONTRACT_NO = path("contract_no", "The mall's number of the contract.", {"type": "string", "maxLength": 64})


def _examples() -> Mapping[str, Any]:
    """What a vendor says of each event of the published examples."""
    examples = {}
    for kind in CONTRACT_ANSWERS:
        payload = orjson.loads(EVENT_EXAMPLES[kind].payload.model_dump_json(exclude_defaults=True))
        if kind is ContractKind.REFUSED:
            payload.pop("by")
        examples[kind.value] = {"value": {"event": kind.value, "revision": 1, "payload": payload}}
    return examples


_BODY: Mapping[str, Any] = {
    "required": True,
    "description": "One answer; `event` says which.",
    "content": {
        JSON: {
            "schema": {
                "oneOf": [{"$ref": REF.format(model.__name__)} for model in CONTRACT_ANSWERS.values()],
                "discriminator": {
                    "propertyName": "event",
                    "mapping": {kind.value: REF.format(model.__name__) for kind, model in CONTRACT_ANSWERS.items()},
                },
            },
            "examples": _examples(),
        }
    },
}

CONTRACT_CALLS: Sequence[Call] = (
    Call(
        "post",
        "/v1/contracts/{contract_no}/events",
        "tellContract",
        "Answer a contract · 答复合同",
        "Take it on, sign it, or refuse it; `revision` says which text of it. The message that carried that text "
        "counts as acknowledged. What the contract's state does not allow is refused with what it allows: what is "
        "signed or refused stays so until the mall amends it. Where you name the document that you signed, it is the "
        "one that you were given. The `webhook-id` of a signed request is its key as well and begins with "
        "`contract-event:<contract_no>:`, each `.` of the number as `%2E`.",
        ORDERS,
        (CONTRACT_NO, KEY_HEADER),
        {202: ("Taken, and durable.", ContractTakenView, JSON)},
        ("idempotency_key_missing", "not_found", "contract_state", "idempotency_key_reused", *DOCUMENT_PROBLEMS),
        _BODY,
        {"Idempotent-Replayed": "true where it was taken before, under the same key."},
        tag="contracts",
    ),
    Call(
        "get",
        "/v1/contracts/{contract_no}/document",
        "getContractDocument",
        "Get the document of a contract · 下载合同文件",
        "Messages of contracts carry this address, whole: follow it as it is. It needs no credential: whoever has it "
        "may have the document, so keep it to yourself; it is good for "
        f"{LINK_LIFE.total_seconds() / 3600:g} hours, and the "
        "message, fetched again, has another one. The gateway fetches the document from the mall and compares size and "
        "SHA-256 with those of the contract before it answers; what you get are the bytes that the message names.",
        "",
        (
            CONTRACT_NO,
            query("message", "Id of the message that carries the document.", {"type": "string"}),
            query(
                "expires",
                "Until when the address is good, seconds since 1970.",
                {"type": "integer", "minimum": 1, "maximum": LATEST},
            ),
            query("signature", "The gateway's signature of all that.", {"type": "string"}),
        ),
        {200: ("The document; `Document-SHA256` repeats its digest.", None, "application/octet-stream")},
        ("link_invalid", "link_expired", "not_found", "document_changed", "document_unavailable"),
        headers={"Document-SHA256": "SHA-256 of the document, hexadecimal."},
        tag="contracts",
        open=True,
    ),
)
"""What vendors do about contracts."""
