"""One connection with a client: aiohttp's, with deadlines for headers, bodies and answers, and problem+json refusals.

aiohttp waits for a request for as long as the sender likes, and for an answer to be taken, leaves a handler waiting
when a chunked body turns out to be malformed, and drops an upload that is under way when the server begins to stop. All
four end here.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import structlog
from aiohttp import web
from aiohttp.http import RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader
from aiohttp.web_protocol import RequestHandler, RequestPayloadError, _ErrInfo

from gateway.http.answers import respond
from gateway.http.limits import MAX_FIELD, MAX_HEADERS, MAX_LINE, problem_of, refusal_of
from gateway.http.outflow import Outflow, limit_unsent, untaken_bytes
from gateway.http.pace import Pace, PaceRule, TooSlowError
from gateway.http.problems import ProblemError
from gateway.telemetry import metrics

if TYPE_CHECKING:
    from gateway.http.server import Server

# Bytes that chunked encoding may add: chunks of a few bytes are only unwise, extensions of a megabyte are an attack.
_OVERHEAD_FREE = 512 * 1024
_OVERHEAD_PER_BYTE = 9

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Deadlines:
    """Seconds. header: from the first byte of a request, or from connecting, to the end of its headers.

    idle: between two requests; linger: for reading on after a body was refused, so that the answer arrives; write:
    for which a client may take nothing of what it is sent.
    """

    header: float = 10.0
    idle: float = 15.0
    linger: float = 2.0
    write: float = 60.0
    body: PaceRule = field(default_factory=PaceRule)


@dataclass(slots=True)
class _Upload:
    """A body that has not arrived in full. received: bytes on the wire, encoding of the transfer included."""

    stream: StreamReader
    pace: Pace
    received: int = 0

    def is_padding(self) -> bool:
        return self.received > _OVERHEAD_FREE + _OVERHEAD_PER_BYTE * self.stream.total_bytes


def _refused(problem: ProblemError) -> tuple[_ErrInfo, StreamReader]:
    """In the place of a request: what aiohttp puts there when its parser fails, so its own loop answers."""
    return _ErrInfo(status=problem.problem.status, exc=problem, message=""), EMPTY_PAYLOAD


class Connection(RequestHandler):
    """A connection that does not wait for ever, and says why it closes."""

    __slots__ = (
        "_closing",
        "_deadlines",
        "_header_timer",
        "_outflow",
        "_partial",
        "_refusal",
        "_server",
        "_socket",
        "_upload",
        "_upload_timer",
        "address",
    )

    def __init__(self, server: Server, *, loop: asyncio.AbstractEventLoop, deadlines: Deadlines) -> None:
        super().__init__(
            server,
            loop=loop,
            keepalive_timeout=deadlines.idle,
            lingering_time=deadlines.linger,
            max_line_size=MAX_LINE,
            max_field_size=MAX_FIELD,
            max_headers=MAX_HEADERS,
            auto_decompress=False,
            access_log=None,  # type: ignore[arg-type] # None is how it is switched off
        )
        self.address = ""
        self._server = server
        self._socket: asyncio.Transport | None = None  # aiohttp forgets the transport while it still sends
        self._outflow = Outflow()
        self._deadlines = deadlines
        self._refusal: ProblemError | None = None  # there is no room: what the first request is told
        self._partial = False  # whether bytes of a request have come whose headers are not complete
        self._header_timer: asyncio.TimerHandle | None = None
        self._upload: _Upload | None = None
        self._upload_timer: asyncio.TimerHandle | None = None
        self._closing = False

    @property
    def idle(self) -> bool:
        """Whether no request is being received or answered; half of the headers is no request yet."""
        return self._waiter is not None and not self._waiter.done()

    def retire(self) -> None:
        """Close now if idle, else once the request under way is received and answered."""
        if self.idle:
            self.force_close()
        elif self._upload is None:
            self.close()
        else:
            self._closing = True  # close() would drop what is still to come of the body

    def cut_if_stalled(self, now: float) -> None:
        """End the connection of a client that has taken nothing for too long of what it is sent."""
        if self._socket is None:
            return
        stalled = self._outflow.stalled(untaken_bytes(self._socket), now)
        if stalled >= self._deadlines.write:
            log.warning("connection.stalled", peer=self.address, seconds=round(stalled, 1))
            metrics.http_connections_cut_total.labels("stalled").inc()
            self._socket.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the clock for the first request, if there is room for the connection."""
        peer = transport.get_extra_info("peername")
        self.address = peer[0] if isinstance(peer, tuple) else ""
        self._socket = cast("asyncio.Transport", transport)
        limit_unsent(self._socket)
        super().connection_made(transport)
        self._refusal = self._server.admit(self)
        self._expect_headers()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Stop every clock."""
        self._socket = None
        self._server.release(self)
        self._headers_ended()
        self._upload_ended()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse, and see what the bytes were: headers, a whole request, or more of a body."""
        requests = self._request_count
        super().data_received(data)
        if self._request_count > requests:
            self._refuse_heads()
            self._headers_ended()
            self._request_began(*self._messages[-1])
        elif data and (self.idle or self._request_count == 0):  # the first bytes may come before anyone waits for them
            self._partial = True
            if self._header_timer is None:
                self._expect_headers()
        if self._upload is not None:
            self._upload_progressed(self._upload, len(data))

    def eof_received(self) -> bool:  # type: ignore[override] # asyncio lets it say that we go on writing
        """The client has sent all it will: a body that is not whole is refused, and the answer still goes out."""
        if self._request_count == 0 or self.idle:
            return False
        if self._upload is not None:
            self._refuse_upload(self._upload, RequestPayloadError("The connection ended within the body."))
        self.close()
        return True

    def pause_reading(self) -> None:
        """We are the slower side from here on."""
        super().pause_reading()
        if self._upload is not None:
            self._upload.pace.hold(self._loop.time())

    def resume_reading(self, resume_parser: bool = True) -> None:
        """The client may be the slower side again."""
        was_paused = self._reading_paused
        super().resume_reading(resume_parser)
        if was_paused and not self._reading_paused and self._upload is not None:
            self._upload.pace.release(self._loop.time())

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer to what never reached the application, or broke it; the connection ends with it."""
        error = problem_of(exc)
        response = respond(request, error)
        if error.problem.status >= 500:
            log.error("request.failed", exc_info=exc)
        response.force_close()
        return response

    def log_exception(self, *args: Any, **kwargs: Any) -> None:
        """Of aiohttp's own errors: an upload that we refused ourselves is none."""
        if not isinstance(kwargs.get("exc_info"), TooSlowError | RequestPayloadError):
            log.error("connection.failed", reason=str(args[0]) if args else "", exc_info=kwargs.get("exc_info"))

    def _expect_headers(self) -> None:
        patience = self._deadlines.header if self._refusal is None else self._deadlines.linger
        self._header_timer = self._loop.call_later(patience, self._headers_overdue)

    def _headers_ended(self) -> None:
        self._partial = False
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _headers_overdue(self) -> None:
        """Answer half a request; to a client that sent nothing there is nothing to say."""
        self._header_timer = None
        if not self._partial:
            self.force_close()
        elif self._waiter is not None and not self._waiter.done():
            late = ProblemError("request_timeout", "The headers did not arrive in time.")
            self._messages.append(_refused(late))
            self._waiter.set_result(None)

    def _refuse_heads(self) -> None:
        """Put an error in the place of each request that is not to reach the application; the connection ends there."""
        for index, (head, body) in enumerate(self._messages):
            if not isinstance(head, RawRequestMessage):
                continue
            if problem := refusal_of(head):
                self._messages[index] = _refused(problem)
            elif self._refusal is not None:  # its body is read on for a while, as of any request that is refused
                self._messages[index] = (_refused(self._refusal)[0], body)

    def _request_began(self, message: RawRequestMessage | _ErrInfo, body: StreamReader) -> None:
        """Watch the body of the newest request, if it is still to come."""
        unfinished = self._upload
        if unfinished is not None and not unfinished.stream.is_eof():
            # The parser failed within a body: aiohttp would answer after the handler, which waits for the rest.
            self._messages.pop()
            self._refuse_upload(unfinished, RequestPayloadError("The transfer encoding is damaged."))
            return
        self._upload_ended()
        if not body.is_eof():
            now = self._loop.time()
            self._upload = _Upload(body, Pace(self._deadlines.body, now))
            if self._reading_paused:  # already: much of the body came with the headers
                self._upload.pace.hold(now)
            self._watch_upload(self._upload.pace.deadline(now))

    def _upload_progressed(self, upload: _Upload, size: int) -> None:
        if upload.stream.is_eof():
            self._upload_ended()
            return
        upload.received += size
        upload.pace.received(size, self._loop.time())
        if upload.is_padding():
            self._refuse_upload(upload, RequestPayloadError("The transfer encoding holds more than the body."))

    def _upload_ended(self) -> None:
        self._upload = None
        if self._upload_timer is not None:
            self._upload_timer.cancel()
            self._upload_timer = None
        if self._closing:
            self.close()

    def _watch_upload(self, when: float) -> None:
        self._upload_timer = self._loop.call_at(when, self._upload_due)

    def _upload_due(self) -> None:
        self._upload_timer = None
        if self._upload is None:
            return
        now = self._loop.time()
        deadline = self._upload.pace.deadline(now)
        if deadline > now:
            self._watch_upload(deadline)
        else:
            self._refuse_upload(self._upload, TooSlowError(self._upload.pace.rule.told()))

    def _refuse_upload(self, upload: _Upload, error: Exception) -> None:
        """Make whoever reads the body fail with `error`, and close once that is answered."""
        self._closing = True
        self._upload_ended()
        upload.stream.set_exception(error)
        upload.stream.feed_eof()
