"""Golden cases of calls: what an adapter is asked for, what it asks the supplier, and what comes of the answers.

A file is `cases/call__<capability>_<what>.json`: the `capability`, the `call` (a method of it and its arguments), the
`exchanges` (requests as the adapter must make them, each with the supplier's reply), and the `result` or the `error`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

import orjson
from pydantic import Field, JsonValue, PrivateAttr, ValidationError, ValidationInfo, model_validator

from gateway.sdk.capabilities import Capabilities
from gateway.sdk.http import Reply, Request
from gateway.sdk.manifest import problems, table_from
from gateway.sdk.raw import Body
from gateway.sdk.testing.cases import Part
from gateway.sdk.testing.methods import Call, Method, fault_of, method_of


class CaseRequest(Part):
    """A Request; json is compared as JSON."""

    operation: str
    path: dict[str, str] = Field({})
    query: dict[str, str] = Field({})
    form: dict[str, str] = Field({})
    json_: JsonValue = Field(None, alias="json")

    def matches(self, request: Request) -> bool:
        """Whether a request is this one."""
        return self == case_request(request)


def case_request(request: Request) -> CaseRequest:
    """A request as a case would tell it. Raises pydantic.ValidationError for one that nobody could send."""
    plain = {name: dict(getattr(request, name)) for name in ("path", "query", "form")}
    body = None if request.json is None else orjson.loads(request.json)
    return CaseRequest.model_validate({"operation": request.operation, **plain, "json": body})


class CaseReply(Part):
    """A Reply."""

    status: int = Field(200, ge=100, le=599)
    headers: dict[str, str] = Field({})
    body: Body = b""

    def reply(self, operation: str) -> Reply:
        """The reply itself."""
        return Reply(operation, self.status, {name.lower(): text for name, text in self.headers.items()}, self.body)


class CaseExchange(Part):
    """One request that the adapter must make, and its reply."""

    request: CaseRequest
    reply: CaseReply


class CaseError(Part):
    """The error that must come of it; None: any."""

    class_: Literal[
        "UnavailableError",
        "RateLimitError",
        "RejectedError",
        "AreaRefusedError",
        "OrderRefusedError",
        "AfterSaleRefusedError",
        "AuthError",
        "ContractError",
        "UnknownMessageError",
        "OutcomeUnknownError",
    ] = Field(alias="class")
    supplier_code: str | None = None
    status: int | None = None
    retry_after: float | None = None
    code_class: str | None = None
    refusal: str | None = None
    skus: tuple[str, ...] | None = None


class CaseInvocation(Part):
    """What is asked of the adapter."""

    method: str
    args: dict[str, Any]


class CallCase(Part):
    """One golden case of a call. name: of its file, without the suffix."""

    name: str
    description: str
    capability: str
    options: dict[str, Any] = Field({})
    invocation: CaseInvocation = Field(alias="call")
    exchanges: tuple[CaseExchange, ...] = ()
    result: JsonValue = None
    error: CaseError | None = None
    _call: Call = PrivateAttr()
    _golden: Any = PrivateAttr(None)

    @model_validator(mode="after")
    def _whole(self, info: ValidationInfo) -> Self:
        self._call = Call(*_asked(self.capability, self.invocation, table_from(info)))
        if not self.name.startswith(f"call__{self.capability}_"):
            raise ValueError(f"the file's name begins with call__{self.capability}_")
        if ("result" in self.model_fields_set) == (self.error is not None):
            raise ValueError("give result or error")
        if self.exchanges and not self._call.method.spec.effect:
            raise ValueError(f"{self.invocation.method} is pure: it has no exchanges")
        if self.error is None:
            self._golden = self._result()
        return self

    def _result(self) -> Any:
        try:
            return self._call.method.result.read_json(self.result)
        except ValidationError as error:
            raise ValueError(f"result: {fault_of(error)}") from error

    @property
    def call(self) -> Call:
        """The call itself."""
        return self._call

    @property
    def golden(self) -> Any:
        """The result that the call must have; None where it ends in an error."""
        return self._golden

    @property
    def succeeds(self) -> bool:
        """Whether there is a result."""
        return self.error is None

    @property
    def refuses(self) -> bool:
        """Whether there is an error."""
        return self.error is not None


def _asked(capability: str, invocation: CaseInvocation, table: Capabilities) -> tuple[Method, Mapping[str, Any]]:
    """The method that a case names, and its arguments as the method takes them."""
    calling = [name for name, spec in table.items() if spec.shown]
    if capability not in calling:
        raise ValueError(f"unknown capability; calls are made by {', '.join(calling)}")
    spec = table[capability]
    if invocation.method not in spec.shown:
        raise ValueError(f"{invocation.method!r}: {capability} has the methods {', '.join(spec.shown)}")
    method = method_of(spec, invocation.method)
    try:
        return method, method.read(invocation.args)
    except ValidationError as error:
        raise ValueError("; ".join(problems(error, "args"))) from error
