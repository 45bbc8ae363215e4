"""What vendors say of orders and contracts, as it comes in: who says it, under which key, and whether he may."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from gateway.http.answers import correlation
from gateway.http.problems import Fate, ProblemError
from gateway.intake.auth import Claim, Credentials, authenticate
from gateway.intake.binding import refuse_unbound
from gateway.intake.document import receive_document
from gateway.intake.feeds import RETRY_AFTER_PAUSE
from gateway.intake.parameters import idempotency_key_of, refuse_unknown
from gateway.intake.unverified import UnverifiedBytes
from gateway.registry import Registry
from gateway.relay.offered import fetches_commands
from gateway.suppliers import Caller, State, SupplierCache
from schemas.orders.parts import OrderNo

ORDERS = "orders"
"""Scope of everything that is fetched and said."""

UNSETTLED = Fate("It may have been taken; a repeat under the same key settles it.")

_NUMBER: TypeAdapter[str] = TypeAdapter(OrderNo)


@dataclass(frozen=True, slots=True)
class VendorMessage:
    """What a vendor says of something.

    key: his own name for it; digest: of what it is about and of what he says; body: what he sent.
    """

    supplier: str
    key: str
    digest: bytes
    body: bytes
    traceparent: str | None


class VendorMessageReader:
    """Reads what vendors say who fetch their commands. unverified: room for bodies not known to be theirs."""

    def __init__(
        self, suppliers: SupplierCache, credentials: Credentials, registry: Registry, unverified: UnverifiedBytes
    ) -> None:
        self._suppliers = suppliers
        self._credentials = credentials
        self._registry = registry
        self._unverified = unverified

    async def read(self, request: web.Request, about: str, prefix: str) -> VendorMessage:
        """A word about an order or contract. prefix: how the id of a signed one begins. Raises ProblemError."""
        refuse_unknown(request)
        who = await authenticate(request, self._credentials)
        key = idempotency_key_of(request)
        if isinstance(who, Claim):
            refuse_unbound(who.webhook_id, prefix)
            key = who.webhook_id  # the only key that is signed
        if key is None:
            raise ProblemError("idempotency_key_missing", path="Idempotency-Key")
        caller, body = await self.received(request, who)
        digest = hashlib.sha256(about.encode() + b"\n" + body).digest()
        return VendorMessage(caller.supplier, key, digest, body, correlation(request).traceparent)

    async def received(self, request: web.Request, who: Caller | Claim) -> tuple[Caller, bytes]:
        """The caller, and the small document that he sends. Raises ProblemError."""
        if isinstance(who, Caller):
            await self.allow(who)
        caller, content = await receive_document(request, who, self._unverified)
        await self.allow(caller)
        return caller, content

    async def allow(self, caller: Caller) -> None:
        """Raise ProblemError for who may not, or not now."""
        if ORDERS not in caller.scopes:
            raise ProblemError("scope_denied", expected=ORDERS)
        supplier = await self._suppliers.get(caller.supplier)
        if supplier.state is State.PAUSED:
            raise ProblemError("supplier_paused", retry_after=RETRY_AFTER_PAUSE)
        if not fetches_commands(self._registry.load(supplier.config.adapter).manifest):
            raise ProblemError("scope_denied", "The gateway calls this supplier itself; nothing is fetched or told.")


def number_in_path(match: str, what: str) -> str:
    """The order or contract that the path names. Raises ProblemError not_found."""
    try:
        return _NUMBER.validate_python(match, strict=True)
    except ValidationError as error:
        raise ProblemError("not_found", f"No such {what}.") from error
