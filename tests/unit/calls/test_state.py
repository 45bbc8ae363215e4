"""What was learnt of a supplier stays as long as it is called by the same adapter at the same address."""

from __future__ import annotations

from dataclasses import replace

from gateway.calls import CallStates
from gateway.outbound import HttpLimits
from gateway.sdk.manifest import Manifest

MANIFEST = Manifest.model_validate(
    {
        "id": "tested",
        "name": "An interface",
        "docs": "README.md",
        "capabilities": ["reads_areas"],
        "http": {"rate_per_second": 1000},
        "operations": {"areas": {"path": "/areas"}},
    }
)

LIMITS = HttpLimits(
    base_url="https://api.example.com",
    timeout_seconds=10,
    rate_per_second=20,
    concurrency=4,
    max_reply_bytes=1024,
)


def test_other_limits_are_taken_over_and_what_was_learnt_stays() -> None:
    states = CallStates()
    known = states.of("acme", MANIFEST, LIMITS)
    known.limiter.rate.refused(0.0, 0.0, retry_after=0.0)
    again = states.of("acme", MANIFEST, replace(LIMITS, rate_per_second=40, timeout_seconds=5))
    assert again is known
    assert (again.limiter.rate.maximum, again.limiter.rate.current) == (40, 10)


def test_suppliers_adapters_and_addresses_are_known_apart() -> None:
    states = CallStates()
    known = states.of("acme", MANIFEST, LIMITS)
    assert states.of("other", MANIFEST, LIMITS) is not known
    moved = states.of("acme", MANIFEST, replace(LIMITS, base_url="https://new.example.com"))
    assert moved is not known
    assert states.of("acme", MANIFEST.model_copy(update={"id": "another"}), LIMITS) is not moved
