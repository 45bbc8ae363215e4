"""Standard Webhooks: what the reference library signs is accepted, and nothing else."""

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from multidict import CIMultiDict
from standardwebhooks.webhooks import Webhook

from gateway.http.problems import ProblemError
from gateway.intake.signature import Signature, secret_bytes, signed_head

NOW = 1_760_000_000
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OTHER = "whsec_" + base64.b64encode(bytes(range(1, 33))).decode()
BODY = '{"sku":"1","price":"9.90"}'


def signed(body: str, *, secret: str = SECRET, identity: str = "msg_1", timestamp: int = NOW) -> str:
    # The library takes the naive wall clock of the given instant for UTC.
    return Webhook(secret).sign(identity, datetime.fromtimestamp(timestamp, UTC), body)


def headers(signature: str, *, identity: str = "msg_1", timestamp: str = str(NOW)) -> CIMultiDict[str]:
    return CIMultiDict({"Webhook-Id": identity, "Webhook-Timestamp": timestamp, "Webhook-Signature": signature})


def match(body: bytes, given_headers: CIMultiDict[str], *secrets: str, pieces: int = 1) -> int | None:
    signature = Signature(signed_head(given_headers, now=NOW), [secret_bytes(secret) for secret in secrets])
    for at in range(pieces):
        signature.update(body[at * len(body) // pieces : (at + 1) * len(body) // pieces])
    return signature.matching()


def refusal(given_headers: CIMultiDict[str], now: float = NOW) -> tuple[str, str | None]:
    with pytest.raises(ProblemError) as raised:
        signed_head(given_headers, now=now)
    return raised.value.code, raised.value.place.path


@given(st.text(st.characters(exclude_categories=["Cs"])), st.binary(min_size=24, max_size=64), st.integers(1, 9))
def test_what_the_reference_library_signs_is_right(body: str, key: bytes, pieces: int) -> None:
    secret = "whsec_" + base64.b64encode(key).decode()
    assert match(body.encode(), headers(signed(body, secret=secret)), secret, pieces=pieces) == 0


@given(st.integers(0, len(BODY) - 1), st.integers(1, 255))
def test_one_changed_byte_is_noticed(place: int, mask: int) -> None:
    changed = bytearray(BODY.encode())
    changed[place] ^= mask
    assert match(bytes(changed), headers(signed(BODY)), SECRET) is None


@pytest.mark.parametrize("changed", [{"identity": "msg_2"}, {"timestamp": str(NOW + 1)}])
def test_id_and_time_are_signed_too(changed: dict[str, str]) -> None:
    assert match(BODY.encode(), headers(signed(BODY), **changed), SECRET) is None


def test_any_live_secret_will_do_and_its_index_is_told() -> None:
    assert match(BODY.encode(), headers(signed(BODY)), OTHER, SECRET) == 1
    assert match(BODY.encode(), headers(signed(BODY, secret=OTHER)), OTHER, SECRET) == 0
    assert match(BODY.encode(), headers(signed(BODY)), OTHER) is None
    assert match(BODY.encode(), headers(signed(BODY))) is None


def test_one_right_signature_among_others_is_enough() -> None:
    several = f"{signed(BODY, secret=OTHER)} v2,AAAA v1a,AAAA {signed(BODY)}"
    assert match(BODY.encode(), headers(several), SECRET) == 0


@pytest.mark.parametrize("text", ["v9,{}", "v1a,{}", "V1,{}", "v1 {}", "{}", "v1,", "v1,é{}", "v1,{}x"])
def test_only_the_known_version_counts(text: str) -> None:
    assert match(BODY.encode(), headers(text.format(signed(BODY)[3:])), SECRET) is None


@pytest.mark.parametrize("offset", [-301, 301, -86_400])
def test_an_old_or_early_signature_is_refused(offset: int) -> None:
    assert refusal(headers("v1,x", timestamp=str(NOW + offset))) == ("timestamp_out_of_window", "webhook-timestamp")


@pytest.mark.parametrize("offset", [-300, 0, 300])
def test_clocks_may_differ_by_five_minutes(offset: int) -> None:
    assert signed_head(headers("v1,x", timestamp=str(NOW + offset)), now=NOW).timestamp == str(NOW + offset)


@pytest.mark.parametrize(
    "timestamp", ["", "hello", "-5", f"+{NOW}", f"{NOW}.0", f" {NOW}", str(2**63), "1e9", "１７６０００００００"]
)
def test_a_time_that_is_no_integer_is_a_bad_header(timestamp: str) -> None:
    assert refusal(headers("v1,x", timestamp=timestamp)) == ("bad_header", "webhook-timestamp")


@pytest.mark.parametrize("identity", ["", "a.b", "x" * 257, "a b", "a\tb", "é", "\udcff"])
def test_an_unusable_id_is_a_bad_header(identity: str) -> None:
    assert refusal(headers("v1,x", identity=identity)) == ("bad_header", "webhook-id")


@pytest.mark.parametrize("signature", ["", "   ", " ".join(["v1,x"] * 100)])
def test_no_signature_or_too_many_are_a_bad_header(signature: str) -> None:
    assert refusal(headers(signature)) == ("bad_header", "webhook-signature")
