"""What the vendor API's document shows: records as they are pushed, and answers as they come."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.http.problems import Document, ProblemError, document
from gateway.sdk.problems import PROBLEMS
from schemas.catalog import Facet

RECORDS: Mapping[Facet, dict[str, Any]] = {
    Facet.PRODUCT: {
        "sku": "A-1",
        "name": "A4 复印纸 80g",
        "brand": "得力",
        "category": ["办公耗材", "复印纸"],
        "unit": "包",
    },
    Facet.PRICE: {"sku": "A-1", "price": "24.90", "tax_rate": "13", "version": 1},
    Facet.STOCK: {"sku": "A-1", "state": "in_stock", "quantity": 320},
    Facet.LISTING: {"sku": "A-1", "shelf": "on"},
}
"""A record of each facet in the gateway's own push format."""

FEED_ANSWER: Mapping[str, Any] = {
    "feed": "1042",
    "facet": "price",
    "mode": "upsert",
    "origin": "push",
    "state": "done",
    "duplicate": False,
    "records": 2,
    "bytes": 72,
    "items": {"normalized": 1, "rejected": 1},
    "withdrawn": None,
    "flaw": None,
    "waits_for": None,
    "progress": 1.0,
    "received_at": "2026-05-01T11:58:03+08:00",
    "produced_at": "2026-05-01T11:58:03+08:00",
    "finished_at": "2026-05-01T11:58:04+08:00",
    "problems": [
        {
            "code": "invalid_decimal",
            "message_zh": PROBLEMS["invalid_decimal"].zh,
            "message_en": PROBLEMS["invalid_decimal"].en,
            "count": 1,
            "skus": ["A-2"],
        }
    ],
    "warnings": [
        {
            "code": "no_price",
            "message_zh": PROBLEMS["no_price"].zh,
            "message_en": PROBLEMS["no_price"].en,
            "count": 2,
        }
    ],
    "links": {"self": "/v1/feeds/1042", "report": "/v1/feeds/1042/report", "cancel": "/v1/feeds/1042/cancel"},
}
"""A finished feed."""


def refusal(code: str) -> Document:
    """The answer to a request that is refused with this code."""
    return document(ProblemError(code), request_id="5f0c7a3e9b214d86", trace_id="0af7651916cd43dd8448eb211c80319c")
