"""/docs and /openapi.json: the vendor API explained, without anything from another host."""

from __future__ import annotations

from importlib.resources import files

from aiohttp import web

from gateway.intake.openapi import openapi

ASSETS = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "favicon-32x32.png": "image/png",
    "start.js": "text/javascript",
}

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
"""Swagger UI writes style attributes; everything else comes from files of this server."""

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>mallgate vendor API</title>
<link rel="stylesheet" href="/docs/assets/swagger-ui.css">
<link rel="icon" type="image/png" href="/docs/assets/favicon-32x32.png">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/assets/swagger-ui-bundle.js"></script>
<script src="/docs/assets/start.js"></script>
</body>
</html>
"""

START = """SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  displayRequestDuration: true,
  validatorUrl: null,
});
"""


class DocsRoutes:
    """The document and a page that shows it."""

    def routes(self) -> list[web.RouteDef]:
        """The routes."""
        return [
            web.get("/openapi.json", self.document),
            web.get("/docs", self.page),
            web.get("/docs/assets/{name}", self.asset),
        ]

    async def document(self, request: web.Request) -> web.Response:
        """OpenAPI 3.1."""
        return web.Response(body=openapi(), content_type="application/json", headers={"Cache-Control": "no-cache"})

    async def page(self, request: web.Request) -> web.Response:
        """Swagger UI over it."""
        headers = {"Content-Security-Policy": POLICY, "X-Content-Type-Options": "nosniff"}
        return web.Response(text=PAGE, content_type="text/html", headers=headers)

    async def asset(self, request: web.Request) -> web.Response:
        """One of the page's files, and no other."""
        name = request.match_info["name"]
        if name not in ASSETS:
            raise web.HTTPNotFound
        body = (
            START.encode()
            if name == "start.js"
            else files("gateway.intake").joinpath("static", "swagger", name).read_bytes()
        )
        headers = {"Cache-Control": "public, max-age=86400", "X-Content-Type-Options": "nosniff"}
        return web.Response(body=body, content_type=ASSETS[name], headers=headers)
