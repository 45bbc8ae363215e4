"""What a reply's HTTP status makes of it, the same in the gateway and in the conformance kit."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.sdk import AuthError, ContractError, RateLimitError, RejectedError, Reply, SupplierError, UnavailableError
from gateway.sdk.status import fault_of, raise_for_fault, retry_after

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
LATER = "Fri, 01 May 2026 12:01:30 GMT"


def a_reply(status: int, **headers: str) -> Reply:
    return Reply("prices", status, {name.replace("_", "-"): text for name, text in headers.items()}, b"what it said")


def silent(reply: Reply) -> None:
    """An adapter that finds no fault in anything."""


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (301, ContractError),
        (302, ContractError),
        (304, ContractError),
        (401, AuthError),
        (403, AuthError),
        (408, UnavailableError),
        (429, RateLimitError),
        (500, UnavailableError),
        (503, UnavailableError),
        (599, UnavailableError),
        (101, ContractError),
        (600, ContractError),
    ],
)
def test_a_status_that_says_it_all_is_its_error_whatever_the_adapter_would_say(status: int, error: type[SupplierError]):
    fault = fault_of(a_reply(status))
    assert type(fault) is error
    assert fault.operation == "prices"
    with pytest.raises(error):
        raise_for_fault(a_reply(status), silent)


def test_a_redirect_is_kept_with_its_body():
    fault = fault_of(a_reply(302))
    assert isinstance(fault, ContractError)
    assert (fault.status, fault.reply) == (302, b"what it said")


@pytest.mark.parametrize("status", [200, 201, 204, 299, 400, 404, 409, 422])
def test_other_statuses_are_the_adapters_to_judge(status: int):
    def refuse(reply: Reply) -> None:
        raise RejectedError(status=reply.status)

    assert fault_of(a_reply(status)) is None
    with pytest.raises(RejectedError):
        raise_for_fault(a_reply(status), refuse)


def test_an_unusual_status_that_the_adapter_does_not_know_is_not_what_was_promised():
    raise_for_fault(a_reply(204), silent)
    with pytest.raises(ContractError, match="404"):
        raise_for_fault(a_reply(404), silent)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry_after": "7"}, 7.0),
        ({"retry_after": " 0 "}, 0.0),
        ({"retry_after": "1.5"}, 1.5),
        ({"retry_after": LATER, "date": "Fri, 01 May 2026 12:01:00 GMT"}, 30.0),
        ({"retry_after": LATER}, 90.0),
        ({"retry_after": "Fri, 01 May 2026 12:01:30 -0000"}, 90.0),
        ({"retry_after": LATER, "date": "soon"}, 90.0),
    ],
)
def test_a_supplier_says_how_long_to_wait_in_seconds_or_by_a_date(headers: dict[str, str], seconds: float):
    fault = fault_of(a_reply(429, **headers), NOON)
    assert isinstance(fault, RateLimitError)
    assert fault.retry_after == seconds


@pytest.mark.parametrize(
    "text",
    ["", "-5", "soon", "1e3", "NaN", "inf", "٣", "9" * 400, "Fri, 01 May 2026 11:59:59 GMT", "Fri, 99 May 99999"],
)
def test_what_cannot_be_is_no_time_to_wait(text: str):
    assert retry_after(a_reply(429, retry_after=text), NOON) is None


def test_a_date_that_nothing_can_be_counted_from_is_no_time_to_wait():
    assert retry_after(a_reply(429, retry_after=LATER)) is None


@given(text=st.text(max_size=40))
def test_no_header_breaks_the_reading(text: str):
    seconds = retry_after(a_reply(429, retry_after=text), NOON)
    assert seconds is None or 0 <= seconds < 10**12
