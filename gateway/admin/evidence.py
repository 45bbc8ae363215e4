"""The route of evidence: everything that was exchanged about an order, as one file."""

from __future__ import annotations

import asyncio
from typing import Literal
from urllib.parse import quote

from aiohttp import hdrs, web

from gateway.admin.http import ACTOR, JsonBody, read_query
from gateway.evidence import EvidenceExport

PIECE = 256 * 1024
"""Bytes that are sent at once."""


class ExportBody(JsonBody):
    """Query of an export. redacted: without what may be personal; the chain can be verified all the same."""

    redacted: Literal["true", "false"] = "false"


class EvidenceRoutes:
    """`/orders/{order}/evidence`."""

    def __init__(self, evidence: EvidenceExport) -> None:
        self._evidence = evidence

    def routes(self) -> list[web.RouteDef]:
        """The table of them."""
        return [web.get("/orders/{order}/evidence", self.export, allow_head=False)]

    async def export(self, request: web.Request) -> web.StreamResponse:
        """A zip of the chains of an order; that it was read is noted in the audit, with their heads."""
        order_no, redacted = request.match_info["order"], read_query(request, ExportBody).redacted == "true"
        file = await self._evidence.export(order_no, redacted=redacted, actor=request[ACTOR])
        with file:
            response = web.StreamResponse(
                headers={
                    hdrs.CONTENT_TYPE: "application/zip",
                    hdrs.CACHE_CONTROL: "no-store",
                    hdrs.CONTENT_DISPOSITION: f"attachment; filename*=UTF-8''{quote(order_no, safe='')}.zip",
                }
            )
            await response.prepare(request)
            while piece := await asyncio.to_thread(file.read, PIECE):
                await response.write(piece)
            await response.write_eof()
        return response
