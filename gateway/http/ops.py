"""/healthz, /readyz, /metrics: for those who run the gateway."""

from __future__ import annotations

import orjson
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST

from gateway.telemetry.health import Health
from gateway.telemetry.metrics import Exposition


class OpsRoutes:
    """Answers about this process."""

    def __init__(self, health: Health) -> None:
        self._health = health
        self._exposition = Exposition()

    def routes(self) -> list[web.RouteDef]:
        """The routes."""
        return [
            web.get("/healthz", self.alive, allow_head=True),
            web.get("/readyz", self.ready, allow_head=True),
            web.get("/metrics", self.metrics, allow_head=False),
        ]

    async def alive(self, request: web.Request) -> web.Response:
        """200 while the process answers at all."""
        return web.json_response(text='{"alive":true}')

    async def ready(self, request: web.Request) -> web.Response:
        """200 when this process can do its work right now, else 503; each check with what it found."""
        readiness = await self._health.readiness()
        return web.Response(
            body=orjson.dumps(readiness.as_json()),
            status=200 if readiness.ready else 503,
            content_type="application/json",
        )

    async def metrics(self, request: web.Request) -> web.Response:
        """Prometheus text format, at most a second old."""
        return web.Response(body=self._exposition.body(), headers={"Content-Type": CONTENT_TYPE_LATEST})
