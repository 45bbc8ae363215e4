"""Which path is which operation, and what of it needs a token."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from contrib.simulators.jd_vop.calls import Call, whole
from contrib.simulators.jd_vop.envelopes import RefusedError, success
from contrib.simulators.jd_vop.invoices import Invoices
from contrib.simulators.jd_vop.messages import MessagePool
from contrib.simulators.jd_vop.orders import Orders
from contrib.simulators.jd_vop.products import Envelope, Products
from contrib.simulators.jd_vop.services import Services
from contrib.simulators.jd_vop.tokens import Tokens
from contrib.simulators.jd_vop.world import World

Operation = Callable[[Call], Envelope]
AREAS = {"area/getProvince": 0, "area/getCity": 1, "area/getCounty": 2, "area/getTown": 3}
UNSIGNED = frozenset({"oauth2/accessToken", "oauth2/refreshToken"})


class Routes:
    """The table of operations, by path without its /api/."""

    def __init__(
        self,
        products: Products,
        orders: Orders,
        invoices: Invoices,
        services: Services,
        world: World,
        messages: MessagePool,
        tokens: Tokens,
    ) -> None:
        self._world = world
        self._messages = messages
        self._tokens = tokens
        self._table: Mapping[str, Operation] = {
            "oauth2/accessToken": lambda call: _granted(tokens.grant(call.form)),
            "oauth2/refreshToken": lambda call: _granted(tokens.refresh(call.form)),
            "product/getPageNum": products.page_num,
            "product/getSku": products.skus,
            "product/getSkuByPage": products.skus_by_page,
            "product/getDetail": products.detail,
            "product/skuImage": products.images,
            "product/skuState": products.states,
            "product/check": products.check,
            "product/checkAreaLimit": products.area_limits,
            "price/getSellPrice": products.prices,
            "stock/getNewStockById": products.stock,
            "order/submitOrder": orders.submit,
            "order/confirmOrder": orders.confirm,
            "order/cancel": orders.cancel,
            "order/selectJdOrderIdByThirdOrder": orders.by_third,
            "order/selectJdOrder": orders.select,
            "order/orderTrack": orders.track,
            "invoice/submit": invoices.submit,
            "invoice/select": invoices.select,
            "invoice/waybill": invoices.waybill,
            "afterSale/createAfsApply": services.apply,
            "afterSale/auditCancel": services.cancel,
            "afterSale/getServiceListPage": services.page,
            "afterSale/getServiceDetailInfo": services.detail,
            "afterSale/getOrderPayByOrderId": services.refund,
            "message/get": self._get,
            "message/del": self._delete,
            **dict.fromkeys(AREAS, self._areas),
        }

    def known(self, operation: str) -> bool:
        """Whether the supplier has such an operation."""
        return operation in self._table

    def answer(self, call: Call) -> Envelope:
        """The envelope that answers a call; a refusal is one too."""
        try:
            if call.operation not in UNSIGNED:
                self._tokens.check(call.form.get("token"))
            return self._table[call.operation](call)
        except RefusedError as refused:
            return refused.envelope

    def _get(self, call: Call) -> Envelope:
        """message/get: the oldest messages of the types asked for, at most 100."""
        asked = call.form.get("type", "")
        types = {whole(text, "type") for text in asked.split(",")} if asked else None
        return success([message.body() for message in self._messages.get(types)], call.number)

    def _delete(self, call: Call) -> Envelope:
        """message/del: one message, or several with commas between; one that is not there is deleted too."""
        for id_ in call.skus("id"):
            self._messages.delete(id_)
        return success(True, call.number)

    def _areas(self, call: Call) -> Envelope:
        """area/get...: the areas below one, as a table of names and ids."""
        level = AREAS[call.operation]
        parent = call.whole("id") if level else 0
        above = self._world.areas.get(parent)
        if level and (above is None or above.level != level):
            raise RefusedError("3405", f"根据{level}级地址id未能获取到下级地址")
        below: dict[str, Any] = {area.name: area.id for area in self._world.areas.children(parent)}
        if not below:
            raise RefusedError("3405", f"根据{level}级地址id列表，未能获取到{level + 1}级地址id列表")
        return success(below, call.number)


def _granted(result: Envelope) -> Envelope:
    """Tokens come in the plain form of the envelope always."""
    return success(result, 0)
