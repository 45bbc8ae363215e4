"""The id of a signed push names what the push is; one id never fits two kinds of requests."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.feeds.chunk import Mode
from gateway.http.problems import ProblemError
from gateway.intake.binding import id_prefix, refuse_unbound
from gateway.intake.framing import FRAMERS
from gateway.intake.signature import signed_head
from schemas.catalog import Facet

PREFIXES = [
    id_prefix(facet, mode, body_format, compressed=compressed)
    for facet, mode, body_format, compressed in itertools.product(Facet, Mode, FRAMERS, (False, True))
]


def fits(identity: str, prefix: str) -> bool:
    try:
        refuse_unbound(identity, prefix)
    except ProblemError:
        return False
    return True


@given(st.sampled_from(PREFIXES), st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1))
def test_an_id_fits_the_one_kind_of_request_that_it_was_made_for(prefix: str, own: str) -> None:
    assert [each for each in PREFIXES if fits(prefix + own, each)] == [prefix]


@pytest.mark.parametrize("identity", ["", "msg_1", "price", "price:upsert:ndjson:", "Price:upsert:ndjson:1", ":::1"])
def test_an_id_that_names_nothing_fits_no_request(identity: str) -> None:
    assert [each for each in PREFIXES if fits(identity, each)] == []


@pytest.mark.parametrize("prefix", PREFIXES)
def test_every_such_id_can_be_signed(prefix: str) -> None:
    headers = {"webhook-id": f"{prefix}1", "webhook-timestamp": "0", "webhook-signature": "v1,x"}
    assert signed_head(headers, now=0).id == f"{prefix}1"
