"""Checks of what an adapter says of itself: its manifest, its options, how much its cases tell."""

from __future__ import annotations

import re
import typing
from collections.abc import Iterator
from importlib.resources.abc import Traversable
from typing import Any

from pydantic import BaseModel, SecretBytes, SecretStr

from gateway.sdk.adapter import SkuPage
from gateway.sdk.capabilities import MethodSpec
from gateway.sdk.manifest import FILE, ORDER_TASKS, mismatches, placeholders
from gateway.sdk.testing.calls import CallCase, CaseRequest
from gateway.sdk.testing.performing import make_adapter
from gateway.sdk.testing.rules import LIMIT_RULES
from gateway.sdk.testing.subject import Subject, Trial

TO_DO = "to-do: "
"""Begins, in the files of a new adapter, what its author has to do there."""

_SECRETIVE = re.compile(r"password|passwd|secret|token|credential|private_?key|api_?key", re.IGNORECASE)


def manifest_true(subject: Subject) -> Iterator[Trial]:
    """What the manifest declares is what the code implements, and the documents that it names are there."""
    yield Trial(FILE, tuple(mismatches(subject.manifest, subject.adapter, subject.folder.name)))
    docs = subject.manifest.docs
    there = docs.startswith("https://") or (subject.folder / docs).is_file()
    yield Trial(FILE, () if there else (f"docs: there is no {docs} in the folder",))


def operations_shown(subject: Subject) -> Iterator[Trial]:
    """Every operation of the manifest stands in a case, with its path filled in; no other operation does."""
    for case in subject.calls:
        for each in case.exchanges:
            yield Trial(case.name, (*_misfits(subject, each.request), *_unrepeatable(subject, case, each.request)))
        yield Trial(case.name, tuple(_other_writes(subject, case)))
    used = {each.request.operation for case in subject.calls for each in case.exchanges}
    for name in subject.manifest.operations:
        yield Trial(FILE, () if name in used else (f"operations.{name}: no case makes this call",))


def _misfits(subject: Subject, request: CaseRequest) -> Iterator[str]:
    operation = subject.manifest.operations.get(request.operation)
    if operation is None:
        yield f"the manifest has no operation {request.operation}"
    elif (wanted := placeholders(operation.path)) != set(request.path):
        yield f"{request.operation}: its path needs {sorted(wanted)}, the request fills in {sorted(request.path)}"


def _unrepeatable(subject: Subject, case: CallCase, request: CaseRequest) -> Iterator[str]:
    """Only a call that may not be repeated makes a request that may not be."""
    operation = subject.manifest.operations.get(request.operation)
    if operation and not operation.reads and case.call.method.spec.repeatable:
        yield f"{request.operation} may not be repeated, and {case.call.method.name} has to be"


def _other_writes(subject: Subject, case: CallCase) -> Iterator[str]:
    """What is done to orders makes the one write call that the manifest names, once: an attempt is one call."""
    task = next((task for task, (_, method) in ORDER_TASKS.items() if method == case.call.method.name), None)
    if task is None or task not in subject.manifest.orders:
        return
    operations, call = subject.manifest.operations, subject.manifest.orders[task].call
    made_ = [each.request.operation for each in case.exchanges]
    writes = [name for name in made_ if name in operations and not operations[name].reads]
    if writes not in ([], [call]):
        yield f"{case.call.method.name} makes the calls {', '.join(writes)}; orders.{task} allows {call}, once"


def limits_respected(subject: Subject) -> Iterator[Trial]:
    """Nothing asks for or carries more skus than the manifest allows; only known pools and areas are met."""
    known = _known_skus(subject)
    for case in subject.calls:
        if rule := LIMIT_RULES.get(case.call.method.name):
            yield Trial(
                case.name, tuple(rule(subject.manifest, make_adapter(subject.adapter, case.options), case, known))
            )


def _known_skus(subject: Subject) -> set[str]:
    found: set[str] = set()
    for case in subject.calls:
        found.update(case.call.arguments.get("skus", ()))
        if isinstance(case.golden, SkuPage):
            found.update(case.golden.skus)
    return found


def cases_suffice(subject: Subject) -> Iterator[Trial]:
    """Every capability, facet and method has a case that succeeds; every capability and facet one that does not.

    A capability without methods is about messages of the gateway's own.
    """
    for spec in (each for each in subject.manifest.specs if each.methods):
        cases = [case for case in subject.cases if case.capability == spec.name]
        yield _trial(spec.name, any(case.succeeds for case in cases), "a success")
        yield _trial(spec.name, any(case.refuses for case in cases), "an error")
        for name, method in spec.shown.items():
            yield from _method_trials(subject, f"{spec.name}.{name}", method)
    for facet in subject.manifest.facets:
        feeds = [case for case in subject.feeds if case.facet == facet]
        yield _trial(facet, any(case.succeeds for case in feeds), "a record that is taken")
        yield _trial(facet, any(case.refuses for case in feeds), "a record that is refused")


def _method_trials(subject: Subject, name: str, method: MethodSpec) -> Iterator[Trial]:
    """Every end that the table of capabilities asks for, and a success for everything that the method is for."""
    cases = [case for case in subject.calls if f"{case.capability}.{case.call.method.name}" == name]
    for end in method.cases:
        ended = any(case.succeeds == (end == "success") for case in cases)
        yield _trial(name, ended, "a success" if end == "success" else "an error")
    if method.each:
        argument, member = method.each
        shown = {case.call.arguments[argument] for case in cases if case.succeeds}
        for each in getattr(subject.manifest, member):
            yield _trial(f"{name} of {each}", each in shown, "a success")


def _trial(what: str, passed: bool, wanted: str) -> Trial:
    return Trial("cases", () if passed else (f"{what}: no case of {wanted}",))


def options_strict(subject: Subject) -> Iterator[Trial]:
    """Options refuse names they do not know, and a secret among them is a SecretStr."""
    model = subject.adapter.options_model
    yield from (Trial(model.__name__, tuple(_lax(each))) for each in _models(model))


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models that an annotation leads to, itself included."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from _models(field.annotation)
    for argument in typing.get_args(annotation):
        yield from _models(argument)


def _lax(model: type[BaseModel]) -> Iterator[str]:
    if model.model_config.get("extra") != "forbid":
        yield f"{model.__name__} lets unknown names pass"
    for name, field in model.model_fields.items():
        if _SECRETIVE.search(name) and not _hidden(field.annotation):
            yield f"{model.__name__}.{name} looks like a secret and is no SecretStr; secrets have a place of their own"


def _hidden(annotation: Any) -> bool:
    inner = typing.get_args(annotation) or (annotation,)
    return all(each in (SecretStr, SecretBytes, type(None)) for each in inner)


def nothing_to_do(subject: Subject) -> Iterator[Trial]:
    """Nothing of the template that the adapter was made from waits for its author any more."""
    for path, file in files_of(subject.folder):
        lines = file.read_bytes().decode(errors="replace").splitlines()
        yield Trial(path, tuple(filter(None, map(_to_do, lines))))


def files_of(folder: Traversable, path: str = "") -> Iterator[tuple[str, Traversable]]:
    """The files of an adapter's folder, each with its path there."""
    for each in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if each.is_dir() and each.name != "__pycache__":
            yield from files_of(each, f"{path}{each.name}/")
        elif each.is_file():
            yield f"{path}{each.name}", each


def _to_do(line: str) -> str:
    return re.sub(r'\s*(-->|\.?"""|",?)$', "", line.partition(TO_DO)[2])
