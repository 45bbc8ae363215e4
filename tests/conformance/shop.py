"""A made-up supplier that is pulled: its adapter, and golden cases of every capability. The kit finds no fault here."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, TypeVar

import jiter
from pydantic import BaseModel, ConfigDict, Field, JsonValue, TypeAdapter, ValidationError

from gateway import sdk
from gateway.sdk.manifest import Manifest, parse
from gateway.sdk.testing import AnyCase, CallCase, Case, Subject
from schemas.base import Line, Sku
from schemas.catalog import Facet, ListingFacts, PriceFacts, Quote, Shelf
from schemas.money import parse_decimal

MANIFEST = """
id = "shop"
name = "The shop's open interface"
docs = "README.md"
capabilities = ["normalises_feeds", "pulls_feeds", "confirms_skus", "polls_messages", "reads_areas", "obtains_tokens"]
facets = ["price", "listing"]
pulls = { price = 3, listing = 2 }
confirms = 2
pools = ["changes"]
http = { rate_per_second = 10 }
auth = { scheme = "token", secrets = ["app", "password"] }

[operations]
token = { path = "/token", authorised = false }
sold = { method = "GET", path = "/sold" }
goods = { method = "GET", path = "/goods" }
prices = { method = "GET", path = "/prices" }
shelf = { method = "GET", path = "/goods/{sku}/shelf" }
messages = { method = "GET", path = "/messages/{pool}" }
forget = { path = "/messages/{pool}/forget" }
areas = { method = "GET", path = "/areas" }
"""

FAULTS: Mapping[str, type[sdk.SupplierError]] = {
    "busy": sdk.UnavailableError,
    "login": sdk.AuthError,
    "forbidden": sdk.RejectedError,
}


class Wire(BaseModel):
    """A reply; what it holds is hidden in errors, for some hold tokens."""

    model_config = ConfigDict(strict=True, hide_input_in_errors=True)


class Goods(Wire):
    skus: tuple[Sku, ...]
    pages: int


class Price(Wire):
    sku: Sku
    price: str = Field(pattern=r"^(0|[1-9][0-9]{0,9})\.[0-9]{2}$")


class Prices(Wire):
    prices: str


class Sold(Wire):
    sold: dict[str, bool]


class ShelfState(Wire):
    shelf: Literal["on", "off"]


class Notice(Wire):
    id: int
    kind: str
    about: str


class Notices(Wire):
    messages: tuple[Notice, ...]


class Place(Wire):
    id: Line
    name: Line


class Places(Wire):
    areas: tuple[Place, ...]


class Grant(Wire):
    token: Line
    seconds: int = Field(gt=0, le=10**6)
    refresh: Line | None = None


LIST = TypeAdapter(list[Price], config=ConfigDict(strict=True))
Told = TypeVar("Told", bound=Wire)


def parsed(model: type[Told], body: bytes, operation: str = "") -> Told:
    """A reply as the interface promises it. Raises ContractError."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise sdk.ContractError(operation=operation, reply=body) from error


