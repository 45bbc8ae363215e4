"""Which records of a catalog topic the keeper lets wait, and which it has mended."""

from __future__ import annotations

import pytest

from gateway.feeds.catalog_records import UnsettledRecord
from gateway.feeds.keeper import waiting_and_wrong
from gateway.feeds.reconciliation import Observed, Stored
from schemas.catalog import Facet
from schemas.envelope import ItemKey

KEY = ItemKey("acme", "A", "*")
NEW, OLD = (4, 11), (5, 9)


@pytest.mark.parametrize(
    ("known", "records", "read_to", "waiting", "wrong"),
    [
        pytest.param((9, 5), [OLD], 6, [], [], id="as the state says"),
        pytest.param((8, 3), [NEW, OLD], 6, [NEW, OLD], [], id="newer than the state"),
        pytest.param((9, 5), [NEW, OLD], 6, [NEW, OLD], [], id="what lies behind waits too"),
        pytest.param((9, 3), [(3, 9), NEW], 6, [NEW], [], id="what lies before does not"),
        pytest.param((11, 5), [NEW], 5, [NEW], [], id="the later record was not read yet"),
        pytest.param((11, 5), [NEW, OLD], 6, [], [NEW, OLD], id="the later record is older"),
        pytest.param((11, 5), [NEW, (5, 11)], 6, [], [], id="the later record is a repeat"),
        pytest.param((11, 4), [NEW, OLD], 6, [], [OLD], id="appended late"),
    ],
)
def test_records_of_a_key(
    known: tuple[int, int],
    records: list[tuple[int, int]],
    read_to: int,
    waiting: list[tuple[int, int]],
    wrong: list[tuple[int, int]],
) -> None:
    """known: version and offset; records: offsets and versions, read just now."""
    own = [UnsettledRecord(Facet.PRICE, KEY, Observed(0, offset, version), 1.0) for offset, version in records]
    state = Stored(known[0], 0, known[1], b"hash")
    found = waiting_and_wrong(state, own, read_to=read_to, explained_to=0.0)
    assert [[(each.observed.offset, each.observed.version) for each in part] for part in found] == [waiting, wrong]
