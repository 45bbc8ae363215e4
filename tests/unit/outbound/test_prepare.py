"""A question becomes an HTTP request, and no value in it becomes anything else."""

from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.outbound.prepare import Credential, prepare
from gateway.sdk.errors import ContractError
from gateway.sdk.http import Request
from gateway.sdk.manifest import Operation

BASE = "https://api.example.com/open/"
DETAIL = Operation(method="GET", path="/goods/{sku}/detail")
SEARCH = Operation(path="/goods")

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def test_a_question_is_written_as_the_manifest_says() -> None:
    prepared = prepare(Request("detail", path={"sku": "红/1?"}, query={"area": "1 2"}), DETAIL, BASE)
    assert (prepared.method, prepared.body) == ("GET", None)
    assert prepared.url == "https://api.example.com/open/goods/%E7%BA%A2%2F1%3F/detail?area=1+2"


@pytest.mark.parametrize(
    ("credential", "place"),
    [(Credential("form", "token", "s+3"), "body"), (Credential("query", "token", "s+3"), "url")],
)
def test_a_credential_goes_where_the_manifest_carries_it(credential: Credential, place: str) -> None:
    prepared = prepare(Request("search", form={"q": "纸"}), SEARCH, BASE, credential)
    assert prepared.headers == {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}
    assert ("token=s%2B3" in prepared.url, b"token=s%2B3" in (prepared.body or b"")) == (
        place == "url",
        place == "body",
    )


def test_a_json_body_goes_out_as_it_is() -> None:
    prepared = prepare(Request("search", json=b'{"q": 1}'), SEARCH, BASE, Credential("header", "X-Token", "Bearer s"))
    assert prepared.headers == {"X-Token": "Bearer s", "Content-Type": "application/json"}
    assert prepared.body == b'{"q": 1}'


def test_a_prepared_request_shows_nothing_that_can_be_secret() -> None:
    credential = Credential("query", "token", "hunter2")
    assert "hunter2" not in repr((credential, prepare(Request("search"), SEARCH, BASE, credential)))


@pytest.mark.parametrize("sku", ["", ".", "..", "1\r\nHost: x", "1\x00"])
def test_a_value_that_would_lead_elsewhere_is_not_sent(sku: str) -> None:
    with pytest.raises(ContractError):
        prepare(Request("detail", path={"sku": sku}), DETAIL, BASE)


@pytest.mark.parametrize("token", ["", "a\r\nSet-Cookie: b", "a\nb", "é", " a", "a\x7f"])
def test_a_token_that_would_be_a_second_header_is_not_sent(token: str) -> None:
    with pytest.raises(ContractError):
        prepare(Request("search"), SEARCH, BASE, Credential("header", "Authorization", token))


def test_an_adapter_that_contradicts_its_manifest_is_told_so() -> None:
    with pytest.raises(ValueError, match="sku"):
        prepare(Request("detail"), DETAIL, BASE)
    with pytest.raises(ValueError, match="both"):
        prepare(Request("search", form={"a": "b"}, json=b"{}"), SEARCH, BASE)


@given(texts, texts, texts)
def test_what_was_put_in_is_what_a_server_reads(sku: str, name: str, value: str) -> None:
    try:
        prepared = prepare(Request("detail", path={"sku": sku}, query={name: value}, form={name: value}), DETAIL, BASE)
    except ContractError:
        return
    split = urlsplit(prepared.url)
    assert [unquote(part) for part in split.path.split("/")[1:]] == ["open", "goods", sku, "detail"]
    assert parse_qsl(split.query, keep_blank_values=True) == [(name, value)]
    assert parse_qsl((prepared.body or b"").decode(), keep_blank_values=True) == [(name, value)]
    assert prepared.url.isascii()
    assert prepared.url.isprintable()
