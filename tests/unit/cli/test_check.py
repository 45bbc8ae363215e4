"""What `mallgate check` says of the secret key's rotation."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.cli.check import CHUNKS_LIVE, Verdict, sealed_finding
from gateway.suppliers import Reseal, Unreadable

NOW = datetime(2026, 1, 31, tzinfo=UTC)
LOST = [Unreadable("api_keys", "acme", "k1", "sealed under another secret key")]


@pytest.mark.parametrize(
    ("found", "former", "since", "verdict", "told"),
    [
        (Reseal("k", 0, 3, []), 0, None, Verdict.OK, "3 sealed with the secret key"),
        (Reseal("k", 2, 3, []), 1, None, Verdict.WARNING, "2 sealed with a former secret key: mallgate secrets reseal"),
        (Reseal("k", 2, 3, LOST), 1, None, Verdict.WARNING, "1 cannot be opened"),
        (Reseal("k", 0, 3, []), 1, None, Verdict.OK, "not noted yet"),
        (Reseal("k", 0, 3, []), 1, NOW - timedelta(days=1), Verdict.OK, "chunks on Kafka may until 2026-02-06 00:00"),
        (Reseal("k", 0, 3, []), 1, NOW - CHUNKS_LIVE, Verdict.WARNING, "take MALLGATE_FORMER_SECRET_KEYS"),
    ],
)
def test_what_a_former_key_is_still_needed_for(
    found: Reseal, former: int, since: datetime | None, verdict: Verdict, told: str
) -> None:
    finding = sealed_finding(found, former=former, since=since, now=NOW)
    assert (finding.verdict, told in finding.words) == (verdict, True), finding
