"""aiohttp's side of a connection: it parses and answers; what happens is told to a Connection, which keeps the time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

import structlog
from aiohttp import web

from gateway.http.answers import respond
from gateway.http.connection import Connection, Deadlines
from gateway.http.limits import MAX_FIELD, MAX_HEADERS, MAX_LINE, problem_of
from gateway.http.pace import TooSlowError

if TYPE_CHECKING:
    from gateway.http.server import OpenConnections

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Protocol(web.RequestHandler):
    """Passes on what happens. It keeps nothing of ours but `connection`: any other name may be aiohttp's one day."""

    __slots__ = ("connection",)

    def __init__(self, server: web.Server, open_connections: OpenConnections, deadlines: Deadlines) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            keepalive_timeout=deadlines.idle,
            lingering_time=deadlines.linger,
            max_line_size=MAX_LINE,
            max_field_size=MAX_FIELD,
            max_headers=MAX_HEADERS,
            auto_decompress=False,
            access_log=None,  # type: ignore[arg-type] # None is how it is switched off
        )
        self.connection = Connection(self, open_connections, deadlines)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The transport is there."""
        super().connection_made(transport)
        self.connection.made(cast("asyncio.Transport", transport))

    def connection_lost(self, exc: BaseException | None) -> None:
        """The transport is gone."""
        self.connection.lost()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse; also called with nothing, when what was held back is parsed."""
        super().data_received(data)
        self.connection.received(len(data))

    def eof_received(self) -> bool:  # type: ignore[override] # asyncio lets it say that we go on writing
        """The client has sent all it will; its answer still goes out."""
        return self.connection.ended()

    def pause_reading(self) -> None:
        """Whoever reads the body is slower than it comes."""
        super().pause_reading()
        self.connection.held()

    def resume_reading(self, resume_parser: bool = True) -> None:
        """There is room for more of the body; parsing what was held back may use it up at once."""
        self.connection.released()
        super().resume_reading(resume_parser)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what never reached the application, or broke it; the connection ends with it.

        Raises ConnectionError, which ends the connection, when nobody is there to be answered.
        """
        if isinstance(exc, ConnectionError):
            raise exc
        error = problem_of(exc)
        response = respond(request, error)
        if error.problem.status >= 500:
            log.error("request.failed", exc_info=exc)
        response.force_close()
        return response

    def log_exception(self, *args: Any, **kwargs: Any) -> None:
        """Of aiohttp's own errors: an upload that we refused ourselves is none."""
        if not isinstance(kwargs.get("exc_info"), TooSlowError | web.RequestPayloadError):
            log.error("connection.failed", reason=str(args[0]) if args else "", exc_info=kwargs.get("exc_info"))
