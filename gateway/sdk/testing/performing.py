"""Calls made by an adapter against what was recorded, and what may come of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson
from pydantic import ValidationError

from gateway.sdk.adapter import Adapter, Area, Message, Record, Reread, RereadAreas, SkuPage, Token
from gateway.sdk.errors import SupplierError
from gateway.sdk.exchange import Exchange, decode_exchange
from gateway.sdk.testing.calls import (
    RESULTS,
    Acknowledge,
    Call,
    CallCase,
    Fetch,
    FollowUps,
    ListSkus,
    ObtainToken,
    Read,
    ReadAreas,
    StillSold,
    ToldMessage,
    ToldRequest,
)
from gateway.sdk.testing.normalising import outcome_of, unsound
from gateway.sdk.testing.recorded import Answer, EndlessError, RecordedHttp

PATIENCE = 10.0
"""Seconds that a call may take, with all answers at hand."""

RECEIVED = datetime(2100, 1, 1, tzinfo=UTC)
"""When what a case reads is taken to have come: later than any time in it."""


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
    alike: Callable[[ToldRequest, ToldRequest], bool] | None = None


def made(adapter: type[Adapter], options: dict[str, Any]) -> Adapter:
    """An adapter with a case's options."""
    return adapter(adapter.options_model.model_validate(options))


async def perform(adapter: type[Adapter], case: CallCase, stage: Stage | None = None) -> Performance:
    """Have an adapter make the call of a case. Raises nothing of what the adapter raises."""
    stage = stage or Stage()
    subject = stage.adapter or made(adapter, case.options)
    http = RecordedHttp(case.exchanges, subject.judge, stage.answers, reverse=stage.reverse)
    if stage.alike:
        http.alike = stage.alike
    try:
        async with asyncio.timeout(PATIENCE):
            return Performance(case, http, await _made(subject, http, stage.call or case.call))
    except (Exception, EndlessError, BaseExceptionGroup) as error:  # noqa: BLE001 - any of it is an outcome to judge
        return Performance(case, http, error=error)


async def _made(  # noqa: PLR0911 - one line for each method
    adapter: Any, http: RecordedHttp, call: Call
) -> Any:
    match call:
        case ListSkus():
            return await adapter.list_skus(http, call.cursor)
        case Read():
            return await adapter.read(http, call.facet, call.skus, call.area)
        case StillSold():
            return await adapter.still_sold(http, call.skus)
        case Fetch():
            return await adapter.fetch(http, call.pool)
        case FollowUps():
            return adapter.follow_ups(call.message.message)
        case Acknowledge():
            return await adapter.acknowledge(http, call.pool, [each.message for each in call.messages])
        case ReadAreas():
            return await adapter.read_areas(http, call.parent)
        case ObtainToken():
            held = call.held and call.held.token
            return await adapter.obtain_token(http, call.secrets, held, call.now)


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
            yield f"had no end within {PATIENCE:.0f} s"
        case error:
            yield f"raised {type(error).__name__}: {error}, which is no SupplierError"


_CLASSES: dict[str, tuple[type, ...]] = {
    "list_skus": (SkuPage,),
    "read": (Exchange,),
    "still_sold": (str,),
    "fetch": (Message,),
    "follow_ups": (Reread, RereadAreas),
    "read_areas": (Area,),
    "obtain_token": (Token,),
}


def _unsound_result(adapter: type[Adapter], performance: Performance) -> Iterator[str]:
    call, result = performance.case.call, performance.result
    single = call.method in ("list_skus", "obtain_token", "acknowledge")
    for each in [result] if single else result:
        if not isinstance(each, _CLASSES.get(call.method, type(None))):
            yield f"returned {type(each).__name__}, which {call.method} must not"
            return
    try:
        RESULTS[call.method].validate_python(tuple(result) if not single else result, from_attributes=True)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        yield f"returned what may not be: {'.'.join(map(str, fault['loc']))}: {fault['msg']}"
        return
    match call:
        case ListSkus():
            yield from _unsound_page(result)
        case Read():
            yield from _unsound_reading(made(adapter, performance.case.options), call, result)
        case StillSold() if surplus := sorted(set(result) - set(call.skus)):
            yield f"{', '.join(surplus)} is said to be sold, which nobody asked about"
        case _:
            pass