class Adapter(sdk.Adapter):
    """The shop's."""

    def judge(self, reply: sdk.Reply) -> None:
        body = reply.body.strip()
        if body[:1] + body[-1:] != b"{}":
            raise sdk.UnavailableError(operation=reply.operation)
        try:
            told = jiter.from_json(body)
        except ValueError:
            return
        if told.get("ok") is not True:
            code = str(told.get("code"))
            raise FAULTS.get(code, sdk.ContractError)(operation=reply.operation, supplier_code=code)

    def normalise(self, record: sdk.Record) -> Iterable[sdk.Item | sdk.Refusal]:
        exchange = sdk.decode_exchange(record.raw)
        if record.facet is Facet.LISTING:
            return [self._listing(exchange)]
        return list(self._prices(exchange))

    def _listing(self, exchange: sdk.Exchange) -> sdk.Item:
        told = parsed(ShelfState, exchange.replies["shelf"])
        return sdk.Item(ListingFacts(sku=exchange.skus[0], shelf=Shelf(told.shelf)))

    def _prices(self, exchange: sdk.Exchange) -> Iterator[sdk.Item | sdk.Refusal]:
        body = exchange.replies["prices"]
        try:
            told = {each.sku: each.price for each in LIST.validate_json(parsed(Prices, body).prices)}
        except ValidationError as error:
            raise sdk.ContractError(reply=body) from error
        for sku in exchange.skus:
            if sku not in told:
                yield sdk.Refusal(sku, (sdk.Issue("not_answered", "/prices"),))
            else:
                amount = parse_decimal(told[sku], places=2)
                yield sdk.Item(PriceFacts(sku=sku, quote=Quote.QUOTED, agreement_price=amount))

    async def list_skus(self, http: sdk.Http, cursor: JsonValue) -> sdk.SkuPage:
        page = cursor if isinstance(cursor, int) else 1
        reply = await http.call(sdk.Request("goods", query={"page": str(page)}))
        told = parsed(Goods, reply.body, "goods")
        return sdk.SkuPage(told.skus, page + 1 if page < told.pages else None)

    async def still_sold(self, http: sdk.Http, skus: Sequence[str]) -> Collection[str]:
        reply = await http.call(sdk.Request("sold", query={"skus": ",".join(skus)}))
        told = parsed(Sold, reply.body, "sold").sold
        if told.keys() != set(skus):
            raise sdk.ContractError(operation="sold", reply=reply.body)
        return {sku for sku, sold in told.items() if sold}

    def areas(self, facet: Facet) -> Sequence[str]:
        return ("",)

    async def read(self, http: sdk.Http, facet: Facet, skus: Sequence[str], area: str) -> Sequence[sdk.Exchange]:
        if facet is Facet.PRICE:
            reply = await http.call(sdk.Request("prices", query={"skus": ",".join(skus)}))
            return [sdk.Exchange(tuple(skus), {"prices": reply.body})]
        replies = await asyncio.gather(*(http.call(sdk.Request("shelf", {"sku": sku})) for sku in skus))
        return [sdk.Exchange((sku,), {"shelf": each.body}) for sku, each in zip(skus, replies, strict=True)]

    async def fetch(self, http: sdk.Http, pool: str) -> Sequence[sdk.Message]:
        reply = await http.call(sdk.Request("messages", {"pool": pool}))
        told = parsed(Notices, reply.body, "messages").messages
        return [sdk.Message(str(each.id), each.kind, each.model_dump_json().encode()) for each in told]

    def follow_ups(self, message: sdk.Message) -> Sequence[sdk.FollowUp]:
        if message.type not in ("price", "areas"):
            raise sdk.UnknownMessageError(reply=message.raw)
        told = parsed(Notice, message.raw)
        match message.type:
            case "price" if told.about:
                return [sdk.Reread(told.about, frozenset({Facet.PRICE}))]
            case "areas":
                return [sdk.RereadAreas(told.about)]
            case _:
                raise sdk.ContractError(reply=message.raw)

    async def acknowledge(self, http: sdk.Http, pool: str, messages: Sequence[sdk.Message]) -> None:
        ids = ",".join(message.id for message in messages)
        await http.call(sdk.Request("forget", {"pool": pool}, form={"ids": ids}))

    async def read_areas(self, http: sdk.Http, parent: str) -> Sequence[sdk.Area]:
        reply = await http.call(sdk.Request("areas", query={"below": parent}))
        level = parent.count("-") + 2 if parent else 1
        return [sdk.Area(each.id, each.name, parent, level) for each in parsed(Places, reply.body, "areas").areas]

    async def obtain_token(
        self, http: sdk.Http, secrets: Mapping[str, str], held: sdk.Token | None, now: datetime
    ) -> sdk.Token:
        if held is not None and held.refresh:
            try:
                return await self._granted(http, {"refresh": held.refresh}, now)
            except sdk.AuthError:
                pass  # it lives no longer; the password does
        digest = hashlib.sha256(f"{secrets['password']}{now:%Y%m%d}".encode()).hexdigest()
        return await self._granted(http, {"app": secrets["app"], "sign": digest}, now)

    async def _granted(self, http: sdk.Http, form: Mapping[str, str], now: datetime) -> sdk.Token:
        reply = await http.call(sdk.Request("token", form=form))
        told = parsed(Grant, reply.body, "token")
        return sdk.Token(told.token, now + timedelta(seconds=told.seconds), told.refresh)


