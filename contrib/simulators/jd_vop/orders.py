"""The operations about orders: submit, confirm, cancel, look up, query, track."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from contrib.simulators.jd_vop.calls import Call
from contrib.simulators.jd_vop.catalog import Item
from contrib.simulators.jd_vop.clock import Clock, local
from contrib.simulators.jd_vop.config import Config
from contrib.simulators.jd_vop.envelopes import RefusedError, ident, money, success, without_permission
from contrib.simulators.jd_vop.order import ACCESSORY, GIFT, IN_PRODUCTION, Line, Order
from contrib.simulators.jd_vop.order_book import CANCEL, CONFIRM, OrderBook
from contrib.simulators.jd_vop.order_forms import Asked, Draft, draft
from contrib.simulators.jd_vop.world import World, yuan

Envelope = dict[str, Any]
TRACKED_SECONDS = 60 * 86_400
"""The supplier tells the tracking of the last two months."""


class Orders:
    """What the supplier answers about orders. Every method raises RefusedError."""

    def __init__(self, book: OrderBook, world: World, config: Config, clock: Clock) -> None:
        self._book = book
        self._world = world
        self._config = config
        self._clock = clock

    def submit(self, call: Call) -> Envelope:
        """order/submitOrder: take an order, once for each number of the buyer's; later ones are told the first."""
        asked = draft(call, self._world.areas)
        known = self._book.of_third(asked.third)
        if known is not None and not call.key_ignored:
            return duplicate(self._submitted(known, call.number), call.number)
        lines = self._lines(asked)
        order = self._book.submit(asked.third, lines, call, reserve=asked.reserve)
        return _done(self._submitted(order, call.number), "0001", "下单成功！", call)

    def confirm(self, call: Call) -> Envelope:
        """order/confirmOrder: turn a reservation into an order."""
        order = self._find(call, "3102")
        if order.parent:
            raise RefusedError("3104", "不能单独确认子订单", ended=True)
        if order.cancelled:
            raise RefusedError("3105", "订单对应子单已取消，不能确认！", ended=True)
        if order.confirmed:
            return _refused_twice("3103", "该订单已确认下单")
        self._book.act(CONFIRM, order, call)
        return _done(True, "0003", "确认订单成功", call)

    def cancel(self, call: Call) -> Envelope:
        """order/cancel: a reservation as a whole, what is confirmed child by child, as long as it is not on its way."""
        order = self._find(call, "3202")
        if order.cancelled:
            return _refused_twice("3203", "该订单已经被取消")
        if order.children:
            raise RefusedError("3207", "不能取消父订单", ended=True)
        if order.jd_state >= IN_PRODUCTION or order.state:
            raise RefusedError("3204", "不能取消已经生产订单", ended=True)
        self._book.act(CANCEL, order, call)
        return _done(True, "0002", "取消订单成功", call)

    def by_third(self, call: Call) -> Envelope:
        """order/selectJdOrderIdByThirdOrder: the supplier's id of an order, a text."""
        order = self._book.of_third(call.text("thirdOrder"))
        if order is None:
            raise RefusedError("3401", "订单不存在", ended=True)
        return success(str(order.id), call.number)

    def select(self, call: Call) -> Envelope:
        """order/selectJdOrder: a parent with its children, or one order that is not split."""
        order = self._find(call, "3401")
        extensions = {*call.form.get("queryExts", "").split(",")}
        # An order that was never split is listed as its own child at times.
        alone = order.confirmed and not order.parent and call.number % 6 == 5
        if order.children or alone:
            result = self._tree(order, self._book.leaves(order), extensions, call.number)
        else:
            result = self._leaf(order, order.parent, extensions, call.number)
        return success(result, call.number)

    def track(self, call: Call) -> Envelope:
        """order/orderTrack: what has happened to an order on its way."""
        order = self._find(call, "3401")
        if order.children or not order.confirmed or order.created < self._clock() - TRACKED_SECONDS:
            raise RefusedError("3402", "订单配送信息不存在", ended=True)
        tracks = [{"content": words, "msgTime": local(at), "operator": who} for at, words, who in order.tracks]
        return success({"orderTrack": tracks, "jdOrderId": ident(order.id, call.number)}, call.number)

    def _find(self, call: Call, code: str) -> Order:
        order = self._book.get(call.whole("jdOrderId"))
        if order is None:
            raise RefusedError(code, "订单不存在" if code == "3401" else "jdOrderId不存在", ended=True)
        return order

    def _lines(self, asked: Draft) -> list[Line]:
        """The lines of an order, once every goods of it may be sold. Raises RefusedError."""
        found = [(one, self._world.find(one.sku)) for one in asked.asked]
        unknown = [str(one.sku) for one, item in found if item is None]
        if unknown:
            raise RefusedError("2004", without_permission(unknown))
        wanted = [(one, item) for one, item in found if item is not None]
        for code, words, skus in self._obstacles(asked, wanted):
            if skus:
                raise RefusedError(code, "，".join(words.format(sku=sku) for sku in skus), ended=True)
        return [line for one, item in wanted for line in self._with_extras(one, item)]

    def _obstacles(
        self, asked: Draft, wanted: Sequence[tuple[Asked, Item]]
    ) -> Iterator[tuple[str | None, str, list[int]]]:
        """Why goods cannot be sold: a code, words for each of them, and which. A moved price has no code of its own."""
        province, city = asked.place[:2]
        snapshot = asked.snapshot or {}
        yield "3001", "[{sku}]价格不存在", [item.sku for _, item in wanted if item.no_quote is not None]
        yield "3004", "[{sku}]商品已下架，不能下单", [item.sku for _, item in wanted if not item.on_shelf]
        yield "3009", "【{sku}】商品在该配送区域内受限", [item.sku for _, item in wanted if item.restricted == province]
        moved = [item.sku for _, item in wanted if snapshot.get(item.sku, self._agreed(item)) != self._agreed(item)]
        yield None, "[{sku}]商品价格与订单价格快照不一致，请更新商品价格后重新下单", moved
        short = [item.sku for one, item in wanted if self._world.stock(item, province, city) < one.num]
        yield "3008", "编号为{sku}的商品无货", short

    def _agreed(self, item: Item) -> int:
        """The price that price/getSellPrice quotes."""
        return item.naked if self._config.net else item.price

    def _with_extras(self, asked: Asked, item: Item) -> Iterator[Line]:
        """Goods, and what comes with some of them for nothing: accessories unless refused, gifts when wished for."""
        yield _line(item, asked.num)
        extra = self._world.item((item.number + 1) % self._world.catalog.size)
        if asked.accessories and item.style % 16 == 3:
            yield _free(extra, asked.num, ACCESSORY, item.sku)
        if asked.gifts and item.style % 16 == 5:
            yield _free(extra, asked.num, GIFT, item.sku)

    def _submitted(self, order: Order, variant: int) -> Envelope:
        return {
            "jdOrderId": ident(order.id, variant),
            "freight": money(order.freight),
            "orderPrice": money(order.amounts.gross),
            "orderNakedPrice": money(order.amounts.naked),
            "sku": self._rows(order.lines, variant),
            "orderTaxPrice": money(order.amounts.tax),
        }

    def _leaf(self, order: Order, parent: int, extensions: set[str], variant: int) -> Envelope:
        result = self._submitted(order, variant) | {
            "pOrder": ident(parent, variant) if parent else 0,
            "orderState": int(not order.cancelled),
            "state": order.state,
            "submitState": int(order.confirmed),
            "type": 2,
        }
        known: Envelope = {"orderType": 1, "jdOrderState": order.jd_state}
        return result | {name: known[name] for name in known if name in extensions}

    def _tree(self, order: Order, children: Iterable[Order], extensions: set[str], variant: int) -> Envelope:
        result = self._submitted(order, variant)
        sums = {name: result.pop(name) for name in ("orderNakedPrice", "orderTaxPrice")}
        return {
            "pOrder": result,
            "cOrder": [self._leaf(child, order.id, extensions, variant) for child in children],
            "orderState": int(not order.cancelled),
            "submitState": int(order.confirmed),
            "type": 1,
        } | sums

    def _rows(self, lines: Sequence[Line], variant: int) -> list[Envelope]:
        return [
            {
                "category": line.category,
                "num": line.num,
                "price": yuan(line.naked) if self._config.net else money(line.price),
                "tax": line.tax,
                "oid": line.oid,
                "name": line.name,
                "taxPrice": money(line.price - line.naked),
                "skuId": ident(line.sku, variant),
                "nakedPrice": money(line.naked),
                "type": line.type,
            }
            for line in lines
        ]


def duplicate(result: Any, variant: int) -> Envelope:
    """The answer to a number that was submitted before. The documents call it neither a success nor a failure."""
    return {
        "success": variant % 3 != 1,
        "resultMessage": "重复提交",
        "resultCode": "0008",
        "result": result,
        "code": 200,
    }


def _line(item: Item, num: int) -> Line:
    category = int(item.kind.category.rpartition(";")[2])
    return Line(item.sku, num, item.name, category, item.price, item.naked, item.tax)


def _free(item: Item, num: int, type_: int, main: int) -> Line:
    category = int(item.kind.category.rpartition(";")[2])
    return Line(item.sku, num, item.name, category, 0, 0, 0, type_, main)


def _done(result: Any, code: str, words: str, call: Call) -> Envelope:
    """An answer that says yes, under a code of its own."""
    envelope: Envelope = {"success": True, "resultMessage": words, "resultCode": code, "result": result}
    return envelope | ({"code": 200} if call.number % 4 else {})


def _refused_twice(code: str, words: str) -> Envelope:
    """What is refused because it has been done already."""
    return {"success": False, "resultMessage": words, "resultCode": code, "result": False, "code": 200}
