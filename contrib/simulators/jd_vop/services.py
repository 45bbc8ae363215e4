"""The operations about after-sale services: apply, cancel, list, detail, and what was refunded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from contrib.simulators.jd_vop.calls import Call, whole
from contrib.simulators.jd_vop.clock import local
from contrib.simulators.jd_vop.envelopes import RefusedError, ident
from contrib.simulators.jd_vop.order import Order
from contrib.simulators.jd_vop.order_book import OrderBook
from contrib.simulators.jd_vop.service_book import WITHDRAW, Service, ServiceBook
from contrib.simulators.jd_vop.world import yuan

Envelope = dict[str, Any]
EXPECTED = frozenset({10, 20, 30})
PICKED_UP = frozenset({4, 7, 40})
CANCELLABLE = frozenset({10, 21, 22})


class Services:
    """What the supplier answers about services. Every method raises RefusedError."""

    def __init__(self, book: ServiceBook, orders: OrderBook) -> None:
        self._book = book
        self._orders = orders

    def apply(self, call: Call) -> Envelope:
        """afterSale/createAfsApply: take a service for one article of a child that was delivered."""
        asked = _param(call)
        order = self._order(asked)
        if not order.confirmed:
            raise RefusedError("6003", "该订单未确认提交")
        if order.children:
            raise RefusedError("6004", "该订单不是子订单")
        if order.cancelled:
            raise RefusedError("6006", "该订单不是正常订单")
        if order.state != 1:
            raise RefusedError("6005", "该订单未妥投")
        result = self._asked(asked)
        if all(line.sku != result["skuId"] for line in order.lines):
            raise RefusedError("6007", "订单没有该商品编号")
        if result["skuNum"] > self._book.available(order, result["skuId"]):
            raise RefusedError("6010", "数量超过订单商品数量")
        self._book.apply(order, result, call)
        return _yes(None, call)

    def cancel(self, call: Call) -> Envelope:
        """afterSale/auditCancel: take services back until their goods are there."""
        asked = _param(call)
        ids = asked.get("serviceIdList")
        if not isinstance(ids, list) or not ids or not asked.get("approveNotes"):
            raise RefusedError("1001", "服务单号为空")
        services = [self._service(each) for each in ids]
        if any(each.step not in CANCELLABLE for each in services if each.step != 60):
            return _yes(False, call) | {"resultMessage": "服务单不可取消"}
        for each in services:
            if each.step != 60:
                self._book.act(WITHDRAW, each, call)
        return _yes(True, call)

    def page(self, call: Call) -> Envelope:
        """afterSale/getServiceListPage: the services of an order."""
        asked = _param(call)
        order, size = self._order(asked), whole(asked.get("pageSize", ""), "pageSize")
        index = whole(asked.get("pageIndex", ""), "pageIndex")
        found = self._book.of_order(order.id)
        if not found:
            return _yes(None, call)
        rows = [self._row(each, call.number) for each in found[size * (index - 1) : size * index]]
        pages = -(-len(found) // size)
        result = {"totalNum": len(found), "pageSize": size, "pageNum": pages, "pageIndex": index}
        return _yes({"serviceInfoList": rows, **result}, call)

    def detail(self, call: Call) -> Envelope:
        """afterSale/getServiceDetailInfo: a service, with the parts that are asked for."""
        asked = _param(call)
        service = self._service(asked.get("afsServiceId", ""))
        parts = asked.get("appendInfoSteps") or []
        result = self._row(service, call.number) | {
            "questionDesc": service.words,
            "approveNotes": "请将商品寄回" if service.approved else None,
            "approvedResult": service.approved,
            "processResult": service.processed,
            "serviceAftersalesAddressInfoDTO": _ADDRESS if service.approved and 1 in parts else None,
            "serviceExpressInfoDTO": {"expressCompany": "顺丰快递"} if service.sent and 2 in parts else None,
            "serviceDetailInfoDTOs": [{"wareId": service.sku, "afsDetailType": 10}],
        }
        return _yes(result, call)

    def refund(self, call: Call) -> Envelope:
        """afterSale/getOrderPayByOrderId: what was refunded for a service."""
        service = self._service(call.text("refId"))
        if service.refunded is None:
            raise RefusedError("0", "无退款信息")
        amount = yuan(service.price * service.num)
        result = {"requestId": str(service.id), "orderId": str(service.order), "refundAmount": amount}
        return _yes(result | {"confirmDate": local(service.refunded), "financeNo": f"F{service.id}"}, call)

    def _order(self, asked: Mapping[str, Any]) -> Order:
        order = self._orders.get(whole(asked.get("jdOrderId", ""), "jdOrderId"))
        if order is None:
            raise RefusedError("6002", "该订单不存在")
        return order

    def _service(self, id_: Any) -> Service:
        service = self._book.get(whole(id_, "afsServiceId"))
        if service is None:
            raise RefusedError("1001", "无效服务单号")
        return service

    def _asked(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        goods, picked_up, customer = (_part(asked, name) for name in ("asDetailDto", "asPickwareDto", "asCustomerDto"))
        result = {
            "customerExpect": asked.get("customerExpect"),
            "questionDesc": asked.get("questionDesc", ""),
            "skuId": whole(goods.get("skuId", ""), "skuId"),
            "skuNum": whole(goods.get("skuNum", ""), "skuNum"),
        }
        back = isinstance(asked.get("asReturnwareDto"), dict) or result["customerExpect"] == 10
        known = result["customerExpect"] in EXPECTED and picked_up.get("pickwareType") in PICKED_UP
        if not known or not back or not result["skuNum"] or not customer.get("customerContactName"):
            raise RefusedError("6001", "参数不正确")
        return result

    def _row(self, service: Service, variant: int) -> Envelope:
        return {
            "afsServiceId": ident(service.id, variant),
            "customerExpect": service.expect,
            "afsApplyTime": local(service.created),
            "orderId": ident(service.order, variant),
            "wareId": service.sku,
            "afsServiceStep": service.step,
            "cancel": int(service.step in CANCELLABLE),
        }


_ADDRESS = {"address": "北京市亦庄经济开发区某路8号", "tel": "010-60000000", "linkMan": "售后组", "postCode": "100176"}


def _param(call: Call) -> Mapping[str, Any]:
    try:
        asked = json.loads(call.text("param"))
    except ValueError as error:
        raise RefusedError("6001", "参数不正确") from error
    if not isinstance(asked, dict):
        raise RefusedError("6001", "参数不正确")
    return asked


def _part(asked: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    part = asked.get(name)
    if not isinstance(part, dict):
        raise RefusedError("6001", "参数不正确")
    return part


def _yes(result: Any, call: Call) -> Envelope:
    """Answers about services say yes under "0" and "1" alike."""
    return {"success": True, "resultMessage": None, "resultCode": str(call.number % 2), "result": result}
