"""The operations about goods: pools, details, pictures, shelf, sale checks, prices and stock."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from contrib.simulators.jd_vop import pages
from contrib.simulators.jd_vop.calls import Call
from contrib.simulators.jd_vop.catalog import NO_QUOTES, Item
from contrib.simulators.jd_vop.config import Config
from contrib.simulators.jd_vop.envelopes import RefusedError, ident, money, not_in_pool, success, without_permission
from contrib.simulators.jd_vop.pools import NUMBERS
from contrib.simulators.jd_vop.words import POOLS
from contrib.simulators.jd_vop.world import World

Envelope = dict[str, Any]
STOCK_WORDS = {33: "有货", 34: "无货"}
PRICE_WORDS = "价格为null或者小于0时，为暂无报价"
PLACE_WORDS = {
    "skuIds": "待检查的skuIds输入为空!",
    "province": "省份信息输入不能为空!",
    "city": "市级信息输入不能为空!",
    "county": "县级信息输入不能为空!",
}


class Products:
    """What the supplier answers about its goods. Every method raises RefusedError."""

    def __init__(self, world: World, config: Config) -> None:
        self._world = world
        self._config = config

    def page_num(self, call: Call) -> Envelope:
        """product/getPageNum: the pools of the contract."""
        return success([{"name": pool.name, "page_num": pool.number} for pool in POOLS], call.number)

    def skus(self, call: Call) -> Envelope:
        """product/getSku: a whole pool in one text, commas between."""
        pool = self._pool(call)
        numbers = self._world.pools.slice(pool, 0, self._world.pools.size(pool))
        return success(",".join(str(self._world.catalog.sku(number)) for number in numbers), call.number)

    def skus_by_page(self, call: Call) -> Envelope:
        """product/getSkuByPage: one page of a pool."""
        pool, page, length = self._pool(call), call.whole("pageNo", 1), self._config.page_size
        last = -(-self._world.pools.size(pool) // length)
        if not 1 <= page <= last:
            raise RefusedError("0010", "返回数据为空")
        numbers = self._world.pools.slice(pool, (page - 1) * length, length)
        skus = [ident(self._world.catalog.sku(number), call.number) for number in numbers]
        return success({"pageCount": last, "skuIds": skus}, call.number)

    def detail(self, call: Call) -> Envelope:
        """product/getDetail: the master data of one sku, whether or not it is in a pool of the contract."""
        sku = call.whole("sku")
        number = self._world.catalog.number(sku)
        if number is None:
            raise RefusedError("0010", f"商品[{sku}]不存在")
        item = self._world.item(number)
        extensions = call.form.get("queryExts", "")
        return success(_detail(item, call.number) | _extensions(item, extensions), call.number)

    def images(self, call: Call) -> Envelope:
        """product/skuImage: the pictures of each sku, under its id as text."""
        items, unknown = self._find(call.skus("sku"))
        result = {str(item.sku): [_image(item, picture) for picture in range(item.pictures + 1)] for item in items}
        return _batch(result, unknown, call)

    def states(self, call: Call) -> Envelope:
        """product/skuState: 1 on the shelf, 0 off it."""
        items, unknown = self._find(call.skus("sku"))
        rows = [{"state": int(item.on_shelf), "sku": ident(item.sku, call.number)} for item in items]
        return _batch(rows, unknown, call)

    def check(self, call: Call) -> Envelope:
        """product/check: whether goods can be sold, invoiced and returned."""
        items, unknown = self._find(call.skus("skuIds"))
        return _batch([_check(item, call.number) for item in items], unknown, call)

    def area_limits(self, call: Call) -> Envelope:
        """product/checkAreaLimit: whether goods may be sold in a place. The result is JSON in a text."""
        missing = [words for name, words in PLACE_WORDS.items() if not call.form.get(name)]
        if missing:
            raise RefusedError(None, " ".join(missing))
        if len(call.form["skuIds"].split(",")) > 100:
            raise RefusedError(None, "待检测商品数量超过100个！")
        items, unknown = self._find(call.skus("skuIds"))
        province = call.whole("province")
        # The documents themselves show this key with blanks around it.
        key = " isAreaRestrict " if call.number % 5 == 0 else "isAreaRestrict"
        rows = [{"skuId": item.sku, key: item.restricted == province} for item in items]
        return _batch(rows, unknown, call, in_text=True) | {"resultCode": None}

    def prices(self, call: Call) -> Envelope:
        """price/getSellPrice: agreed and public prices; -1, null, "" or no price for goods without a quote."""
        items, unknown = self._find(call.skus("sku"))
        if unknown and self._config.whole_batch:
            raise RefusedError("2004", without_permission(unknown))
        extensions = set(call.form.get("queryExts", "").split(","))
        rows = [_price(item, extensions, call.number, net=self._config.net) for item in items]
        words = "，".join(filter(None, [not_in_pool(unknown), PRICE_WORDS]))
        return success(rows or None, call.number) | {"resultMessage": words, "resultCode": "0000"}

    def stock(self, call: Call) -> Envelope:
        """stock/getNewStockById: stock for asked quantities in a place, all or nothing.

        The result is JSON in a text; the documents also show it as a list, without anything around it.
        """
        asked = call.asked()
        area = [int(part) if part.isdecimal() else -1 for part in call.text("area").split("_")]
        if not 3 <= len(area) <= 4 or -1 in area:
            raise RefusedError("1002", "area格式不正确")
        items, unknown = self._find(sku for sku, _ in asked)
        if unknown:
            raise RefusedError("0010", f"{not_in_pool(unknown)} ", ended=True)
        quantities = dict(asked)
        # Three levels asked, four told: a town of 0 is added.
        area_id = "_".join(map(str, area)) + ("_0" if len(area) == 3 and call.number % 4 != 0 else "")
        rows = [
            _stock(item, self._world.stock(item, area[0], area[1]), quantities[item.sku], area_id, call.number)
            for item in items
        ]
        return {"result": rows} if call.number % 7 == 3 else _batch(rows, [], call, in_text=True)

    def _pool(self, call: Call) -> int:
        pool = NUMBERS.get(call.text("pageNum"))
        if pool is None:
            raise RefusedError("0010", "pageNum不存在")
        return pool

    def _find(self, skus: Iterable[int]) -> tuple[list[Item], list[str]]:
        found = {sku: self._world.find(sku) for sku in skus}
        return [item for item in found.values() if item], [str(sku) for sku, item in found.items() if item is None]


def _batch(result: Any, unknown: list[str], call: Call, *, in_text: bool = False) -> Envelope:
    """An answer about several skus: those that are in no pool are named in the message, and the rest stands."""
    payload = orjson.dumps(result).decode() if in_text else result
    envelope = success(payload if result or not unknown else None, call.number)
    if unknown:
        envelope["resultMessage"] = without_permission(unknown)
    return envelope


def _detail(item: Item, variant: int) -> Envelope:
    return {
        "saleUnit": item.kind.unit,
        "weight": f"{item.weight / 1000:g}",
        "productArea": item.origin,
        "wareQD": f"{pages.stray(item)}{item.kind.noun} × 1，合格证 × 1",
        "imagePath": pages.path(item, 0),
        "param": pages.parameters(item),
        "state": int(item.on_shelf),
        "sku": ident(item.sku, variant),
        "shouhou": pages.stray(item) + pages.promise(item) if item.style % 3 else None,
        "brandName": item.brand,
        "upc": ";".join(item.upc),
        "appintroduce": "",
        "category": item.kind.category,
        "name": item.name,
        "introduction": pages.introduction(item),
    }


def _extensions(item: Item, asked: str) -> Envelope:
    if not asked:
        return {}
    known: Envelope = {
        "taxCode": f"10{int(item.kind.category.replace(';', '')) % 10**15:015d}00"[:19],
        "LowestBuy": 1 + (item.style % 7 == 0),
        "isSelf": 0 if item.number % 10 == 7 else 1,
        "isFactoryShip": int(item.style % 6 == 0),
        "isEnergySaving": int(item.style % 4 == 0),
        "spuId": item.sku - item.sku % 11,
        "seoModel": item.model,
        "capacity": "",
    }
    return {name: known[name] for name in asked.split(",") if name in known}


def _image(item: Item, picture: int) -> Envelope:
    return {
        "id": 30_000_000 + item.number * 8 + picture,
        "skuId": item.sku,
        "path": pages.path(item, picture),
        "created": "2017-03-08 17:36:39",
        "modified": "2017-06-01 09:02:50",
        "yn": 1,
        "isPrimary": int(picture == 0),
        "orderSort": picture if item.style % 3 else None,
        "position": None,
        "type": 0,
        "features": None,
    }


def _check(item: Item, variant: int) -> Envelope:
    return {
        "skuId": ident(item.sku, variant),
        "name": item.name,
        "saleState": int(item.on_shelf and item.no_quote is None),
        "isCanVAT": int(item.style % 25 != 0),
        "is7ToReturn": int(item.style % 5 != 0),
    }


def _price(item: Item, extensions: set[str], variant: int, *, net: bool) -> Envelope:
    agreed = item.naked if net else item.price
    row: Envelope = {"price": money(agreed), "skuId": ident(item.sku, variant), "jdPrice": money(item.jd_price)}
    if "marketPrice" in extensions:
        row["marketPrice"] = money(item.jd_price * 11 // 10)
    if "containsTax" in extensions:
        row |= {"tax": item.tax, "taxPrice": money(item.price - item.naked)}
    if extensions & {"nakedPrice", "containsTax"}:
        row["nakedPrice"] = money(item.naked)
    return row if item.no_quote is None else _unquoted(row, NO_QUOTES[item.no_quote])


def _unquoted(row: Envelope, reason: object) -> Envelope:
    kept = {name: value for name, value in row.items() if name not in {"price", "taxPrice", "nakedPrice"}}
    return kept if reason is ... else kept | {"price": reason}


def _stock(item: Item, there: int, asked: int, area: str, variant: int) -> Envelope:
    state = 33 if there >= max(asked, 1) else 34
    return {
        "skuId": ident(item.sku, variant),
        "areaId": area,
        "stockStateId": state,
        "stockStateDesc": STOCK_WORDS[state],
        "remainNum": remaining(there, asked) if state == 33 else 0,
    }


def remaining(there: int, asked: int) -> int:
    """The supplier's `remainNum`: true when fewer than 50 were asked for, unknown below 100, else what was asked."""
    if asked < 50:
        return there
    return -1 if asked < 100 else asked
