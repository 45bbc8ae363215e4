"""The check that a supplier's secrets and tokens stay where they belong.

Secrets and tokens of the cases are replaced by canaries; then everything that an adapter lets out is searched for them.
"""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import replace
from typing import Any

import orjson

from gateway.sdk.adapter import Token
from gateway.sdk.testing.calls import CallCase, CaseReply, CaseRequest
from gateway.sdk.testing.conduct import damaged
from gateway.sdk.testing.faults import FAULTS
from gateway.sdk.testing.methods import Call
from gateway.sdk.testing.performing import Performance, Stage, make_adapter, perform
from gateway.sdk.testing.recorded import Answer
from gateway.sdk.testing.subject import Subject, Trial, each_in_turn

_CANARY = re.compile(r"canary-\w+")


def secrets_kept(subject: Subject) -> Iterator[Trial]:
    """Secrets and tokens show in no error, log, output or result, and in no request but those that obtain tokens."""
    groups: dict[bytes, list[CallCase]] = {}
    for case in subject.calls:
        groups.setdefault(orjson.dumps(case.options, option=orjson.OPT_SORT_KEYS), []).append(case)
    yield from each_in_turn(_kept(subject, cases) for cases in groups.values())


async def _kept(subject: Subject, cases: list[CallCase]) -> list[Trial]:
    """The cases of one adapter, first those that give it secrets to keep."""
    adapter = make_adapter(subject.adapter, cases[0].options)
    trials = []
    for case in sorted(cases, key=lambda each: not each.call.obtains_token):
        planted = _planted(case)
        for name, texts_of_stage in _stages(planted):
            stage = replace(texts_of_stage, adapter=adapter, call=_given(texts_of_stage.call or case.call))
            found = tuple(f"{name}{leak}" for leak in await _leaks(subject, planted, stage))
            trials.append(Trial(case.name, found))
    return trials


def _planted(case: CallCase) -> CallCase:
    """The case with canaries in place of the token in its replies."""
    if not (case.call.obtains_token and case.succeeds):
        return case
    names = {case.golden.value: "canary-token", case.golden.refresh: "canary-refresh"}
    exchanges = (each.model_copy(update={"reply": _exchanged(each.reply, names)}) for each in case.exchanges)
    return case.model_copy(update={"exchanges": tuple(exchanges)})


def _given(call: Call) -> Call:
    """The call with canaries in place of the secrets that it is given."""
    if not call.obtains_token:
        return call
    return call.where(**{name: _canary(value) for name, value in call.arguments.items()})


def _canary(value: Any) -> Any:
    """An argument with canaries in place of what is secret in it."""
    match value:
        case Token():
            return replace(value, value="canary-held", refresh=value.refresh and "canary-held_refresh")
        case dict():
            return {name: f"canary-{name}" for name in value}
        case _:
            return value


def _exchanged(reply: CaseReply, names: Mapping[str | None, str]) -> CaseReply:
    body = reply.body
    for name, canary in names.items():
        body = body.replace(name.encode(), canary.encode()) if name else body
    return reply.model_copy(update={"body": body})


def _stages(case: CallCase) -> Iterator[tuple[str, Stage]]:
    """As recorded, and with every fault; where a token is in the replies, with every damage to them as well."""
    yield "", Stage()
    for index, each in enumerate(case.exchanges):
        for fault in FAULTS:
            answers: dict[int, Answer] = {index: fault.answer}
            yield f"{each.request.operation} answered by {fault.name}: ", Stage(answers=answers)
    if case.call.obtains_token:
        yield from ((f"{name}: ", stage) for name, stage in damaged(case))


def _same_operation(expected: CaseRequest, asked: CaseRequest) -> bool:
    return expected.operation == asked.operation


async def _leaks(subject: Subject, case: CallCase, stage: Stage) -> list[str]:
    with _observed_requests() as heard:
        performance = await perform(subject.adapter, case, replace(stage, alike=_same_operation))
    texts = {
        "the log or the output": heard.getvalue(),
        "the error": _words(performance.error),
        "the result": repr(performance.result),  # in which a Token hides what it is
        **_requests(subject, performance),
    }
    return [f"{where} shows {canary}" for where, text in texts.items() for canary in sorted(set(_CANARY.findall(text)))]


def _words(error: BaseException | None) -> str:
    """All that a log with a traceback would say of an error: itself, and those that it came from."""
    words, seen = [], set()
    waiting = [error]
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        words += [str(each), repr(each), *getattr(each, "__notes__", ())]
        waiting += [each.__cause__, each.__context__, *getattr(each, "exceptions", ())]
    return "\n".join(words)


def _requests(subject: Subject, performance: Performance) -> dict[str, str]:
    operations = subject.manifest.operations
    return {
        f"the request {request.operation}": repr(request)
        for request in performance.http.asked
        if request.operation not in operations or operations[request.operation].authorised
    }


@contextmanager
def _observed_requests() -> Iterator[io.StringIO]:
    """Everything that is logged or printed meanwhile."""
    heard = io.StringIO()
    handler, root = logging.StreamHandler(heard), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        with redirect_stdout(heard), redirect_stderr(heard):
            yield heard
    finally:
        root.setLevel(level)
        root.removeHandler(handler)
