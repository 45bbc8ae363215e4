"""The Content-Type of a push: what it means, and that no spelling of it costs more than its length."""

from __future__ import annotations

from contextlib import suppress

import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict

from gateway.http.problems import ProblemError
from gateway.intake.media_type import MAX_LENGTH, media_type_of


def read(*given: str) -> tuple[str, str | None]:
    headers = CIMultiDict([("Content-Type", each) for each in given])
    name, charset = media_type_of(make_mocked_request("POST", "/", headers=headers))
    return name, charset


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("application/json", ("application/json", None)),
        ("Application/JSON;charset=UTF-8", ("application/json", "UTF-8")),
        ('application/json ; profile="a;b\\"c" ; charset="utf-8"', ("application/json", "utf-8")),
        ("application/x-ndjson; header=present; Charset=gbk; charset=utf-8", ("application/x-ndjson", "gbk")),
        ("application/json;", ("application/json", None)),
        ("application/json; ; charset=utf-8", ("application/json", "utf-8")),
    ],
)
def test_a_type_is_read_with_its_charset(text: str, meant: tuple[str, str | None]) -> None:
    assert read(text) == meant


@pytest.mark.parametrize(
    "text",
    [
        "",
        "json",
        "/",
        "application/",
        "application/json; charset",
        "application/json charset=utf-8",
        'application/json; charset="utf-8',
        "application/json; charset=utf-8 x",
        "application/json; charset*=utf-8''utf-8; charset*0=a\x00",
        "application/json" + " " * MAX_LENGTH,
        'a/b; x="' + ";" * 8_000,
        "a/b" + ";a=b" * 2_000,
    ],
)
def test_what_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(ProblemError) as caught:
        read(text)
    assert caught.value.code == "unsupported_media_type"


def test_two_types_are_none() -> None:
    with pytest.raises(ProblemError):
        read("application/json", "application/x-ndjson")
    with pytest.raises(ProblemError):
        read()


@given(st.text(st.sampled_from("a/;= \t\"\\'*%"), max_size=MAX_LENGTH))
def test_nothing_else_is_raised(text: str) -> None:
    with suppress(ProblemError):
        assert "/" in read(text)[0]
