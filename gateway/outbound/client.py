"""The client of /admin/v1 that the CLI stands on. It follows no redirect: one would carry the token elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from types import TracebackType
from typing import IO, Any
from urllib.parse import quote

import aiohttp
import orjson

from gateway.sdk.errors import GatewayError

PREFIX = "/admin/v1"
PIECE = 256 * 1024
"""Bytes of a file that are written at once."""

TIMEOUT = aiohttp.ClientTimeout(total=60, sock_connect=5)


class GatewayAwayError(GatewayError):
    """The gateway does not answer."""


class RefusedError(GatewayError):
    """The gateway refused, in its own words: a problem of its table, with what it says of this one case.

    problems: everything that is wrong with a configuration, as `path: problem`; empty for other refusals.
    """

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        self.status = status
        self.code = str(problem.get("code", status))
        self.en = str(problem.get("message_en", ""))
        self.zh = str(problem.get("message_zh", ""))
        self.detail = str(problem.get("detail", ""))
        self.path = str(problem.get("path", ""))
        self.problems: Sequence[str] = tuple(map(str, problem.get("problems", ())))
        super().__init__(" ".join(part for part in (f"{self.code}:", self.en, self.zh, self._case()) if part))

    def _case(self) -> str:
        case = ": ".join(part for part in (self.path, self.detail) if part)
        return f"({case})" if case else ""


class NoIdError(GatewayError):
    """An id is neither empty nor made of dots."""


class AdminClient:
    """Calls of one operator. Answers are JSON values.

    operator: who says to be calling, for the audit. Methods raise RefusedError and GatewayAwayError.
    """

    def __init__(self, base_url: str, token: str, *, operator: str = "") -> None:
        self._base = base_url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}", "Mallgate-Operator": operator}

    async def __aenter__(self) -> AdminClient:
        self._session = aiohttp.ClientSession(headers=self._headers, timeout=TIMEOUT, trust_env=False)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._session.close()

    async def get(self, *segments: str, **query: str | int | None) -> Any:
        """What is at a path. Query parameters that are None are left out."""
        return await self._call("GET", segments, query=query)

    async def download(self, *segments: str, into: IO[bytes], **query: str | int | None) -> None:
        """Write what is at a path into a file, as it comes. Query parameters as in `get`."""
        path = _path(segments)
        async with self._requested("GET", path, query=query) as response:
            if response.status >= 400 or response.content_type != "application/zip":
                self._read(response.status, response.content_type, await response.read())
                raise GatewayAwayError(f"What answers at {self._base} is no gateway: {response.content_type}.")
            async for piece in response.content.iter_chunked(PIECE):
                await asyncio.to_thread(into.write, piece)

    async def post(self, *segments: str, body: object = None) -> Any:
        """Have something done."""
        return await self._call("POST", segments, body=body)

    async def delete(self, *segments: str, **query: str | int | None) -> Any:
        """Have something ended."""
        return await self._call("DELETE", segments, query=query)

    async def _call(
        self, method: str, segments: Sequence[str], *, query: Mapping[str, Any] | None = None, body: object = None
    ) -> Any:
        async with self._requested(method, _path(segments), query=query, body=body) as response:
            return self._read(response.status, response.content_type, await response.read())

    @asynccontextmanager
    async def _requested(
        self, method: str, path: str, *, query: Mapping[str, Any] | None = None, body: object = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The response, while it is read."""
        try:
            async with self._session.request(
                method,
                f"{self._base}{PREFIX}/{path}",
                params={name: str(value) for name, value in (query or {}).items() if value is not None},
                data=None if body is None else orjson.dumps(body),
                headers={"Content-Type": "application/json"},
                allow_redirects=False,
            ) as response:
                yield response
        except aiohttp.ClientConnectorError as error:
            raise GatewayAwayError(f"No gateway answers at {self._base}; is it running?") from error
        except (aiohttp.ClientError, TimeoutError, ValueError) as error:
            reason = str(error) or type(error).__name__
            raise GatewayAwayError(f"The gateway at {self._base} did not answer: {reason}") from error

    def _read(self, status: int, content_type: str, body: bytes) -> Any:
        if status == 204:
            return None
        if not content_type.endswith("json"):
            raise GatewayAwayError(f"What answers at {self._base} is no gateway: status {status}, {content_type}.")
        value = orjson.loads(body)
        if status >= 400:
            raise RefusedError(status, value)
        return value


def _path(segments: Sequence[str]) -> str:
    """Segments quoted one by one: what an operator types must not climb to another path. Raises NoIdError."""
    if {"", ".", ".."} & set(segments):
        raise NoIdError
    return "/".join(quote(segment, safe="") for segment in segments)