def _unsound_page(page: SkuPage) -> Iterator[str]:
    if not all(sku and sku == sku.strip() for sku in page.skus):
        yield "a sku is empty or has blanks at its ends"
    if orjson.loads(orjson.dumps(page.cursor)) != page.cursor:
        yield "the cursor changes on its way through JSON"


def _unsound_reading(adapter: Any, call: Read, exchanges: list[Exchange]) -> Iterator[str]:
    """Exchanges cover what was asked, survive as bytes, and are the adapter's own `normalise` to bear."""
    covered = {sku for exchange in exchanges for sku in exchange.skus}
    if missing := sorted(set(call.skus) - covered):
        yield f"no exchange is about {', '.join(missing)}"
    if surplus := sorted(covered - set(call.skus)):
        yield f"an exchange is about {', '.join(surplus)}, which nobody asked for"
    for exchange in exchanges:
        if not _survives(exchange):
            yield "an exchange changes on its way through bytes"
            continue
        record = Record(call.facet, exchange.encode(), RECEIVED)
        outcome = outcome_of(adapter, record)
        yield from (f"normalise: {problem}" for problem in unsound(record, outcome, pulled=True))


def _survives(exchange: Exchange) -> bool:
    try:
        return decode_exchange(exchange.encode()) == exchange
    except TypeError:  # a reply is no bytes
        return False


def differences(performance: Performance) -> Iterator[str]:
    """Where a call went otherwise than its case says."""
    http, case = performance.http, performance.case
    yield from (f"made a request that the case does not have: {shown(each)}" for each in http.strayed)
    yield from (f"did not make the request {shown(each)}" for each in http.unused)
    if case.error is not None:
        yield from _other_error(performance)
    elif performance.error is not None:
        yield f"raised {type(performance.error).__name__}: {performance.error}; expected a result"
    elif (told := told_result(performance)) != (golden := _comparable(case, case.golden)):
        yield f"expected {golden}, got {told}"


def _other_error(performance: Performance) -> Iterator[str]:
    golden, error = performance.case.error, performance.error
    if golden is None:
        return
    if type(error).__name__ != golden.class_:
        yield f"expected {golden.class_}, got {type(error).__name__ if error else 'a result'}: {error or ''}"
        return
    for name in ("supplier_code", "status", "retry_after"):
        wanted, found = getattr(golden, name), getattr(error, name, None)
        if wanted is not None and found != wanted:
            yield f"{name}: expected {wanted!r}, got {found!r}"


def told_result(performance: Performance) -> Any:
    """A sound result as its case would tell it."""
    result, case = performance.result, performance.case
    return _comparable(case, RESULTS[case.call.method].validate_python(_tupled(result), from_attributes=True))


def _tupled(result: Any) -> Any:
    return tuple(result) if isinstance(result, list) else result


def _comparable(case: CallCase, told: Any) -> Any:
    """Messages without what the case leaves open; everything else as it is."""
    if not isinstance(case.call, Fetch) or case.error is not None:
        return told
    open_ = [each.raw is None for each in case.golden]
    return tuple(_closed(each, index < len(open_) and open_[index]) for index, each in enumerate(told))


def _closed(message: ToldMessage, leave_open: bool) -> ToldMessage:
    if leave_open:
        return message.model_copy(update={"raw": None})
    raw = orjson.loads(message.raw) if isinstance(message.raw, str) else message.raw
    return message.model_copy(update={"raw": raw})


def shown(request: ToldRequest) -> str:
    """A request as its case would have it, on one line."""
    return request.model_dump_json(by_alias=True, exclude_defaults=True)