AT = "2026-05-01T12:00:00+08:00"
SIGN = hashlib.sha256(b"open sesame20260501").hexdigest()
LOGIN = {"operation": "token", "form": {"app": "mall", "sign": SIGN}}
SECRETS = {"app": "mall", "password": "open sesame"}


def a_call(name: str, method: str, args: dict[str, Any], *pairs: tuple[dict[str, Any], str], **ends: Any) -> CallCase:
    """A case of a call: pairs of a request and the body of its reply, then result=... or error=..."""
    capability = next(each for each in CAPABILITIES if name.startswith(each))
    exchanges = [{"request": request, "reply": {"body": body}} for request, body in pairs]
    told = {"name": f"call__{name}", "description": name, "capability": capability, "exchanges": exchanges}
    return CallCase.model_validate({**told, "call": {"method": method, "args": args}, **ends})


CAPABILITIES = ("pulls_feeds", "confirms_skus", "polls_messages", "reads_areas", "obtains_tokens")


def a_feed(name: str, skus: list[str], reply: str, **ends: Any) -> Case:
    """A case of an exchange with one reply, then items=..., refusals=... or issues=..."""
    facet = name.partition("__")[0]
    exchange = {"skus": skus, "asked": {}, "replies": {"prices" if facet == "price" else "shelf": reply}}
    told = {"name": name, "description": name, "facet": facet, "received_at": AT, "exchange": exchange}
    return Case.model_validate({**told, **ends})


BUSY = '{"ok":false,"code":"busy"}'
TWO_PRICES = r'{"ok":true,"prices":"[{\"sku\":\"A\",\"price\":\"12.50\"},{\"sku\":\"B\",\"price\":\"7.00\"}]"}'
PRICED = {"quote": "quoted", "agreement_price": "12.50"}
MESSAGE = {"id": "7", "type": "price", "raw": {"id": 7, "kind": "price", "about": "A"}}

