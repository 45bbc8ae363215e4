"""Suppliers are shared out evenly, and none keeps a place that it has no use for."""

from __future__ import annotations

import pytest

from gateway.sessions.owner import given_up, share


@pytest.mark.parametrize(
    ("suppliers", "processes", "most"), [(0, 1, 0), (1, 0, 1), (20, 1, 20), (20, 3, 7), (3, 20, 1)]
)
def test_suppliers_are_shared_out_evenly(suppliers: int, processes: int, most: int):
    assert share(suppliers, processes) == most


@pytest.mark.parametrize(
    ("owned", "most", "ended"),
    [
        (["a", "b"], 2, []),
        (["a", "b", "c"], 2, ["c"]),
        (["pushed", "a"], 1, ["pushed"]),
        (["pushed", "a", "b"], 1, ["pushed", "b"]),
        (["pushed", "gone"], 2, ["pushed", "gone"]),
        ([], 2, []),
    ],
)
def test_a_supplier_that_is_pulled_no_more_takes_nobodys_place(owned: list[str], most: int, ended: list[str]):
    assert given_up(owned, ["a", "b", "c"], most) == ended
