"""One connection with a client: deadlines for headers, bodies and answers, and an end that is orderly.

aiohttp waits for a request for as long as the sender likes, and for an answer to be taken, leaves a handler waiting
when a chunked body turns out to be malformed, and drops an upload that is under way when the server begins to stop. All
four end here. What happens on the connection is told by its protocol, which requests are answered by the server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import structlog
from aiohttp import StreamReader, web

from gateway.http.answers import rendered
from gateway.http.clients import site_of
from gateway.http.outflow import Outflow, limit_unsent, untaken_bytes
from gateway.http.pace import PaceRule
from gateway.http.parsed import heads_parsed
from gateway.http.problems import ProblemError
from gateway.http.turns import Piece
from gateway.http.upload import Upload
from gateway.telemetry import metrics

if TYPE_CHECKING:
    from gateway.http.server import OpenConnections

AHEAD_BYTES = 32 * 1024 * 1024
"""Of requests behind the one that is answered: aiohttp keeps 32 of them, of each body half a megabyte."""

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


class Connection:
    """A connection that does not wait for ever, and says why it closes."""

    __slots__ = (
        "_ahead",
        "_answering",
        "_begun",
        "_closing",
        "_deadlines",
        "_early",
        "_ended",
        "_header_timer",
        "_held",
        "_open_connections",
        "_outflow",
        "_partial",
        "_protocol",
        "_socket",
        "_upload",
        "address",
        "refusal",
        "site",
    )

    def __init__(self, protocol: web.RequestHandler, open_connections: OpenConnections, deadlines: Deadlines) -> None:
        self.address = ""
        self.site = ""
        self.refusal: ProblemError | None = None  # there is no room: what the first request is told
        self._protocol = protocol
        self._open_connections = open_connections
        self._deadlines = deadlines
        self._socket: asyncio.Transport | None = None  # aiohttp forgets the transport while it still sends
        self._outflow = Outflow()
        self._begun = 0  # requests that were handed to the server
        self._answering = False
        self._ahead = 0  # bytes behind the request that is answered
        self._early = 0  # bytes of the request that comes next, from the end of its head on
        self._partial = False  # whether bytes of a request have come whose headers are not complete
        self._header_timer: asyncio.TimerHandle | None = None
        self._upload: Upload | None = None
        self._held = False  # we do not read
        self._closing = False  # once what is under way has arrived
        self._ended = False  # the client sends nothing more

    @property
    def idle(self) -> bool:
        """Whether no request is being received or answered; half of the headers is no request yet."""
        return not self._answering and self._upload is None and not self._waits()

    def retire(self) -> None:
        """Close now if idle, else once the request under way is received and answered."""
        if self.idle:
            self.force_close()
        elif self._answering and self._upload is None:
            self._protocol.close()
        else:
            self._closing = True  # close() would drop what is still to come of the body

    def force_close(self) -> None:
        """Close now; what was written before is still sent."""
        self._protocol.force_close()

    def cut_if_stalled(self, now: float) -> None:
        """End the connection of a client that has taken nothing for too long of what it is sent."""
        if self._socket is None:
            return
        stalled = self._outflow.stalled(untaken_bytes(self._socket), now)
        if stalled >= self._deadlines.write:
            log.warning("connection.stalled", peer=self.address, seconds=round(stalled, 1))
            metrics.http_connections_cut_total.labels("stalled").inc()
            self._in_turn(self._socket.abort)

    def made(self, transport: asyncio.Transport) -> None:
        """Start the clock for the first request, if there is room for the connection."""
        peer = transport.get_extra_info("peername")
        self.address = peer[0] if isinstance(peer, tuple) else ""
        self.site = site_of(self.address)
        self._socket = transport
        limit_unsent(transport)
        self.refusal = self._open_connections.admit(self)
        self._expect_headers()

    def lost(self) -> None:
        """Stop every clock."""
        self._socket = None
        self._ended = True
        self._open_connections.release(self)
        self._headers_ended()
        if self._upload is not None:
            self._upload_ended(self._upload)

    def received(self, size: int) -> None:
        """Bytes were parsed: see whether they were headers, a whole request, or more of a body."""
        if self._upload is not None:
            self._upload_progressed(self._upload, size)
        elif self._answering:
            self._ahead += size
            if self._ahead > AHEAD_BYTES:
                self._protocol.close()
        elif self._waits():
            self._early += size
            self._headers_ended()
        elif size:
            self._partial = True
            if self._header_timer is None:
                self._expect_headers()

    def ended(self) -> bool:
        """The client has sent all it will: a body that is not whole is refused. Whether we go on writing."""
        if self.idle:
            return False
        self._ended = True
        if self._upload is not None:
            self._fail(self._upload, web.RequestPayloadError("The connection ended within the body."))
        self._protocol.close()
        return True

    def held(self) -> None:
        """We are the slower side from here on."""
        self._held = True
        if self._upload is not None:
            self._upload.hold()

    def released(self) -> None:
        """The client may be the slower side again."""
        if self._held and self._upload is not None:
            self._upload.release()
        self._held = False

    @contextmanager
    def answering(self, body: StreamReader) -> Iterator[None]:
        """The block answers a request, to the last byte."""
        self._begun += 1
        self._answering = True
        self._ahead = 0
        self._headers_ended()
        self._watch(body)
        self._early = 0
        try:
            yield
        finally:
            self._answering = False

    def _waits(self) -> bool:
        """Whether the head of a request has been parsed that is not being answered yet."""
        return heads_parsed(self._protocol) > self._begun

    def _expect_headers(self) -> None:
        seconds = self._deadlines.header if self.refusal is None else self._deadlines.linger
        self._header_timer = asyncio.get_running_loop().call_later(seconds, self._headers_overdue)

    def _headers_ended(self) -> None:
        self._partial = False
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None

    def _headers_overdue(self) -> None:
        self._header_timer = None
        self._in_turn(self._end_late_headers)

    def _end_late_headers(self) -> None:
        """Answer half a request; to a client that sent nothing there is nothing to say."""
        if self._answering or self._waits():  # they came after all
            return
        if self._partial and self._socket is not None:
            self._socket.write(rendered(ProblemError("request_timeout", "The headers did not arrive in time.")))
        self.force_close()

    def _in_turn(self, piece: Piece) -> None:
        """Do it between the work for other clients: many connections of one client may have it to do at once."""
        self._open_connections.turns.call(self.site, piece)

    def _watch(self, body: StreamReader) -> None:
        """Watch the body of the request that begins, if it is still to come."""
        if body.is_eof():
            if self._closing:
                self._protocol.close()
            return
        self._upload = upload = Upload(body, self._deadlines.body, self._too_slow, received=self._early)
        if self._held:  # already: much of the body came with the headers
            upload.hold()
        self._upload_progressed(upload, 0)
        if self._ended and self._upload is not None:
            self._fail(upload, web.RequestPayloadError("The connection ended within the body."))

    def _upload_progressed(self, upload: Upload, size: int) -> None:
        if upload.is_whole():
            self._upload_ended(upload)
        elif self._waits():  # behind a body that is not whole: the parser failed, and the handler waits for the rest
            self._fail(upload, web.RequestPayloadError("The transfer encoding is damaged."))
        else:
            upload.received(size)
            if upload.is_padding():
                self._fail(upload, web.RequestPayloadError("The transfer encoding holds more than the body."))

    def _upload_ended(self, upload: Upload) -> None:
        upload.stop()
        self._upload = None
        if self._closing:
            self._protocol.close()

    def _too_slow(self, error: Exception) -> None:
        if self._upload is not None:
            self._fail(self._upload, error)

    def _fail(self, upload: Upload, error: Exception) -> None:
        """Make whoever reads the body fail with `error`, and close once that is answered."""
        self._upload = None
        self._protocol.close()
        upload.stop()
        self._in_turn(partial(upload.fail, error))