CASES: tuple[AnyCase, ...] = (
    a_feed(
        "price__two_of_three",
        ["A", "B", "C"],
        TWO_PRICES,
        items=[{"facts": {"sku": "A", **PRICED}}, {"facts": {"sku": "B", **PRICED, "agreement_price": "7.00"}}],
        refusals=[{"sku": "C", "issues": [{"code": "not_answered", "path": "/prices"}]}],
    ),
    a_feed("price__broken", ["A"], '{"ok":true}', issues=[{"code": "contract_error"}]),
    a_feed("listing__on", ["A"], '{"ok":true,"shelf":"on"}', items=[{"facts": {"sku": "A", "shelf": "on"}}]),
    a_feed("listing__unknown", ["A"], '{"ok":true,"shelf":"?"}', issues=[{"code": "contract_error"}]),
    a_call(
        "pulls_feeds_first_page",
        "list_skus",
        {"cursor": None},
        ({"operation": "goods", "query": {"page": "1"}}, '{"ok":true,"skus":["A","B","C"],"pages":2}'),
        result={"skus": ["A", "B", "C"], "cursor": 2},
    ),
    a_call(
        "pulls_feeds_busy",
        "list_skus",
        {"cursor": 2},
        ({"operation": "goods", "query": {"page": "2"}}, BUSY),
        error={"class": "UnavailableError", "supplier_code": "busy"},
    ),
    a_call(
        "pulls_feeds_prices",
        "read",
        {"facet": "price", "skus": ["A", "B"]},
        ({"operation": "prices", "query": {"skus": "A,B"}}, TWO_PRICES),
        result=[{"skus": ["A", "B"], "replies": {"prices": TWO_PRICES}}],
    ),
    a_call(
        "pulls_feeds_shelves",
        "read",
        {"facet": "listing", "skus": ["A", "B"]},
        ({"operation": "shelf", "path": {"sku": "B"}}, '{"ok":true,"shelf":"off"}'),
        ({"operation": "shelf", "path": {"sku": "A"}}, '{"ok":true,"shelf":"on"}'),
        result=[
            {"skus": ["A"], "replies": {"shelf": '{"ok":true,"shelf":"on"}'}},
            {"skus": ["B"], "replies": {"shelf": '{"ok":true,"shelf":"off"}'}},
        ],
    ),
    a_call(
        "confirms_skus_one_of_two",
        "still_sold",
        {"skus": ["A", "B"]},
        ({"operation": "sold", "query": {"skus": "A,B"}}, '{"ok":true,"sold":{"A":true,"B":false}}'),
        result=["A"],
    ),
    a_call(
        "confirms_skus_unanswered",
        "still_sold",
        {"skus": ["A", "B"]},
        ({"operation": "sold", "query": {"skus": "A,B"}}, '{"ok":true,"sold":{"A":true}}'),
        error={"class": "ContractError"},
    ),
    a_call(
        "polls_messages_one",
        "fetch",
        {"pool": "changes"},
        (
            {"operation": "messages", "path": {"pool": "changes"}},
            '{"ok":true,"messages":[{"id":7,"kind":"price","about":"A"}]}',
        ),
        result=[MESSAGE],
    ),
    a_call(
        "polls_messages_forbidden",
        "fetch",
        {"pool": "changes"},
        ({"operation": "messages", "path": {"pool": "changes"}}, '{"ok":false,"code":"forbidden"}'),
        error={"class": "RejectedError", "supplier_code": "forbidden"},
    ),
    a_call("polls_messages_price", "follow_ups", {"message": MESSAGE}, result=[{"sku": "A", "facets": ["price"]}]),
    a_call(
        "polls_messages_areas",
        "follow_ups",
        {"message": {"id": "8", "type": "areas", "raw": {"id": 8, "kind": "areas", "about": "1"}}},
        result=[{"parent": "1"}],
    ),
    a_call(
        "polls_messages_forgotten",
        "acknowledge",
        {"pool": "changes", "messages": [MESSAGE]},
        ({"operation": "forget", "path": {"pool": "changes"}, "form": {"ids": "7"}}, '{"ok":true}'),
        result=None,
    ),
    a_call(
        "reads_areas_below_one",
        "read_areas",
        {"parent": "1"},
        ({"operation": "areas", "query": {"below": "1"}}, '{"ok":true,"areas":[{"id":"1-2","name":"朝阳区"}]}'),
        result=[{"id": "1-2", "name": "朝阳区", "parent": "1", "level": 2}],
    ),
    a_call(
        "reads_areas_broken",
        "read_areas",
        {"parent": ""},
        ({"operation": "areas", "query": {"below": ""}}, '{"ok":true,"areas":null}'),
        error={"class": "ContractError"},
    ),
    a_call(
        "obtains_tokens_first",
        "obtain_token",
        {"secrets": SECRETS, "held": None, "now": AT},
        (LOGIN, '{"ok":true,"token":"t-123456","seconds":3600,"refresh":"r-123456"}'),
        result={"value": "t-123456", "expires_at": "2026-05-01T13:00:00+08:00", "refresh": "r-123456"},
    ),
    a_call(
        "obtains_tokens_refresh_refused",
        "obtain_token",
        {"secrets": SECRETS, "held": {"value": "t-1", "expires_at": AT, "refresh": "r-1"}, "now": AT},
        ({"operation": "token", "form": {"refresh": "r-1"}}, '{"ok":false,"code":"login"}'),
        (LOGIN, '{"ok":true,"token":"t-123456","seconds":3600}'),
        result={"value": "t-123456", "expires_at": "2026-05-01T13:00:00+08:00"},
    ),
    a_call(
        "obtains_tokens_refused",
        "obtain_token",
        {"secrets": SECRETS, "held": None, "now": AT},
        (LOGIN, '{"ok":false,"code":"login"}'),
        error={"class": "AuthError", "supplier_code": "login"},
    ),
)


def manifest(**changes: Any) -> Manifest:
    """The shop's manifest, with what a test is about changed."""
    return Manifest.model_validate({**parse(MANIFEST, "shop").model_dump(), **changes})


def subject(folder: Path, adapter: type[sdk.Adapter] = Adapter, *cases: AnyCase, **changes: Any) -> Subject:
    """The shop as the kit sees it, in its own folder. cases: in place of those of the same name, or beside them."""
    (folder / "shop").mkdir(exist_ok=True)
    (folder / "shop" / "README.md").write_text("# The shop\n", encoding="utf-8")
    all_cases = {case.name: case for case in (*CASES, *cases)}
    return Subject(manifest(**changes), adapter, folder / "shop", tuple(all_cases.values()))
