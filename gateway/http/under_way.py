"""How many requests of one client, and with one credential, are under way in a process, and what more of them get.

Connections are counted by the server; behind a proxy all of them are the proxy's, and a credential is known only once a
request was read. A request counts until its handler is done, so an answer that is streamed counts to its end.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from aiohttp import web

from gateway.http.answers import Handler
from gateway.http.clients import client_of, site_of
from gateway.http.problems import ProblemError

RETRY_AFTER = 1.0
"""Seconds after which who had too many under way may try again."""


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """Requests under way in one process at a time."""

    per_client: int = 512
    per_credential: int = 128


class UnderWay:
    """The requests of one process that are under way, by whose they are."""

    def __init__(self, limits: RequestLimits | None = None) -> None:
        self._limits = limits or RequestLimits()
        self._counts: Counter[str] = Counter()

    @web.middleware
    async def count(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let in who has not too many under way."""
        with ExitStack() as stack:
            stack.enter_context(self._one_more(f"client {site_of(client_of(request))}", self._limits.per_client))
            request[_COUNTED] = _Counted(self, stack)
            return await handler(request)

    def add_credential(self, stack: ExitStack, credential: str) -> None:
        """Count for a credential as well, for as long as for the client. Raises ProblemError requests_limit."""
        stack.enter_context(self._one_more(f"credential {credential}", self._limits.per_credential))

    @contextmanager
    def _one_more(self, whose: str, most: int) -> Iterator[None]:
        if self._counts[whose] >= most:
            kind = whose.partition(" ")[0]
            raise ProblemError("requests_limit", expected=f"at most {most} of one {kind}", retry_after=RETRY_AFTER)
        self._counts[whose] += 1
        try:
            yield
        finally:
            self._counts[whose] -= 1
            if not self._counts[whose]:
                del self._counts[whose]


@dataclass(frozen=True, slots=True)
class _Counted:
    """Where a request is counted, and what ends that."""

    under_way: UnderWay
    stack: ExitStack


_COUNTED = web.RequestKey("counted", _Counted)


def count_credential(request: web.BaseRequest, credential: str) -> None:
    """Count a request for the credential that it turned out to have. Raises ProblemError requests_limit.

    Where requests are not counted at all it does nothing.
    """
    counted = request.get(_COUNTED)
    if counted is not None:
        counted.under_way.add_credential(counted.stack, credential)
