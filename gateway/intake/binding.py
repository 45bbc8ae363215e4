"""What a signed push is about, said where the signature covers it: in the text of its `webhook-id`.

Standard Webhooks signs `id.timestamp.body` and nothing else: neither the path nor the query nor any other header.
Whoever holds a recorded push could send it as another facet, as a full feed, or under a media type by which the same
bytes say something else. So the id of a push begins with all of that, `price:upsert:ndjson:`, and a request that is not
what its id names is refused. Any library signs such an id: it takes whatever id it is given.
"""

from __future__ import annotations

from gateway.feeds.chunk import Mode
from gateway.http.problems import ProblemError
from schemas.catalog import Facet


def id_prefix(facet: Facet, mode: Mode, body_format: str, *, compressed: bool) -> str:
    """How the webhook-id of such a push begins; the vendor ends it with something of its own."""
    return f"{facet}:{mode}:{body_format}{'+gzip' if compressed else ''}:"


def refuse_unbound(webhook_id: str, prefix: str) -> None:
    """Raise ProblemError bad_header for an id that was not made for this request."""
    if not webhook_id.startswith(prefix) or webhook_id == prefix:
        raise ProblemError(
            "bad_header",
            "The id of a signed request names what it is for: beside it only time and body are signed.",
            path="webhook-id",
            actual=webhook_id,
            expected=f"{prefix}<your own id>",
        )


ACKNOWLEDGEMENT = "messages-ack:"
"""How the webhook-id of a signed acknowledgement begins."""


def order_prefix(order_no: str) -> str:
    """How the webhook-id of a signed event of an order begins."""
    return _prefix("order-event", order_no)


def contract_prefix(contract_no: str) -> str:
    """How the webhook-id of a signed answer about a contract begins."""
    return _prefix("contract-event", contract_no)


def _prefix(kind: str, number: str) -> str:
    """A dot, which no id may hold, is `%2E` in it."""
    return f"{kind}:{number.replace('.', '%2E')}:"
