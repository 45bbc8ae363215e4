"""Checks of what an adapter does: with its golden cases, and when what the supplier sends is damaged."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from gateway.sdk.adapter import Record
from gateway.sdk.errors import UnknownMessageError
from gateway.sdk.testing.calls import CallCase, CaseReply
from gateway.sdk.testing.cases import Case
from gateway.sdk.testing.mutants import mutants, mutants_of_exchange
from gateway.sdk.testing.normalising import NormaliseResult, other_than_golden, outcome_of, unsound
from gateway.sdk.testing.performing import Performance, Stage, differences, make_adapter, perform, result_as_json, wrong
from gateway.sdk.testing.subject import Subject, Trial, each_in_turn


def sound(subject: Subject) -> Iterator[Trial]:
    """What comes of a case is canonical, publishable and covers what was asked; or an error that may be raised."""
    for case in subject.feeds:
        yield Trial(case.name, tuple(_unsound(case, case.raw, _outcome(subject, case))))
    yield from each_in_turn(_sound(subject, case) for case in subject.calls)


async def _sound(subject: Subject, case: CallCase) -> list[Trial]:
    return [Trial(case.name, tuple(wrong(subject.adapter, await perform(subject.adapter, case))))]


def golden(subject: Subject) -> Iterator[Trial]:
    """Every case ends as it says: the same items, issues, requests, results and errors, all exchanges used."""
    for case in subject.feeds:
        outcome = _outcome(subject, case)
        bad = any(_unsound(case, case.raw, outcome))
        yield Trial(case.name, () if bad else tuple(other_than_golden(case, outcome)))
    yield from each_in_turn(_golden(subject, case) for case in subject.calls)


async def _golden(subject: Subject, case: CallCase) -> list[Trial]:
    performance = await perform(subject.adapter, case)
    bad = any(wrong(subject.adapter, performance))
    return [Trial(case.name, () if bad else tuple(differences(performance)))]


def deterministic(subject: Subject) -> Iterator[Trial]:
    """The same again comes to the same, on the same adapter, on another, and when answers come in another order."""
    for case in subject.feeds:
        adapter = make_adapter(subject.adapter, case.options)
        same = outcome_of(adapter, case.raw) == outcome_of(adapter, case.raw) == _outcome(subject, case)
        yield Trial(case.name, () if same else ("the same record had two outcomes",))
    yield from each_in_turn(_deterministic(subject, case) for case in subject.calls)


async def _deterministic(subject: Subject, case: CallCase) -> list[Trial]:
    adapter = make_adapter(subject.adapter, case.options)
    stages = (Stage(adapter), Stage(adapter), Stage(reverse=True))
    performed = [await perform(subject.adapter, case, stage) for stage in stages]
    if any(any(wrong(subject.adapter, each)) for each in performed):
        return [Trial(case.name)]
    first, again, reversed_ = map(_summary, performed)
    problems = []
    if again != first:
        problems.append("the same call had two outcomes")
    elif reversed_ != first:
        problems.append("the outcome depends on the order in which answers come")
    return [Trial(case.name, tuple(problems))]


def _summary(performance: Performance) -> Any:
    if performance.error is not None:
        return type(performance.error), str(performance.error)
    return result_as_json(performance)


def damage_borne(subject: Subject) -> Iterator[Trial]:
    """Whatever is damaged in a record or a reply, there are sound items and results, or an error that may be raised."""
    for case in subject.feeds:
        if not any(_unsound(case, case.raw, _outcome(subject, case))):
            yield from _damaged_record(subject, case)
    yield from each_in_turn(_damaged_call(subject, case) for case in subject.calls)


def _damaged_record(subject: Subject, case: Case) -> Iterator[Trial]:
    adapter = make_adapter(subject.adapter, case.options)
    for damage, raw in mutants(case.raw.raw) if case.exchange is None else mutants_of_exchange(case.exchange):
        record = replace(case.raw, raw=raw)
        problems = _unsound(case, record, outcome_of(adapter, record))
        yield Trial(case.name, tuple(f"{damage}: {problem}" for problem in problems))


async def _damaged_call(subject: Subject, case: CallCase) -> list[Trial]:
    if any(wrong(subject.adapter, await perform(subject.adapter, case))):
        return []
    trials = []
    for damage, stage in damaged(case):
        problems = wrong(subject.adapter, await perform(subject.adapter, case, stage))
        trials.append(Trial(case.name, tuple(f"{damage}: {problem}" for problem in problems)))
    return trials


def damaged(case: CallCase) -> Iterator[tuple[str, Stage]]:
    """The case with one reply, or the message that it is about, damaged in one place."""
    if about := case.call.message:
        name, message = about
        for damage, raw in mutants(message.raw):
            yield damage, Stage(call=case.call.where(**{name: replace(message, raw=raw)}))
    for index, each in enumerate(case.exchanges):
        for damage, body in mutants(each.reply.body):
            answer: CaseReply = each.reply.model_copy(update={"body": body})
            yield f"reply of {each.request.operation}: {damage}", Stage(answers={index: answer})


def unknown_messages_wait(subject: Subject) -> Iterator[Trial]:
    """A message of a type that nobody has heard of raises UnknownMessageError, so that it is left at the supplier."""
    yield from each_in_turn(_unknown_message(subject, case) for case in subject.calls)


async def _unknown_message(subject: Subject, case: CallCase) -> list[Trial]:
    if not case.call.message:
        return []
    name, message = case.call.message
    call = case.call.where(**{name: replace(message, type="unheard-of")})
    performance = await perform(subject.adapter, case, Stage(call=call))
    waits = isinstance(performance.error, UnknownMessageError) or any(wrong(subject.adapter, performance))
    problem = "a message of an unheard-of type has to raise UnknownMessageError: it must not be deleted"
    return [Trial(case.name, () if waits else (problem,))]


def _outcome(subject: Subject, case: Case) -> NormaliseResult:
    return outcome_of(make_adapter(subject.adapter, case.options), case.raw)


def _unsound(case: Case, record: Record, outcome: NormaliseResult) -> Iterator[str]:
    return unsound(record, outcome, pulled=case.exchange is not None)
