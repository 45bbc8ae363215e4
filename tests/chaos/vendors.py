"""Suppliers' programs: each pushes one facet in every way there is, and does not give up until it is told a 202."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

import aiohttp
import orjson

from tests.chaos.goods import Goods
from tests.chaos.recorder import Recorder
from tests.chaos.uploads import Manner, Told, upload
from tests.history.events import FINAL, Sent
from tests.vendor import NDJSON, Keys

AT_ONCE = 3
"""Requests of one stream that are under way at the same time."""

MOST = 120
"""Feeds of all vendors under way above which nobody begins another: what is far behind meets no fault in time."""

PAGES = 3
"""Of its newest feeds that a vendor looks at again and again."""

RETRY = (0.3, 1.2)
"""Seconds before a vendor asks again."""

# What a stream does next -> how often.
ACTIONS: Mapping[str, int] = {
    "few": 46,
    "many": 12,
    "full": 11,
    "full_of_few": 3,
    "validate": 5,
    "repeat": 8,
    "overtake": 9,
    "cancelled": 6,
}

# How a body goes out -> how often.
MANNERS: Mapping[str, int] = {"plain": 74, "slow": 8, "cut": 9, "lost": 9}


@dataclass(frozen=True, slots=True)
class Push:
    """One feed of a vendor. key: None: none; signed: by its webhook secret, else with its bearer key."""

    name: str
    facet: str
    mode: str
    key: str | None
    signed: bool
    records: tuple[Sent, ...]

    @property
    def body(self) -> bytes:
        """Its lines."""
        return "\n".join(record.line for record in self.records).encode() + b"\n"


@dataclass
class Stream:
    """One facet of one supplier. urls: of programs that take requests; gives_up: now and then it does not ask again."""

    keys: Keys
    goods: Goods
    urls: Callable[[], list[str]]
    recorder: Recorder
    rng: Random
    think: float
    gives_up: bool = False
    _numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _taken: list[Push] = field(default_factory=list)
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))

    async def run(self, stopping: asyncio.Event) -> None:
        """Until told to stop; returns when everything that was begun is settled."""
        async with asyncio.TaskGroup() as group:
            while not stopping.is_set():
                if self.recorder.under_way > MOST:
                    await asyncio.sleep(0.5)
                    continue
                action = self.rng.choices(list(ACTIONS), list(ACTIONS.values()))[0]
                await self._slots.acquire()
                task = group.create_task(self._act(action))
                task.add_done_callback(lambda _: self._slots.release())
                try:
                    async with asyncio.timeout(self.rng.uniform(0.2, 2.0) * self.think):
                        await stopping.wait()
                except TimeoutError:
                    continue

    async def _act(self, action: str) -> None:
        match action:
            case "few":
                await self._push("upsert", self.goods.some(1, 30))
            case "many":
                await self._push("upsert", self.goods.some(201, 280))
            case "full":
                await self._push("full", self.goods.all_but(self.rng.uniform(0.0, 0.15)))
            case "full_of_few":
                await self._push("full", self.goods.all_but(self.rng.uniform(0.4, 0.8)))
            case "validate":
                await self._push("validate", self.goods.some(1, 60))
            case "repeat":
                await self._repeat()
            case "overtake":
                await self._overtake()
            case _:
                await self._push_and_cancel()

    async def _push(self, mode: str, records: list[Sent], *, manner: Manner | None = None) -> int | None:
        """Send a new feed until it is taken; its number."""
        push = self._new(mode, records)
        self.recorder.record(
            "feed.sent",
            feed=push.name,
            supplier=self.keys.supplier,
            facet=push.facet,
            mode=mode,
            keyed=push.key is not None,
            records=[list(record) for record in push.records],
        )
        number = await self._until_taken(push, manner or self._manner())
        if number is not None and push.key is not None:
            self._taken = [*self._taken[-20:], push]
        return number

    def _new(self, mode: str, records: list[Sent]) -> Push:
        name = f"{self.keys.supplier}-{self.goods.facet}-{next(self._numbers)}"
        keyed = mode == "full" or not (self.gives_up and self.rng.random() < 0.3)
        signed = keyed and self.rng.random() < 0.3
        return Push(name, self.goods.facet, mode, name if keyed else None, signed, tuple(records))

    def _manner(self) -> Manner:
        style = self.rng.choices(list(MANNERS), list(MANNERS.values()))[0]
        seconds = self.rng.uniform(2.0, 6.0) if style == "slow" else self.rng.uniform(0.0, 0.4)
        return Manner(style, self.rng.random(), seconds)  # type: ignore[arg-type]  # one of the table's names

    async def _until_taken(self, push: Push, manner: Manner) -> int | None:
        """The same request under the same key until there is a 202. What has no key is asked once."""
        last = push.key is None or (push.mode != "full" and self.gives_up and self.rng.random() < 0.15)
        while True:
            told = await self._ask(push, manner)
            if told.number is not None or last:
                return told.number
            if told.status in FINAL and manner.style != "cut":
                return None
            manner = Manner() if self.rng.random() < 0.8 else self._manner()
            await asyncio.sleep(self.rng.uniform(*RETRY))

    async def _ask(self, push: Push, manner: Manner, more: Mapping[str, str] | None = None) -> Told:
        """One request. more: headers that no signature covers."""
        urls = self.urls()
        while not urls:
            await asyncio.sleep(0.2)
            urls = self.urls()
        path = f"/v1/feeds/{push.facet}" + ("" if push.mode == "upsert" else f"?mode={push.mode}")
        told = await upload(self.rng.choice(urls), path, {**self._headers(push), **(more or {})}, push.body, manner)
        self.recorder.record("feed.answered", feed=push.name, status=told.status, number=told.number)
        if told.number is not None:
            self.recorder.numbers[told.number] = push.name
        return told

    def _headers(self, push: Push) -> dict[str, str]:
        headers = {"Content-Type": NDJSON}
        if self.rng.random() < 0.2:
            headers["Prefer"] = "wait=2"
        if push.signed and push.key is not None:
            return headers | signature(self.keys, f"{push.facet}:{push.mode}:ndjson:{push.key}", push.body)
        key = {} if push.key is None else {"Idempotency-Key": push.key}
        return {**headers, **key, "Authorization": f"Bearer {self.keys.bearer}"}

    async def _repeat(self) -> None:
        """A feed that was taken, once more under its key; one that is signed also by who can change its headers."""
        if not self._taken:
            return
        push = self.rng.choice(self._taken)
        foreign = {"Idempotency-Key": f"foreign-{push.name}"} if push.signed and self.rng.random() < 0.5 else {}
        await self._ask(push, Manner(), foreign)

    async def _overtake(self) -> None:
        """A slow upload, and a quick correction of the same keys that begins later and ends first."""
        records = self.goods.some(5, 40)
        slow = asyncio.create_task(self._push("upsert", records, manner=Manner("slow", seconds=4.0)))
        await asyncio.sleep(self.rng.uniform(0.2, 1.0))
        await asyncio.gather(slow, self._push("upsert", self.goods.again(records), manner=Manner()))

    async def _push_and_cancel(self) -> None:
        mode = self.rng.choice(("upsert", "full", "upsert"))
        records = self.goods.some(201, 280) if mode == "upsert" else self.goods.all_but(self.rng.uniform(0.0, 0.4))
        number = await self._push(mode, records, manner=Manner())
        if number is not None:
            await asyncio.sleep(self.rng.uniform(0.0, 0.3))
            await self._cancel(number)

    async def _cancel(self, number: int) -> None:
        """Ask once; whether it was heard shows in what becomes of the feed."""
        self.recorder.record("feed.cancel", feed=self.recorder.numbers[number])
        await ask(self.keys, self.urls(), "POST", f"/v1/feeds/{number}/cancel", self.rng)


def signature(keys: Keys, key: str, body: bytes) -> dict[str, str]:
    """Headers of a signed request."""
    at = str(int(time.time()))
    secret = base64.b64decode(keys.webhook.removeprefix("whsec_"))
    signed = hmac.new(secret, f"{key}.{at}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-supplier": keys.supplier,
        "webhook-id": key,
        "webhook-timestamp": at,
        "webhook-signature": f"v1,{base64.b64encode(signed).decode()}",
    }


async def ask(keys: Keys, urls: list[str], method: str, path: str, rng: Random) -> Any:
    """The JSON of one small request, None when there was no good answer."""
    if not urls:
        return None
    headers = {"Authorization": f"Bearer {keys.bearer}"}
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=15)) as session,
            session.request(method, f"{rng.choice(urls)}{path}", headers=headers) as response,
        ):
            return orjson.loads(await response.read()) if response.status < 300 else None
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
        return None


@dataclass
class Follower:
    """A vendor's program that looks what became of its feeds."""

    keys: Keys
    urls: Callable[[], list[str]]
    recorder: Recorder
    rng: Random

    async def run(self, stopping: asyncio.Event) -> None:
        """Look every few seconds until told to stop."""
        while not stopping.is_set():
            await self.look(pages=PAGES)
            try:
                async with asyncio.timeout(2.0):
                    await stopping.wait()
            except TimeoutError:
                continue

    async def look(self, *, pages: int) -> None:
        """Note every feed that is seen finished for the first time, among the newest of so many pages."""
        path: str | None = "/v1/feeds?limit=200"
        for _ in range(pages):
            page = await ask(self.keys, self.urls(), "GET", path or "", self.rng)
            if page is None:
                return
            for view in page["feeds"]:
                if view["finished_at"] and int(view["feed"]) not in self.recorder.ended:
                    self._note(view)
            path = page["next"]
            if path is None:
                return

    def _note(self, view: dict[str, Any]) -> None:
        name = self.recorder.numbers.get(int(view["feed"]))
        if name is not None:
            self.recorder.ended.add(int(view["feed"]))
            told = {member: view[member] for member in ("state", "mode", "items", "withdrawn", "flaw", "finished_at")}
            self.recorder.record("feed.told", feed=name, view=told)
