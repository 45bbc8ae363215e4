"""The HTTP client of one supplier. It sends what was prepared, once, and tells what came back, within limits.

It follows no redirect, keeps no cookie, heeds no proxy of the environment, and logs no body.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from ipaddress import ip_address
from types import TracebackType
from typing import TypeAlias, cast

import aiohttp
import structlog
from aiohttp import AddrInfoType, ClientError, ClientHandlerType, ClientRequest, ClientResponse
from aiohttp.connector import Connection

from gateway.outbound.address import forbidden_address
from gateway.outbound.body import read_body
from gateway.outbound.faults import RefusedToDialError, fault_of
from gateway.outbound.prepare import Prepared
from gateway.sdk.errors import Sent, SupplierError
from gateway.sdk.http import Reply
from gateway.telemetry import metrics

CONNECT_SECONDS = 5.0

KEEPALIVE_SECONDS = 30.0
"""Idle connections are kept so long: a host whose name leads elsewhere by then is looked up, and judged, again."""

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


class _Request(ClientRequest):
    """A request that notes when its first byte is about to leave."""

    begun = False

    async def send(self, conn: Connection) -> ClientResponse:
        self.begun = True
        return await super().send(conn)


Sink: TypeAlias = Callable[[bytes], Awaitable[None]]
"""Takes a body as it comes, and raises to have no more of it."""


@dataclass(slots=True)
class _Departure:
    """What of one request has left. sink: takes the body of a 200, which is not decoded then."""

    body: aiohttp.UploadTracker
    request: _Request | None = None
    sink: Sink | None = None

    @property
    def sent(self) -> Sent:
        """As far as this process can know: what the kernel has not sent yet counts as sent."""
        if self.request is None or not self.request.begun:
            return Sent.NOTHING
        whole = self.body.upload_complete
        return Sent.ALL if whole.done() and whole.exception() is None else Sent.SOME


class SupplierClient:
    """Connections to one supplier, as many as its calls under way. limits: may be replaced, for calls that follow."""

    def __init__(self, supplier: str, limits: HttpLimits, *, dns_seconds: int = DNS_SECONDS) -> None:
        self.limits = limits
        self._seconds = metrics.supplier_call_seconds.labels(supplier=supplier)
        self._dns_seconds = dns_seconds

    async def __aenter__(self) -> SupplierClient:
        connector = aiohttp.TCPConnector(
            limit=0,  # how many calls may be under way is the limiter's to say, and changes
            keepalive_timeout=KEEPALIVE_SECONDS,
            ttl_dns_cache=self._dns_seconds,
            socket_factory=self._socket,
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            request_class=_Request,
            response_class=_Response,
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

    async def send(self, prepared: Prepared, sink: Sink | None = None) -> Reply:
        """Send once; the reply whatever its status, save that its body is within the caps.

        sink: is given the body of a 200 as it comes, and bounds it; the reply then has none.

        Raises UnavailableError when there is no whole reply, AddressBlockedError before anything was sent, and
        ContractError for a body beyond the caps; each with how much of the request had been sent.
        """
        departure = _Departure(aiohttp.UploadTracker(), sink=sink)
        try:
            response = await self._session.request(
                prepared.method,
                prepared.url,
                headers=prepared.headers,
                data=prepared.body,
                allow_redirects=False,
                upload_tracker=departure.body,
                middlewares=(partial(self._exchange, departure),),
            )
        except SupplierError as error:
            error.sent = departure.sent
            raise
        return Reply(prepared.operation, response.status, _headers(response), cast(_Response, response).decoded)

    # One link, for every call passes through it. The supplier is told which trace this is. What aiohttp raises becomes
    # ours, inside its loop that would send a GET a second time by itself. The time-out covers everything from the
    # look-up of the name to the body's last byte, and so does the time that is measured. Two things stand outside: the
    # credential, which may be a field of the form, is part of what was prepared; the address is judged in `_socket`,
    # as it is dialled.
    async def _exchange(
        self, departure: _Departure, request: ClientRequest, handler: ClientHandlerType
    ) -> ClientResponse:
        departure.request = cast(_Request, request)
        trace = structlog.contextvars.get_contextvars().get("trace_id") or secrets.token_hex(16)
        request.headers["traceparent"] = f"00-{trace}-{secrets.token_hex(8)}-00"
        try:
            with self._seconds.time():
                async with asyncio.timeout(self.limits.timeout_seconds):
                    return await self._read(request, handler, departure.sink)
        except (ClientError, OSError) as error:
            raise fault_of(error) from None  # its text holds the URL, and with it perhaps the credential

    async def _read(self, request: ClientRequest, handler: ClientHandlerType, sink: Sink | None) -> ClientResponse:
        """The body is read, decoded by us and within caps, or given to `sink`."""
        response = cast(_Response, await handler(request))
        if self.limits.max_reply_bytes is None:
            response.release()  # where the body has not come whole, the connection is closed
            return response
        try:
            if sink is not None and response.status == HTTPStatus.OK:
                async for data in response.content.iter_any():
                    await sink(data)
                return response
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
