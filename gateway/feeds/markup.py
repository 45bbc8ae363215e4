"""What suppliers write in HTML, without anything that acts, and what got lost on the way.

Which texts those are, the types of the schemas say (`schemas.base.Markup`); no adapter and no facet is told apart here.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

import nh3
from pydantic.fields import FieldInfo

from gateway.sdk.errors import InvalidMessageError, Issue
from gateway.sdk.wire import SHOWN
from schemas.base import MayHoldMarkup, Model
from schemas.catalog import Facts

MAX_TEXT = 200_000
"""Characters of a sanitised text, as the published schema has it."""

_CLEANER = nh3.Cleaner()

_MARKUP = re.compile(r"<[A-Za-z/!?]")
"""Where a reader of HTML begins to see markup; without it a text shows as it is written."""

_TAG = re.compile(r"</?[A-Za-z][^<>]*>|<!doctype[^<>]*>", re.IGNORECASE)
"""A whole tag; what only begins like one swallows text, which is missed."""

_CDATA = ("<![CDATA[", "]]>")
"""Around a text taken out of XML; to HTML it is a comment, and everything in it would be lost."""

_ACTIVE = re.compile(
    r"<(script|iframe|frame|object|embed|applet|form|svg|math|link|meta|base)\b|(?<=[\s/\"'])(on[a-z]+)\s*=|(javascript):",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _Field:
    """A field of some facts that may hold markup. member: of each model that stands in it; None: the text itself."""

    name: str
    member: str | None
    longest: int


def cleaned(facts: Facts) -> tuple[dict[str, Any], tuple[Issue, ...]]:
    """The fields of some facts that cleaning changed, and a warning for each of which something got lost.

    Raises InvalidMessageError where escaping makes a text longer than its field takes.
    """
    changed: dict[str, Any] = {}
    warnings: list[Issue] = []
    values = facts.__dict__
    for field in _FIELDS.get(type(facts)) or _fields_of(type(facts)):
        value = values[field.name]
        if not value:
            continue
        if field.member is None:
            text = _clean(value, f"/{field.name}", field.longest, warnings)
            if text is not value:
                changed[field.name] = text
        elif any(map(_MARKUP.search, [getattr(each, field.member) for each in value])):
            changed[field.name] = tuple(_clean_member(value, field, warnings))
    return changed, tuple(warnings)


def _clean_member(models: tuple[Model, ...], field: _Field, warnings: list[Issue]) -> Iterator[Model]:
    for place, model in enumerate(models):
        member = str(field.member)
        text = _clean(getattr(model, member), f"/{field.name}/{place}/{member}", field.longest, warnings)
        yield model.model_copy(update={member: text})


def _clean(text: str, path: str, longest: int, warnings: list[Issue]) -> str:
    if _MARKUP.search(text) is None:
        return text
    html_text = _unwrapped(text)
    clean = _CLEANER.clean(html_text)
    if len(clean) > longest:
        expected = f"at most {longest:,} characters once sanitised"
        raise InvalidMessageError(Issue("validation_failed", path, f"{len(clean):,} characters", expected))
    if clean != text and (lost := _lost(html_text, clean) + (["CDATA"] if html_text is not text else [])):
        warnings.append(Issue("markup_removed", path, ", ".join(lost)[:SHOWN]))
    return clean


def _unwrapped(text: str) -> str:
    begin, end = _CDATA
    return text.replace(begin, "").replace(end, "") if begin in text else text


def _lost(text: str, clean: str) -> list[str]:
    """What a reader would miss, in words; nothing where only layout is gone."""
    active = {next(filter(None, found)).lower() for found in _ACTIVE.findall(text)}
    missing = _seen(text) - _seen(clean)
    return sorted(active) + ([f"{missing:,} characters of text"] if missing > 0 else [])


def _seen(text: str) -> int:
    """About how many characters of an HTML text are shown, blanks aside."""
    return len("".join(html.unescape(_TAG.sub("", _without_comments(text))).split()))


def _without_comments(text: str) -> str:
    """Linear, also where comments begin and never end."""
    kept, at = [], 0
    while (begin := text.find("<!--", at)) >= 0 and (end := text.find("-->", begin + 4)) >= 0:
        kept.append(text[at:begin])
        at = end + 3
    return "".join([*kept, text[at:]])


def _fields_of(model: type[Facts]) -> tuple[_Field, ...]:
    found = []
    for name, field in model.model_fields.items():
        if _marked(field):
            found.append(_Field(name, None, _longest(field)))
        for inner in _models_in(field.annotation):
            marked = [(member, each) for member, each in inner.model_fields.items() if _marked(each)]
            found += [_Field(name, member, _longest(each)) for member, each in marked]
    _FIELDS[model] = tuple(found)
    return _FIELDS[model]


_FIELDS: dict[type[Facts], tuple[_Field, ...]] = {}
"""By facts, found at their first use."""


def _marked(field: FieldInfo) -> bool:
    return any(isinstance(each, MayHoldMarkup) for each in _annotations(field))


def _longest(field: FieldInfo) -> int:
    return min((each for mark in _annotations(field) if (each := getattr(mark, "max_length", None))), default=MAX_TEXT)


def _annotations(field: FieldInfo) -> Iterator[Any]:
    """Everything that annotates a field, or a part of its union."""
    waiting = [*field.metadata, *get_args(field.annotation)]
    while waiting:
        each = waiting.pop()
        yield each
        waiting += get_args(each)


def _models_in(annotation: Any) -> Iterator[type[Model]]:
    if isinstance(annotation, type) and issubclass(annotation, Model):
        yield annotation
    for inner in get_args(annotation):
        yield from _models_in(inner)
