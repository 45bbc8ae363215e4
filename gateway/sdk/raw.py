"""Bytes as JSON has them: how the values of the sdk that hold bytes are written in golden cases."""

from __future__ import annotations

import binascii
from base64 import b64decode, b64encode
from typing import Annotated, Any

import orjson
from pydantic import BeforeValidator, Field, PlainSerializer


def _body(value: Any) -> bytes:
    match value:
        case bytes():
            return value
        case str():
            return value.encode()
        case {"base64": str(text), **others} if not others:
            try:
                return b64decode(text, validate=True)
            except binascii.Error as error:
                raise ValueError(f"not Base64: {error}") from error
        case _:
            raise ValueError('give a text or {"base64": "..."}')


def _text(body: bytes) -> Any:
    try:
        return body.decode()
    except UnicodeDecodeError:
        return {"base64": b64encode(body).decode()}


Body = Annotated[bytes, BeforeValidator(_body), PlainSerializer(_text, return_type=Any, when_used="json")]
"""Any bytes: a text, or an object with `base64` where they are none."""


def _document(value: Any) -> bytes:
    match value:
        case bytes():
            orjson.loads(value)
            return value
        case str():
            return value.encode()
        case _:
            return orjson.dumps(value)


def _value(document: bytes) -> Any:
    try:
        return orjson.loads(document)
    except orjson.JSONDecodeError:
        return _text(document)


JsonDocument = Annotated[
    bytes, Field(default=b"null"), BeforeValidator(_document), PlainSerializer(_value, return_type=Any)
]
"""A JSON document: in itself, or as a text, which may be broken; left out, it is null."""
