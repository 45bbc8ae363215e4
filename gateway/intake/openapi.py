"""The OpenAPI 3.1 document of the vendor API, generated from the models that the answers are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import version
from typing import Any

import orjson
from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import models_json_schema

from gateway.feeds.chunk import Mode
from gateway.feeds.feed import FeedState
from gateway.feeds.report import MOST_KEYS, NEWEST
from gateway.http.connection import Deadlines
from gateway.http.problems import Document
from gateway.http.server import ConnectionLimits
from gateway.http.under_way import RequestLimits
from gateway.intake.examples import FEED_ANSWER, RECORDS, refusal
from gateway.intake.openapi_contracts import CONTRACT_CALLS, CONTRACT_MODELS
from gateway.intake.openapi_orders import ORDER_CALLS, ORDER_MODELS
from gateway.intake.openapi_webhooks import WEBHOOKS
from gateway.intake.operation import JSON, Call, header, path, query
from gateway.intake.parameters import KEY, MAX_PAGE, MAX_WAIT
from gateway.intake.views import FeedList, FeedView, ItemView, ReportRow
from gateway.sdk.problems import PROBLEMS
from schemas.base import AREA_PATTERN
from schemas.catalog import Facet

REF = "#/components/schemas/{model}"


FACETS = {"type": "string", "enum": [facet.value for facet in Facet]}
FACET = path("facet", "What the feed is about.", FACETS)
FEED = path("feed", "Identity of the feed.", {"type": "string", "pattern": "^[1-9][0-9]{0,17}$"})
# OpenAPI knows a place in a path by one name: where the others name a feed, a push names what it is about.
PUSHED = path("feed", "What the feed is about.", FACETS)
LIMIT = {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": 50}
SIGNED: Sequence[Mapping[str, Sequence[str]]] = ({"webhookSupplier": [], "webhookSignature": []},)
"""How a push may say who it is from, beside an API key."""

LOOKED = ("bearer_required", "rate_limited")
"""What all but a push can be refused with as well: no signature covers them; each has a share."""

ALWAYS = (
    "auth_missing",
    "auth_invalid",
    "signature_invalid",
    "timestamp_out_of_window",
    "bad_header",
    "bad_parameter",
    "scope_denied",
    "tenant_mismatch",
    "connections_limit",
    "requests_limit",
    "server_full",
    "store_unavailable",
)

WELCOME = (
    "供应商接口：推送商品、价格、库存和上下架数据，查询每条记录的去向，并领取和答复订单。\n\n"
    "For suppliers: push products, prices, stocks and listings, find out what became of every record, and take and "
    "answer orders.\n\n"
)

ENCODED = (
    "json: an array of records, or one record. ndjson: one record a line. Content-Encoding: gzip or none. A file that "
    "cannot be read is refused whole; a record that cannot be taken is rejected with its line, and the rest goes on. A "
    "202 means durable: every record then ends as normalized, unchanged, stale, rejected, held or cancelled."
)

BOUNDS = (
    f"\n\nBounds of each process of the gateway: {ConnectionLimits().per_client} connections of a client, "
    f"{ConnectionLimits().in_all:,} of all clients, {RequestLimits().per_credential} requests under way with one "
    "credential. Who finds no room is answered with 429 or 503 and Retry-After. The bytes of an answer may be read as "
    f"slowly as you like; after {Deadlines().write:g} s in which none was read the connection is closed."
)

FEED_BODY: Mapping[str, Any] = {
    "required": True,
    "description": ENCODED,
    "content": {
        JSON: {
            "schema": {"oneOf": [{"type": "array", "items": {"type": "object"}}, {"type": "object"}]},
            "examples": {facet.value: {"value": [example]} for facet, example in RECORDS.items()},
        },
        "application/x-ndjson": {
            "schema": {"type": "string", "pattern": "^\\{"},
            "examples": {
                facet.value: {"value": orjson.dumps(example).decode() + "\n"} for facet, example in RECORDS.items()
            },
        },
    },
}

CALLS: Sequence[Call] = (
    Call(
        "post",
        "/v1/feeds/{feed}",
        "pushFeed",
        "Push a feed · 推送数据",
        "Send prices, stocks, listings or products. Repeat a request that was answered with a 5xx, or whose answer you "
        "did not see, under the same Idempotency-Key: it takes effect once. Where a 5xx names a `feed`, Location leads "
        "to it.\n\n"
        "A signed push, of at most 64 MiB, says what it is in its `webhook-id`, because nothing else beside time and "
        "body is signed: `<facet>:<mode>:<format>:<your own id>`, as in `price:upsert:ndjson:7f3c`; the format is json "
        "or ndjson, with `+gzip` when compressed. What arrives as anything else is refused. That id is its key as "
        "well, Idempotency-Key is not looked at: repeat it with the same id and body, signed anew.",
        "feeds:<facet>",
        (
            PUSHED,
            query(
                "mode",
                "full: this is everything that you sell; what it does not name is withdrawn once its last record took "
                "effect, unless that is more than the brake allows or a record's sku cannot be read. validate: judge "
                "everything, keep nothing.",
                {"enum": [mode.value for mode in Mode], "default": Mode.UPSERT.value},
            ),
            header(
                "Idempotency-Key",
                "Your name for this feed, kept seven days. A signed push has its webhook-id instead.",
                {"type": "string", "pattern": f"^{KEY.pattern}$"},
            ),
            header(
                "Prefer",
                f"wait=N: answer once the feed is finished, after N ≤ {MAX_WAIT:g} s at the latest.",
                {"type": "string"},
            ),
        ),
        {
            202: ("Durable; being worked on.", FeedView, JSON),
            200: ("Finished within the preferred wait.", FeedView, JSON),
        },
        (
            "malformed_json",
            "malformed_encoding",
            "truncated_body",
            "json_too_deep",
            "not_found",
            "request_timeout",
            "idempotency_in_progress",
            "payload_too_large",
            "decompressed_too_large",
            "line_too_long",
            "too_many_records",
            "unsupported_media_type",
            "unsupported_encoding",
            "idempotency_key_reused",
            "rate_limited",
            "rejections_quota",
            "unverified_address_full",
            "unverified_supplier_full",
            "unverified_full",
            "supplier_paused",
            "kafka_unavailable",
            "topic_unavailable",
        ),
        FEED_BODY,
        {
            "Location": "Address of the feed.",
            "RateLimit-Policy": "Quotas: `feeds` a minute in this process, `rejected-bytes` a day in China.",
            "RateLimit": "What is left of each quota, and the seconds until there is more.",
        },
    ),
    Call(
        "get",
        "/v1/feeds",
        "listFeeds",
        "List your feeds · 推送记录",
        "Newest first.",
        "read",
        (
            query("facet", "Only of this facet.", FACETS),
            query("state", "Only in this state.", {"enum": [state.value for state in FeedState]}),
            query("limit", "Feeds of a page.", LIMIT),
            query(
                "before",
                "Only feeds below this one; `next` of a page carries it.",
                {"type": "integer", "minimum": 1, "maximum": NEWEST},
            ),
        ),
        {200: ("A page.", FeedList, JSON)},
    ),
    Call(
        "get",
        "/v1/feeds/{feed}",
        "getFeed",
        "Follow a feed · 处理进度",
        "Send the ETag back as If-None-Match to be told 304 while nothing changed.",
        "read",
        (FEED,),
        {200: ("The feed as it stands.", FeedView, JSON), 304: ("Nothing changed.", None, JSON)},
        ("not_found",),
        None,
        {"ETag": "Changes when anything in the answer does."},
    ),
    Call(
        "get",
        "/v1/feeds/{feed}/report",
        "getReport",
        "Read a feed's report · 处理报告",
        "Every item that did not simply come through, and items taken with a doubt, in the order of the body: JSON "
        "lines, or CSV with ?format=csv.",
        "read",
        (FEED, query("format", "jsonl or csv.", {"enum": ["jsonl", "csv"], "default": "jsonl"})),
        {200: ("One row per line.", ReportRow, "application/x-ndjson")},
        ("not_found",),
        tables=("text/csv",),
    ),
    Call(
        "post",
        "/v1/feeds/{feed}/cancel",
        "cancelFeed",
        "Cancel a feed · 取消推送",
        "What has taken effect stays; what has not never does.",
        "feeds:<facet>",
        (FEED,),
        {202: ("Asked for.", FeedView, JSON)},
        ("not_found", "conflict"),
    ),
    Call(
        "get",
        "/v1/items/{facet}/{sku}",
        "getItem",
        "What became of a sku · 商品去向",
        f"The accepted state of each of its keys, {MOST_KEYS} at a time, and its latest rejections.",
        "read",
        (
            FACET,
            path("sku", "Your article number, percent-encoded.", {"type": "string"}),
            query(
                "after",
                "Only keys of areas behind this one; `next` carries it.",
                {"type": "string", "pattern": AREA_PATTERN},
            ),
        ),
        {200: ("What is known.", ItemView, JSON)},
        ("not_found",),
    ),
    *ORDER_CALLS,
    *CONTRACT_CALLS,
)
"""The vendor API. A test compares it with the routes that are served."""


OF_CALLERS = frozenset(
    {
        "auth_missing",
        "auth_invalid",
        "signature_invalid",
        "timestamp_out_of_window",
        "scope_denied",
        "tenant_mismatch",
    }
)
"""What only a call that needs a credential can be refused with."""


def _operation(call: Call) -> dict[str, Any]:
    pushed = call.body is not None
    always = [code for code in ALWAYS if code not in OF_CALLERS or not call.open]
    operation: dict[str, Any] = {
        "operationId": call.name,
        "summary": call.summary,
        "description": call.description if call.open else f"{call.description}\n\nScope: `{call.scope}`.",
        "tags": [call.tag],
        "parameters": list(call.parameters),
        "responses": {**_answers(call), **_problems((*always, *(() if pushed else LOOKED), *call.problems))},
        "security": [] if call.open else [{"bearer": []}, *(SIGNED if pushed else ())],
    }
    if pushed:
        operation["requestBody"] = call.body
    return operation


def _answers(call: Call) -> dict[str, Any]:
    headers = {name: {"description": words, "schema": {"type": "string"}} for name, words in call.headers.items()}
    tables = {media: {"schema": {"type": "string"}} for media in call.tables}
    return {
        str(status): {
            "description": words,
            **({"headers": headers} if headers else {}),
            **({"content": {media: _shown(model), **tables}} if model else {}),
        }
        for status, (words, model, media) in call.answers.items()
    }


def _shown(model: type[BaseModel]) -> dict[str, Any]:
    schema = {"schema": {"$ref": REF.format(model=model.__name__)}}
    return {**schema, "example": FEED_ANSWER} if model is FeedView else schema


def _problems(codes: Sequence[str]) -> dict[str, Any]:
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(PROBLEMS[code].status, []).append(code)
    return {str(status): _refused(found) for status, found in sorted(by_status.items())}


def _refused(codes: Sequence[str]) -> dict[str, Any]:
    words = "\n".join(f"- `{code}` {PROBLEMS[code].zh} {PROBLEMS[code].en}" for code in codes)
    shown = {"schema": {"$ref": REF.format(model="Problem")}, "example": refusal(codes[0])}
    return {"description": words, "content": {"application/problem+json": shown}}


PROBLEM: Mapping[str, Any] = {**TypeAdapter(Document).json_schema(), "title": "Problem"}


@cache
def openapi() -> bytes:
    """The document, validated against OpenAPI's own model."""
    from openapi_pydantic import OpenAPI  # noqa: PLC0415 -- its many models are built for who asks for the document

    models: list[type[BaseModel]] = [FeedView, FeedList, ReportRow, ItemView, *ORDER_MODELS, *CONTRACT_MODELS]
    _, schemas = models_json_schema([(model, "serialization") for model in models], ref_template=REF)
    paths: dict[str, dict[str, Any]] = {}
    for call in CALLS:
        paths.setdefault(call.path, {})[call.method] = _operation(call)
    document = {
        "openapi": "3.1.1",
        "info": {
            "title": "mallgate vendor API",
            "version": version("mallgate"),
            "description": WELCOME + ENCODED + BOUNDS,
        },
        "tags": [
            {"name": "feeds", "description": "推送与查询 · push, follow, look up"},
            {"name": "orders", "description": "订单 · fetch, acknowledge, answer; for suppliers without an API"},
            {"name": "contracts", "description": "合同 · answer, get the document; for suppliers without an API"},
        ],
        "paths": paths,
        "webhooks": WEBHOOKS,
        "components": {
            "schemas": {**schemas["$defs"], "Problem": PROBLEM},
            "securitySchemes": SECURITY,
        },
    }
    OpenAPI.model_validate(document)
    return orjson.dumps(document)


SECURITY: Mapping[str, Any] = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "An API key, `mg_…`."},
    "webhookSupplier": {
        "type": "apiKey",
        "in": "header",
        "name": "webhook-supplier",
        "description": "Your supplier id.",
    },
    "webhookSignature": {
        "type": "apiKey",
        "in": "header",
        "name": "webhook-signature",
        "description": "Standard Webhooks, for what has a body: webhook-id (it begins with what the request is for), "
        "webhook-timestamp, and `v1,` HMAC-SHA256 over `id.timestamp.body`.",
    },
}
"""Both ways to say who calls; the supplier always comes from the credential."""
