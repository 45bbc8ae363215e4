"""Which members of a message may tell who a person is, so that storage can encrypt them and dead letters mask them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, TypeAlias, get_args

from pydantic.fields import FieldInfo

from schemas.base import Model, Personal

MASK = "***"
"""Stands where a personal value was."""

_MEMBER_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")

Shown: TypeAlias = Mapping[str, "Shown"]
"""Members that tell of nobody, by name, `*` for those of a list; nothing below a value that may be shown."""

_UNKNOWN: Shown = {"": {}}
"""Of what no model knows nothing is shown but the names of members."""


@cache
def personal_paths(model: type[Model]) -> tuple[str, ...]:
    """JSON pointers of the marked members of a model, with `*` for every index of a list, in the order of the fields.

    What is marked is personal with everything inside it: no path leads below another.
    """
    return tuple(path for path, marked in _paths(model, "") if marked)


def is_personal(model: type[Model], path: str) -> bool:
    """Whether a JSON pointer into a message leads to a marked member, into one, or to something that holds one."""
    steps = ["*" if step.isdecimal() else step for step in path.split("/")]
    return any(
        all(one == other for one, other in zip(steps, marked.split("/"), strict=False))
        for marked in personal_paths(model)
    )


def masked(value: Any, models: Iterable[type[Model]]) -> Any:
    """A message with everything replaced that any of these models marks, and that none of them knows: a receiver is one
    under a name that is misspelt, too.
    """
    return _masked(value, _shown_of(tuple(models)))


@cache
def _shown_of(models: tuple[type[Model], ...]) -> Shown:
    paths = {path: marked for model in models for path, marked in _paths(model, "") if not marked}
    hidden = {path for model in models for path in personal_paths(model)}
    shown: dict[str, Any] = {}
    for path in paths:
        steps = path.split("/")
        if not any("/".join(steps[:length]) in hidden for length in range(2, len(steps) + 1)):
            place = shown
            for step in steps[1:]:
                place = place.setdefault(step, {})
    return shown


def _masked(content: Any, shown: Shown) -> Any:
    if isinstance(content, dict):
        return {
            name if name in shown or _MEMBER_NAME.fullmatch(name) else MASK: _masked(value, shown.get(name, _UNKNOWN))
            for name, value in content.items()
        }
    if isinstance(content, list) and (not shown or "*" in shown):
        return [_masked(each, shown.get("*", {})) for each in content]
    return MASK if shown and content is not None else content


def _paths(model: type[Model], above: str) -> Iterator[tuple[str, bool]]:
    """The members that hold no others, or are marked; and whether they are marked."""
    for name, field in model.model_fields.items():
        path = f"{above}/{name}"
        if _marked(field):
            yield path, True
        else:
            inside = list(_inside(field.annotation, path))
            yield from inside or [(path, False)]


def _inside(annotation: Any, path: str) -> Iterator[tuple[str, bool]]:
    """The same, of the models in an annotation."""
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
