"""What suppliers write in HTML, without anything that acts, and what got lost on the way.

Which texts those are, the types of the schemas say (`schemas.base.Markup`); no adapter and no facet is told apart here.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, get_args

from pydantic.fields import FieldInfo

from gateway.feeds.elements import ELEMENTS, WITHOUT_A_VALUE
from gateway.feeds.markup import MAX_ATTRIBUTES, MAX_STEPS, Effort, MarkupTooComplexError, sanitised
from gateway.sdk.errors import InvalidMessageError, Issue
from gateway.sdk.markup import WITHOUT_MARKUP, Tag, names_in, read_markup
from gateway.sdk.wire import legible
from schemas.base import MayHoldMarkup, Model
from schemas.catalog import Facts

MAX_TEXT = 200_000
"""Characters of a sanitised text, as the published schema has it."""

_MARKUP = re.compile(r"<[A-Za-z/!?]")
"""Where a reader of HTML begins to see markup; without it a text shows as it is written."""

_CDATA = ("<![CDATA[", "]]>")
"""Around a text taken out of XML; to HTML it is a comment, and everything in it would be lost."""

_REPORTED = frozenset(
    {
        *("applet", "base", "embed", "form", "frame", "iframe", "link", "math", "meta", "object", "script", "svg"),
        *("audio", "image", "input", "video"),
    }
)
"""Elements that act or show something, so that they are missed; of all others the content stays."""

_HANDLER = re.compile(
    r"(?<![^ \t\n\f\r/\"'])(on[a-z]+)[ \t\n\f\r]*=|(javascript):|=[ \t\n\f\r]*[\"']?[ \t\n\f\r]*(data):",
    re.IGNORECASE,
)

_PLAIN = re.compile(
    rf"""(?:[^<]++|</?(?!(?:{"|".join(sorted(_REPORTED | WITHOUT_MARKUP))})[ />])[a-z][a-z0-9]*+"""
    r"""(?:[ ](?!on)[a-z][a-z-]*+="[^"<>]*+")*+[ ]?/?>)*+"""
)
"""Texts and tags as nearly all are written: where names are HTML's and no address acts, nothing of them is missed."""

_ACTING = re.compile(r"[tTaA]:(?!//)")
"""What `javascript:` and `data:` end in."""

_OF_A_NAMESPACE = re.compile(r"[a-z][a-z0-9]*:[a-z][a-z0-9]*")
"""Elements that word processors leave behind, such as `o:p`."""

_DECLARATION = re.compile(r"<!doctype\s+html\s*(?:(?:public|system)\b[^<]*)?>|<\?xml\s[^<]*\?>", re.IGNORECASE)

MAX_REPORTED = 20
"""Pieces of a text that a warning repeats."""


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
    effort = Effort()
    values = facts.__dict__
    for field in _FIELDS.get(type(facts)) or _fields_of(type(facts)):
        value = values[field.name]
        if not value:
            continue
        if field.member is None:
            text = _clean(value, f"/{field.name}", field.longest, warnings, effort)
            if text is not value:
                changed[field.name] = text
        elif any(map(_MARKUP.search, [getattr(each, field.member) for each in value])):
            changed[field.name] = tuple(_clean_member(value, field, warnings, effort))
    return changed, tuple(warnings)


def _clean_member(models: tuple[Model, ...], field: _Field, warnings: list[Issue], effort: Effort) -> Iterator[Model]:
    for place, model in enumerate(models):
        member = str(field.member)
        text = _clean(getattr(model, member), f"/{field.name}/{place}/{member}", field.longest, warnings, effort)
        yield model.model_copy(update={member: text})


def _clean(text: str, path: str, longest: int, warnings: list[Issue], effort: Effort) -> str:
    if _MARKUP.search(text) is None:
        return text
    html = _unwrapped(text)
    names = names_in(html)
    try:
        clean = sanitised(html, names, effort)
    except MarkupTooComplexError as error:
        expected = f"fewer than {MAX_STEPS:,} tags in all texts of the record, each closed, of few attributes"
        raise InvalidMessageError(Issue("markup_too_complex", path, str(error), expected)) from error
    if len(clean) > longest:
        expected = f"at most {longest:,} characters once sanitised"
        raise InvalidMessageError(Issue("validation_failed", path, f"{len(clean):,} characters", expected))
    lost = _lost(html, names) + (["CDATA"] if html is not text else []) if clean != text else []
    if lost or not clean.strip():
        warnings.append(Issue("markup_removed", path, legible(", ".join(lost) or "everything")))
    return clean


def _unwrapped(text: str) -> str:
    begin, end = _CDATA
    return text.replace(begin, "").replace(end, "") if begin in text else text


def _lost(html: str, names: Collection[str]) -> list[str]:
    """What a reader would miss, in words; nothing where only layout is gone."""
    named: set[str] = set()
    words: dict[str, None] = {}
    swallowed = 0
    for token in _odd_tokens(html, names):
        if isinstance(token, str):
            continue
        if token.name in _REPORTED:
            named.add(token.name)
        if token.attributes:
            named.update(next(filter(None, found)).lower() for found in _HANDLER.findall(token.attributes))
        if not token.whole:
            swallowed += 0 if _is_silent(token.written) else len("".join(token.written.split()))
        elif len(words) < MAX_REPORTED and _is_a_word(token):
            words[token.written] = None
    return [*sorted(named), *words, *([f"{swallowed:,} characters of text"] if swallowed else [])]


def _odd_tokens(html: str, names: Collection[str]) -> Iterator[str | Tag]:
    """The texts and tags of which a reader may miss something; others are left out, as far as that is cheap to see."""
    if _ACTING.search(html) or not ELEMENTS.issuperset(names):
        return read_markup(html)
    return read_markup(html, _PLAIN)


def _is_a_word(tag: Tag) -> bool:
    """Whether what reads as a tag was none: an address in brackets, or the middle of `5<T and T>40`."""
    if tag.name not in ELEMENTS:
        return not _OF_A_NAMESPACE.fullmatch(tag.name)
    if not tag.attributes:
        return False
    if tag.end:
        return any(map(str.isalnum, tag.attributes))
    alone = (each.lower() for each in tag.each_attribute(MAX_ATTRIBUTES) if "=" not in each)
    return any(
        each not in WITHOUT_A_VALUE and not each.startswith("data-") and any(map(str.isalnum, each)) for each in alone
    )


def _is_silent(written: str) -> bool:
    """Whether what is no tag was never meant to be seen: a comment that ends, a declaration of the document."""
    if written.startswith("<!--"):
        return written.endswith(("-->", "--!>"))
    return _DECLARATION.fullmatch(written) is not None


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
