"""Which members of a message may tell who a person is, so that storage can encrypt them and logs can mask them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any, get_args

from pydantic.fields import FieldInfo

from schemas.base import Model, Personal

MASK = "***"
"""Stands where a personal value was."""


@cache
def personal_paths(model: type[Model]) -> tuple[str, ...]:
    """JSON pointers of the marked members of a model, with `*` for every index of a list, in the order of the fields.

    What is marked is personal with everything inside it: no path leads below another.
    """
    return tuple(_paths(model, ""))


def is_personal(model: type[Model], path: str) -> bool:
    """Whether a JSON pointer into a message leads to a marked member, into one, or to something that holds one."""
    steps = ["*" if step.isdecimal() else step for step in path.split("/")]
    return any(
        all(one == other for one, other in zip(steps, marked.split("/"), strict=False))
        for marked in personal_paths(model)
    )


def masked(said: Any, models: Iterable[type[Model]]) -> Any:
    """A message with everything that any of these models marks replaced, whatever else it holds."""
    for path in {path for model in models for path in personal_paths(model)}:
        said = _masked(said, path.split("/")[1:])
    return said


def _masked(said: Any, steps: Sequence[str]) -> Any:
    if not steps:
        return None if said is None else MASK
    if steps[0] == "*":
        return [_masked(each, steps[1:]) for each in said] if isinstance(said, list) else said
    if not isinstance(said, dict) or steps[0] not in said:
        return said
    return {**said, steps[0]: _masked(said[steps[0]], steps[1:])}


def _paths(model: type[Model], above: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        path = f"{above}/{name}"
        if _marked(field):
            yield path
        else:
            yield from _inside(field.annotation, path)


def _inside(annotation: Any, path: str) -> Iterator[str]:
    if isinstance(annotation, type) and issubclass(annotation, Model):
        yield from _paths(annotation, path)
    listed = getattr(annotation, "__origin__", None) is tuple
    for inner in get_args(annotation):
        yield from _inside(inner, f"{path}/*" if listed else path)


def _marked(field: FieldInfo) -> bool:
    """Whether the field, or a part of its union, carries the mark."""
    waiting = [*field.metadata, *get_args(field.annotation)]
    while waiting:
        each = waiting.pop()
        if isinstance(each, Personal):
            return True
        waiting += get_args(each)
    return False
