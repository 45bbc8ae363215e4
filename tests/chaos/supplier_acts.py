"""What suppliers do by themselves about invoices and services: in their order, and said again, wrongly and late."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import aiohttp

from contrib.simulators.jd_vop.simulator import Simulator
from contrib.simulators.ledger import read
from contrib.simulators.native import Vendor
from gateway.events import set_within
from tests.chaos.noting import NotingGateway
from tests.chaos.recorder import Recorder
from tests.pulling import control

EVERY = (0.2, 0.8)
"""Seconds between two acts."""

INVOICE_WAYS: Sequence[Sequence[Mapping[str, Any]]] = (
    ({"act": "issue"},),
    ({"act": "part"}, {"act": "issue"}, {"act": "mail"}),
    ({"act": "issue", "off": 1},),
    ({"act": "issue", "off": -1},),
    ({"act": "part", "off": 1}, {"act": "issue"}),
    ({"act": "reject"},),
    ({"act": "issue"}, {"act": "red"}),
    ({"act": "issue"}, {"act": "void"}),
    ({"act": "issue"}, {"act": "mail"}),
)
"""What becomes of an application. A red invoice takes back one that is not there."""

SERVICE_WAYS: Sequence[Sequence[str]] = (
    *[("audit", "approve", "send_goods", "receive", "handle", "refund", "close")] * 3,
    ("audit", "refuse_audit"),
    ("approve", "send_goods", "call_off"),
)

STATES = (
    "auditing",
    "approved",
    "goods_returning",
    "received",
    "repairing",
    "refunding",
    "refused",
    "cancelled",
    "done",
)
"""What a vendor may say that a service is, whatever it is."""


class SupplierActs:
    """The supplier that is called, whose book is at hand."""

    def __init__(self, simulator: Simulator, ledger: Path, supplier: str, recorder: Recorder, rng: Random) -> None:
        self._simulator = simulator
        self._ledger = ledger
        self._supplier = supplier
        self._recorder = recorder
        self._rng = rng
        self._ways: dict[str, list[Any]] = {}

    async def run(self, stopping: asyncio.Event) -> None:
        """One act after the other until told to stop."""
        while not stopping.is_set():
            await self._act_on_an_application()
            await self._act_on_a_service()
            await set_within(stopping, self._rng.uniform(*EVERY))

    async def _act_on_an_application(self) -> None:
        marks = {each["markId"]: each["thirdOrder"] for each in read(self._ledger) if each["effect"] == "invoice"}
        due = [mark for mark in marks if self._ways.setdefault(mark, [*self._rng.choice(INVOICE_WAYS)])]
        if not due:
            return
        mark = self._rng.choice(due)
        act = self._ways[mark].pop(0)
        with suppress(AssertionError, aiohttp.ClientError):
            told = await control(self._simulator, "POST", "invoice", {"mark": mark, **act})
            content = {"payload": {"mark_id": mark, "invoices": told["invoices"]}}
            whose = {"supplier": self._supplier, "order_no": marks[mark], "number": mark}
            kind = f"invoice.{act['act']}"
            self._recorder.record("conversation.said", **whose, kind=kind, status=200, content=content)

    async def _act_on_a_service(self) -> None:
        services = await control(self._simulator, "GET", "services", {})
        numbers = [each["afsServiceId"] for each in services if each["afsServiceStep"] != 60]
        due = [each for each in numbers if self._ways.setdefault(each, [*self._rng.choice(SERVICE_WAYS)])]
        if due:
            number = self._rng.choice(due)
            act = self._ways[number].pop(0)
            with suppress(AssertionError, aiohttp.ClientError):
                await control(self._simulator, "POST", "service", {"service": number, "act": act})


class OddWords:
    """A vendor's clerk who tells of applications and services what he likes, once and again."""

    def __init__(self, vendor: Vendor, gateway: NotingGateway, rng: Random) -> None:
        self._vendor = vendor
        self._gateway = gateway
        self._rng = rng
        self._said: list[tuple[str, Mapping[str, Any], str]] = []

    async def run(self, stopping: asyncio.Event) -> None:
        """One word after the other until told to stop."""
        number = 0
        while not stopping.is_set():
            number += 1
            if self._said and self._rng.random() < 0.25:
                await self._gateway.send_event(*self._rng.choice(self._said[-20:]))
            elif (word := self._word()) is not None:
                self._said.append((*word, f"odd-{number}"))
                await self._gateway.send_event(*self._said[-1])
            await set_within(stopping, self._rng.uniform(*EVERY) * 4)

    def _word(self) -> tuple[str, Mapping[str, Any]] | None:
        makers = (self._of_an_application, self._of_a_service)
        return self._rng.choice(makers)()

    def _of_an_application(self) -> tuple[str, Mapping[str, Any]] | None:
        known = [*self._vendor.book.applications.values()]
        if not known:
            return None
        application = self._rng.choice(known)
        invoice, rng = application.invoice, self._rng
        red = {**invoice, "number": f"{invoice['number']}-R"[:128], "standing": "red"}
        stated = {
            "invoice.red": [red | {"original": {"number": rng.choice((invoice["number"], "NONE"))}}],
            "invoice.issued": [invoice],
            "invoice.mailed": [invoice],
            "invoice.voided": [{**invoice, "standing": "void"}],
        }
        kind = rng.choice([*stated])
        told = {"mark_id": application.mark_id, "invoices": stated[kind]}
        return f"orders/{application.order_no}", {"event": kind, "occurred_at": _now(), "payload": told}

    def _of_a_service(self) -> tuple[str, Mapping[str, Any]] | None:
        known = [*self._vendor.book.services.values()]
        if not known:
            return None
        service = self._rng.choice(known)
        told: dict[str, Any] = {"service_no": service.service_no}
        kind = self._rng.choice(("aftersale.progress",) * 4 + ("refund.made",))
        told |= {"amount": "1.00"} if kind == "refund.made" else {"state": self._rng.choice(STATES)}
        return f"orders/{service.order_no}", {"event": kind, "occurred_at": _now(), "payload": told}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
