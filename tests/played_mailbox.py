"""The gateway's mailbox as its documents have it, played for tests of vendors: no code of the gateway takes part."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

KEY = "vendor-key"


@dataclass
class Mailbox:
    """What waits, what was acknowledged, and what was told. failing: statuses that the next events get instead;
    documents: status and body of each address of a contract's document.

    A message that is fetched is seen again only after `lapse`, as after its visibility timeout.
    """

    url: str = ""
    waiting: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    acknowledged: list[str] = field(default_factory=list)
    told: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    failing: list[int] = field(default_factory=list)
    documents: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    fetched: int = 0
    _answers: dict[str, tuple[bytes, int]] = field(default_factory=dict)

    def put(self, *commands: Mapping[str, Any]) -> None:
        """Let commands wait; the id of a message is that of its command."""
        self.waiting |= {command["command_id"]: command for command in commands}

    def lapse(self) -> None:
        """Let all that was not acknowledged be seen again."""
        self.hidden.clear()

    def events(self, order_no: str) -> Sequence[Mapping[str, Any]]:
        """What was told of an order or a contract and taken, each key once."""
        return [event for no, _, event in self.told if no == order_no]

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        if request.path_qs in self.documents:
            assert "Authorization" not in request.headers
            status, body = self.documents[request.path_qs]
            return web.Response(status=status, body=body)
        assert request.headers["Authorization"] == f"Bearer {KEY}"
        if request.path == "/v1/messages":
            return web.json_response({"messages": self._fetch(int(request.query["limit"]))})
        content = orjson.loads(await request.read())
        if request.path == "/v1/messages/ack":
            self.acknowledged += content["ids"]
            for id_ in content["ids"]:
                self.waiting.pop(id_, None)
            return web.json_response({})
        number = request.path.removeprefix("/v1/orders/").removeprefix("/v1/contracts/").removesuffix("/events")
        status = self._event(number, request.headers["Idempotency-Key"], content)
        return web.json_response({"retryable": status == 425}, status=status)

    def _fetch(self, limit: int) -> list[Mapping[str, Any]]:
        self.fetched += 1
        found = [id_ for id_ in self.waiting if id_ not in self.hidden][:limit]
        self.hidden.update(found)
        return [{"id": id_, "type": self.waiting[id_]["operation"], "command": self.waiting[id_]} for id_ in found]

    def _event(self, order_no: str, key: str, content: dict[str, Any]) -> int:
        if self.failing:
            return self.failing.pop(0)
        body = orjson.dumps(content)
        if key in self._answers:
            known, status = self._answers[key]
            return status if known == body else 422
        status = 404 if order_no.startswith("FOREIGN") else 409 if "wrong" in key else 202
        self._answers[key] = body, status
        if status == 202:
            self.told.append((order_no, key, content))
        return status


@asynccontextmanager
async def open_mailbox() -> AsyncIterator[Mailbox]:
    """A mailbox that answers at `.url` until the end."""
    mailbox = Mailbox()
    runner = web.ServerRunner(web.Server(mailbox.handle, access_log=None), shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        mailbox.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        yield mailbox
    finally:
        await runner.cleanup()
