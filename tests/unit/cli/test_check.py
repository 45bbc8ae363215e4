"""What `mallgate check` says of the secret key's rotation."""

from datetime import UTC, datetime, timedelta

import pytest

from gateway.cli.check import CHUNKS_LIVE, CheckVerdict, sealed_result
from gateway.suppliers import ResealReport, UnreadableSecret

NOW = datetime(2026, 1, 31, tzinfo=UTC)
LOST = [UnreadableSecret("api_keys", "acme", "k1", "sealed under another secret key")]


def report(resealed: int, current: int, unreadable: list[UnreadableSecret]) -> ResealReport:
    return ResealReport("k", resealed, current, unreadable)


@pytest.mark.parametrize(
    ("found", "former", "since", "verdict", "told"),
    [
        (report(0, 3, []), 0, None, CheckVerdict.OK, "3 sealed with the secret key"),
        (
            report(2, 3, []),
            1,
            None,
            CheckVerdict.WARNING,
            "2 sealed with a former secret key: mallgate secrets reseal",
        ),
        (report(2, 3, LOST), 1, None, CheckVerdict.WARNING, "1 cannot be opened"),
        (report(0, 3, []), 1, None, CheckVerdict.OK, "not noted yet"),
        (
            report(0, 3, []),
            1,
            NOW - timedelta(days=1),
            CheckVerdict.OK,
            "chunks on Kafka may until 2026-02-06 00:00",
        ),
        (report(0, 3, []), 1, NOW - CHUNKS_LIVE, CheckVerdict.WARNING, "take MALLGATE_FORMER_SECRET_KEYS"),
    ],
)
def test_what_a_former_key_is_still_needed_for(
    found: ResealReport, former: int, since: datetime | None, verdict: CheckVerdict, told: str
) -> None:
    finding = sealed_result(found, former=former, since=since, now=NOW)
    assert (finding.verdict, told in finding.words) == (verdict, True), finding
