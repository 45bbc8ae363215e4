"""Reading the catalog: pools page by page, and each facet in the largest batches that VOP takes."""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from adapters.jd_vop import replies
from adapters.jd_vop.options import Options
from gateway import sdk
from schemas.catalog import Facet

NUM = 1
"""Pieces of each sku that stock is asked for: from 50 on the answer is no count any more."""

DETAIL_EXTRAS = "shouhou,taxCode,LowestBuy"
PRICE_EXTRAS = "marketPrice,containsTax"  # with nakedPrice among them, `price` would be the net price as well

T = TypeVar("T")
Ask = Callable[[Sequence[str]], Awaitable[Mapping[str, sdk.Reply]]]

_OK = 200

SKU = re.compile(r"[0-9]{1,20}")
"""How skus look here."""

_SKUS = re.compile(r"\s*+[0-9]{1,20}\s*+(?:,\s*+[0-9]{1,20}\s*+)*+")


class Place(BaseModel):
    """Where in the list of all skus the next page stands: the cursor.

    pools: those still to be read, the first at hand; page: the next of it; pages, length: as its first page had them;
    last: digest of the page before.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    pools: list[str]
    page: int = 1
    pages: int = 0
    length: int = 0
    last: str = ""


async def list_skus(http: sdk.Http, cursor: JsonValue, options: Options) -> sdk.SkuPage:
    """The next page of the pools. Raises ContractError for a page that is not whole."""
    if cursor is None:
        place = Place(pools=await _pools(http))
    else:
        try:
            place = Place.model_validate(cursor)
        except ValidationError as error:
            raise sdk.ContractError("The cursor is none of this adapter's.") from error
    if not place.pools:
        return sdk.SkuPage(())
    skus, after = await (_page(http, place, options) if options.paged else _whole(http, place))
    return sdk.SkuPage(tuple(dict.fromkeys(skus)), after.model_dump() if after.pools else None)


async def _pools(http: sdk.Http) -> list[str]:
    reply = await http.call(sdk.Request("get_page_num"))
    answer = replies.read(reply)
    if answer.empty:
        return []
    listed = answer.result if isinstance(answer.result, list) else [None]
    pools = [replies.plain_text(each.get("page_num")) if isinstance(each, dict) else None for each in listed]
    if None in pools:
        raise replies.unpromised(reply, "a pool without a number")
    return list(dict.fromkeys(pool for pool in pools if pool))


async def _whole(http: sdk.Http, place: Place) -> tuple[list[str], Place]:
    reply = await http.call(sdk.Request("get_sku", form={"pageNum": place.pools[0]}))
    return _skus(reply, replies.read(reply).result), Place(pools=place.pools[1:])


async def _page(http: sdk.Http, place: Place, options: Options) -> tuple[list[str], Place]:
    form = {"pageNum": place.pools[0], "pageNo": str(place.page)}
    reply = await http.call(sdk.Request("get_sku_by_page", form=form))
    answer = replies.read(reply)
    if answer.nothing or (place.page == 1 and answer.empty):  # none such: the pool has become shorter meanwhile
        return [], Place(pools=place.pools[1:])
    if not isinstance(answer.result, dict):
        raise replies.unpromised(reply, "no page")
    skus = _skus(reply, answer.result.get("skuIds"))
    pages = _pages(reply, answer.result.get("pageCount"), empty=not skus)
    if fault := _cut(place, pages, skus, even=options.even_pages):
        raise replies.unpromised(reply, f"page {place.page} of pool {place.pools[0]}: {fault}")
    if place.page >= pages:
        return skus, Place(pools=place.pools[1:])
    length = place.length or len(skus)
    return skus, Place(pools=place.pools, page=place.page + 1, pages=pages, length=length, last=_digest(skus))


def _cut(place: Place, pages: int, skus: Sequence[str], *, even: bool) -> str:
    """Why a page cannot be whole; "" where nothing speaks against it."""
    if pages < place.pages:
        return f"{pages} pages, {place.pages} before"
    if skus and _digest(skus) == place.last:
        return "the page before again"
    length = place.length or len(skus)
    if even and (len(skus) > length or (place.page < pages and (not skus or len(skus) < length))):
        return f"{len(skus)} skus, {place.length or 'some'} expected"
    return ""


def _pages(reply: sdk.Reply, count: Any, *, empty: bool) -> int:
    text = replies.plain_text(count) or ("0" if empty else "")
    if not re.fullmatch(r"[0-9]{1,6}", text) or (text == "0" and not empty):
        raise replies.unpromised(reply, f"pageCount {sdk.shown(count)}")
    return int(text)


def _skus(reply: sdk.Reply, listed: Any) -> list[str]:
    """Skus of a list, or of a text that joins them by commas; one alone may be a number.

    Among them, what is no sku is handed on in words: `read` refuses it alone, and the run says so.
    """
    if listed is None or listed in ("", [], {}):
        return []
    joined = replies.plain_text(listed)
    given = listed if joined is None else [each for each in joined.split(",") if each.strip()]
    if not isinstance(given, list):
        raise replies.unpromised(reply, "no list of skus")
    if {int, str}.issuperset(map(type, given)):  # one look at all: there are tens of thousands
        text = ",".join(map(str, given))
        if _SKUS.fullmatch(text) and text.count(",") == len(given) - 1:
            return [sku.strip() for sku in text.split(",")]
    skus = [replies.plain_text(each) or sdk.shown(each).strip() or '""' for each in given]
    if not any(map(SKU.fullmatch, skus)):
        raise replies.unpromised(reply, "no sku that is a number")
    return skus


def _digest(skus: Sequence[str]) -> str:
    return hashlib.sha256(",".join(skus).encode()).hexdigest()[:32]


async def read(http: sdk.Http, facet: Facet, skus: Sequence[str], area: str) -> list[sdk.Exchange]:
    """Exchanges about all of these skus. Raises as `Http.call`, and ContractError for a sku that VOP cannot have."""
    if odd := [sku for sku in skus if not SKU.fullmatch(sku)]:
        raise sdk.ContractError(f"{sdk.shown(odd[0])} is no number, as skus are here.")
    match facet:
        case Facet.PRODUCT:
            return await _products(http, skus)
        case Facet.STOCK:
            if not area:
                raise sdk.ContractError("Stock is asked for by area: set options.areas.")
            return await _stock(http, area, skus)
        case Facet.PRICE:
            return await _settled(skus, lambda some: _asked(http, _price(some)), {})
        case Facet.LISTING:
            return await _settled(skus, lambda some: _asked(http, *_listing(some)), {})


def _price(skus: Sequence[str]) -> sdk.Request:
    return sdk.Request("get_sell_price", form={"sku": ",".join(skus), "queryExts": PRICE_EXTRAS})


def _listing(skus: Sequence[str]) -> tuple[sdk.Request, sdk.Request]:
    joined = ",".join(skus)
    return sdk.Request("sku_state", form={"sku": joined}), sdk.Request("check", form={"skuIds": joined})


def _availability(area: str, skus: Sequence[str]) -> tuple[sdk.Request, sdk.Request]:
    wanted = sdk.encode([{"skuId": int(sku), "num": NUM} for sku in skus]).decode()
    places = zip(("province", "city", "county", "town"), (*area.split("_"), "0"), strict=False)
    return (
        sdk.Request("get_new_stock_by_id", form={"skuNums": wanted, "area": area}),
        sdk.Request("check_area_limit", form={"skuIds": ",".join(skus), **dict(places)}),
    )


async def _stock(http: sdk.Http, area: str, skus: Sequence[str]) -> list[sdk.Exchange]:
    return await _settled(skus, lambda some: _asked(http, *_availability(area, some)), {"area": area, "num": NUM})


async def _products(http: sdk.Http, skus: Sequence[str]) -> list[sdk.Exchange]:
    """One exchange a sku: its detail, and what is said of its images."""
    images: dict[str, Any] = {}
    found: dict[str, bytes] = {}
    await together(_picture(http, skus, images), *(_detail(http, sku, found) for sku in skus))
    return [sdk.Exchange((sku,), {"detail": found[sku], "images": sdk.encode(images.get(sku))}) for sku in skus]


async def _picture(http: sdk.Http, skus: Sequence[str], images: dict[str, Any]) -> None:
    """Note the images of each sku. Where all at once are refused, each is asked for alone, and may have none."""
    try:
        reply = await http.call(sdk.Request("sku_image", form={"sku": ",".join(skus)}))
        answer = replies.read(reply)
        if not answer.empty and not isinstance(answer.result, dict):
            raise replies.unpromised(reply, "images by sku")
    except sdk.ContractError as error:
        if not _answered(error):
            raise
        rest = skus
    else:
        images.update(answer.result or {})
        named = set(answer.names(skus))
        rest = [sku for sku in skus if sku not in named] if answer.nothing else []
        if named and rest:
            await _picture(http, rest, images)
            return
    if len(skus) > 1:
        await together(*(_picture(http, (sku,), images) for sku in rest))


async def _detail(http: sdk.Http, sku: str, found: dict[str, bytes]) -> None:
    """Note the detail of one sku. One that is not understood is handed on: `normalise` refuses it, others go on."""
    try:
        reply = await http.call(sdk.Request("get_detail", form={"sku": sku, "queryExts": DETAIL_EXTRAS}))
        found[sku] = reply.body
    except sdk.ContractError as error:
        if not _answered(error):
            raise
        found[sku] = error.reply


def _answered(error: sdk.ContractError) -> bool:
    """Whether the business answered, though not as promised."""
    return error.status == _OK and bool(error.reply)


async def _asked(http: sdk.Http, *requests: sdk.Request) -> Mapping[str, sdk.Reply]:
    found = await together(*map(http.call, requests))
    return {reply.operation: reply for reply in found}


async def _settled(skus: Sequence[str], ask: Ask, asked: dict[str, JsonValue]) -> list[sdk.Exchange]:
    """Exchanges about all of these skus: one, unless an answer says no to all because of a few that it names.

    The others are asked about again. Raises RejectedError for a "no" to several that names none of them.
    """
    exchanges: list[sdk.Exchange] = []
    left = list(skus)
    while left:
        found = await ask(left)
        bodies = {name: reply.body for name, reply in found.items()}
        answers = [answer for answer in map(replies.read, found.values()) if answer.nothing]
        named = dict.fromkeys(sku for answer in answers for sku in answer.names(left))
        if not all(any(answer.bars(sku, left) for sku in left) for answer in answers):
            raise _refused(answers[0])
        settled = [sku for sku in left if sku in named] if answers and named else left
        exchanges.append(sdk.Exchange(tuple(settled), bodies, {**asked, "skus": len(left)}))
        left = [sku for sku in left if sku not in settled]
    return exchanges


def _refused(answer: replies.Answer) -> sdk.RejectedError:
    words = sdk.legible(f"{answer.code}: {answer.message}")
    return sdk.RejectedError(words, operation=answer.operation, supplier_code=answer.code)


async def together(*questions: Coroutine[Any, Any, T]) -> list[T]:
    """All the answers, asked for at once; the first error ends the other questions."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(question) for question in questions]
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from failed
    return [task.result() for task in tasks]
