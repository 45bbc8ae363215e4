"""Keys, identities and headers: what is written reads back, and a repeat is the same message."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from uuid import NAMESPACE_URL, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.catalog import Facet
from schemas.envelope import (
    ITEM_TYPE,
    NAMESPACE,
    WITHDRAWAL_TYPE,
    Envelope,
    Headers,
    InvalidEnvelopeError,
    ItemHeaders,
    ItemKey,
    decode,
    encode,
    item_id,
    key_of,
    message_id,
    parts_of,
    version_of,
)

RECEIVED = datetime(2026, 11, 23, 9, 30, 0, 125000, tzinfo=timezone(timedelta(hours=8)))
HASH = bytes(range(32))
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
versions = st.integers(min_value=0, max_value=2**63 - 1)


def headers_of(facet: Facet = Facet.PRICE, *, feed_no: int = 7, traceparent: str | None = None) -> ItemHeaders:
    return ItemHeaders(facet, "acme", feed_no=feed_no, time=RECEIVED, traceparent=traceparent)


@given(supplier=texts, sku=texts, area=st.none() | texts)
def test_the_parts_of_a_key_read_back(supplier: str, sku: str, area: str | None) -> None:
    assert parts_of(key_of(supplier, sku, area)) == ItemKey(supplier, sku, area)


@given(one=st.tuples(texts, texts, st.none() | texts), other=st.tuples(texts, texts, st.none() | texts))
def test_different_parts_never_share_a_key(
    one: tuple[str, str, str | None], other: tuple[str, str, str | None]
) -> None:
    assert (key_of(*one) == key_of(*other)) == (one == other)


def test_keys_are_readable_where_they_can_be_and_percent_encoded_where_they_must() -> None:
    assert key_of("acme", "SKU-1", "*") == b"acme:SKU-1:*"
    assert key_of("acme", "a:b/c %", "1_0") == b"acme:a%3Ab%2Fc%20%25:1_0"
    assert key_of("acme", "硒鼓") == b"acme:%E7%A1%92%E9%BC%93"


@pytest.mark.parametrize(
    "key", [b"", b"acme", b"a:b:c:d", b"acme:a%2", b"acme:%ff", b"acme:%e7%a1%92", b"acme:a b", "acme:硒".encode()]
)
def test_a_key_of_another_making_is_refused(key: bytes) -> None:
    with pytest.raises(InvalidEnvelopeError):
        parts_of(key)


def test_an_item_id_is_the_uuid5_that_any_language_can_compute() -> None:
    key = key_of("acme", "SKU 1", "*")
    name = f"mall.catalog.price.v1 acme:SKU%201:* 42 {HASH.hex()}"
    assert uuid5(NAMESPACE_URL, "urn:mallgate") == NAMESPACE
    assert item_id(ITEM_TYPE[Facet.PRICE], key, 42, HASH) == uuid5(NAMESPACE, name)


def test_a_message_id_keeps_its_parts_apart() -> None:
    assert message_id("t", "a b", "c") != message_id("t", "a", "b c")
    assert message_id("t", "a", "b") == uuid5(NAMESPACE, "t a b")


@given(facet=st.sampled_from(Facet), sku=texts, version=versions)
def test_the_headers_of_an_item_are_those_of_its_envelope(facet: Facet, sku: str, version: int) -> None:
    key = key_of("acme", sku)
    written = headers_of(facet).state(key, version, HASH)
    assert decode(written) == Envelope(
        id=str(item_id(ITEM_TYPE[facet], key, version, HASH)),
        source="/mallgate/suppliers/acme",
        type=ITEM_TYPE[facet],
        subject=key.decode(),
        time=RECEIVED,
        dataschema=f"urn:mallgate:schema:{facet}:v1",
        datacontenttype="application/json",
        supplier="acme",
        version=version,
        feed_no=7,
    )
    assert encode(decode(written)) == written


def test_the_key_of_the_longest_sku_fits_into_the_subject() -> None:
    key = key_of("a" * 32, "𠀀" * 128, "z" * 64)
    assert decode(headers_of().state(key, 1, HASH)).subject == key.decode()


def test_a_withdrawal_carries_its_version_and_no_schema() -> None:
    key = key_of("acme", "SKU-1", "*")
    envelope = decode(headers_of().withdrawal(key, 9))
    assert envelope.type == WITHDRAWAL_TYPE[Facet.PRICE]
    assert envelope.id == str(item_id(WITHDRAWAL_TYPE[Facet.PRICE], key, 9, b""))
    assert (envelope.version, envelope.dataschema, envelope.datacontenttype) == (9, None, None)


def test_a_republished_item_repeats_its_id_and_a_newer_one_does_not() -> None:
    key = key_of("acme", "SKU-1", "*")
    once, again, newer = (headers_of().state(key, version, HASH) for version in (1, 1, 2))
    assert once == again
    assert decode(once).id != decode(newer).id


def test_the_trace_of_the_request_travels_along() -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    written = headers_of(traceparent=trace).state(b"acme:1:*", 1, HASH)
    assert ("traceparent", trace.encode()) in written
    assert decode(written).traceparent == trace


def test_optional_headers_may_be_missing_and_foreign_ones_are_ignored() -> None:
    minimal: Headers = (
        ("ce_specversion", b"1.0"),
        ("ce_id", b"1"),
        ("ce_source", b"core"),
        ("ce_type", b"t"),
        ("x-other", b"\xff"),
    )
    assert decode(minimal) == Envelope(id="1", source="core", type="t")


@pytest.mark.parametrize("missing", ["ce_specversion", "ce_id", "ce_source", "ce_type"])
def test_what_cloudevents_demands_may_not_be_missing(missing: str) -> None:
    written = headers_of().state(b"acme:1:*", 1, HASH)
    with pytest.raises(InvalidEnvelopeError):
        decode(header for header in written if header[0] != missing)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ce_specversion", b"0.3"),
        ("ce_time", b"2026-11-23T09:30:00"),
        ("ce_id", b""),
        ("gw-version", b"-1"),
        ("gw-version", b"x"),
        ("ce_subject", b"\xff"),
    ],
)
def test_a_header_that_does_not_read_is_refused(name: str, value: bytes) -> None:
    written = headers_of().state(b"acme:1:*", 1, HASH)
    with pytest.raises(InvalidEnvelopeError):
        decode((*written, (name, value)))


@given(version=versions)
def test_the_version_alone_is_read_without_the_rest(version: int) -> None:
    assert version_of(headers_of().withdrawal(b"acme:1:*", version)) == version
    assert version_of(()) is None


@pytest.mark.parametrize("value", [b"", b"-1", b"1.0", b" 1", b"1" * 20])
def test_a_version_that_is_no_number_is_refused(value: bytes) -> None:
    with pytest.raises(InvalidEnvelopeError):
        version_of((("gw-version", value),))
