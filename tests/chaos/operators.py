"""Operators who decide about held feeds and replay letters, as they are and mended, all through the run."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

import aiohttp
import orjson

from tests.chaos.goods import Goods
from tests.chaos.recorder import Recorder
from tests.program import ADMIN_TOKEN

HELD = "withdraw"
"""Stage of the letter of a held feed."""

REASON = {"reason": "chaos"}


@dataclass
class Operator:
    """goods: by supplier and facet, whose records a patch is made of."""

    urls: Callable[[], list[str]]
    goods: Mapping[tuple[str, str], Goods]
    recorder: Recorder
    rng: Random
    _replays: itertools.count[int] = field(default_factory=lambda: itertools.count(1))

    async def run(self, stopping: asyncio.Event) -> None:
        """Decide about something every now and then until told to stop."""
        while not stopping.is_set():
            await self.decide_about_held(share=0.4)
            await self._look_after_letters()
            try:
                async with asyncio.timeout(self.rng.uniform(0.5, 2.0)):
                    await stopping.wait()
            except TimeoutError:
                continue

    async def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Status and JSON of one request; 0 without an answer."""
        urls = self.urls()
        if not urls:
            return 0, None
        headers = {"Authorization": f"Bearer {ADMIN_TOKEN}", "Content-Type": "application/json"}
        data = None if body is None else orjson.dumps(body)
        try:
            async with (
                aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(total=20)) as session,
                session.request(method, f"{self.rng.choice(urls)}/admin/v1/{path}", data=data) as response,
            ):
                return response.status, orjson.loads(await response.read())
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
            return 0, None

    async def decide_about_held(self, *, share: float) -> None:
        """Release, reject, or decide by the letter, that share of what is held."""
        status, page = await self.ask("GET", "feeds?state=held&limit=50")
        for feed in page["feeds"] if status == 200 else ():
            if self.rng.random() < share:
                await self._decide(int(feed["feed"]))

    async def _decide(self, number: int) -> None:
        act = self.rng.choices(("release", "reject", "replay", "discard"), (5, 2, 2, 2))[0]
        self.recorder.record("hold.decided", number=number, act=act)
        if act in ("release", "reject"):
            status, _ = await self.ask("POST", f"feeds/{number}/{act}", REASON)
            self._done(status, f"feed.{act}", str(number))
            return
        _, page = await self.ask("GET", f"deadletters?feed={number}&stage={HELD}&state=open&limit=5")
        for letter in page["letters"] if page and "letters" in page else ():
            if act == "discard":
                await self.ask("POST", "deadletters/discard", {**REASON, "selection": {"ids": [letter["id"]]}})
            else:
                status, _ = await self.ask("POST", f"deadletters/{letter['id']}/replay", REASON)
                self._done(status, "deadletter.replay", letter["id"])

    def _done(self, status: int, action: str, target: str) -> None:
        """Note what was told to be done."""
        if status == 200:
            self.recorder.record("operator.done", action=action, target=target)

    async def _look_after_letters(self) -> None:
        status, page = await self.ask("GET", "deadletters?stage=normalise&state=open&limit=100")
        letters = page["letters"] if status == 200 else []
        for letter in self.rng.sample(letters, min(3, len(letters))):
            await self._treat(letter)
        if letters and self.rng.random() < 0.05:
            await self._replay_many([letter["id"] for letter in letters[:20]])

    async def _treat(self, letter: Mapping[str, Any]) -> None:
        """Replay one letter, mended or as it is, or discard it; only of feeds whose number their vendors know."""
        goods = self.goods.get((letter["supplier"], letter["facet"]))
        number = int(letter["feed"] or 0)
        if goods is None or number not in self.recorder.numbers:
            return
        act = self.rng.choices(("patch", "as_it_is", "discard"), (6, 2, 1))[0]
        if act == "discard":
            await self.ask("POST", "deadletters/discard", {**REASON, "selection": {"ids": [letter["id"]]}})
            return
        patch = self._mended(goods, letter) if act == "patch" else None
        if act == "as_it_is" or patch is not None:
            await self._replay(letter, number, patch)

    def _mended(self, goods: Goods, letter: Mapping[str, Any]) -> list[Any] | None:
        """A good record of the letter's key, None where the letter does not tell it."""
        known = {sku: (sku, area) for sku, area, _ in goods.names}
        sku = letter["sku"]
        if sku not in known or sum(name[0] == sku for name in goods.names) > 1:
            return None
        return list(goods.fresh(*known[sku]))

    async def _replay(self, letter: Mapping[str, Any], number: int, patch: list[Any] | None) -> None:
        name = f"replay-{next(self._replays)}"
        index = letter["record_index"]
        self.recorder.record("replay.sent", replay=name, number=number, index=index, patch=patch)
        body = REASON if patch is None else {**REASON, "patch": patch[-1]}
        status, answer = await self.ask("POST", f"deadletters/{letter['id']}/replay", body)
        outcome = answer["outcome"] if status == 200 else None
        self._done(status, "deadletter.replay", letter["id"])
        self.recorder.record("replay.answered", replay=name, status=status, outcome=outcome)

    async def _replay_many(self, letters: list[str]) -> None:
        """As a job; bad records stay bad."""
        status, job = await self.ask("POST", "replays", {**REASON, "selection": {"ids": letters}})
        if status == 201:
            await self.ask("POST", f"replays/{job['id']}/start", {})
