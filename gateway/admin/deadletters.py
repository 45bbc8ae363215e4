"""Dead letters as operators see them, and giving them up."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import asdict
from typing import Annotated, Literal
from uuid import UUID

from aiohttp import web
from pydantic import Field, StringConstraints

from gateway.admin.http import ACTOR, JsonBody, json_response, read_body, read_query
from gateway.deadletters import DeadLetterRow, DeadLetters, Filter, LetterSummary, Selection, diff
from gateway.feeds.comparison import text_of
from gateway.intake.views import issue_views
from gateway.relay import document_store, ends, orders, received, rereads
from gateway.sdk.errors import InvalidMessageError
from gateway.sdk.wire import members
from schemas.base import valid_sku
from schemas.catalog import Facet

Reason = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
Size = Annotated[int, Field(ge=1, le=200)]
_OF_ORDERS = frozenset({received.STAGE, ends.STAGE, orders.LATE_STAGE, rereads.STAGE, document_store.STAGE})
LETTER = r"{letter:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}}"


class FilterBody(JsonBody):
    """What dead letters have in common; what is not said may be anything."""

    supplier: str | None = None
    fingerprint: str | None = None
    stage: str | None = None
    code: str | None = None
    facet: Facet | None = None
    sku: str | None = None
    feed: Annotated[int, Field(ge=1, le=2**63 - 1)] | None = None

    def filter(self, state: str | None = None) -> Filter:
        """The same as the service words it."""
        return Filter(
            supplier=self.supplier,
            fingerprint=self.fingerprint,
            stage=self.stage,
            code=self.code,
            facet=self.facet,
            sku=self.sku and (valid_sku(self.sku) or self.sku),  # letters have it in NFC
            feed_no=self.feed,
            state=state,
        )


class SelectionBody(FilterBody):
    """Open letters to act on: of these ids, or of any, that match; the oldest `limit` of them."""

    ids: Annotated[tuple[UUID, ...], Field(min_length=1, max_length=10_000)] | None = None
    limit: Annotated[int, Field(ge=1, le=2**31 - 1)] | None = None

    def selection(self) -> Selection:
        """The same as the service words it. Raises SelectionTooWideError."""
        return Selection(ids=self.ids, matching=self.filter(), limit=self.limit)


class LetterPage(FilterBody):
    """Query of the list of letters. after: `next` of the page before."""

    state: Literal["open", "replayed", "discarded"] | None = None
    after: str | None = None
    limit: Size = 50


class GroupPage(JsonBody):
    """Query of the list of groups. after: `next` of the page before."""

    supplier: str | None = None
    stage: str | None = None
    code: str | None = None
    state: Literal["open", "acknowledged", "resolved"] | None = None
    after: str | None = None
    limit: Size = 50


class DecisionBody(JsonBody):
    """Body of a decision about a group."""

    reason: Reason


class DiscardBody(JsonBody):
    """Body of a discard."""

    reason: Reason
    selection: SelectionBody


class DeadLetterRoutes:
    """`/deadletters/groups`: like letters, acknowledged and resolved; `/deadletters`: listed, shown, discarded."""

    def __init__(self, letters: DeadLetters) -> None:
        self._letters = letters

    def routes(self) -> list[web.RouteDef]:
        """The table of them."""
        return [
            web.get("/deadletters/groups", self.groups),
            web.get("/deadletters/groups/{fingerprint}", self.group),
            web.post("/deadletters/groups/{fingerprint}/acknowledge", self.acknowledge),
            web.post("/deadletters/groups/{fingerprint}/resolve", self.resolve),
            web.get("/deadletters", self.list),
            web.get(f"/deadletters/{LETTER}", self.show),
            web.post("/deadletters/discard", self.discard),
        ]

    async def groups(self, request: web.Request) -> web.Response:
        """Groups, the one with the newest letter first."""
        query = read_query(request, GroupPage)
        page = await self._letters.groups(
            supplier=query.supplier,
            stage=query.stage,
            code=query.code,
            state=query.state,
            after=query.after,
            limit=query.limit,
        )
        return json_response({"groups": page.rows, "next": page.next})

    async def group(self, request: web.Request) -> web.Response:
        """One group."""
        return json_response(await self._letters.group(request.match_info["fingerprint"]))

    async def acknowledge(self, request: web.Request) -> web.Response:
        """Say that somebody looks after it."""
        body, fingerprint = await read_body(request, DecisionBody), request.match_info["fingerprint"]
        await self._letters.acknowledge(fingerprint, actor=request[ACTOR], reason=body.reason)
        return await self.group(request)

    async def resolve(self, request: web.Request) -> web.Response:
        """Say that its cause is gone."""
        body, fingerprint = await read_body(request, DecisionBody), request.match_info["fingerprint"]
        await self._letters.resolve(fingerprint, actor=request[ACTOR], reason=body.reason)
        return await self.group(request)

    async def list(self, request: web.Request) -> web.Response:
        """Letters without their bytes, the newest first."""
        query = read_query(request, LetterPage)
        page = await self._letters.list(query.filter(query.state), after=query.after, limit=query.limit)
        return json_response({"letters": [shown(letter) for letter in page.rows], "next": page.next})

    async def show(self, request: web.Request) -> web.Response:
        """One letter with its bytes."""
        found = await self._letters.show(UUID(request.match_info["letter"]), actor=request[ACTOR])
        return json_response(whole(found))

    async def discard(self, request: web.Request) -> web.Response:
        """Give open letters up; `discarded` is how many they were."""
        body = await read_body(request, DiscardBody)
        count = await self._letters.discard(body.selection.selection(), actor=request[ACTOR], reason=body.reason)
        return json_response({"discarded": count})


def shown(letter: LetterSummary) -> dict[str, object]:
    """A letter as the API words it: its feed is a text, as vendors know it, and its issues carry their words.

    One of an order has the order's number, and the supplier that the command names where none is known.
    """
    plain = asdict(letter)
    del plain["key"], plain["named"]
    order_no, supplier = _order_of(letter)
    feed, page = (None if number is None else str(number) for number in (plain.pop("feed_no"), plain.pop("page_no")))
    issues = {name: issue_views(plain[name]) for name in ("issues", "replay_issues")}
    named = {"supplier": letter.supplier or supplier, "order_no": order_no}
    return {**plain, **named, "feed": feed, "page": page, **issues}


def _order_of(letter: LetterSummary) -> tuple[str | None, str | None]:
    """Number and supplier of the order that a letter is about; a command that cannot be read has its key at least."""
    if letter.stage not in _OF_ORDERS:
        return None, None
    try:
        named = members(letter.named or b"")
    except InvalidMessageError:
        named = {}
    order_no, supplier = (each if isinstance(each, str) else None for each in map(named.get, ("order_no", "supplier")))
    return order_no or (text_of(letter.key) if letter.stage == received.STAGE else None), supplier


def whole(letter: DeadLetterRow) -> dict[str, object]:
    """A letter with its bytes, as base64, and as text where they are UTF-8, beside the patch that was taken."""
    plain = shown(letter)
    del plain["patched"]
    headers = letter.headers and [[name, value.decode(errors="replace")] for name, value in letter.headers]
    return {
        **plain,
        "key": text_of(letter.key),
        "headers": headers,
        "original": b64encode(letter.original).decode(),
        "original_text": text_of(letter.original),
        "patched_text": text_of(letter.patched),
        "diff": None if letter.patched is None else diff(letter.original, letter.patched),
    }
