"""Request ids and traces."""

import pytest

from gateway.http.correlation import correlate

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE}-00f067aa0ba902b7-01"


def test_the_callers_trace_goes_on_under_a_span_of_ours() -> None:
    ours = correlate({"traceparent": PARENT})
    assert ours.trace_id == TRACE
    assert ours.traceparent[:36] == PARENT[:36]
    assert ours.traceparent[36:52] != PARENT[36:52]
    assert ours.traceparent[53:] == "01"


@pytest.mark.parametrize(
    "given",
    [
        "",
        "nonsense",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"ff-{TRACE}-00f067aa0ba902b7-01",
        f"{PARENT}-more",
        PARENT.upper(),
        f"{PARENT}\n",
    ],
)
def test_a_malformed_trace_starts_a_new_one(given: str) -> None:
    ours = correlate({"traceparent": given})
    assert ours.trace_id != TRACE
    assert correlate({"traceparent": ours.traceparent}).trace_id == ours.trace_id


def test_a_later_version_may_say_more() -> None:
    assert correlate({"traceparent": f"01{PARENT[2:]}-more"}).trace_id == TRACE


def test_a_usable_request_id_is_kept() -> None:
    assert correlate({"X-Request-Id": "vendor-7.a_B"}).request_id == "vendor-7.a_B"


@pytest.mark.parametrize("given", ["", "a b", "a\r\nX-Evil: 1", "x" * 129, "é", "a\n"])
def test_an_unusable_request_id_is_replaced(given: str) -> None:
    assert len(correlate({"X-Request-Id": given}).request_id) == 32
