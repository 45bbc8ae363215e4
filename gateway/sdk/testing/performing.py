"""Calls made by an adapter against what was recorded, and what may come of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from gateway.sdk.adapter import Adapter
from gateway.sdk.errors import SupplierError
from gateway.sdk.testing.calls import CallCase, CaseRequest
from gateway.sdk.testing.methods import Call, fault_of
from gateway.sdk.testing.recorded import Answer, EndlessError, RecordedHttp
from gateway.sdk.testing.rules import RESULT_RULES

CALL_SECONDS = 10.0
"""Seconds that a call may take, with all answers at hand."""


@dataclass(frozen=True, slots=True)
class Performance:
    """What came of a call. result: what it returned; error: what it raised instead."""

    case: CallCase
    http: RecordedHttp
    result: Any = None
    error: BaseException | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a case is performed. What is left out is as recorded.

    adapter: an instance that has seen other cases; call: asked instead of the case's; the others: see RecordedHttp.
    """

    adapter: Adapter | None = None
    call: Call | None = None
    answers: dict[int, Answer] = field(default_factory=dict)
    reverse: bool = False
    alike: Callable[[CaseRequest, CaseRequest], bool] | None = None


def make_adapter(adapter: type[Adapter], options: dict[str, Any]) -> Adapter:
    """An adapter with a case's options."""
    return adapter(adapter.options_model.model_validate(options))


async def perform(adapter: type[Adapter], case: CallCase, stage: Stage | None = None) -> Performance:
    """Have an adapter make the call of a case. Raises nothing of what the adapter raises."""
    stage = stage or Stage()
    subject = stage.adapter or make_adapter(adapter, case.options)
    http = RecordedHttp(case.exchanges, subject.judge, stage.answers, reverse=stage.reverse)
    if stage.alike:
        http.alike = stage.alike
    try:
        async with asyncio.timeout(CALL_SECONDS):
            return Performance(case, http, await (stage.call or case.call).make(subject, http))
    except (Exception, EndlessError, BaseExceptionGroup) as error:  # noqa: BLE001 - any of it is an outcome to judge
        return Performance(case, http, error=error)


def wrong(adapter: type[Adapter], performance: Performance) -> Iterator[str]:
    """What may not come of any call, whatever the supplier answered."""
    match performance.error:
        case None:
            yield from _unsound_result(adapter, performance)
        case SupplierError():
            pass
        case EndlessError():
            yield "asks on and on"
        case TimeoutError():
            yield f"had no end within {CALL_SECONDS:.0f} s"
        case error:
            yield f"raised {type(error).__name__}: {error}, which is no SupplierError"


def _unsound_result(adapter: type[Adapter], performance: Performance) -> Iterator[str]:
    call, result = performance.case.call, performance.result
    if (foreign := call.method.result.foreign(result)) is not None:
        yield f"returned {foreign.__name__}, which {call.method.name} must not"
        return
    try:
        call.method.result.read(result)
    except ValidationError as error:
        yield f"returned what may not be: {fault_of(error)}"
        return
    if rule := RESULT_RULES.get(call.method.name):
        yield from rule(make_adapter(adapter, performance.case.options), call.arguments, result)


def differences(performance: Performance) -> Iterator[str]:
    """Where a call went otherwise than its case says."""
    http, case = performance.http, performance.case
    yield from (f"made a request that the case does not have: {shown(each)}" for each in http.strayed)
    yield from (f"did not make the request {shown(each)}" for each in http.unused)
    if case.error is not None:
        yield from _other_error(performance)
    elif performance.error is not None:
        yield f"raised {type(performance.error).__name__}: {performance.error}; expected a result"
    elif result_as_json(performance) != (result := case.call.method.result).plain(case.golden):
        yield f"expected {result.written(case.golden)}, got {result.written(result.read(performance.result))}"


def _other_error(performance: Performance) -> Iterator[str]:
    golden, error = performance.case.error, performance.error
    if golden is None:
        return
    if type(error).__name__ != golden.class_:
        yield f"expected {golden.class_}, got {type(error).__name__ if error else 'a result'}: {error or ''}"
        return
    for name in ("supplier_code", "status", "retry_after", "code_class", "refusal", "skus"):
        wanted, found = getattr(golden, name), getattr(error, name, None)
        if wanted is not None and found != wanted:
            yield f"{name}: expected {wanted!r}, got {found!r}"


def result_as_json(performance: Performance) -> Any:
    """A sound result as plain values, without what its case leaves open."""
    case, result = performance.case, performance.case.call.method.result
    value = result.plain(result.read(performance.result))
    return _closed(value, result.plain(case.golden), case.call.method.spec.open) if case.succeeds else value


def _closed(value: Any, golden: Any, open_: Collection[str]) -> Any:
    """What is told, with the members that may be open and are in the golden result as they are there."""
    match value, golden:
        case dict(), dict():
            return value | {name: None for name in open_ if golden[name] is None}
        case tuple(), tuple():
            both = zip(value, golden, strict=False)
            return (*(_closed(each, other, open_) for each, other in both), *value[len(golden) :])
        case _:
            return value


def shown(request: CaseRequest) -> str:
    """A request as its case would have it, on one line."""
    return request.model_dump_json(by_alias=True, exclude_defaults=True)
