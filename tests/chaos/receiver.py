"""A vendor's webhook on this machine that takes messages, fails in every way, is away, and changes its secret."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import orjson
from aiohttp import web
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from gateway.events import set_within
from tests.chaos.recorder import Recorder

TAKES = 0.7
"""Share of the requests that are taken as they should."""

# What else happens to a request -> status that is answered, 0: none; whether the vendor has the message then.
FAILS: Mapping[str, tuple[int, bool]] = {
    "refused": (500, False),
    "unavailable": (503, False),
    "answer lost": (500, True),
    "hangs": (0, False),
    "reset": (0, True),
    "redirect": (302, False),
    "garbage": (200, True),
    "gone": (410, False),
}

HANG = 17.0
"""Seconds, more than the gateway waits."""

AWAY, BACK = (8.0, 25.0), (1.0, 5.0)
"""Seconds until the vendor's server is killed, and until it comes back."""

ROTATION = 15.0
"""Seconds between two secrets."""


def secret(rng: Random) -> str:
    """A signing secret."""
    return "whsec_" + base64.b64encode(rng.randbytes(32)).decode()


def digest(command: Mapping[str, Any]) -> str:
    """Of what a command says, but for the address of a document, which is the gateway's own in each delivery."""
    payload = command["payload"]
    if isinstance(payload, dict) and "document" in payload:
        document = {name: value for name, value in payload["document"].items() if name != "url"}
        payload = {**payload, "document": document}
    content = orjson.dumps({**command, "payload": payload}, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(content).hexdigest()


class Receiver:
    """secrets: the last two, the present one first; inbox: what the vendor has yet to work on, by id."""

    def __init__(self, supplier: str, recorder: Recorder, rng: Random) -> None:
        self.secrets = [secret(rng)]
        self.inbox: dict[str, Mapping[str, Any]] = {}
        self.port = 0
        self._supplier = supplier
        self._recorder = recorder
        self._rng = rng
        self._well = False
        self._runner: web.ServerRunner | None = None

    async def start(self) -> None:
        """Listen, at the same port as before."""
        self._runner = web.ServerRunner(web.Server(self._answer, access_log=None), shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        self.port = self._runner.addresses[0][1]

    async def kill(self) -> None:
        """Drop all connections and listen no more."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def run(self, stopping: asyncio.Event, rotate: Callable[[list[str]], Awaitable[None]]) -> None:
        """Be away now and then, and change the secret, until told to stop; then all is well."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._be_away(stopping))
            group.create_task(self._rotate(stopping, rotate))
        self._well = True

    async def _be_away(self, stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            await set_within(stopping, self._rng.uniform(*AWAY))
            self._recorder.record("fault", kind=f"{self._supplier}: receiver killed", hold=0.0)
            await self.kill()
            await asyncio.sleep(self._rng.uniform(*BACK))
            await self.start()

    async def _rotate(self, stopping: asyncio.Event, rotate: Callable[[list[str]], Awaitable[None]]) -> None:
        while not stopping.is_set():
            await set_within(stopping, ROTATION)
            fresh = [secret(self._rng), self.secrets[0]]
            self.secrets = [fresh[0], *self.secrets[:2]]  # until the gateway has it, both may be met
            await rotate(fresh)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        message, act = orjson.loads(body), self._drawn()
        status, stored = FAILS.get(act, (204, True))
        self._recorder.record(
            "conversation.handed",
            supplier=self._supplier,
            door="webhook",
            id=request.headers["webhook-id"],
            sha256=digest(message["command"]),
            status=status,
            stored=stored,
            signed=self._is_signed(request, body),
            path=request.path,
        )
        if stored:
            self.inbox[request.headers["webhook-id"]] = message
        return await self._acted(request, act, status)

    async def _acted(self, request: web.BaseRequest, act: str, status: int) -> web.StreamResponse:
        if act != "takes":
            self._recorder.record("fault", kind=f"{self._supplier}: webhook {act}", hold=0.0)
        match act:
            case "hangs":
                await asyncio.sleep(HANG)
            case "reset":
                pass
            case "redirect":
                return web.Response(status=status, headers={"Location": f"http://127.0.0.1:{self.port}/elsewhere"})
            case _:
                return web.Response(status=status, body=b"\xff<html" if act == "garbage" else b"")
        if request.transport is not None:
            request.transport.abort()
        return web.Response(status=500)

    def _drawn(self) -> str:
        if self._well or self._rng.random() < TAKES:
            return "takes"
        return self._rng.choice(list(FAILS))

    def _is_signed(self, request: web.BaseRequest, body: bytes) -> bool:
        return any(_verifies(each, request, body) for each in self.secrets)


def _verifies(key: str, request: web.BaseRequest, body: bytes) -> bool:
    try:
        Webhook(key).verify(body, {name.lower(): value for name, value in request.headers.items()})
    except WebhookVerificationError:
        return False
    return True


@asynccontextmanager
async def open_receiver(supplier: str, recorder: Recorder, rng: Random) -> AsyncIterator[Receiver]:
    """A webhook that listens until the end of the block."""
    receiver = Receiver(supplier, recorder, rng)
    await receiver.start()
    try:
        yield receiver
    finally:
        await receiver.kill()
