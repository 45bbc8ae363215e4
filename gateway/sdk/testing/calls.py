"""Golden cases of calls: what an adapter is asked for, what it asks the supplier, and what comes of the answers.

A file is `cases/call__<capability>_<what>.json`: the `capability`, the `call` (a method of it and its arguments), the
`exchanges` (requests as the adapter must make them, each with the supplier's reply), and the `result` or the `error`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self, TypeAlias

import orjson
from pydantic import (
    AwareDatetime,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from gateway.sdk.adapter import Message, Token
from gateway.sdk.http import Reply, Request
from gateway.sdk.testing.cases import Body, Part, ToldExchange
from schemas.catalog import Facet


class _Told(Part):
    """A value of the sdk as a case tells it."""

    model_config = ConfigDict(from_attributes=True)


class ToldPage(_Told):
    """A SkuPage."""

    skus: tuple[str, ...]
    cursor: JsonValue = None


def _json(raw: Any) -> Any:
    return orjson.loads(raw) if isinstance(raw, bytes) else raw


class ToldMessage(_Told):
    """A Message. raw: the JSON that it is, in itself or as a text, which may be broken; None in a result: any."""

    id: str
    type: str
    raw: Annotated[JsonValue, BeforeValidator(_json)] = None

    @property
    def message(self) -> Message:
        """The message itself."""
        raw = self.raw.encode(errors="surrogateescape") if isinstance(self.raw, str) else orjson.dumps(self.raw)
        return Message(self.id, self.type, raw)


class ToldReread(_Told):
    """A Reread."""

    sku: str
    facets: frozenset[Facet] = Field(min_length=1)


class ToldRereadAreas(_Told):
    """A RereadAreas."""

    parent: str


class ToldArea(_Told):
    """An Area."""

    id: str = Field(min_length=1)
    name: str = Field(min_length=1)
    parent: str
    level: int = Field(ge=1)


class ToldToken(_Told):
    """A Token."""

    value: str = Field(min_length=1)
    expires_at: AwareDatetime
    refresh: str | None = None
    refresh_expires_at: AwareDatetime | None = None

    @property
    def token(self) -> Token:
        """The token itself."""
        return Token(self.value, self.expires_at, self.refresh, self.refresh_expires_at)


class ListSkus(Part):
    """Arguments of `list_skus`."""

    method: Literal["list_skus"]
    cursor: JsonValue = None


class Read(Part):
    """Arguments of `read`."""

    method: Literal["read"]
    facet: Facet
    skus: tuple[str, ...] = Field(min_length=1)
    area: str = ""


class StillSold(Part):
    """Arguments of `still_sold`."""

    method: Literal["still_sold"]
    skus: tuple[str, ...] = Field(min_length=1)


class Fetch(Part):
    """Arguments of `fetch`."""

    method: Literal["fetch"]
    pool: str


class FollowUps(Part):
    """Arguments of `follow_ups`."""

    method: Literal["follow_ups"]
    message: ToldMessage


class Acknowledge(Part):
    """Arguments of `acknowledge`."""

    method: Literal["acknowledge"]
    pool: str
    messages: tuple[ToldMessage, ...]


class ReadAreas(Part):
    """Arguments of `read_areas`."""

    method: Literal["read_areas"]
    parent: str = ""


class ObtainToken(Part):
    """Arguments of `obtain_token`."""

    method: Literal["obtain_token"]
    secrets: dict[str, str]
    held: ToldToken | None = None
    now: AwareDatetime


Call: TypeAlias = ListSkus | Read | StillSold | Fetch | FollowUps | Acknowledge | ReadAreas | ObtainToken
"""What an adapter is asked for."""

METHODS: Mapping[str, tuple[str, ...]] = {
    "pulls_feeds": ("list_skus", "read"),
    "confirms_skus": ("still_sold",),
    "polls_messages": ("fetch", "follow_ups", "acknowledge"),
    "reads_areas": ("read_areas",),
    "obtains_tokens": ("obtain_token",),
}
"""The methods of each capability that makes calls."""

RESULTS: Mapping[str, TypeAdapter[Any]] = {
    "list_skus": TypeAdapter(ToldPage),
    "read": TypeAdapter(tuple[ToldExchange, ...]),
    "still_sold": TypeAdapter(frozenset[str]),
    "fetch": TypeAdapter(tuple[ToldMessage, ...]),
    "follow_ups": TypeAdapter(tuple[ToldReread | ToldRereadAreas, ...]),
    "acknowledge": TypeAdapter(None),
    "read_areas": TypeAdapter(tuple[ToldArea, ...]),
    "obtain_token": TypeAdapter(ToldToken),
}
"""What each method returns, as a case tells it."""


def _flat(told: Any) -> Any:
    match told:
        case {"method": method, "args": dict(arguments), **others} if not others and "method" not in arguments:
            return {"method": method, **arguments}
        case _:
            raise ValueError('give {"method": ..., "args": {...}}')


class ToldRequest(Part):
    """A Request; json is compared as JSON."""

    operation: str
    path: dict[str, str] = Field({})
    query: dict[str, str] = Field({})
    form: dict[str, str] = Field({})
    json_: JsonValue = Field(None, alias="json")

    def matches(self, request: Request) -> bool:
        """Whether a request is this one."""
        return self == told_request(request)


def told_request(request: Request) -> ToldRequest:
    """A request as a case would tell it. Raises pydantic.ValidationError for one that nobody could send."""
    plain = {name: dict(getattr(request, name)) for name in ("path", "query", "form")}
    body = None if request.json is None else orjson.loads(request.json)
    return ToldRequest.model_validate({"operation": request.operation, **plain, "json": body})


class ToldReply(Part):
    """A Reply."""

    status: int = Field(200, ge=100, le=599)
    headers: dict[str, str] = Field({})
    body: Body = b""

    def reply(self, operation: str) -> Reply:
        """The reply itself."""
        return Reply(operation, self.status, {name.lower(): text for name, text in self.headers.items()}, self.body)


class ToldCall(Part):
    """One request that the adapter must make, and its reply."""

    request: ToldRequest
    reply: ToldReply


class ToldError(Part):
    """The error that must come of it; None: any."""

    class_: Literal[
        "UnavailableError",
        "RateLimitError",
        "RejectedError",
        "AreaRefusedError",
        "AuthError",
        "ContractError",
        "UnknownMessageError",
        "OutcomeUnknownError",
    ] = Field(alias="class")
    supplier_code: str | None = None
    status: int | None = None
    retry_after: float | None = None


class CallCase(Part):
    """One golden case of a call. name: of its file, without the suffix."""

    name: str
    description: str
    capability: str
    options: dict[str, Any] = Field({})
    call: Annotated[Call, Field(discriminator="method"), BeforeValidator(_flat)]
    exchanges: tuple[ToldCall, ...] = ()
    result: JsonValue = None
    error: ToldError | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.capability not in METHODS:
            raise ValueError(f"unknown capability; calls are made by {', '.join(METHODS)}")
        if self.call.method not in METHODS[self.capability]:
            raise ValueError(f"{self.capability} has the methods {', '.join(METHODS[self.capability])}")
        if not self.name.startswith(f"call__{self.capability}_"):
            raise ValueError(f"the file's name begins with call__{self.capability}_")
        if ("result" in self.model_fields_set) == (self.error is not None):
            raise ValueError("give result or error")
        if isinstance(self.call, FollowUps) and self.exchanges:
            raise ValueError("follow_ups is pure: it has no exchanges")
        if self.error is None:
            self._golden()
        return self

    def _golden(self) -> Any:
        try:
            return RESULTS[self.call.method].validate_python(self.result)
        except ValidationError as error:
            fault = error.errors(include_url=False, include_input=False)[0]
            raise ValueError(f"result: {'.'.join(map(str, fault['loc']))}: {fault['msg']}") from error

    @property
    def golden(self) -> Any:
        """The result as `RESULTS` reads it."""
        return self._golden()

    @property
    def succeeds(self) -> bool:
        """Whether there is a result."""
        return self.error is None

    @property
    def refuses(self) -> bool:
        """Whether there is an error."""
        return self.error is not None
