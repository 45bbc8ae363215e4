"""How an adapter speaks to a supplier: it says what to ask, the gateway does the asking.

Behind `Http` are the connection, the time-outs and size caps, the supplier's token, limiter, breaker and retries; an
adapter opens no socket, sleeps and repeats nothing. What an operation is (method, path) stands in the manifest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Request:
    """One question to a supplier.

    operation: a name of the manifest's `[operations]`; path: values for the placeholders of its path; query, form:
    fields; json: a body, instead of a form. The credential is added on the way out and never stands here.
    """

    operation: str
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)
    json: bytes | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What a supplier answered. headers: names in lower case; body: decompressed, within the size cap."""

    operation: str
    status: int
    headers: Mapping[str, str]
    body: bytes


class Http(Protocol):
    """The way out, for one supplier."""

    async def call(self, request: Request) -> Reply:
        """Ask, and return a reply whose status is 2xx and in which the adapter's `judge` found no fault.

        Operations that only read are repeated while the fault is transient; a refused credential is renewed once.
        Raises the SupplierError that is left in the end; OutcomeUnknownError for an operation that changes something,
        once some of it was sent and nothing that can be trusted came back.
        """
        ...
