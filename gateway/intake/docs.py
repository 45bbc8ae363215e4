"""/docs, /docs/webhooks and /openapi.json: the vendor API explained, without anything from another host."""

from __future__ import annotations

import asyncio
from functools import cache
from importlib.resources import files

from aiohttp import hdrs, web

from gateway.intake.openapi import openapi
from gateway.intake.openapi_webhooks import PAGE as WEBHOOKS_PAGE
from gateway.intake.openapi_webhooks import page as webhooks_page

ASSETS = {
    "swagger-ui.css": "text/css",
    "swagger-ui-bundle.js": "text/javascript",
    "favicon-32x32.png": "image/png",
    "start.js": "text/javascript",
    "page.css": "text/css",
    "text.css": "text/css",
}

PIECE = 64 * 1024
"""Bytes that are written before it is seen whether the client takes them."""

VENDORED = files("gateway.intake").joinpath("static", "swagger")

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
"""Swagger UI writes style attributes; everything else comes from files of this server."""

PAGE = """<!doctype html>
<html lang="zh-CN">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>mallgate · 供应商接口 · vendor API</title>
<link rel="stylesheet" href="/docs/assets/swagger-ui.css">
<link rel="stylesheet" href="/docs/assets/page.css">
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
  defaultModelsExpandDepth: 0,
  validatorUrl: null,
});
"""


STYLE = """body { margin: 0; }
.swagger-ui { font-family: system-ui, "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif; }
.swagger-ui .info { margin: 28px 0 12px; }
.swagger-ui .scheme-container { padding: 12px 0; margin: 0 0 12px; box-shadow: none; background: none; }
.swagger-ui .response-col_description__inner ul { margin: 0; padding-left: 1.2em; }
"""

TEXT_STYLE = """body { margin: 2em auto; max-width: 46em; padding: 0 1em; line-height: 1.55;
  font-family: system-ui, "Noto Sans CJK SC", "PingFang SC", "Microsoft YaHei", sans-serif; }
table { border-collapse: collapse; }
th, td { padding: 0.2em 1em 0.2em 0; text-align: left; border-bottom: 1px solid #ddd; }
pre { padding: 0.8em; background: #f5f5f5; overflow-x: auto; }
"""

OURS = {"start.js": START, "page.css": STYLE, "text.css": TEXT_STYLE}
"""Assets that are not vendored."""


class DocsRoutes:
    """The document and a page that shows it."""

    def routes(self) -> list[web.RouteDef]:
        """The routes."""
        return [
            web.get("/openapi.json", self.document),
            web.get("/docs", self.page),
            web.get(WEBHOOKS_PAGE, self.webhooks),
            web.get("/docs/assets/{name}", self.asset),
        ]

    async def document(self, request: web.Request) -> web.Response:
        """OpenAPI 3.1. Generated beside the loop, at the first request."""
        body = await asyncio.to_thread(openapi)
        return web.Response(body=body, content_type="application/json", headers={"Cache-Control": "no-cache"})

    async def page(self, request: web.Request) -> web.Response:
        """Swagger UI over it."""
        return _page(PAGE)

    async def webhooks(self, request: web.Request) -> web.Response:
        """How to receive messages at an address of one's own."""
        return _page(webhooks_page())

    async def asset(self, request: web.Request) -> web.StreamResponse:
        """One of the page's files, and no other; piece by piece, for anybody may ask for it and not take it."""
        name = request.match_info["name"]
        if name not in ASSETS:
            raise web.HTTPNotFound
        body = _content(name)
        response = web.StreamResponse(headers={"Cache-Control": "public, max-age=86400"})
        response.content_type, response.content_length = ASSETS[name], len(body)
        await response.prepare(request)
        for start in range(0, 0 if request.method == hdrs.METH_HEAD else len(body), PIECE):
            await response.write(body[start : start + PIECE])
        await response.write_eof()
        return response


def _page(text: str) -> web.Response:
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"}
    return web.Response(text=text, content_type="text/html", headers=headers)


@cache
def _content(name: str) -> bytes:
    return OURS[name].encode() if name in OURS else VENDORED.joinpath(name).read_bytes()
