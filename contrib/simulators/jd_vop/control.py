"""The control routes, below /_control/: change the world, ask for the truth, order faults, read the counts."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import asdict
from itertools import islice
from typing import Any

import orjson
from aiohttp import web

from contrib.simulators.jd_vop.changes import Changes
from contrib.simulators.jd_vop.effects import KINDS
from contrib.simulators.jd_vop.faults import Faults, Rule
from contrib.simulators.jd_vop.limits import Limit
from contrib.simulators.jd_vop.messages import MessagePool
from contrib.simulators.jd_vop.order_control import OrderControl
from contrib.simulators.jd_vop.stats import Stats
from contrib.simulators.jd_vop.tokens import Tokens
from contrib.simulators.jd_vop.world import CITY, PROVINCE, World

PREFIX = "/_control/"
_LOCAL = frozenset({"127.0.0.1", "::1"})
_RULE_FIELDS = frozenset(
    {"kind", "operation", "parameters", "times", "probability", "after", "skus", "area", "third", "page"}
)
Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class Control:
    """Answers the control routes, to callers on this machine alone."""

    def __init__(
        self,
        *,
        world: World,
        changes: Changes,
        faults: Faults,
        limit: Limit,
        stats: Stats,
        messages: MessagePool,
        tokens: Tokens,
        orders: OrderControl,
    ) -> None:
        self._world = world
        self._changes = changes
        self._faults = faults
        self._limit = limit
        self._stats = stats
        self._messages = messages
        self._tokens = tokens
        self._order_control = orders
        self._table = self._routes()

    def _routes(self) -> Mapping[tuple[str, str], Handler]:
        return {
            ("POST", "change"): self._change,
            ("POST", "changes"): self._several,
            ("GET", "truth"): self._truth,
            ("GET", "truth/all"): self._truths,
            ("POST", "order"): self._act,
            ("POST", "invoice"): self._act_on_invoice,
            ("GET", "orders"): self._ordered,
            ("POST", "service"): self._act_on_services,
            ("GET", "services"): self._served,
            ("POST", "faults"): self._order,
            ("GET", "faults"): self._orders,
            ("DELETE", "faults"): self._clear,
            ("POST", "limit"): self._set_limit,
            ("GET", "stats"): self._read_stats,
            ("DELETE", "stats"): self._forget,
        }

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one control call: 403 from elsewhere, 404 for no such route, 400 for what makes no sense."""
        if request.remote not in _LOCAL:
            return _json({"error": "the control routes answer this machine alone"}, 403)
        handler = self._table.get((request.method, request.path.removeprefix(PREFIX)))
        if handler is None:
            return _json({"error": "no such control route", "routes": [" ".join(route) for route in self._table]}, 404)
        try:
            return await handler(request)
        except (ValueError, TypeError, KeyError) as error:
            return _json({"error": str(error)}, 400)

    async def _change(self, request: web.BaseRequest) -> web.Response:
        order = await _order(request)
        sku = None if order.get("sku") is None else int(order["sku"])
        silent = bool(order.get("silent"))
        return _json(self._changes.change(sku, order["kind"], order.get("value"), silent=silent))

    async def _several(self, request: web.BaseRequest) -> web.Response:
        order = await _order(request)
        count, done = int(order["count"]), []
        for start in range(0, count, 500):
            part = min(500, count - start)
            done += self._changes.several(part, order.get("kinds"), silent=bool(order.get("silent")))
            await asyncio.sleep(0)
        return _json(done)

    async def _truth(self, request: web.BaseRequest) -> web.Response:
        number = self._world.catalog.number(int(request.query["sku"]))
        if number is None:
            return _json({"error": "there are no such goods"}, 404)
        return _json(self._world.truth(number, *_place(request)))

    async def _truths(self, request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await response.prepare(request)
        truths = self._world.truths(*_place(request))
        with suppress(OSError):  # whoever asked may have seen enough
            while part := list(islice(truths, 200)):
                await response.write(b"".join(orjson.dumps(truth, option=orjson.OPT_APPEND_NEWLINE) for truth in part))
                await asyncio.sleep(0)
        return response

    async def _act(self, request: web.BaseRequest) -> web.Response:
        return _json(self._order_control.act(await _order(request)))

    async def _act_on_invoice(self, request: web.BaseRequest) -> web.Response:
        return _json(self._order_control.invoices.act(await _order(request)))

    async def _ordered(self, request: web.BaseRequest) -> web.Response:
        return _json(self._order_control.truths(request.query.get("third")))

    async def _act_on_services(self, request: web.BaseRequest) -> web.Response:
        return _json(self._order_control.act_on_services(await _order(request)))

    async def _served(self, request: web.BaseRequest) -> web.Response:
        return _json(self._order_control.service_truths(request.query.get("third")))

    async def _order(self, request: web.BaseRequest) -> web.Response:
        order = await _order(request)
        unknown = order.keys() - _RULE_FIELDS - {"until_cleared"}
        if unknown or order["kind"] not in KINDS:
            raise ValueError(f"unknown: {', '.join(unknown) or order['kind']}; kinds are {', '.join(sorted(KINDS))}")
        return _json({"id": self._faults.add(Rule(**{name: order[name] for name in _RULE_FIELDS & order.keys()}))})

    async def _orders(self, _: web.BaseRequest) -> web.Response:
        return _json([asdict(rule) for rule in self._faults.rules])

    async def _clear(self, request: web.BaseRequest) -> web.Response:
        id_ = request.query.get("id")
        return _json({"cleared": self._faults.clear(None if id_ is None else int(id_))})

    async def _set_limit(self, request: web.BaseRequest) -> web.Response:
        order = await _order(request)
        self._limit.rate = float(order["rate"])
        self._limit.answer = order.get("answer", self._limit.answer)
        self._limit.retry_after = order.get("retry_after", self._limit.retry_after)
        return _json({"rate": self._limit.rate, "answer": self._limit.answer})

    async def _read_stats(self, _: web.BaseRequest) -> web.Response:
        pool, tokens = self._messages, self._tokens
        messages = {"waiting": len(pool), "due": pool.due, "written": pool.written, "deleted": pool.deleted}
        summary = {"messages": messages | {"repeated": pool.repeated}, "goods": self._world.catalog.size}
        return _json(
            self._stats.summary() | summary | {"tokens": {"issued": tokens.issued, "refreshed": tokens.refreshed}}
        )

    async def _forget(self, _: web.BaseRequest) -> web.Response:
        self._stats.clear()
        return _json({})


async def _order(request: web.BaseRequest) -> dict[str, Any]:
    order = orjson.loads(await request.read() or b"{}")
    if not isinstance(order, dict):
        raise TypeError("an object is meant")
    return order


def _place(request: web.BaseRequest) -> tuple[int, int]:
    return int(request.query.get("province", PROVINCE)), int(request.query.get("city", CITY))


def _json(value: Any, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(value), status=status, content_type="application/json")
