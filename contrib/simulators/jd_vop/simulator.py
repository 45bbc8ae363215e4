"""One simulated supplier: a call comes in, is answered from the world, written down, and only then told."""

from __future__ import annotations

import asyncio
import time
from random import Random
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from contrib.journal import Journal
from contrib.simulators.jd_vop.calls import Call, subject_of
from contrib.simulators.jd_vop.changes import Changes
from contrib.simulators.jd_vop.clock import Clock, local
from contrib.simulators.jd_vop.config import Config
from contrib.simulators.jd_vop.control import PREFIX, Control
from contrib.simulators.jd_vop.delivery import Delivery, Manner, deliver
from contrib.simulators.jd_vop.effects import INSTEAD, RESULT, WIRE, Before, encoded
from contrib.simulators.jd_vop.envelopes import RefusedError
from contrib.simulators.jd_vop.faults import Faults, Rule
from contrib.simulators.jd_vop.invoices import Invoices
from contrib.simulators.jd_vop.limits import Limit
from contrib.simulators.jd_vop.messages import MessagePool
from contrib.simulators.jd_vop.order_book import OrderBook
from contrib.simulators.jd_vop.order_control import OrderControl
from contrib.simulators.jd_vop.order_faults import OrderFaults
from contrib.simulators.jd_vop.orders import Orders
from contrib.simulators.jd_vop.products import Products
from contrib.simulators.jd_vop.routes import Routes
from contrib.simulators.jd_vop.service_book import ServiceBook
from contrib.simulators.jd_vop.services import Services
from contrib.simulators.jd_vop.stats import Stats
from contrib.simulators.jd_vop.tokens import Tokens
from contrib.simulators.jd_vop.world import World

# Never written down.
_SECRET = frozenset({"token", "refresh_token", "client_secret", "password", "sign"})
_SECRET_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization"})
_SKUS = ("sku", "skuIds", "skuNums")


