"""Rebuilds of catalog topics, and keys of which the gateway does not have the content any more."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from aiohttp import web
from pydantic import Field

from gateway.admin.http import ACTOR, JsonBody, json_response, read_body, read_query
from gateway.feeds.rebuilds import MAX_RATE, MIN_RATE, NEWEST, MissingKey, Rebuild, Rebuilds
from gateway.http.problems import ProblemError
from gateway.suppliers import SupplierCache
from schemas.catalog import Facet

FACET = "{facet:product|price|stock|listing}"
REBUILD = "{rebuild:[1-9][0-9]{0,17}}"
Size = Annotated[int, Field(ge=1, le=200)]


class RebuildBody(JsonBody):
    """Body of a rebuild. supplier: only this one; rate: keys per second at most."""

    supplier: str | None = None
    rate: Annotated[float, Field(ge=MIN_RATE, le=MAX_RATE)] = 1_000.0


class RebuildPage(JsonBody):
    """Query of the list of rebuilds. before: id of the last one of the page before."""

    before: Annotated[int, Field(ge=1, le=NEWEST)] = NEWEST
    limit: Size = 50


class MissingPage(JsonBody):
    """Query of missing keys. after_…: the last one of the page before, as its `next` has it."""

    supplier: str | None = None
    after_supplier: str = ""
    after_sku: str = ""
    after_area: str = ""
    limit: Size = 50


class CatalogRoutes:
    """`/catalog/rebuilds`: those there were; `/catalog/{facet}/rebuild` and `/missing`: of one facet."""

    def __init__(self, rebuilds: Rebuilds, suppliers: SupplierCache) -> None:
        self._rebuilds = rebuilds
        self._suppliers = suppliers

    def routes(self) -> list[web.RouteDef]:
        """The table of them."""
        return [
            web.get("/catalog/rebuilds", self.list),
            web.get(f"/catalog/rebuilds/{REBUILD}", self.show),
            web.post(f"/catalog/{FACET}/rebuild", self.start),
            web.get(f"/catalog/{FACET}/missing", self.missing),
        ]

    async def list(self, request: web.Request) -> web.Response:
        """Rebuilds, the newest first; `next` is the `before` of the following page."""
        page = read_query(request, RebuildPage)
        found = await self._rebuilds.newest(before=page.before, limit=page.limit)
        following = found[-1].id if len(found) == page.limit else None
        return json_response({"rebuilds": list(map(_shown, found)), "next": following})

    async def show(self, request: web.Request) -> web.Response:
        """How far a rebuild is."""
        rebuild = int(request.match_info["rebuild"])
        found = await self._rebuilds.one(rebuild)
        if found is None:
            raise ProblemError("not_found", f"There is no rebuild {rebuild}.")
        return json_response(_shown(found))

    async def start(self, request: web.Request) -> web.Response:
        """Publish the state of every key of a facet again; a rebuild of the same that is under way is joined."""
        body, facet = await read_body(request, RebuildBody), Facet(request.match_info["facet"])
        await self._known(body.supplier)
        found, added = await self._rebuilds.start(facet, body.supplier or "", rate=body.rate, actor=request[ACTOR])
        return json_response(_shown(found), status=201 if added else 200)

    async def missing(self, request: web.Request) -> web.Response:
        """Keys of which the content is nowhere, in their order, and who has to push them or is asked."""
        page, facet = read_query(request, MissingPage), Facet(request.match_info["facet"])
        await self._known(page.supplier)
        after = (page.after_supplier or page.supplier or "", page.after_sku, page.after_area)
        found = await self._rebuilds.missing(facet, page.supplier or "", after=after, limit=page.limit)
        following = None
        if len(found) == page.limit:
            last = found[-1]
            following = {"after_supplier": last.supplier, "after_sku": last.sku, "after_area": last.area}
        return json_response({"missing": list(map(_missing, found)), "next": following})

    async def _known(self, supplier: str | None) -> None:
        """Raises UnknownSupplierError."""
        if supplier is not None:
            await self._suppliers.get(supplier)


def _shown(rebuild: Rebuild) -> dict[str, object]:
    return {**asdict(rebuild), "supplier": rebuild.supplier or None, "published": rebuild.published}


def _missing(key: MissingKey) -> dict[str, object]:
    return {**asdict(key), "area": key.area or None}
