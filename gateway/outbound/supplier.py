"""The HTTP client of one supplier. It sends what was prepared, once, and tells what came back, within limits.

It follows no redirect, keeps no cookie, heeds no proxy of the environment, and logs no body.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from types import SimpleNamespace, TracebackType
from typing import cast

import aiohttp
import structlog
from aiohttp import AddrInfoType, ClientError, ClientHandlerType, ClientRequest, ClientResponse

from gateway.outbound.address import forbidden_address
from gateway.outbound.body import read_body
from gateway.outbound.faults import RefusedToDialError, fault_of
from gateway.outbound.prepare import Prepared
from gateway.sdk.errors import Sent, SupplierError
from gateway.sdk.http import Reply
from gateway.telemetry import metrics

CONNECT_SECONDS = 5.0

KEEPALIVE_SECONDS = 30.0
"""Idle connections are kept so long: a host whose name leads elsewhere by then is looked up, and judged, anew."""

DNS_SECONDS = 10
"""How long a look-up is good for."""

HEADERS = {"User-Agent": "mallgate", "Accept-Encoding": "gzip, deflate"}


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """How one supplier may be called: its adapter's facts, narrowed by its row. max_reply_bytes: None: its status alone
    counts, bodies are not read.
    """

    base_url: str
    timeout_seconds: float
    rate_per_second: float
    concurrency: int
    max_reply_bytes: int | None
    allow_private: bool = False


class _Response(ClientResponse):
    """A response whose body was decoded by us."""

    decoded: bytes = b""


@dataclass(slots=True)
class _Departure:
    """What of one request has left. begun: its first byte is about to."""

    body: aiohttp.UploadTracker
    begun: bool = False

    @property
    def sent(self) -> Sent:
        """As far as this process can know: what the kernel has not sent yet counts as sent."""
        if not self.begun:
            return Sent.NOTHING
        whole = self.body.upload_complete
        return Sent.ALL if whole.done() and whole.exception() is None else Sent.SOME


async def _note_departure(_: object, context: SimpleNamespace, __: object) -> None:
    context.trace_request_ctx.begun = True


class SupplierClient:
    """Connections to one supplier, as many as its calls under way. limits: may be replaced, for calls that follow."""

    def __init__(self, supplier: str, limits: HttpLimits, *, dns_seconds: int = DNS_SECONDS) -> None:
        self.limits = limits
        self._supplier = supplier
        self._dns_seconds = dns_seconds

    async def __aenter__(self) -> SupplierClient:
        tracing = aiohttp.TraceConfig()
        tracing.on_request_headers_sent.append(_note_departure)
        connector = aiohttp.TCPConnector(
            limit=0,  # how many calls may be under way is the limiter's to say, and changes
            keepalive_timeout=KEEPALIVE_SECONDS,
            ttl_dns_cache=self._dns_seconds,
            socket_factory=self._socket,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            # Outermost first. The supplier is told which trace this is. What aiohttp raises becomes ours, inside its
            # loop that would send a GET a second time by itself. The time-out covers everything from the look-up of
            # the name to the body's last byte, and so does the time that is measured. Innermost the body is read,
            # decoded by us and within caps. Two links stand outside of this chain: the credential, which may be a
            # field of the form, is part of what was prepared; the address is judged as it is dialled, in `_socket`.
            middlewares=(self._traced, self._translated, self._timed, self._measured, self._read),
            response_class=_Response,
            trace_configs=[tracing],
            headers=HEADERS,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def send(self, prepared: Prepared) -> Reply:
        """Send once; the reply whatever its status, save that its body is within the caps.

        Raises UnavailableError when there is no whole reply, AddressBlockedError before anything was sent, and
        ContractError for a body beyond the caps; each with how much of the request had been sent.
        """
        departure = _Departure(aiohttp.UploadTracker())
        try:
            response = await self._session.request(
                prepared.method,
                prepared.url,
                headers=prepared.headers,
                data=prepared.body,
                allow_redirects=False,
                upload_tracker=departure.body,
                trace_request_ctx=departure,
            )
        except SupplierError as error:
            error.sent = departure.sent
            raise
        return Reply(prepared.operation, response.status, _headers(response), cast(_Response, response).decoded)

    async def _traced(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        trace = structlog.contextvars.get_contextvars().get("trace_id") or secrets.token_hex(16)
        request.headers["traceparent"] = f"00-{trace}-{secrets.token_hex(8)}-00"
        return await handler(request)

    async def _translated(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        try:
            return await handler(request)
        except (ClientError, OSError) as error:
            raise fault_of(error) from None  # its text holds the URL, and with it perhaps the credential

    async def _timed(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        async with asyncio.timeout(self.limits.timeout_seconds):
            return await handler(request)

    async def _measured(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        with metrics.supplier_call_seconds.labels(supplier=self._supplier).time():
            return await handler(request)

    async def _read(self, request: ClientRequest, handler: ClientHandlerType) -> ClientResponse:
        response = cast(_Response, await handler(request))
        if self.limits.max_reply_bytes is None:
            response.release()  # where the body has not come whole, the connection is closed
            return response
        try:
            response.decoded = await read_body(response, self.limits.max_reply_bytes)
        except BaseException:
            response.close()  # what is left of the body must not be taken for the next reply
            raise
        return response

    def _socket(self, info: AddrInfoType) -> socket.socket:
        """The socket to an address that is about to be dialled."""
        family, kind, protocol, _, address = info
        reason = forbidden_address(ip_address(address[0]), allow_private=self.limits.allow_private)
        if reason is not None:
            raise RefusedToDialError(reason)
        return socket.socket(family, kind, protocol)


def _headers(response: ClientResponse) -> Mapping[str, str]:
    """By names in lower case, several of one name joined; without the cookies, which are credentials of a kind."""
    headers: dict[str, str] = {}
    for name, value in response.headers.items():
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    headers.pop("set-cookie", None)
    return headers
