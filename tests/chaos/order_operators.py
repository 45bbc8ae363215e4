"""Operators who stop lanes, breakers and suppliers all through a run, and in the end decide what nobody else can."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from urllib.parse import quote

from contrib.mall.orders import CANCEL, CONFIRM, SUBMIT
from contrib.mall.verdict import Effect
from tests.chaos.operators import REASON, Operator
from tests.chaos.recorder import Recorder

EVERY = (4.0, 12.0)
"""Seconds between two acts."""

HELD = (1.0, 4.0)
"""Seconds that a stop lasts."""

UNDOES = frozenset({"cancel", "expire", "unpaid"})
"""Effects after which an order is cancelled."""

STAGES = ("commands", "relay", "order_events")
"""Of dead letters about orders."""

STOPPED = frozenset({"parked", "dead", "held"})

PATIENCE = timedelta(seconds=20)
"""How far the next attempt at a command in doubt may be, in the end, before a person finds out what it came to."""


class OrderOperator:
    """orders: numbers of orders that may be stopped; effects: what suppliers say that they have done, when asked;
    beside: the same of a command that is about no order itself; about: the order that such a one belongs to.
    """

    def __init__(
        self,
        operator: Operator,
        supplier: str,
        orders: Callable[[], Sequence[str]],
        effects: Callable[[], Sequence[Effect]],
        beside: Callable[[str], bool],
        about: Callable[[str], str],
        recorder: Recorder,
        rng: Random,
    ) -> None:
        self._ask = operator.ask
        self._supplier = supplier
        self._orders = orders
        self._effects = effects
        self._beside = beside
        self._about = about
        self._recorder = recorder
        self._rng = rng

    async def run(self, stopping: asyncio.Event) -> None:
        """Stop something for a while, again and again, until told to stop."""
        while not stopping.is_set():
            await self._rng.choice((self._stop_lane, self._hold_breaker, self._pause, self._replay))()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._rng.uniform(*EVERY)):
                    await stopping.wait()

    async def set_free(self) -> None:
        """Take every stop back."""
        await self._act("POST", f"suppliers/{self._supplier}/resume", "", "")
        await self._act("POST", f"suppliers/{self._supplier}/breakers/close", "breaker.close", self._supplier)

    async def decide(self) -> None:
        """Release what an operator stopped; of what else waits for a person, or for long, ask the supplier, and say
        what it is.
        """
        for state in (*sorted(STOPPED), "unknown"):
            status, page = await self._ask("GET", f"orders?state={state}&limit=200")
            for command in page["commands"] if status == 200 else ():
                if state == "unknown" and not _waits_long(command):
                    continue
                if command["state"] == "parked" and command["reason"] == "by_operator":
                    path = f"lanes/{quote(command['order_no'], safe='')}/release"
                    await self._act("POST", path, "lane.release", command["order_no"])
                elif (command["state"], command["operation"]) != ("held", SUBMIT):  # the core cancels it
                    await self._resolve(command)

    async def _stop_lane(self) -> None:
        orders = self._orders()
        if not orders:
            return
        order_no = self._rng.choice(orders[-20:])
        await self._act("POST", f"lanes/{order_no}/park", "lane.park", order_no)
        await asyncio.sleep(self._rng.uniform(*HELD))
        await self._act("POST", f"lanes/{order_no}/release", "lane.release", order_no)

    async def _hold_breaker(self) -> None:
        path = f"suppliers/{self._supplier}/breakers"
        operation = self._rng.choice(("submit_order", "confirm_order", "cancel_order", None))
        await self._act("POST", f"{path}/open", "breaker.open", self._supplier, operation=operation, seconds=30)
        await asyncio.sleep(self._rng.uniform(*HELD))
        await self._act("POST", f"{path}/close", "breaker.close", self._supplier, operation=operation)

    async def _pause(self) -> None:
        await self._act("POST", f"suppliers/{self._supplier}/pause", "", "")
        await asyncio.sleep(self._rng.uniform(*HELD))
        await self._act("POST", f"suppliers/{self._supplier}/resume", "", "")

    async def _replay(self) -> None:
        """A letter about an order: what is taken back is no second command, and nothing is sent again for it."""
        status, page = await self._ask("GET", f"deadletters?stage={self._rng.choice(STAGES)}&state=open&limit=20")
        for letter in page["letters"][:1] if status == 200 else ():
            await self._ask("POST", f"deadletters/{letter['id']}/replay", REASON)

    async def _resolve(self, command: Mapping[str, Any]) -> None:
        of_order = command["operation"] in (SUBMIT, CONFIRM, CANCEL)
        number = self._found(command) if of_order else self._beside(command["command_id"])
        more = {"supplier_order_no": number} if number and command["operation"] == SUBMIT else {}
        await self._act(
            "POST",
            f"commands/{command['command_id']}/resolve",
            "order.resolve",
            command["order_no"] if of_order else self._about(command["command_id"]),
            resolution="done" if number else "not_done",
            **more,
        )

    def _found(self, command: Mapping[str, Any]) -> str | None:
        """The supplier's number of what a command has done; None: nothing."""
        done = [
            each
            for each in self._effects()
            if (each.supplier, each.order_no) == (command["supplier"], command["order_no"])
            and (each.asked or each.kind != "submit")
        ]
        kinds = {SUBMIT: {"submit"}, CONFIRM: {"confirm"}, CANCEL: UNDOES}[command["operation"]]
        return next((each.target for each in done if each.kind in kinds), None)

    async def _act(self, method: str, path: str, action: str, target: str, **body: object) -> None:
        """Ask, and note what was told to be done. action: "" for what has no effect where it is so already."""
        status, _ = await self._ask(method, path, {**REASON, **body})
        if action and 200 <= status < 300:
            self._recorder.record("operator.done", action=action, target=target)


def _waits_long(command: Mapping[str, Any]) -> bool:
    """Whether nothing is done about a command for a while: the pauses between its attempts grow."""
    return datetime.fromisoformat(command["due_at"]) - datetime.now(UTC) > PATIENCE
