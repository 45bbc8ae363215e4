"""One attempt comes to exactly one of four, whatever was raised; what may have happened is never called safe."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.calls.attempts import CallsEndedError
from gateway.calls.breakers import BreakerOpenError
from gateway.calls.tokens import NoTokenError
from gateway.outbound import AddressBlockedError
from gateway.relay.outcomes import (
    AdapterAnswer,
    AttemptOutcome,
    Classified,
    LookUpOutcome,
    Write,
    classify,
    classify_look_up,
)
from gateway.sdk import errors
from gateway.sdk.errors import (
    AuthError,
    ContractError,
    OutcomeUnknownError,
    RateLimitError,
    RejectedError,
    Sent,
    SupplierError,
    TransientError,
    UnavailableError,
)
from gateway.store import LeaseLostError, StoreUnavailableError

WHOLE = Write("submit", Sent.ALL)
PART = Write("submit", Sent.SOME)
NOTHING = Write("submit", Sent.NOTHING)


def failed(error: SupplierError, *, status: int | None = None, operation: str = "submit") -> SupplierError:
    error.status, error.operation = status, operation
    return error


def supplier_errors(base: type[SupplierError] = SupplierError) -> Iterator[type[SupplierError]]:
    """Every class that the sdk knows, whoever adds one."""
    yield base
    for each in base.__subclasses__():
        if each.__module__ == errors.__name__:
            yield from supplier_errors(each)


def away_until(seconds: float) -> UnavailableError:
    """That a supplier does not begin anything, and when to come back."""
    error = UnavailableError()
    error.retry_after = seconds
    return error


def outcome(came_to: AdapterAnswer | BaseException, write: Write = WHOLE) -> AttemptOutcome:
    return classify(came_to, write, "A").outcome


@pytest.mark.parametrize(
    ("came_to", "expected"),
    [
        (AdapterAnswer("A"), AttemptOutcome.CONFIRMED),
        (AdapterAnswer(), AttemptOutcome.CONFIRMED),
        (AdapterAnswer("B"), AttemptOutcome.UNKNOWN),
        (failed(RejectedError()), AttemptOutcome.REJECTED),
        (failed(RateLimitError()), AttemptOutcome.RETRY_SAFE),
        (failed(AuthError(), status=401), AttemptOutcome.RETRY_SAFE),
        (failed(AuthError(), status=403), AttemptOutcome.RETRY_SAFE),
        (
            failed(UnavailableError(), status=503),
            AttemptOutcome.UNKNOWN,
        ),  # perhaps a proxy's, and done behind it
        (failed(away_until(30.0), status=503), AttemptOutcome.RETRY_SAFE),
        (failed(UnavailableError(), status=500), AttemptOutcome.UNKNOWN),
        (failed(UnavailableError(), status=502), AttemptOutcome.UNKNOWN),
        (failed(UnavailableError(), status=504), AttemptOutcome.UNKNOWN),
        (failed(UnavailableError()), AttemptOutcome.UNKNOWN),
        (failed(UnavailableError(), status=200), AttemptOutcome.RETRY_SAFE),  # the adapter reads "try later" out of it
        (failed(TransientError()), AttemptOutcome.RETRY_SAFE),
        (failed(OutcomeUnknownError()), AttemptOutcome.UNKNOWN),
        (failed(ContractError(), status=200), AttemptOutcome.UNKNOWN),
        (failed(ContractError(), status=302), AttemptOutcome.UNKNOWN),
        (failed(ContractError(), status=409), AttemptOutcome.UNKNOWN),
        (failed(ContractError(), status=400), AttemptOutcome.REJECTED),
        (failed(ContractError(), status=404), AttemptOutcome.REJECTED),
        (failed(ContractError(), status=410), AttemptOutcome.REJECTED),
        (failed(ContractError(), status=422), AttemptOutcome.REJECTED),
        (failed(SupplierError()), AttemptOutcome.UNKNOWN),
        (LeaseLostError(), AttemptOutcome.UNKNOWN),
        (StoreUnavailableError(), AttemptOutcome.UNKNOWN),
        (KeyError("price"), AttemptOutcome.UNKNOWN),
        (asyncio.CancelledError(), AttemptOutcome.UNKNOWN),
    ],
    ids=lambda value: f"{type(value).__name__}-{getattr(value, 'status', value)}",
)
def test_of_a_write_that_left_only_an_answer_to_it_is_certain(
    came_to: AdapterAnswer | BaseException, expected: AttemptOutcome
):
    assert outcome(came_to) is expected
    assert outcome(came_to, PART) is expected


@pytest.mark.parametrize(
    "error",
    [
        failed(UnavailableError()),
        BreakerOpenError("submit", 5.0, ""),
        CallsEndedError(operation="submit"),
        NoTokenError(operation="token"),
        AddressBlockedError(),
        failed(AuthError(), operation="token"),
        failed(ContractError(), operation="price"),
        failed(RejectedError(), operation="token"),
        failed(UnavailableError(), status=502, operation="price"),
        LeaseLostError(),
        asyncio.CancelledError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_before_the_write_has_left_nothing_can_have_happened(error: BaseException):
    classified = classify(error, NOTHING, "A")
    assert (classified.outcome, classified.repeatable) == (AttemptOutcome.RETRY_SAFE, True)


def test_an_adapter_may_refuse_an_order_before_it_sends_anything():
    assert outcome(RejectedError(), NOTHING) is AttemptOutcome.REJECTED


def test_a_bug_before_the_write_is_not_repeated():
    assert not classify(KeyError(), NOTHING, "A").repeatable


def test_an_adapter_that_says_it_may_have_happened_is_believed_though_nothing_was_seen_to_leave():
    assert outcome(OutcomeUnknownError(), NOTHING) is AttemptOutcome.UNKNOWN


@pytest.mark.parametrize("kind", list(supplier_errors()))
@pytest.mark.parametrize("sent", [Sent.SOME, Sent.ALL])
@pytest.mark.parametrize("status", [None, 200, 401, 404, 429, 503])
def test_what_another_call_came_to_says_nothing_about_the_write(
    kind: type[SupplierError], sent: Sent, status: int | None
):
    error = failed(kind(), status=status, operation="query")
    error.sent = Sent.NOTHING
    assert outcome(error, Write("submit", sent)) is AttemptOutcome.UNKNOWN


def test_what_the_supplier_asks_for_and_its_code_are_kept():
    assert classify(failed(RateLimitError(retry_after=7.0)), WHOLE, "A").retry_after == 7.0
    assert classify(failed(away_until(7.0), status=503), WHOLE, "A").retry_after == 7.0
    assert classify(RejectedError(supplier_code="3008"), WHOLE, "A").code == "3008"


def test_a_duplicate_that_differs_is_no_confirmation():
    differing = classify(AdapterAnswer("A", differs="amount"), WHOLE, "A")
    assert differing == Classified(AttemptOutcome.UNKNOWN, "amount", differs=True)


@given(
    kind=st.sampled_from([*supplier_errors(), Exception, KeyError, TimeoutError, asyncio.CancelledError, SystemExit]),
    status=st.none() | st.integers(100, 599),
    operation=st.sampled_from(["", "submit", "query"]),
    seen=st.none() | st.sampled_from(Sent),
    sent=st.sampled_from(Sent),
)
def test_every_error_has_an_outcome_and_none_confirms(
    kind: type[BaseException], status: int | None, operation: str, seen: Sent | None, sent: Sent
):
    error = kind()
    if isinstance(error, SupplierError):
        error.status, error.operation, error.sent = status, operation, seen
    came_to = outcome(error, Write("submit", sent))
    assert came_to in AttemptOutcome
    assert came_to is not AttemptOutcome.CONFIRMED
    if sent is not Sent.NOTHING and not isinstance(error, SupplierError):
        assert came_to is AttemptOutcome.UNKNOWN


@pytest.mark.parametrize(
    ("came_to", "expected"),
    [
        (None, LookUpOutcome.ABSENT),
        (AdapterAnswer("A"), LookUpOutcome.FOUND),
        (AdapterAnswer(), LookUpOutcome.FOUND),
        (AdapterAnswer("A", differs="lines"), LookUpOutcome.DIFFERS),
        (AdapterAnswer("B"), LookUpOutcome.FAILED),
        (RejectedError(), LookUpOutcome.FAILED),
        (ContractError(status=404), LookUpOutcome.FAILED),
        (KeyError(), LookUpOutcome.FAILED),
    ],
    ids=str,
)
def test_only_the_supplier_s_own_word_is_absence(
    came_to: AdapterAnswer | BaseException | None, expected: LookUpOutcome
):
    assert classify_look_up(came_to, "A") is expected
