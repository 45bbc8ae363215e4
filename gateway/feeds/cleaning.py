"""What suppliers write in HTML, without anything that acts, and what got lost on the way.

Which texts those are, the types of the schemas say (`schemas.base.Markup`); no adapter and no facet is told apart here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, get_args

from pydantic.fields import FieldInfo

from gateway.feeds.markup import MAX_STEPS, MarkupTooComplexError, sanitised
from gateway.sdk.errors import InvalidMessageError, Issue
from gateway.sdk.markup import read_markup
from gateway.sdk.wire import SHOWN
from schemas.base import MayHoldMarkup, Model
from schemas.catalog import Facts

MAX_TEXT = 200_000
"""Characters of a sanitised text, as the published schema has it."""

_MARKUP = re.compile(r"<[A-Za-z/!?]")
"""Where a reader of HTML begins to see markup; without it a text shows as it is written."""

_CDATA = ("<![CDATA[", "]]>")
"""Around a text taken out of XML; to HTML it is a comment, and everything in it would be lost."""

_ACTIVE = frozenset(
    {"applet", "base", "embed", "form", "frame", "iframe", "link", "math", "meta", "object", "script", "svg"}
)
_HANDLER = re.compile(r"(?<![^ \t\n\f\r/\"'])(on[a-z]+)[ \t\n\f\r]*=|(javascript):", re.IGNORECASE)


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
    html = _unwrapped(text)
    try:
        clean = sanitised(html)
    except MarkupTooComplexError as error:
        expected = f"fewer than {MAX_STEPS:,} tags, each closed, of few attributes"
        raise InvalidMessageError(Issue("markup_too_complex", path, str(error), expected)) from error
    if len(clean) > longest:
        expected = f"at most {longest:,} characters once sanitised"
        raise InvalidMessageError(Issue("validation_failed", path, f"{len(clean):,} characters", expected))
    lost = _lost(html) + (["CDATA"] if html is not text else []) if clean != text else []
    if lost or not clean.strip():
        warnings.append(Issue("markup_removed", path, (", ".join(lost) or "everything")[:SHOWN]))
    return clean


def _unwrapped(text: str) -> str:
    begin, end = _CDATA
    return text.replace(begin, "").replace(end, "") if begin in text else text


def _lost(html: str) -> list[str]:
    """What a reader would miss, in words; nothing where only layout is gone."""
    active: set[str] = set()
    swallowed = 0
    for token in read_markup(html):
        if isinstance(token, str):
            continue
        if token.name in _ACTIVE:
            active.add(token.name)
        active.update(next(filter(None, found)).lower() for found in _HANDLER.findall(token.attributes))
        if not token.whole and not _is_silent(token.written):
            swallowed += len("".join(token.written.split()))
    return sorted(active) + ([f"{swallowed:,} characters of text"] if swallowed else [])


def _is_silent(written: str) -> bool:
    """Whether what is no tag was never meant to be seen: a comment that ends, a declaration of the document."""
    return (written.startswith("<!--") and written.endswith("-->")) or written[:9].lower() == "<!doctype"


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
