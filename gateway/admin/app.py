"""/admin/v1 put together: an application to be mounted there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol

from aiohttp import web

from gateway.admin.audit import FailedLogins
from gateway.admin.http import authenticate, name_problems, refuse_unusable_text

PREFIX = "/admin/v1"


class Routes(Protocol):
    """A part of the API."""

    def routes(self) -> list[web.RouteDef]:
        """Its routes, without the prefix."""
        ...


def build_admin(parts: Iterable[Routes], token: str | None, failed: FailedLogins) -> web.Application:
    """The application behind the bootstrap token. Mount it at PREFIX inside one that answers problems."""
    app = web.Application(middlewares=[authenticate(token, failed.note), name_problems, refuse_unusable_text])
    for part in parts:
        app.add_routes(part.routes())
    return app
