"""What may not come of the methods of orders, whatever a supplier answers: the kit's rules find it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from gateway.sdk import OrderTree, Track
from gateway.sdk.testing.rules import RESULT_RULES
from schemas.orders.payloads import TrackStep
from tests.unit.sdk.test_comparing import ordered, there

ORDER = there()
CHILD = replace(ORDER, supplier_order_no="3002", parent_no="3001")
NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
STEPS = tuple(TrackStep(at=NOON + timedelta(hours=hour), text="x") for hour in range(2))

SUBMITTED, FOUND, READ = {"order": ordered()}, {"order_no": "A"}, {"supplier_order_no": "3001"}


def found(method: str, asked: Mapping[str, Any], result: object) -> list[str]:
    return list(RESULT_RULES[method](None, asked, result))


@pytest.mark.parametrize(
    ("method", "asked", "result"),
    [
        ("submit_order", SUBMITTED, replace(ORDER, order_no="B")),
        ("find_order", FOUND, replace(ORDER, order_no="B")),
        ("read_order", READ, OrderTree(CHILD)),
        ("read_order", READ, OrderTree(ORDER, (CHILD, CHILD))),
        ("read_order", READ, OrderTree(ORDER, (ORDER,))),
        ("read_order", READ, OrderTree(ORDER, (replace(CHILD, parent_no="3009"),))),
        ("read_track", READ, Track(STEPS[::-1])),
    ],
)
def test_what_may_not_be_is_found(method: str, asked: Mapping[str, Any], result: object):
    assert found(method, asked, result)


@pytest.mark.parametrize(
    ("method", "asked", "result"),
    [
        ("submit_order", SUBMITTED, ORDER),
        ("submit_order", SUBMITTED, replace(ORDER, order_no=ordered().order_no)),
        ("find_order", FOUND, None),
        ("find_order", FOUND, replace(ORDER, order_no="A")),
        ("read_order", READ, OrderTree(ORDER, (CHILD, replace(CHILD, supplier_order_no="3003", parent_no=None)))),
        ("read_track", READ, Track(STEPS)),
    ],
)
def test_what_may_be_passes(method: str, asked: Mapping[str, Any], result: object):
    assert found(method, asked, result) == []