class Simulator:
    """The supplier. url: where it is served, once it is; closing: set when nobody is to wait for an answer any more."""

    def __init__(self, config: Config, journal: Journal, ledger: Journal) -> None:
        self.config = config
        self.url = ""
        self.clock = Clock(config.skew)
        self.world = World(config)
        self.messages = MessagePool(self.clock, Random(config.seed), config.repeat_share, config.repeat_seconds)
        self.tokens = Tokens(config, self.clock)
        self.changes = Changes(self.world, self.messages, Random(config.seed + 1))
        self.faults = Faults(Random(config.seed + 2))
        self.limit = Limit(config.rate, config.rate_answer, time.monotonic)
        self.stats = Stats()
        self.closing = asyncio.Event()
        self.book = OrderBook(config, self.clock, self.messages, ledger)
        self.services = ServiceBook(self.book, self.clock, self.messages, ledger)
        self._journal = journal
        self._ledger = ledger
        self._order_faults = OrderFaults(self.book, self.world, self.changes)
        self._before = Before(self.tokens, self.messages, self.world.pools)
        orders, invoices = Orders(self.book, self.world, config, self.clock), Invoices(self.book)
        products, services = Products(self.world, config), Services(self.services, self.book)
        self._routes = Routes(products, orders, invoices, services, self.world, self.messages, self.tokens)
        self._control = Control(
            world=self.world,
            changes=self.changes,
            faults=self.faults,
            limit=self.limit,
            stats=self.stats,
            messages=self.messages,
            tokens=self.tokens,
            orders=OrderControl(self.book, invoices, self.services),
        )
        self._calls = 0

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request of HTTP."""
        self.book.tick()
        if request.path.startswith(PREFIX):
            response = await self._control.handle(request)
            await self._ledger.settled()
            return response
        form = dict(parse_qsl((await request.read()).decode(errors="replace"), keep_blank_values=True))
        form |= dict(request.query)
        self._calls += 1
        call = Call(request.path.removeprefix("/api").strip("/"), form, self._calls, _headers(request))
        self.stats.begin(call.operation, self.clock())
        try:
            return await self._serve(request, call)
        finally:
            self.stats.end()

    async def _serve(self, request: web.BaseRequest, call: Call) -> web.StreamResponse:
        struck = self.faults.struck(call.operation, call.form)
        token = self.tokens.id_of(call.form.get("token"))
        delivery = self._answer(call, struck)
        self.stats.statuses[str(delivery.status)] += 1
        self.stats.faults.update(rule.kind for rule in struck)
        # Not only its own effects: an answer may tell of what another call has done.
        await self._ledger.settled()
        await self._journal.record(_entry(call, token, delivery, struck, self.clock()))
        response = await deliver(request, delivery, self.closing)
        if delivery.manner is Manner.WHOLE and (request.transport is None or request.transport.is_closing()):
            self.stats.gone += 1
        return response

    def _answer(self, call: Call, struck: list[Rule]) -> Delivery:
        if not self._routes.known(call.operation):
            return encoded(RefusedError("3025", "方法不存在").envelope)
        if not self.limit.take():
            return self._limited()
        skew = sum(float(rule.parameters.get("seconds", 3600)) for rule in struck if rule.kind == "clock_skew")
        with self.clock.off(skew):
            return self._struck(call, struck)

    def _struck(self, call: Call, struck: list[Rule]) -> Delivery:
        """The answer after every fault that strikes the call; see effects for the order."""
        for rule in struck:
            if rule.kind in self._before.effects:
                call = self._before.effects[rule.kind](call, rule.parameters)
            elif rule.kind in self._order_faults.before:
                call = self._order_faults.before[rule.kind](call, rule.parameters)
        instead = [rule for rule in struck if rule.kind in INSTEAD]
        delivery = _instead(instead[0], call) if instead else self._done(call, struck)
        for rule in struck:
            if rule.kind in WIRE:
                WIRE[rule.kind](delivery, rule.parameters)
        return delivery

    def _done(self, call: Call, struck: list[Rule]) -> Delivery:
        envelope = self._routes.answer(call)
        for rule in struck:
            if rule.kind in self._order_faults.after:
                self._order_faults.follow(rule.kind, rule.parameters, call, envelope)
        for rule in struck:
            if rule.kind in RESULT:
                envelope = RESULT[rule.kind](envelope, rule.parameters)
        return encoded(envelope)

    def _limited(self) -> Delivery:
        self.stats.limited += 1
        match self.limit.answer:
            case "429":
                return INSTEAD["rate_limited"]({"retry_after": self.limit.retry_after})
            case "3021":
                return encoded(RefusedError("3021", "调用失败次数过多，请稍后再试").envelope)
            case "3041":
                return encoded(RefusedError("3041", "超过并发限制，请稍后再试").envelope)


def _headers(request: web.BaseRequest) -> dict[str, str]:
    named = {name.lower(): value for name, value in request.headers.items()}
    return {name: value for name, value in named.items() if name not in _SECRET_HEADERS}


def _instead(rule: Rule, call: Call) -> Delivery:
    return INSTEAD[rule.kind]({**rule.parameters, "skus": rule.struck_of(subject_of(call.form))})


def _entry(call: Call, token: str | None, delivery: Delivery, struck: list[Rule], at: float) -> dict[str, Any]:
    """What is written down: status 0 for a call that gets no answer."""
    skus = next((call.form[name] for name in _SKUS if name in call.form), "")
    return {
        "seq": call.number,
        "at": at,
        "time": local(at),
        "operation": call.operation,
        "form": {name: value for name, value in call.form.items() if name not in _SECRET},
        "token": token,
        "skus": skus.count("skuId") if skus.startswith("[") else skus.count(",") + bool(skus),
        "status": delivery.answered,
        "fault": [rule.kind for rule in struck],
    }
