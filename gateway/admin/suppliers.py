"""Routes of suppliers and their credentials."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Annotated

from aiohttp import web
from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints

from gateway.admin.http import ACTOR, JsonBody, json_response, read_body, read_json, read_query
from gateway.http.problems import ProblemError
from gateway.registry import Registry
from gateway.suppliers import SCOPES, KeyKind, Keys, Supplier, Suppliers
from gateway.suppliers.declarations import parse
from schemas.base import SHANGHAI

DEFAULT_LIFE = timedelta(days=365)
"""Of a credential that is issued without a word about its end."""

LONGEST_LIFE = timedelta(days=1826)
"""Of any: a secret that nobody remembers has to end some day."""

Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


def _known(scope: str) -> str:
    if scope not in SCOPES:
        raise ValueError(f"{scope!r} is no scope; there are {', '.join(sorted(SCOPES))}")
    return scope


def _ahead(at: datetime) -> datetime:
    now = datetime.now(UTC)
    if at <= now:
        raise ValueError("lies in the past")
    if at > now + LONGEST_LIFE:
        raise ValueError(f"lies more than {LONGEST_LIFE.days} days ahead")
    return at


class PauseBody(JsonBody):
    """Body of a pause."""

    reason: Reason


class ResumeBody(JsonBody):
    """Body of a resume, and query of a revocation."""

    reason: Reason | None = None


class IssueKeyBody(JsonBody):
    """Body of a new credential: what it allows has to be said. Without expires_at it lives for DEFAULT_LIFE."""

    kind: KeyKind = KeyKind.BEARER
    scopes: Annotated[frozenset[Annotated[str, AfterValidator(_known)]], Field(min_length=1)]
    expires_at: Annotated[AwareDatetime, AfterValidator(_ahead)] = Field(
        default_factory=lambda: datetime.now(UTC) + DEFAULT_LIFE
    )


class SupplierRoutes:
    """`/suppliers`: declared, shown, paused, resumed; `/suppliers/{id}/keys`: issued, listed, revoked."""

    def __init__(self, suppliers: Suppliers, keys: Keys, registry: Registry) -> None:
        self._suppliers = suppliers
        self._keys = keys
        self._registry = registry

    def routes(self) -> list[web.RouteDef]:
        """The table of them."""
        return [
            web.get("/suppliers", self.list),
            web.post("/suppliers/apply", self.apply),
            web.get("/suppliers/{supplier}", self.show),
            web.get("/suppliers/{supplier}/revisions/{revision:[0-9]{1,9}}", self.revision),
            web.post("/suppliers/{supplier}/pause", self.pause),
            web.post("/suppliers/{supplier}/resume", self.resume),
            web.get("/suppliers/{supplier}/keys", self.list_keys),
            web.post("/suppliers/{supplier}/keys", self.issue_key),
            web.delete("/suppliers/{supplier}/keys/{key}", self.revoke_key),
        ]

    async def list(self, request: web.Request) -> web.Response:
        """Every supplier, by id."""
        return json_response({"suppliers": [shown(supplier) for supplier in await self._suppliers.list()]})

    async def apply(self, request: web.Request) -> web.Response:
        """Declare suppliers: all of the document or, when anything in it is wrong, none."""
        document, today = await read_json(request), datetime.now(SHANGHAI).date()
        declarations = await asyncio.to_thread(parse, document, self._registry, today)
        secrets = {
            each.config.supplier: {name: secret.get_secret_value() for name, secret in each.secrets.items()}
            for each in declarations
        }
        configs = [each.config for each in declarations]
        return json_response({"applied": await self._suppliers.apply(configs, request[ACTOR], secrets=secrets)})

    async def show(self, request: web.Request) -> web.Response:
        """One supplier with its revisions and the names of its secrets."""
        return json_response(shown(await self._suppliers.get(request.match_info["supplier"])))

    async def revision(self, request: web.Request) -> web.Response:
        """The configuration of one revision."""
        supplier, revision = request.match_info["supplier"], int(request.match_info["revision"])
        config = await self._suppliers.shown_revision(supplier, revision)
        if config is None:
            raise ProblemError("not_found", f"There is no revision {revision} of a supplier {supplier!r}.")
        return json_response({"supplier": supplier, "revision": revision, "config": config})

    async def pause(self, request: web.Request) -> web.Response:
        """Stop working for a supplier, for a reason."""
        body = await read_body(request, PauseBody)
        await self._suppliers.pause(request.match_info["supplier"], request[ACTOR], body.reason)
        return await self.show(request)

    async def resume(self, request: web.Request) -> web.Response:
        """Work for it again."""
        body = await read_body(request, ResumeBody)
        await self._suppliers.resume(request.match_info["supplier"], request[ACTOR], body.reason)
        return await self.show(request)

    async def list_keys(self, request: web.Request) -> web.Response:
        """Every credential a supplier ever had, without the secrets."""
        return json_response({"keys": await self._keys.list(request.match_info["supplier"])})

    async def issue_key(self, request: web.Request) -> web.Response:
        """A new credential; this answer is the only one that holds its secret."""
        body = await read_body(request, IssueKeyBody)
        issued = await self._keys.issue(
            request.match_info["supplier"],
            body.kind,
            actor=request[ACTOR],
            scopes=body.scopes,
            expires_at=body.expires_at,
        )
        return json_response(issued, status=201)

    async def revoke_key(self, request: web.Request) -> web.Response:
        """End a credential."""
        supplier, key = request.match_info["supplier"], request.match_info["key"]
        await self._keys.revoke(supplier, key, actor=request[ACTOR], reason=read_query(request, ResumeBody).reason)
        return web.Response(status=204)


def shown(supplier: Supplier) -> dict[str, object]:
    """A supplier as the API words it."""
    return {**asdict(supplier), "config": supplier.config}
